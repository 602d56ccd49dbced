"""Events as consent receipts of ISO/IEC TS 27560:2023, in the words of the W3C's DPV.

The shape is that of the DPV community group's guide to the standard
(w3id.org/dpv/guides/consent-27560), in JSON-LD. It repeats what a receipt proves for programs that
know nothing of logs, and proves nothing by itself.
"""

import json
from typing import Any

from consentsvc.domain.catalogue import Controller, LegalBasis, Purpose
from consentsvc.domain.encoding import reach_fields
from consentsvc.domain.events import Event, EventKind, Personal
from consentsvc.domain.instants import Instant, add_months, moment
from consentsvc.domain.receipts import Wording

_CONTEXT = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "schema": "https://schema.org/",
}
_RECEIPT = "https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"
_RECORD = "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"

_STATUS = {
    EventKind.CONSENT_REQUESTED: "dpv:ConsentRequested",
    EventKind.CONSENT_GIVEN: "dpv:ConsentGiven",
    EventKind.CONSENT_REFUSED: "dpv:ConsentRefused",
    EventKind.CONSENT_WITHDRAWN: "dpv:ConsentWithdrawn",
    EventKind.CONSENT_REVOKED: "dpv:ConsentRevoked",
    EventKind.CONSENT_EXPIRED: "dpv:ConsentExpired",
}
_BASIS = {
    LegalBasis.CONSENT: "eu-gdpr:A6-1-a",
    LegalBasis.LEGITIMATE_INTEREST: "eu-gdpr:A6-1-f",
}


def record(
    event: Event,
    personal: Personal,
    wording: Wording | None,
    purpose: Purpose | None,
    origin: str,
) -> str:
    """Says an event as a consent receipt, as JSON.

    `purpose` is what the catalogue has of it today, None if it no longer has any. Members that an
    event has no value for are left out.
    """
    name = f"{origin}#{event.position}"
    recorded = _time(event.recorded_at)
    fields = {
        "@context": _CONTEXT,
        "@type": "dpv:ConsentReceipt",
        "dct:identifier": f"receipt of {name}",
        "dct:conformsTo": _RECEIPT,
        "dct:created": recorded,
        "dct:publisher": None if purpose is None else purpose.controller.name,
        "schema:recipient": "dpv:DataSubject",
        "dpv:hasRecordOfActivity": {
            "@type": "dpv:ConsentRecord",
            "dct:identifier": name,
            "dct:conformsTo": _RECORD,
            "dpv:hasDataSubject": {"dct:identifier": personal.subject},
            "dpv:hasDataController": None if purpose is None else _party(purpose.controller),
            "dpv:hasApplicableLaw": "eu-gdpr:GDPR",
            "dpv:hasProcess": None if event.purpose is None else _process(event, wording, purpose),
            "dpv:hasNotice": _notice(event, wording),
            "dpv:hasConsentStatus": _status(event, personal, recorded, purpose),
        },
    }
    return json.dumps(_without_nothing(fields), ensure_ascii=False, indent=2) + "\n"


def _party(controller: Controller) -> dict[str, Any]:
    return {
        "@type": "dpv:DataController",
        "dct:identifier": controller.id,
        "schema:name": controller.name,
        "dpv:hasAddress": controller.address,
        "dpv:hasContact": controller.contact,
        "dpv:hasDataProtectionOfficer": controller.data_protection_officer,
        "dpv:hasAuthority": controller.authority,
    }


def _process(event: Event, wording: Wording | None, purpose: Purpose | None) -> dict[str, Any]:
    return {
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "dct:identifier": event.purpose,
            "dct:title": None if wording is None else wording.title,
        },
        "dpv:hasLegalBasis": None if purpose is None else _BASIS[purpose.basis],
        "dpv:hasRight": ["eu-gdpr:A7-3", "eu-gdpr:A15", "eu-gdpr:A17", "eu-gdpr:A20"],
    }


def _notice(event: Event, wording: Wording | None) -> dict[str, Any] | None:
    notice = event.notice
    if notice is None:
        return None
    return {
        "@type": "dpv:ConsentNotice",
        "dct:identifier": f"{event.purpose} {notice.version}",
        "dct:language": notice.locale,
        "dct:title": None if wording is None else wording.title,
        "dct:description": None if wording is None else wording.text,
        "schema:sha256": notice.sha256.hex(),
    }


def _status(
    event: Event, personal: Personal, recorded: str, purpose: Purpose | None
) -> dict[str, Any]:
    given = event.kind is EventKind.CONSENT_GIVEN
    months = purpose.validity_months if given and purpose is not None else None
    scope = personal.scope
    return {
        "@type": _STATUS.get(event.kind),
        "dct:type": event.kind.value,
        "dct:date": recorded,
        "dct:valid": None if months is None else _time(add_months(event.holds_from, months)),
        "dpv:isIndicatedAtTime": None
        if personal.claimed_at is None
        else _time(personal.claimed_at),
        "dpv:isIndicatedBy": personal.actor.kind.value,
        "dpv:hasIndicationMethod": personal.channel,
        "dpv:hasScope": None
        if scope is None
        else {
            "dct:identifier": list(reach_fields(scope.reach).values()) or ["account"],
            "dpv:hasPersonalData": sorted(one.value for one in scope.fields),
        },
    }


def _time(at: Instant) -> str:
    return moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nothing(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }
