"""The registries' own extensions: the complete state, sent where it is not what was sent before.

Each is a function from a resolution to the state, in the form that a create carries; None stands
for nothing. What a registry writes differently on update is said beside it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from consentsvc.domain.publication import epp
from consentsvc.domain.publication.profile import Rule
from consentsvc.domain.publication.seen import Seen
from consentsvc.domain.publication.wire import Extension, Operation, Sent, Told
from consentsvc.domain.scope import COMMON_FIELDS, ContactField, Role

State: TypeAlias = Mapping[str, str] | None


def _same(_before: State, now: State) -> State:
    return now


_ALL = MappingProxyType({"all": frozenset(COMMON_FIELDS)})
_ELEMENTS = {one: epp.ELEMENTS[one] for one in ("name", "org", "addr", "voice", "fax", "email")}
_IRPO = frozenset(
    {
        *epp.ELEMENTS["addr"],
        *epp.ELEMENTS["voice"],
        *epp.ELEMENTS["fax"],
    }
)


class Registry(NamedTuple):
    """How a registry is told: its state, how a change of it is written, and whether always.

    `groups` are its switches, by the names that profiles use, with the fields they stand for.
    `of_domain`: the state is about the contacts of the domain, whatever the switch belongs to.
    """

    state: Callable[[Seen], State]
    groups: Mapping[str, frozenset[ContactField]] = _ALL
    changed: Callable[[State, State], State] = _same
    always: bool = False
    of_domain: bool = False


def told(registry: Registry, seen: Seen, previous: Sent) -> Told:
    """What to send for a contact or domain, given what was last sent and accepted."""
    now = registry.state(seen)
    state = _sent(now)
    if seen.operation is Operation.UPDATE:
        before = dict(previous.values) if isinstance(previous, Extension) else None
        if not registry.always and before == now:
            return Told((), state)
        now = registry.changed(before, now)
    changed = _sent(now)
    return Told(() if changed is None else (changed,), state)


def _sent(state: State) -> Extension | None:
    return None if state is None else Extension(frozenset(state.items()))


def _truth(holds: bool) -> str:
    return "true" if holds else "false"


_RESTRICTED = "restrictedPublication"


def _frnic(seen: Seen) -> State:
    if seen.legal or seen.shown:
        return None
    return {"frnic:list": _RESTRICTED}


def _frnic_changed(_before: State, now: State) -> State:
    side = "rem" if now is None else "add"
    return {f"frnic:{side}/frnic:list": _RESTRICTED}


def _extcon(seen: Seen) -> State:
    return {"extcon:consentForPublishing": _truth(seen.shown)}


def _nask(seen: Seen) -> State:
    if seen.legal:
        return {"extcon:individual": "false"}
    return {"extcon:individual": "true", **(_extcon(seen) or {})}


def _eurid(seen: Seen) -> State:
    if seen.legal:
        return {"contact-ext:naturalPerson": "false"}
    real = seen.may_show({ContactField.EMAIL})
    return {
        "contact-ext:naturalPerson": "true",
        "contact-ext:whoisEmail": "real" if real else "relay",
    }


def _fury(seen: Seen) -> State:
    return {"fury:properties/PRIVACY": "PUBLIC" if seen.shown else "PRIVATE"}


def _fury_changed(_before: State, now: State) -> State:
    new = (now or {}).get("fury:properties/PRIVACY", "PRIVATE")
    old = "PRIVATE" if new == "PUBLIC" else "PUBLIC"
    return {"fury:add/PRIVACY": new, "fury:rem/PRIVACY": old}


def _tel(seen: Seen) -> State:
    if seen.legal:
        return {"unspec": "WhoisType=LEGAL"}
    return {"unspec": f"WhoisType=NATURAL Publish={'Y' if seen.shown else 'N'}"}


def _core(seen: Seen) -> State:
    if seen.legal:
        return {"dx:disclosure/dx:legal": ""}
    return {"dx:disclosure/dx:natural/disclose": _truth(seen.shown)}


def _restena(seen: Seen) -> State:
    return {
        f"dnslu:disclose/{element}": _truth(seen.may_show(fields))
        for element, fields in seen.elements.items()
    }


def _pt(seen: Seen) -> State:
    return {"ptdomain:ownerVisible": _truth(seen.shown_of(Role.REGISTRANT))}


def _nz(seen: Seen) -> State:
    table = seen.table
    switched = [one for one, clause in table.items() if clause.rule is Rule.OPT_OUT]
    if not switched:
        return None  # not for the registrant to say
    return {"irpo": "0" if seen.may_show(switched) else "1"}


REGISTRIES = {
    "frnic": Registry(_frnic, changed=_frnic_changed),
    "extcon_it": Registry(_extcon),
    "extcon_pl": Registry(_nask),
    "eurid": Registry(_eurid, {"whoisEmail": frozenset({ContactField.EMAIL})}),
    "fury": Registry(_fury, changed=_fury_changed),
    "tel": Registry(_tel),
    "core": Registry(_core),
    "dnslu": Registry(_restena, _ELEMENTS),
    "pt": Registry(_pt, always=True, of_domain=True),
    "nz": Registry(_nz, {"irpo": _IRPO}),
}
"""By the names that profiles use."""
