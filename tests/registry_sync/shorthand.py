"""XML in short: names without namespaces, attributes in brackets, children in parentheses."""

from lxml import etree
from lxml.etree import _Element as Element


def short(found: Element) -> str:
    attributes = "".join(f"[{name}={value}]" for name, value in found.attrib.items())
    inside = f"({' '.join(short(one) for one in found)})" if len(found) else ""
    text = f"={found.text}" if found.text else ""
    return f"{etree.QName(found).localname}{attributes}{text}{inside}"
