"""A small registrar: Ann's contacts and domains, and Ben's."""

from typing import Any

ANN, BEN = "customer:ann", "customer:ben"

_ANN: dict[str, Any] = {
    "contact": "C-1",
    "account": ANN,
    "kind": "natural",
    "values": {
        "name": "Ann Durand",
        "street": "12 rue des Lilas",
        "city": "Lyon",
        "postal_code": "69003",
        "country": "FR",
        "phone": "+33.199000000",
        "email": "ann@durand.example",
    },
}
_COMPANY: dict[str, Any] = {
    "contact": "C-2",
    "account": ANN,
    "kind": "legal",
    "values": {
        "name": "Ann Durand",
        "organization": "Durand & Filles SARL",
        "city": "Lyon",
        "country": "FR",
        "email": "bonjour@durand.example",
    },
}
_BEN: dict[str, Any] = {
    "contact": "C-9",
    "account": BEN,
    "kind": "natural",
    "values": {"name": "Ben Martin", "email": "ben@martin.example"},
}


def _domain(name: str, **bindings: str) -> dict[str, Any]:
    return {"domain": name, "registered": "2024-02-01T10:00:00Z", "bindings": bindings}


LINES: list[dict[str, Any]] = [
    _ANN,
    _COMPANY,
    _BEN,
    _domain("durand.cz", registrant="C-1"),
    _domain("lilas.cz", registrant="C-1", admin="C-1"),
    _domain("durand.com", registrant="C-2", tech="C-1", billing="C-9"),
    _domain("durand.us", registrant="C-1"),
    _domain("durand.unheard-of", registrant="C-1"),
    _domain("martin.com", registrant="C-9"),
]


def many(domains: int) -> list[dict[str, Any]]:
    """The same, and so many domains more."""
    return LINES + [_domain(f"d{number:04}.com", registrant="C-1") for number in range(domains)]
