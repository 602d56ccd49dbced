"""Contacts and wishes, made up one by one or at random."""

from hypothesis import strategies as st

from registry_sync._extensions import Dialect
from registry_sync._wire import POSTAL_TYPES, ContactData, Disclose, Phone, Postal

HOME = Postal("Camille Durand", "", ("1 rue de l'Exemple",), "Exempleville", "Ile", "00000", "FR")
CAMILLE = ContactData(
    postal={"loc": HOME},
    voice=Phone("+33.199000000", "42"),
    fax=Phone("+33.199000001"),
    email="camille@durand.example",
)
# Everything that FRED holds, of a natural person.
CZ_CAMILLE = ContactData(
    postal={"loc": HOME},
    voice=Phone("+420.123456789"),
    fax=Phone("+420.123456780"),
    email="camille@durand.example",
    vat="CZ1234",
    ident=("passport", "P-77"),
    notify_email="notify@durand.example",
)


def show(*elements: str, types: frozenset[str] = frozenset()) -> Disclose:
    return Disclose(True, frozenset(elements), types)


def hide(*elements: str, types: frozenset[str] = frozenset()) -> Disclose:
    return Disclose(False, frozenset(elements), types)


# What XML can hold; no line breaks, which the schemas make spaces of.
_CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
_LINE = st.text(_CHARACTERS, min_size=1, max_size=60).filter(str.strip)
_ASCII = st.text(
    st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60
).filter(str.strip)
_WORD = st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True)

handles = st.from_regex(r"[A-Z0-9][A-Z0-9-]{1,14}[A-Z0-9]", fullmatch=True)
client_ids = st.from_regex(r"[a-z0-9]{3,64}", fullmatch=True)
phones = st.builds(
    Phone,
    st.from_regex(r"\+[0-9]{1,3}\.[0-9]{1,12}", fullmatch=True),
    st.from_regex(r"[0-9]{0,5}", fullmatch=True),
)
emails = st.from_regex(r"[a-z]{1,10}@[a-z]{1,10}\.example", fullmatch=True)


def postals(*, complete: bool, line: st.SearchStrategy[str] = _LINE) -> st.SearchStrategy[Postal]:
    optional = st.none() | line
    addressed = st.builds(
        Postal,
        name=line if complete else optional,
        org=optional,
        street=st.lists(line, max_size=3).map(tuple),
        city=line,
        sp=optional,
        pc=st.none() | _WORD,
        cc=st.sampled_from(["FR", "CZ", "DE"]),
    )
    return addressed if complete else addressed | st.builds(Postal, name=optional, org=optional)


def contacts(*, complete: bool) -> st.SearchStrategy[ContactData]:
    """Contacts as they are made or, not complete, changed."""
    return st.builds(
        ContactData,
        postal=st.fixed_dictionaries(
            {},
            optional={
                "int": postals(complete=complete, line=_ASCII),
                "loc": postals(complete=complete),
            },
        ).filter(lambda found: bool(found) or not complete),
        voice=st.none() | phones,
        fax=st.none() | phones,
        email=emails if complete else st.none() | emails,
    )


def wishes(dialect: Dialect) -> st.SearchStrategy[Disclose]:
    """Anything that a registry can be asked to disclose."""
    return st.builds(
        Disclose,
        flag=st.booleans(),
        elements=st.frozensets(st.sampled_from(sorted(dialect.settable))),
        types=st.frozensets(st.sampled_from(POSTAL_TYPES)),
    )
