"""What the job remembers is found again."""

import pytest

from consentclient import ContactFacts, ContactKind
from registry_sync import State
from registry_sync._applied import Applied
from registry_sync._due import CONTACT, FORMER, Due, Thing

_THING = Thing(CONTACT, "no", "A")
_OTHER = Thing(CONTACT, "no", "B")


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


def _does(state: State, thing: Thing) -> None:
    """What is to be done about a thing, as it is now, is done."""
    (due,) = (one for one in state.due("no", 10) if one.thing == thing)
    state.answered(due, Applied())


def test_what_is_waited_for() -> None:
    """What is to be done now is waited for, and nothing that comes later."""
    with State(None) as state:
        state.take([_THING])
        state.await_due()
        state.take([_OTHER])
        before = state.is_awaited()
        _does(state, _THING)

        assert before
        assert not state.is_awaited()
        assert state.waiting() == {"no": 1}


def test_a_change_of_what_is_waited_for() -> None:
    """What has changed since is waited for until it is done as it is now: it was not done before.

    By its mark alone it would have been taken for something that came later.
    """
    with State(None) as state:
        state.take([_THING])
        state.await_due()
        (before,) = state.due("no", 10)
        state.take([_THING], urgent=[_OTHER])
        state.answered(before, Applied())
        still = state.is_awaited()
        _does(state, _OTHER)
        _does(state, _THING)

        assert still
        assert not state.is_awaited()


@pytest.mark.parametrize("awaited", [True, False])
def test_an_object_before(awaited: bool) -> None:
    """Whoever waits for a contact waits for the object that it had before, too."""
    former = Thing(FORMER, "no", "H1")
    with State(None) as state:
        state.take([_THING] if awaited else [])
        state.await_due()
        state.take([] if awaited else [_THING])
        state.hand_over(_THING, former)
        _does(state, former)
        of_contact = state.is_awaited()
        state.hand_over(_THING, former)
        (contact,) = state.due("no", 10, lambda one: one.thing == former)
        state.forget(contact)

        assert of_contact is awaited
        assert state.is_awaited() is awaited


def test_a_look_while_something_is_asked_about() -> None:
    """A look at everything is one at what was asked about before: the answer may be an old one."""
    with State(None) as state:
        state.about_to_send([(_THING, "H1", _facts("account:A"))])
        state.take([_THING])
        (asked,) = state.due("no", 10)
        state.take_standing()
        state.settled([(asked, Applied(sure=False))])

        assert [one.thing for one in state.due("no", 10)] == [_THING]
