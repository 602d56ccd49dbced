"""Which number on the wire stands for which word."""

import enum
from collections.abc import Callable
from typing import TypeVar

from consentclient._enums import (
    Action,
    ActorKind,
    ContactField,
    ContactRole,
    Effect,
    EventKind,
    LegalBasis,
    LinkKind,
    Reason,
    ReportOutcome,
    RevocationReason,
    Signal,
    TrackerKind,
    Withheld,
)
from consentsvc.v1 import consent_pb2 as messages
from consentsvc.v1 import consent_service_pb2 as consent_messages

V = TypeVar("V")
W = TypeVar("W", bound=enum.Enum)


def table(value: Callable[[str], V], prefix: str, words: type[W]) -> dict[V, W]:
    """The words by their numbers, found by their names; `OTHER` stands for every other number."""
    return {value(f"{prefix}_{one.name}"): one for one in words if one.name != "OTHER"}


PERMITTED = {messages.ANSWER_PERMITTED: True, messages.ANSWER_NOT_PERMITTED: False}
REASONS = table(messages.DecisionReason.Value, "DECISION_REASON", Reason)
KINDS = table(messages.EventKind.Value, "EVENT_KIND", EventKind)
BASES = table(messages.LegalBasis.Value, "LEGAL_BASIS", LegalBasis)
TRACKERS = table(messages.TrackerKind.Value, "TRACKER_KIND", TrackerKind)
ACTORS = table(messages.ActorKind.Value, "ACTOR_KIND", ActorKind)
REVOCATIONS = table(messages.RevocationReason.Value, "REVOCATION_REASON", RevocationReason)
SIGNALS = table(messages.Signal.Value, "SIGNAL", Signal)
WITHHELD = table(messages.Withheld.Value, "WITHHELD", Withheld)
ACTIONS = table(consent_messages.ChangeAction.Value, "CHANGE_ACTION", Action)
EFFECTS = table(consent_messages.ChangeEffect.Value, "CHANGE_EFFECT", Effect)
LINKS = table(consent_messages.LinkKind.Value, "LINK_KIND", LinkKind)
FIELDS = table(messages.ContactField.Value, "CONTACT_FIELD", ContactField)
ROLES = table(messages.ContactRole.Value, "CONTACT_ROLE", ContactRole)
REPORTS = table(messages.ReportOutcome.Value, "REPORT_OUTCOME", ReportOutcome)
