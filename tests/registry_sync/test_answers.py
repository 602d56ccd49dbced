"""Greetings and responses as they are understood, and bytes that are neither."""

import asyncio
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_sync import _commands as commands
from registry_sync import _frames as frames
from registry_sync import _responses as responses
from registry_sync._extensions import CISA, FRED, RFC
from registry_sync._wire import ContactData, Disclose
from registry_sync.testing import Registry
from registry_sync.testing._commands import Responder, Session
from tests.registry_sync import making
from tests.registry_sync.making import CAMILLE, CZ_CAMILLE, hide, show
from tests.registry_sync.schemas import need_schemas, validate

_EPP = "urn:ietf:params:xml:ns:epp-1.0"
_CONTACT = "urn:ietf:params:xml:ns:contact-1.0"


def _greeting(access: str) -> bytes:
    return f"""<?xml version="1.0"?><epp xmlns="{_EPP}"><greeting>
        <svID>a registry</svID><svDate>2026-03-01T09:00:00Z</svDate>
        <svcMenu><version>1.0</version><lang>en</lang>
            <objURI>{_CONTACT}</objURI><objURI>urn:other</objURI>
            <svcExtension><extURI>urn:a</extURI><extURI>urn:b</extURI></svcExtension></svcMenu>
        <dcp><access><{access}/></access><statement><purpose><prov/></purpose>
            <recipient><ours/></recipient><retention><stated/></retention></statement></dcp>
        </greeting></epp>""".encode()


def _response(inside: str = "", code: object = 1000, result: str = "") -> bytes:
    return f"""<epp xmlns="{_EPP}"><response>
        <result code="{code}"><msg lang="en">Said so</msg>{result}</result>{inside}
        <trID><clTRID>id-1</clTRID><svTRID>SV-1</svTRID></trID></response></epp>""".encode()


def _info(inside: str) -> responses.Response:
    data = f"""<resData><contact:infData xmlns:contact="{_CONTACT}"><contact:id>ANN-1</contact:id>
        {inside}</contact:infData></resData>"""
    return responses.response(RFC, _response(data))


def _preference(inside: str) -> Disclose | None:
    return responses.contact(RFC, _info(inside)).disclose


async def _read(*chunks: bytes, limit: int = frames.MAX_FRAME_BYTES) -> bytes:
    reader = asyncio.StreamReader()
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return await frames.read(reader, limit)


@pytest.mark.parametrize(
    ("access", "hides"), [("none", True), ("all", False), ("personal", None), ("other", None)]
)
def test_greeting(access: str, hides: bool | None) -> None:
    """A greeting says what is served, and whether the registry hides, shows, or says neither."""
    greeting = responses.greeting(RFC, _greeting(access))

    assert greeting.server == "a registry"
    assert greeting.objects == {_CONTACT, "urn:other"}
    assert greeting.extensions == {"urn:a", "urn:b"}
    assert greeting.access == access
    assert greeting.hides is hides


def test_response() -> None:
    """An answer has a code, a message, and the ids of both sides."""
    response = responses.response(
        RFC, _response(code=2308, result="<value><a xmlns=''>1</a></value>")
    )

    assert (response.code, response.message) == (2308, "Said so")
    assert (response.client_id, response.server_id) == ("id-1", "SV-1")
    assert not response.ok
    assert not response.pending
    assert response.queued is None


@pytest.mark.parametrize(
    ("code", "ok", "pending"), [(1000, True, False), (1001, True, True), (2000, False, False)]
)
def test_success(code: int, *, ok: bool, pending: bool) -> None:
    """What is accepted and not yet in force is told from what is."""
    response = responses.response(RFC, _response(code=code))

    assert response.ok is ok
    assert response.pending is pending


def test_message_queue() -> None:
    """A message that waits has its id, its text, and how many there are."""
    queue = (
        '<msgQ count="3" id="7"><qDate>2026-03-01T09:00:00Z</qDate><msg>Look <b/>here</msg></msgQ>'
    )
    queued = responses.response(RFC, _response(queue, code=1301)).queued

    assert queued == responses.Queued(3, "7", "Look here")


def test_contact() -> None:
    """An info is read with everything that was written, in each dialect."""
    for dialect, data in ((RFC, CAMILLE), (CISA, CAMILLE), (FRED, CZ_CAMILLE)):
        registry = Registry(dialect=dialect)
        registry.create_contact("ANN-1", data)
        command = commands.contact_info(dialect, "ANN-1").frame("id-1")
        answer = Responder(registry).answer(frames.parsed(command), Session(logged_in=True))
        found = responses.contact(dialect, responses.response(dialect, answer))

        assert found.handle == "ANN-1"
        assert found.data == data
        assert found.statuses == {"ok"}


def test_preference() -> None:
    """The preference is read with its flag, its elements and their types."""
    both = "".join(
        f'<contact:{name} type="{type_}"/>' for name in ("name", "addr") for type_ in ("int", "loc")
    )
    typed = f'<contact:disclose flag="1">{both}<contact:email/></contact:disclose>'

    assert _preference(typed) == show("name", "addr", "email", types=frozenset({"int", "loc"}))
    assert _preference('<contact:disclose flag="false"><contact:voice/></contact:disclose>') == (
        hide("voice")
    )
    assert _preference('<contact:disclose flag="1"/>') == show()
    assert _preference("") is None


def test_preference_with_different_types() -> None:
    """A preference whose forms differ from element to element equals none that was sent."""
    mixed = '<contact:name type="int"/><contact:org type="loc"/>'
    found = _preference(f'<contact:disclose flag="1">{mixed}</contact:disclose>')

    assert found == show("name", "org")


