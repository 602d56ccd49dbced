"""Which evidence is kept of a choice."""

from dataclasses import replace

from consentsvc.domain.catalogue import EvidenceField, Purpose
from consentsvc.domain.events import Evidence


def kept(evidence: Evidence, purpose: Purpose | None) -> Evidence:
    """What the purpose asks for; an address that nobody needs is better not kept."""
    wanted = frozenset[EvidenceField]() if purpose is None else purpose.evidence
    return replace(
        evidence,
        ip_address=evidence.ip_address if EvidenceField.IP_ADDRESS in wanted else None,
        user_agent=evidence.user_agent if EvidenceField.USER_AGENT in wanted else None,
    )
