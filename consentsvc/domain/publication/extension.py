"""The registries' own extensions: the complete state, sent where it is not what was sent before.

Each is a function from a resolution to the state, in the form that a create carries; None stands
for nothing. What a registry writes differently on update is said beside it.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from consentsvc.domain.publication import epp
from consentsvc.domain.publication.profile import Rule, Switch
from consentsvc.domain.publication.resolve import (
    FieldResult,
    Operation,
    Outcome,
    Resolution,
)
from consentsvc.domain.publication.wire import Extension, Sent, Told
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
    """

    state: Callable[[Resolution], State]
    groups: Mapping[str, frozenset[ContactField]] = _ALL
    changed: Callable[[State, State], State] = _same
    always: bool = False


def told(registry: Registry, resolution: Resolution, previous: Sent) -> Told:
    """What to send for a contact or domain, given what was last sent and accepted."""
    now = registry.state(resolution)
    state = None if now is None else Extension(now)
    if resolution.operation is Operation.UPDATE:
        before = previous.values if isinstance(previous, Extension) else None
        if not registry.always and before == now:
            return Told((), state)
        now = registry.changed(before, now)
    return Told(() if now is None else (Extension(now),), state)


def _truth(holds: bool) -> str:
    return "true" if holds else "false"


def _shown(resolution: Resolution) -> bool:
    """Whether everything that the switch stands for is published, and there is something."""
    profile = resolution.profile
    if profile is not None and profile.switch is Switch.DOMAIN:
        results = resolution.of_domain.values()
        return _all_published(one for each in results for one in each.values())
    return resolution.may_show(resolution.results)


def _registrant_shown(resolution: Resolution) -> bool:
    """The same, where the switch is the domain's but stands for its registrant alone."""
    registrant = resolution.of_domain.get(Role.REGISTRANT, {})
    return _all_published(registrant.values())


def _all_published(results: Iterable[FieldResult]) -> bool:
    valued = {one.outcome for one in results} - {Outcome.ABSENT, Outcome.NOT_OUTPUT}
    return valued == {Outcome.PUBLISH}


_RESTRICTED = "restrictedPublication"


def _frnic(resolution: Resolution) -> State:
    if resolution.legal or _shown(resolution):
        return None
    return {"frnic:list": _RESTRICTED}


def _frnic_changed(_before: State, now: State) -> State:
    side = "rem" if now is None else "add"
    return {f"frnic:{side}/frnic:list": _RESTRICTED}


def _extcon(resolution: Resolution) -> State:
    return {"extcon:consentForPublishing": _truth(_shown(resolution))}


def _nask(resolution: Resolution) -> State:
    if resolution.legal:
        return {"extcon:individual": "false"}
    return {"extcon:individual": "true", **(_extcon(resolution) or {})}


def _eurid(resolution: Resolution) -> State:
    if resolution.legal:
        return {"contact-ext:naturalPerson": "false"}
    real = resolution.may_show({ContactField.EMAIL})
    return {
        "contact-ext:naturalPerson": "true",
        "contact-ext:whoisEmail": "real" if real else "relay",
    }


def _fury(resolution: Resolution) -> State:
    return {"fury:properties/PRIVACY": "PUBLIC" if _shown(resolution) else "PRIVATE"}


def _fury_changed(_before: State, now: State) -> State:
    new = (now or {}).get("fury:properties/PRIVACY", "PRIVATE")
    old = "PRIVATE" if new == "PUBLIC" else "PUBLIC"
    return {"fury:add/PRIVACY": new, "fury:rem/PRIVACY": old}


def _tel(resolution: Resolution) -> State:
    if resolution.legal:
        return {"unspec": "WhoisType=LEGAL"}
    return {"unspec": f"WhoisType=NATURAL Publish={'Y' if _shown(resolution) else 'N'}"}


def _core(resolution: Resolution) -> State:
    if resolution.legal:
        return {"dx:disclosure/dx:legal": ""}
    return {"dx:disclosure/dx:natural/disclose": _truth(_shown(resolution))}


def _restena(resolution: Resolution) -> State:
    return {
        f"dnslu:disclose/{element}": _truth(resolution.may_show(fields))
        for element, fields in resolution.elements.items()
    }


def _pt(resolution: Resolution) -> State:
    return {"ptdomain:ownerVisible": _truth(_registrant_shown(resolution))}


def _nz(resolution: Resolution) -> State:
    table = resolution.table(resolution.facts.domain, resolution.role)
    switched = [one for one, clause in table.items() if clause.rule is Rule.OPT_OUT]
    if not switched:
        return None  # not for the registrant to say
    return {"irpo": "0" if resolution.may_show(switched) else "1"}


REGISTRIES = {
    "frnic": Registry(_frnic, changed=_frnic_changed),
    "extcon_it": Registry(_extcon),
    "extcon_pl": Registry(_nask),
    "eurid": Registry(_eurid, {"whoisEmail": frozenset({ContactField.EMAIL})}),
    "fury": Registry(_fury, changed=_fury_changed),
    "tel": Registry(_tel),
    "core": Registry(_core),
    "dnslu": Registry(_restena, _ELEMENTS),
    "pt": Registry(_pt, always=True),
    "nz": Registry(_nz, {"irpo": _IRPO}),
}
"""By the names that profiles use."""