def test_what_is_shown() -> None:
    """What a preference comes to depends on the registry's default."""
    assert RFC.shown(show("email"), hides=True) == {"email"}
    assert RFC.shown(hide("email"), hides=True) == frozenset()
    assert RFC.shown(None, hides=True) == frozenset()
    assert RFC.shown(hide("email"), hides=False) == RFC.settable - {"email"}
    assert RFC.shown(show("email"), hides=False) == RFC.settable
    assert FRED.shown(show("email"), hides=True) == {"name", "org", "email"}


def test_availability() -> None:
    """A check tells which handles are free."""
    data = f"""<resData><contact:chkData xmlns:contact="{_CONTACT}">
        <contact:cd><contact:id avail="1">ANN-1</contact:id></contact:cd>
        <contact:cd><contact:id avail="false">ANN-2</contact:id></contact:cd>
        </contact:chkData></resData>"""

    assert responses.availability(RFC, responses.response(RFC, _response(data))) == {
        "ANN-1": True,
        "ANN-2": False,
    }


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"what was that?",
        b"<epp>",
        b"<epp/>",
        f"<epp xmlns='{_EPP}'/>".encode(),
        f"<epp xmlns='{_EPP}'><response/></epp>".encode(),
        f"<epp xmlns='{_EPP}'><greeting/></epp>".encode(),
        _response(code="one thousand"),
        _response('<msgQ count="many" id="1"/>'),
        _response().replace(b"epp-1.0", b"epp-2.0"),
        _response().replace(b"</trID>", b"</trID>\xff"),
    ],
)
def test_no_answer(xml: bytes) -> None:
    """What is not a response is an error of its own, and never a refusal."""
    with pytest.raises(frames.FrameError):
        responses.response(RFC, xml)
    with pytest.raises(frames.FrameError):
        responses.greeting(RFC, xml)


def test_answer_to_something_else() -> None:
    """A success without the data that was asked for tells nothing of a contact."""
    with pytest.raises(frames.FrameError, match="infData"):
        responses.contact(RFC, responses.response(RFC, _response()))


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE epp [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE epp [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE epp SYSTEM "http://127.0.0.1:9/epp.dtd">',
        "<!DOCTYPE epp>",
    ],
)
def test_document_type(doctype: str) -> None:
    """A document type is refused, so that no entity is ever expanded or fetched."""
    with pytest.raises(frames.FrameError, match="document type"):
        responses.response(RFC, doctype.encode() + _response())
    with pytest.raises(frames.FrameError):
        responses.response(
            RFC, doctype.encode() + _response("<msgQ count='1' id='1'>&a;&b;</msgQ>")
        )


def test_comments_mean_nothing() -> None:
    """Comments and instructions are passed over, wherever they stand."""
    xml = _response().replace(b"<result", b"<!-- 2400 --><?php 2400 ?><result")

    assert responses.response(RFC, b"<!-- x -->" + xml).code == 1000


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_any_bytes(noise: bytes) -> None:
    """Whatever arrives is understood or refused, and nothing else happens."""
    for understand in (responses.response, responses.greeting):
        with pytest.raises(frames.FrameError):
            understand(RFC, noise)


@given(st.data())
@settings(max_examples=200)
def test_any_damage(data: st.DataObject) -> None:
    """A response that was damaged on the way is understood or refused."""
    xml = bytearray(_response('<msgQ count="3" id="7"/>'))
    for _ in range(data.draw(st.integers(1, 4))):
        xml[data.draw(st.integers(0, len(xml) - 1))] = data.draw(st.integers(0, 255))
    try:
        response = responses.response(RFC, bytes(xml))
    except frames.FrameError:
        return

    assert isinstance(response.code, int)


async def test_framing() -> None:
    """A frame is its total length, of four bytes, and the XML; chunks do not matter."""
    framed = frames.framed(b"<epp/>")

    assert framed == b"\x00\x00\x00\x0a<epp/>"
    assert await _read(framed) == b"<epp/>"
    assert await _read(*(framed[index : index + 1] for index in range(len(framed)))) == b"<epp/>"


@pytest.mark.parametrize("length", [0, 3, 4, 101, 2**31, 2**32 - 1])
async def test_lengths(length: int) -> None:
    """A length that cannot be is refused before anything is read or reserved."""
    with pytest.raises(frames.FrameError, match=f"{length} bytes"):
        await _read(struct.pack("!I", length) + b"x" * 10, limit=100)


async def test_longest_frame() -> None:
    """The limit is the longest frame that is read."""
    assert await _read(struct.pack("!I", 100) + b"x" * 96, limit=100) == b"x" * 96


@pytest.mark.parametrize("cut", [0, 2, 4, 7])
async def test_end_of_stream(cut: int) -> None:
    """A stream that ends before the frame does is an error, even between two frames."""
    with pytest.raises(asyncio.IncompleteReadError):
        await _read(frames.framed(b"<epp/>")[:cut])


@need_schemas
@given(data=making.contacts(complete=True), hides=st.booleans(), asked=making.wishes(RFC))
def test_the_registry_for_tests_speaks_epp(data: ContactData, hides: bool, asked: Disclose) -> None:
    """What the registry for tests answers is valid, so that a client learns nothing wrong."""
    responder = Responder(Registry(hides=hides))
    session = Session(logged_in=True)
    said = [
        commands.create_contact(RFC, "ANN-1", data, password="x", disclose=asked),
        commands.contact_info(RFC, "ANN-1"),
        commands.check_contacts(RFC, ["ANN-1", "ANN-2"]),
        commands.update_contact(RFC, "ANN-1", disclose=asked),
        commands.contact_info(RFC, "ANN-3"),
        commands.poll(RFC),
        commands.domain_info(RFC, "example.com"),
        commands.logout(RFC),
    ]

    validate(responder.greeting())
    for command in said:
        validate(responder.answer(frames.parsed(command.frame("id-1")), session))
