"""What the job remembers is found again."""

import pytest

from consentclient import ContactFacts, ContactKind
from registry_sync import State
from registry_sync._state import CONTACT, Applied, Due, Thing

_THING = Thing(CONTACT, "no", "A")


def _facts(account: str) -> ContactFacts:
    return ContactFacts("A", account, ContactKind.NATURAL, frozenset())


@pytest.mark.parametrize("before", ["account:A", "account:B", None])
def test_whose_contact_may_be_public(before: str | None) -> None:
    """From the moment before a command goes out it is known whose contact that may show."""
    with State(None) as state:
        if before is not None:
            state.answered(Due(_THING, 1, urgent=False), Applied(facts=_facts(before)))
        state.about_to_send([(_THING, "H1", _facts("account:A"))])

        assert state.standing("account:A") == [_THING]
        assert state.standing("account:B") == []
        assert state.applied(_THING).handle == "H1"
