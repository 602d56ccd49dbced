"""Links of requests whose notice was replaced, and consents since: which gives way to which."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consentsvc.domain.catalogue import Catalogue, Purpose
from consentsvc.domain.changes import Action
from consentsvc.domain.errors import ConfirmationUsed, ConfirmationVoid
from consentsvc.domain.events import THE_SUBJECT, Actor, ActorKind, EventKind, Evidence
from consentsvc.domain.identifiers import ActorId, PurposeId
from consentsvc.domain.scope import (
    ACCOUNT,
    EVERY_FIELD,
    EVERYTHING,
    ContactField,
    ContactId,
    Reach,
    Scope,
)
from consentsvc.service.consents import Change, Consents, ShownNotice, UpdateConsents
from consentsvc.service.expiry import Sweeper
from consentsvc.service.links import Links
from consentsvc.service.ports import EventStore
from tests.storage.making import (
    ANNA,
    CONTACT,
    IN_ROLE,
    NAME,
    OF_CONTACT,
    OF_DOMAIN,
    everything,
    request,
)
from tests.support import catalogues
from tests.support.catalogues import NO_PROFILES, version
from tests.support.clock import FakeClock

OPERATOR = Actor(ActorKind.OPERATOR, ActorId("op7"))
PURPOSE, DIVIDED = PurposeId("news"), PurposeId("names")
NAME_AND_EMAIL = frozenset({ContactField.NAME, ContactField.EMAIL})
SHORT_MONTH = datetime(2027, 2, 1, 9, tzinfo=UTC)
"""A month of which is over before a request is."""
ANOTHER = Reach(ContactId("contact:another"))


def purpose(id: PurposeId, versions: int, months: int | None = None) -> Purpose:
    """A purpose whose every version asks again."""
    made = [version(id, str(one), asks_again=one > 1) for one in range(1, versions + 1)]
    return catalogues.purpose(id, months=months, versions=tuple(made), takes_scope=id == DIVIDED)


class Scene:
    """One subject, and the catalogue of the moment."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.links = Links(store.secret("links"))
        self.ids = itertools.count(1)
        self.turn(1)

    def turn(self, versions: int, **options: Any) -> None:
        """Starts anew, with so many versions of the notices."""
        both = [purpose(one, versions, **options) for one in (PURPOSE, DIVIDED)]
        self.catalogue = Catalogue({one.id: one for one in both})
        self.consents = Consents(self.store, self.catalogue, NO_PROFILES, self.links, self.clock)

    async def change(
        self,
        action: Action,
        version: int | None,
        purpose: PurposeId = PURPOSE,
        scope: Scope | None = None,
    ) -> str | None:
        """Makes one change, and returns the token of the link that it leads to."""
        shown = None if version is None else ShownNotice(str(version), "en")
        actor = OPERATOR if action is Action.REQUEST else THE_SUBJECT
        updated = await self.consents.update(
            UpdateConsents(
                ANNA,
                actor,
                "panel",
                [Change(action, purpose, shown, scope=scope)],
                request(id=f"request-{next(self.ids)}"),
            )
        )
        return updated.confirmation_tokens[0]

    async def ask(self, purpose: PurposeId = PURPOSE, scope: Scope | None = None) -> str:
        """Asks on the first notice."""
        token = await self.change(Action.REQUEST, 1, purpose, scope)
        assert token is not None
        return token

    async def confirm(self, token: str) -> str:
        """Follows the link, and tells what came of it."""
        asked = request(id=f"request-{next(self.ids)}")
        try:
            await self.consents.confirm(token, Evidence(), asked)
        except (ConfirmationVoid, ConfirmationUsed) as error:
            return error.reason
        assert (await everything(self.store))[-1].kind is EventKind.CONSENT_GIVEN
        return "given"


@pytest.fixture
def scene(store: EventStore, clock: FakeClock) -> Scene:
    return Scene(store, clock)


