"""My history: everything that happened, newest first, and all of it as a file."""

import asyncio
import enum
import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from consentclient import ConsentEvent, EventUnknown, HistoryPage
from panel._visit import FormRefused, Visit, as_fresh_as_told

PAGE = 20
# No history has as many pages: the service passes over a million events at most.
_DIGITS = 5
_LONGEST_POSITION = 19


async def show(visit: Visit) -> Response:
    """One page of the timeline."""
    number = _number(visit.request.query_params.get("page", "1"))
    purposes, history = await asyncio.gather(
        visit.desk.client.list_purposes(visit.texts.language), _page(visit, number)
    )
    pages = max(1, -(-history.total // PAGE))
    if number > pages:
        number = pages
        history = await _page(visit, number)
    return visit.page(
        "history.html",
        events=history.events,
        titles={one.id: one.notice.title for one in purposes},
        count=history.total,
        number=number,
        pages=pages,
    )


async def _page(visit: Visit, number: int) -> HistoryPage:
    return await as_fresh_as_told(
        visit,
        lambda fresh: visit.desk.client.history_page(
            visit.subject_id, skip=(number - 1) * PAGE, page_size=PAGE, at_least_as_fresh=fresh
        ),
    )


async def download(visit: Visit) -> Response:
    """The customer's data, in a form that programs can read (GDPR art. 20)."""
    consents, events = await asyncio.gather(
        as_fresh_as_told(
            visit,
            lambda fresh: visit.desk.client.list_consents(
                visit.subject_id, at_least_as_fresh=fresh
            ),
        ),
        _events(visit),
    )
    told = {
        "subject_id": visit.subject_id,
        "made_at": datetime.now(UTC),
        "standing": consents.standing,
        "consents": consents.entries,
        "events": events,
    }
    return Response(
        json.dumps(told, default=plain, ensure_ascii=False, indent=2),
        media_type="application/json",
        # A name without the customer's: it ends up in folders that others see.
        headers={"Content-Disposition": 'attachment; filename="my-choices.json"'},
    )


async def receipt(visit: Visit) -> Response:
    """One entry's receipt, or the same as a consent record, as a file.

    A form asks for it, so that no address tells which entry somebody looked at.
    """
    position = visit.form.get("position", "")
    if not (position.isascii() and position.isdigit() and len(position) < _LONGEST_POSITION):
        raise FormRefused("refused.incomplete", 400)
    try:
        found = await visit.desk.client.receipt(visit.subject_id, int(position))
    except EventUnknown as error:
        raise FormRefused("refused.incomplete", 404) from error
    if visit.form.get("as") == "record":
        content, kind, name = found.consent_record, "application/ld+json", "consent-record.jsonld"
    else:
        content, kind, name = found.text, "text/plain", "receipt.tlog-proof"
    return Response(
        content,
        media_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _events(visit: Visit) -> list[ConsentEvent]:
    async def read(fresh: str | None) -> list[ConsentEvent]:
        client = visit.desk.client
        return [one async for one in client.history(visit.subject_id, at_least_as_fresh=fresh)]

    return await as_fresh_as_told(visit, read)


def plain(value: Any) -> Any:
    """What JSON has no form for: words for enums, hex for bytes, nothing for tokens."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(map(plain, value))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if is_dataclass(value):
        names = {one.name for one in fields(value)} - {"read_at", "withdrawal_token"}
        return {name: getattr(value, name) for name in sorted(names)}
    raise TypeError(type(value).__name__)


def _number(text: str) -> int:
    """The page that is asked for; the first one for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
        return 1
    return max(1, int(text))
