"""Frames of EPP (RFC 5734): a length, and XML.

What is read comes from outside: it is limited in size, and a document type is refused before an
entity could mean anything.
"""

import asyncio
import struct

from lxml import etree
from lxml.etree import _Element as Element

# No answer that is asked for here comes near: the longest, a poll message with a contact before and
# after, has some ten kilobytes.
MAX_FRAME_BYTES = 1024 * 1024

_HEADER = struct.Struct("!I")


class FrameError(ValueError):
    """Bytes that are no frame of EPP; nothing after them on the connection can be trusted."""


def framed(xml: bytes) -> bytes:
    """Puts the total length in front."""
    return _HEADER.pack(_HEADER.size + len(xml)) + xml


async def read(reader: asyncio.StreamReader, limit: int = MAX_FRAME_BYTES) -> bytes:
    """The next frame's XML. Raises IncompleteReadError where the stream ends, or FrameError."""
    (length,) = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if not _HEADER.size < length <= limit:
        raise FrameError(f"a frame of {length} bytes")
    return await reader.readexactly(length - _HEADER.size)


def parsed(xml: bytes) -> Element:
    """The root of a document without entities, comments and instructions, or FrameError."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError:
        # Its message may quote what it met.
        raise FrameError("a frame that is no XML") from None
    if root.getroottree().docinfo.doctype:
        raise FrameError("a frame with a document type")
    return root


def serialised(root: Element) -> bytes:
    """The XML of a message."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=False)


def add(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    """A new child in the namespace of its parent."""
    child = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}", attributes)
    child.text = text
    return child
