"""Which number on the wire stands for which word."""

import enum
from collections.abc import Callable
from typing import TypeVar

from consentclient._enums import (
    Action,
    ActorKind,
    Effect,
    EventKind,
    LegalBasis,
    Reason,
    RevocationReason,
    TrackerKind,
)
from consentsvc.v1 import consent_pb2 as messages
from consentsvc.v1 import consent_service_pb2 as consent_messages

V = TypeVar("V")
W = TypeVar("W", bound=enum.Enum)


def _table(value: Callable[[str], V], prefix: str, words: type[W]) -> dict[V, W]:
    return {value(f"{prefix}_{one.name}"): one for one in words if one.name != "OTHER"}


PERMITTED = {messages.ANSWER_PERMITTED: True, messages.ANSWER_NOT_PERMITTED: False}
REASONS = _table(messages.DecisionReason.Value, "DECISION_REASON", Reason)
KINDS = _table(messages.EventKind.Value, "EVENT_KIND", EventKind)
BASES = _table(messages.LegalBasis.Value, "LEGAL_BASIS", LegalBasis)
TRACKERS = _table(messages.TrackerKind.Value, "TRACKER_KIND", TrackerKind)
ACTORS = _table(messages.ActorKind.Value, "ACTOR_KIND", ActorKind)
REVOCATIONS = _table(messages.RevocationReason.Value, "REVOCATION_REASON", RevocationReason)
ACTIONS = _table(consent_messages.ChangeAction.Value, "CHANGE_ACTION", Action)
EFFECTS = _table(consent_messages.ChangeEffect.Value, "CHANGE_EFFECT", Effect)
