"""From a resolution to what the registry is told, by the encoder that its profile names."""

from collections.abc import Mapping
from functools import lru_cache

from consentsvc.domain.publication import epp, extension
from consentsvc.domain.publication.resolve import Resolution
from consentsvc.domain.publication.seen import Seen
from consentsvc.domain.publication.wire import NOTHING, Sent, Told
from consentsvc.domain.scope import ContactField

NONE, DISCLOSE = "none", "disclose"

ENCODERS: Mapping[str, Mapping[str, frozenset[ContactField]]] = {
    NONE: {},
    DISCLOSE: epp.ELEMENTS,
    **{name: one.groups for name, one in extension.REGISTRIES.items()},
}
"""What a profile may name: encoders, each with the groups of fields that have a switch there."""


def told(
    resolution: Resolution,
    previous: Sent = None,
    data_changed: frozenset[ContactField] = frozenset(),
) -> Told:
    """What to send, given what was last sent and accepted, and the data that goes with it.

    Its state is the `previous` of the next time. Nothing for a domain that is not ours, or that no
    profile is known for: what we do not know is left as it is.
    """
    profile = resolution.profile
    if profile is None or not resolution.facts.domain.sponsored or profile.encoder.name == NONE:
        return NOTHING
    registry = extension.REGISTRIES.get(profile.encoder.name)
    seen = resolution.seen(of_domain=registry is not None and registry.of_domain)
    return _told(seen, previous, data_changed)


# Contacts are many, but what is to be said of them is mostly the same.
@lru_cache(maxsize=4_096)
def _told(seen: Seen, previous: Sent, data_changed: frozenset[ContactField]) -> Told:
    encoder = seen.profile.encoder
    if encoder.name == DISCLOSE:
        return epp.told(encoder, seen, previous, data_changed)
    return extension.told(extension.REGISTRIES[encoder.name], seen, previous)
