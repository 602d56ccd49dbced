"""Decisions are made once and shared: each is the one that would be made for the contact alone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentsvc.domain.publication import encode, profile, resolve
from consentsvc.domain.publication.wire import Operation
from consentsvc.rpc import publications
from consentsvc.service.publications import Published
from consentsvc.v1 import publication_service_pb2 as messages
from tests.publication.making import World, resolution, worlds
from tests.publication.naive import TLDS

_SHARED = [
    (resolve, "asking"),
    (resolve, "unruled"),
    (resolve, "decided"),
    (resolve, "together"),
    (resolve, "shared"),
    (profile, "_table"),
    (profile, "_first_of_each"),
    (encode, "_told"),
    (publications, "_alike"),
]


@contextmanager
def nothing_shared() -> Iterator[None]:
    with ExitStack() as plain:
        for module, name in _SHARED:
            made = getattr(module, name).__wrapped__
            plain.enter_context(mock.patch.object(module, name, made))
        yield


def answer(world: World, operation: Operation | None) -> tuple[object, ...]:
    asked = resolution(world, operation)
    told = encode.told(asked)
    message = messages.Publication()
    publications.answer(Published(asked, told), message)
    return asked.results, asked.valid_until, told, message


@given(worlds([*TLDS, "org", "net", "cz", "gov"]), st.sampled_from([None, *Operation]))
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_for_each_alone(world: World, operation: Operation | None) -> None:
    """What was decided for those who came before is what would be decided anew."""
    found = answer(world, operation)
    with nothing_shared():
        alone = answer(world, operation)

    assert found == alone
