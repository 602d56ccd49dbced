"""In-context questions on the registrar's other pages: asked where they arise, and no earlier.

A page there loads `prompts.js`, which asks here. Until there is a yes nothing of a third party is
loaded; an answer that could not be found out is no yes. Somebody who has not signed in is known by
a random id of their device, which is made when they answer and not before.
"""

import json
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consentclient import (
    Action,
    Change,
    ConsentEntry,
    ConsentError,
    LegalBasis,
    NoticeRef,
    PositionConflict,
    Purpose,
)
from panel import _devices, _signals
from panel._visit import CHANNEL as PANEL
from panel._visit import Desk, Visit, as_position, named

CHANNEL = f"{PANEL}_prompt"
FORM = "prompts-1"

# As long as a consent to what is stored on a device may last.
_DEVICE_SECONDS = 396 * 24 * 3600
_WORDS = ("accept", "refuse", "refused", "held", "unknown", "text")


class Prompts:
    """Answers the script, for our own pages and for those of the sites that are named."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def options(self, request: Request) -> Response:
        """Lets a page of ours send JSON; browsers ask first, and any other page is refused."""
        return self._for_origin(request, Response(status_code=204))

    async def state(self, request: Request) -> Response:
        """Whether it is permitted, and what to ask if it is not. Sets no cookie.

        It takes one away from somebody who has signed in since: the device is theirs then.
        """
        visit = self._visit(request)
        try:
            found = await self._find(visit, hears_signal=True)
        except ConsentError:
            return self._for_origin(request, JSONResponse({"error": "unknown"}, 503))
        if found is None:
            return self._for_origin(request, JSONResponse({"error": "no such prompt"}, 404))
        purpose, entry = found
        notice = purpose.notice
        told = {
            "permitted": entry.decision.permitted,
            "answered": entry.consent.choice is not None,
            "shown": {
                "position": entry.consent.position,
                "version": notice.ref.version,
                "locale": notice.ref.locale,
                "sha256": (notice.ref.sha256 or b"").hex(),
                "token": secrets.token_urlsafe(12),
            },
            "title": notice.title,
            "text": notice.text.strip().split("\n\n"),
            "words": {name: visit.texts(f"prompt.{name}") for name in _WORDS},
        }
        return self._for_origin(request, self._forgetting(visit, JSONResponse(told)))

    async def answer(self, request: Request) -> Response:
        """Records a yes or a no."""
        if not self._is_ours(request):
            return JSONResponse({"error": "another site"}, 403)
        try:
            given = json.loads(await request.body())
            action = {"accept": Action.GIVE, "refuse": Action.REFUSE}[given["answer"]]
            shown = given["shown"]
            ref = NoticeRef(shown["version"], shown["locale"], bytes.fromhex(shown["sha256"]))
            expected, token = as_position(str(shown["position"])), shown["token"]
            if not (ref.version.isascii() and ref.locale.isascii() and token.isascii()):
                raise ValueError("not what was shown")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return self._for_origin(request, JSONResponse({"error": "incomplete"}, 400))
        visit = self._visit(request)
        device = _devices.device(visit) or secrets.token_hex(16)
        subject = visit.subject_id or _devices.subject_of(device)
        try:
            found = await self._find(visit)
            if found is None:
                return self._for_origin(request, JSONResponse({"error": "no such prompt"}, 404))
            purpose = found[0]
            if action is Action.REFUSE and found[1].decision.permitted:
                action = Action.WITHDRAW
            updated = await self._desk.client.update(
                subject,
                [Change(purpose.id, action, ref, expected)],
                channel=CHANNEL,
                evidence=visit.evidence(FORM, f"{given['answer']} in the prompt"),
                request_id=self._desk.signer.mark("prompt", subject, token),
            )
            # A yes is recorded also where something stands above it: only the decision permits.
            decision = await self._desk.client.check(
                subject, purpose.id, at_least_as_fresh=updated.written_at
            )
        except PositionConflict:
            return self._for_origin(request, JSONResponse({"error": "changed"}, 409))
        except ConsentError:
            return self._for_origin(request, JSONResponse({"error": "unknown"}, 503))
        response = JSONResponse({"permitted": decision.permitted})
        if not visit.subject_id:
            response.set_cookie(
                named(self._desk, "device"),
                device,
                max_age=_DEVICE_SECONDS,
                secure=self._desk.settings.secure,
                httponly=True,
                samesite="lax",
            )
        return self._for_origin(request, self._forgetting(visit, response))

    def _forgetting(self, visit: Visit, response: Response) -> Response:
        """The answer, which takes the device's id away if it was joined to the customer."""
        if visit.subject_id and "device" in visit.cookies:
            response.delete_cookie(
                named(self._desk, "device"),
                secure=self._desk.settings.secure,
                httponly=True,
                samesite="lax",
            )
        return response

    async def _find(
        self, visit: Visit, *, hears_signal: bool = False
    ) -> tuple[Purpose, ConsentEntry] | None:
        """The purpose and what holds for whoever asks, signed in or by their device.

        A browser's signal is passed on for somebody who is known, if only by their device: of
        nobody nothing is kept.
        """
        wanted = visit.request.path_params["purpose"]
        purposes = await self._desk.client.list_purposes(visit.texts.language)
        purpose = next((one for one in purposes if one.id == wanted), None)
        if purpose is None or not _is_for_prompts(purpose):
            return None
        device = _devices.device(visit)
        # Of nobody nothing is known, and asking about them leaves nothing.
        subject = visit.subject_id or _devices.subject_of(device or secrets.token_hex(16))
        client = self._desk.client
        joined = bool(visit.subject_id) and await _devices.join(visit, channel=CHANNEL)
        consents = await client.list_consents(
            subject, at_least_as_fresh=visit.fresh if joined else None, with_scopes=False
        )
        if hears_signal and _signals.is_sent(visit.request) and (visit.subject_id or device):
            evidence = visit.evidence(FORM, "Sec-GPC: 1")
            written_at = await _signals.pass_on(
                client, subject, purposes, consents, channel=CHANNEL, evidence=evidence
            )
            if written_at is not None:
                consents = await client.list_consents(
                    subject, at_least_as_fresh=written_at, with_scopes=False
                )
        return purpose, next(
            one for one in consents.entries if one.consent.purpose_id == purpose.id
        )

    def _visit(self, request: Request) -> Visit:
        visit = Visit.of(self._desk, request)
        # What the evidence refers to.
        visit.session = _devices.device(visit) or visit.session
        return visit

    def _is_ours(self, request: Request) -> bool:
        settings = self._desk.settings
        return request.headers.get("origin") in {settings.url, *settings.embed_origins}

    def _for_origin(self, request: Request, response: Response) -> Response:
        response.headers["Vary"] = "Origin, Cookie, Accept-Language"
        if self._is_ours(request):
            response.headers["Access-Control-Allow-Origin"] = request.headers["origin"]
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Allow-Headers"] = "Content-Type"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response


def _is_for_prompts(purpose: Purpose) -> bool:
    """Something on the reader's device that needs a yes, and needs nothing but one."""
    return (
        purpose.basis is LegalBasis.CONSENT
        and bool(purpose.trackers)
        and not purpose.takes_scope
        and not purpose.needs_confirmation
    )


async def example(visit: Visit) -> Response:
    """A page such as the registrar's other sites have; in a demonstration only."""
    if not visit.desk.settings.local_sign_in:
        return visit.trouble("trouble.missing", 404)
    return visit.page("example.html")
