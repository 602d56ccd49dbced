"""The schemas of the RFCs, where there are any to validate with."""

import os
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

_NAMESPACES = ("eppcom", "epp", "host", "domain", "contact")
_FOLDER = Path(
    os.environ.get("EPP_SCHEMAS") or Path(__file__).resolve().parents[3] / "shared" / "epp-schemas"
)

need_schemas = pytest.mark.skipif(
    not (_FOLDER / "contact-1.0.xsd").is_file(),
    reason=f"no schemas in {_FOLDER}: EPP_SCHEMAS says where they are",
)


@cache
def _schema() -> etree.XMLSchema:
    imports = "".join(
        f'<import namespace="urn:ietf:params:xml:ns:{name}-1.0" '
        f'schemaLocation="{(_FOLDER / f"{name}-1.0.xsd").as_uri()}"/>'
        for name in _NAMESPACES
    )
    together = f'<schema xmlns="http://www.w3.org/2001/XMLSchema">{imports}</schema>'
    return etree.XMLSchema(etree.fromstring(together))


def validate(xml: bytes) -> None:
    """Fails with what the schema has to say against a frame."""
    _schema().assertValid(etree.fromstring(xml))
