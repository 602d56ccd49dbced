"""A disclose list names postal forms: one that came later is not in it."""

import pytest

from consentsvc.domain.publication import encode
from consentsvc.domain.publication.facts import Contact, Domain, Facts, PostalType
from consentsvc.domain.publication.resolve import Resolution
from consentsvc.domain.publication.wire import Commands, Data, Disclose, DiscloseList, Operation
from consentsvc.domain.scope import COMMON_FIELDS, ContactField, DomainName, Role
from tests.publication.making import ACCOUNTS, CONTACTS, START, World, resolution

INT, BOTH = frozenset({PostalType.INT}), frozenset(PostalType)
CHANGED = frozenset({ContactField.NAME})


def asked(name: str, types: frozenset[PostalType]) -> Resolution:
    """About somebody who consented to nothing."""
    held = frozenset(COMMON_FIELDS)
    contact = Contact(CONTACTS[0], ACCOUNTS[0], filled=held, postal_types=types)
    on = Domain(DomainName(name), START, bindings={Role.REGISTRANT: contact.id})
    facts = Facts(on, {contact.id: contact})
    return resolution(World(facts, Role.REGISTRANT, (), START), Operation.UPDATE)


def updated(name: str, sent: Disclose, changed: frozenset[ContactField]) -> Commands:
    """What is told of a contact that has both forms by now."""
    return encode.told(asked(name, BOTH), sent, changed).commands


@pytest.mark.parametrize("changed", [CHANGED, frozenset()])
def test_a_new_form_is_hidden_before_it_comes(changed: frozenset[ContactField]) -> None:
    """A showing registry is told to hide the new form, and then what it holds.

    The list was thought to be the same, and the new form was public for good.
    """
    sent = encode.told(asked("a.net", INT)).state
    assert isinstance(sent, Disclose)
    first, *rest = updated("a.net", sent, changed)

    assert isinstance(first, Disclose)
    assert first.listed is not None
    assert not first.listed.flag
    assert first.listed.types == BOTH
    assert rest == ([Data(changed)] if changed else [])


def test_half_shown_is_not_hidden() -> None:
    """A hiding registry that shows one form hides it when the consent has ended."""
    sent = Disclose(DiscloseList(True, frozenset({"name"}), INT))

    assert updated("a.org", sent, CHANGED) == (
        Disclose(DiscloseList(True, frozenset())),
        Data(CHANGED),
    )
