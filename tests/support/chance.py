"""What happens at random, to a few people and all purposes."""

import random

from tests.support import acts
from tests.support.wire import Wire, change

PURPOSES = ["newsletter", "profiling", "statistics", "reseller42.newsletter"]
SUBJECTS = [f"subject:{number}" for number in range(12)]


async def do_something(pick: random.Random, wire: Wire) -> None:
    """One change at random, somewhere."""
    subject, purpose = pick.choice(SUBJECTS), pick.choice(PURPOSES)
    match pick.randrange(10):
        case 0:
            await acts.restrict(wire, subject)
        case 1:
            await acts.lift(wire, subject)
        case 2:
            await acts.revoke(wire, subject, purpose)
        case _:
            action = pick.choice(["give", "refuse", "withdraw", "object", "request"])
            await wire.update(subject, change(action, purpose))