class TestWithoutScope:
    async def test_replaced(self, scene: Scene) -> None:
        """What the subject consented to since, on the new notice, is not taken away."""
        token = await scene.ask()
        scene.turn(2)
        await scene.change(Action.GIVE, 2)

        assert await scene.confirm(token) == "CONFIRMATION_VOID"

    async def test_not_replaced(self, scene: Scene) -> None:
        """A link to a notice that still holds renews the consent."""
        token = await scene.ask()
        await scene.change(Action.GIVE, 1)

        assert await scene.confirm(token) == "given"

    async def test_nothing_to_take_away(self, scene: Scene) -> None:
        """Without a consent since, a link to a replaced notice is taken as it was meant."""
        token = await scene.ask()
        scene.turn(2)

        assert await scene.confirm(token) == "given"

    async def test_replaced_both(self, scene: Scene) -> None:
        """A consent that no longer counts either is not in the way."""
        token = await scene.ask()
        await scene.change(Action.GIVE, 1)
        scene.turn(2)

        assert await scene.confirm(token) == "given"

    async def test_given_on_the_old_since(self, scene: Scene) -> None:
        """Of consents since, the latest decides: here one that does not count."""
        token = await scene.ask()
        scene.turn(2)
        await scene.change(Action.GIVE, 2)
        await scene.change(Action.GIVE, 1)

        assert await scene.confirm(token) == "given"

    @pytest.mark.parametrize("swept", [False, True])
    async def test_ran_out(self, scene: Scene, swept: bool) -> None:
        """A consent that has run out meanwhile is not taken away by anybody."""
        scene.clock.set(SHORT_MONTH)
        token = await scene.ask()
        scene.turn(2, months=1)
        await scene.change(Action.GIVE, 2)
        stands = await scene.confirm(token)
        scene.clock.advance(timedelta(days=28))
        if swept:
            await Sweeper(scene.store, scene.catalogue, scene.clock).sweep()

        assert (stands, await scene.confirm(token)) == ("CONFIRMATION_VOID", "given")

    async def test_under_an_objection(self, scene: Scene) -> None:
        """A consent that an earlier objection keeps down is there when that is taken back."""
        await scene.change(Action.OBJECT, None)
        token = await scene.ask()
        scene.turn(2)
        await scene.change(Action.GIVE, 2)

        assert await scene.confirm(token) == "CONFIRMATION_VOID"

    async def test_used(self, scene: Scene) -> None:
        """A link that was used is told so, whatever came after."""
        token = await scene.ask()
        assert await scene.confirm(token) == "given"
        scene.turn(2)
        await scene.change(Action.GIVE, 2)

        assert await scene.confirm(token) == "CONFIRMATION_USED"


HERE = Scope(OF_DOMAIN, NAME)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (HERE, "CONFIRMATION_VOID"),
        (Scope(OF_DOMAIN, EVERY_FIELD), "CONFIRMATION_VOID"),
        (Scope(OF_DOMAIN, NAME_AND_EMAIL), "CONFIRMATION_VOID"),
        (Scope(OF_CONTACT, NAME), "CONFIRMATION_VOID"),
        (EVERYTHING, "CONFIRMATION_VOID"),
        (Scope(OF_DOMAIN, frozenset({ContactField.EMAIL})), "given"),
        (Scope(IN_ROLE, NAME), "given"),  # further inside: it decides there, whatever is said here
        (Scope(ANOTHER, NAME), "given"),
        (Scope(Reach(CONTACT, OF_DOMAIN.domain), frozenset({ContactField.PHONE})), "given"),
    ],
)
async def test_with_scope(scene: Scene, given: Scope, told: str) -> None:
    """A consent since is in the way if it covers what was asked for, be it with others."""
    token = await scene.ask(DIVIDED, HERE)
    scene.turn(2)
    await scene.change(Action.GIVE, 2, DIVIDED, given)

    assert await scene.confirm(token) == told


async def test_with_scope_in_part(scene: Scene) -> None:
    """Of a request for two fields, a consent to one would be taken away just as well."""
    token = await scene.ask(DIVIDED, Scope(ACCOUNT, NAME_AND_EMAIL))
    scene.turn(2)
    await scene.change(Action.GIVE, 2, DIVIDED, Scope(ACCOUNT, NAME))

    assert await scene.confirm(token) == "CONFIRMATION_VOID"


async def test_with_scope_not_replaced(scene: Scene) -> None:
    """A link to a notice that still holds is good with scopes too."""
    token = await scene.ask(DIVIDED, HERE)
    await scene.change(Action.GIVE, 1, DIVIDED, EVERYTHING)

    assert await scene.confirm(token) == "given"
