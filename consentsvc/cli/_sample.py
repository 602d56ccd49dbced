"""A registrar's customers and what they chose: the same ones each time, by a fixed seed."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from consentclient import (
    Action,
    Actor,
    ActorKind,
    AsyncConsentClient,
    Change,
    ContactField,
    NoticeRef,
    Scope,
    Updated,
)

NEWSLETTER = "newsletter"
RESELLER = "reseller42.newsletter"
"""Another controller's newsletter, which wants a confirmation by e-mail."""
WHOIS = "whois_publication"
"""Decided for each contact, domain, role and field; in the sample, for the whole account."""
STATISTICS = "audience_measurement"
"""Permitted until somebody objects."""

AT_ONCE = 64
"""How many writes are under way while the sample is loaded."""

_SEED = 8213
# Of a hundred customers, how many give and how many refuse. The others have not been asked.
_CHOICES = {
    NEWSLETTER: (55, 20),
    "newsletter_open_tracking": (15, 30),
    WHOIS: (10, 15),
    "marketing_profiling": (25, 35),
    "chat_cookies": (30, 10),
    "video_embeds": (20, 20),
    RESELLER: (12, 5),
}
_OBJECTING, _WITHDRAWING, _CONFIRMING = 5, 12, 70
_RESTRICTED_EVERY = 150
_OFFICER = Actor(ActorKind.OPERATOR, "dpo")
_EVERYTHING = Scope(frozenset({ContactField.ALL}))
_NEEDS_NOTICE = {Action.GIVE, Action.REFUSE}


@dataclass(frozen=True, slots=True)
class Customer:
    """What one customer does: choices at a first visit, others at a second one."""

    subject: str
    locale: str
    first: dict[str, Action]
    second: dict[str, Action]
    confirms: bool
    restricted: bool

    def permits(self, purpose: str) -> bool:
        """What the service has to answer, worked out without it."""
        choice = self.second.get(purpose, self.first.get(purpose))
        if self.restricted:
            return False
        if purpose == STATISTICS:
            return choice is not Action.OBJECT
        return choice is Action.GIVE and (purpose != RESELLER or self.confirms)


@dataclass(slots=True)
class Loaded:
    """What was recorded."""

    calls: int = 0
    events: int = 0


def customers(count: int) -> list[Customer]:
    """The first so many customers."""
    chance = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    return [_customer(number, chance) for number in range(1, count + 1)]


def _customer(number: int, chance: random.Random) -> Customer:
    first = {}
    for purpose, (give, refuse) in _CHOICES.items():
        draw = chance.randrange(100)
        if draw < give + refuse:
            first[purpose] = Action.GIVE if draw < give else Action.REFUSE
    if chance.randrange(100) < _OBJECTING:
        first[STATISTICS] = Action.OBJECT
    second = {
        purpose: Action.WITHDRAW
        for purpose, action in first.items()
        if action is Action.GIVE and purpose != RESELLER and chance.randrange(100) < _WITHDRAWING
    }
    return Customer(
        subject=f"customer:{number}",
        locale=chance.choice(("en", "fr")),
        first=first,
        second=second,
        confirms=first.get(RESELLER) is Action.GIVE and chance.randrange(100) < _CONFIRMING,
        restricted=number % _RESTRICTED_EVERY == 0,
    )


async def load(
    client: AsyncConsentClient,
    sample: Sequence[Customer],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Loaded:
    """Lets every customer do what they do, `AT_ONCE` of them at the same time."""
    notices = {
        (purpose.id, locale): purpose.notice.ref
        for locale in ("en", "fr")
        for purpose in await client.list_purposes(locale)
    }
    loaded = Loaded()
    waiting = iter(enumerate(sample, 1))

    async def load_next() -> None:
        for number, customer in waiting:
            await _visit(client, customer, notices, loaded)
            progress(number, len(sample))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(load_next())
    except ExceptionGroup as several:
        raise several.exceptions[0] from None  # one is enough to say
    return loaded


async def _visit(
    client: AsyncConsentClient,
    customer: Customer,
    notices: dict[tuple[str, str], NoticeRef],
    loaded: Loaded,
) -> None:
    for choices in (customer.first, customer.second):
        changes = list(_changes(customer, choices, notices))
        if not changes:
            continue
        updated = await client.update(customer.subject, changes, channel="panel")
        loaded.calls += 1
        loaded.events += sum(one.position is not None for one in updated.outcomes)
        if customer.confirms and choices is customer.first:
            await client.confirm(_token(updated))
            loaded.calls += 1
            loaded.events += 1
    if customer.restricted:
        await client.restrict(customer.subject, actor=_OFFICER, channel="letter")
        loaded.calls += 1
        loaded.events += 1


def _changes(
    customer: Customer, choices: dict[str, Action], notices: dict[tuple[str, str], NoticeRef]
) -> Iterator[Change]:
    for purpose, action in choices.items():
        shown = notices[purpose, customer.locale] if action in _NEEDS_NOTICE else None
        yield Change(purpose, action, shown, scope=_EVERYTHING if purpose == WHOIS else None)


def _token(updated: Updated) -> str:
    """What the confirmation link in the e-mail would hold."""
    return next(one.confirmation_token for one in updated.outcomes if one.confirmation_token)
