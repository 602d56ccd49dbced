"""One request of one reader: who it is, in which language, what they sent, and their answer."""

import base64
import binascii
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, TypeVar

from jinja2 import Environment
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from consentclient import AsyncConsentClient, Evidence, PositionUnknown
from panel._contacts import Contacts
from panel._forms import Forms, Verdict
from panel._outbox import Outbox
from panel._people import Customer, SignIn
from panel._settings import Settings
from panel._signing import Signer
from panel._texts import LANGUAGES, Texts, chosen, texts

CHANNEL = "panel"

# How long a page asks for an answer as fresh as the reader's own latest change. A read without it
# is up to date too wherever there is one store; this is for those where there is more.
_FRESH_SECONDS = 3600
_SAID_SECONDS = 60
_LANGUAGE_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Desk:
    """What all requests share."""

    settings: Settings
    client: AsyncConsentClient
    signer: Signer
    forms: Forms
    sign_in: SignIn
    pages: Environment
    contacts: Contacts | None
    outbox: Outbox | None

    @property
    def tabs(self) -> tuple[str, ...]:
        """The pages that somebody who has signed in can go to."""
        if self.contacts is None:
            return ("choices", "history")
        return ("choices", "domains", "history")


class Said(NamedTuple):
    """What the page before did, told once: the name of a text, and what it is about."""

    text: str
    about: str = ""


class FormRefused(Exception):
    """A form that is not acted on: not ours, not whole, or used before."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


@dataclass(slots=True)
class Visit:
    """One request, and the cookies that its answer will set."""

    desk: Desk
    request: Request
    texts: Texts
    session: str
    customer: Customer | None
    form: Mapping[str, str] = field(default_factory=dict)
    said: Said | None = None
    fresh: str | None = None
    cookies: dict[str, tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, desk: Desk, request: Request) -> "Visit":
        """Reads what the request tells about its reader."""
        language = chosen(
            request.cookies.get(named(desk, "language")), request.headers.get("accept-language", "")
        )
        session = request.cookies.get(named(desk, "session"), "")
        visit = cls(
            desk,
            request,
            texts(language, desk.settings.time_zone),
            session if 20 <= len(session) <= 64 else "",
            desk.sign_in.customer(request),
        )
        if not visit.session:
            visit.session = secrets.token_urlsafe(24)
            visit.cookies["session"] = (visit.session, 0)
        said = visit._opened("said")
        if said is not None:
            visit.said = Said(*said)
            visit.cookies["said"] = ("", -1)
        fresh = visit._opened("fresh")
        visit.fresh = fresh[0] if fresh else None
        return visit

    @property
    def subject_id(self) -> str:
        """The customer's id; nobody's is empty."""
        return self.customer.subject_id if self.customer else ""

    @property
    def token(self) -> str:
        """A new token for a form on the page."""
        return self.desk.forms.token(self.session, self.subject_id)

    @property
    def request_id(self) -> str:
        """Under which the service records the form: once, however often it comes."""
        return self.desk.signer.mark("request id", self.form["token"])

    def place(self, name: str) -> str:
        """Something's place on a page, under a name that tells nothing: it ends up in addresses."""
        return "p-" + self.desk.signer.mark("place", self.subject_id, name)

    def evidence(self, form: str, action: str) -> Evidence:
        """What shows later how a choice was made. The service keeps addresses where it must."""
        customer = self.customer
        named_by_registrar = customer.session if customer and customer.session else self.session
        client = self.request.client
        return Evidence(
            # A mark and not the session itself: whoever reads the evidence must not get in by it.
            session_reference=self.desk.signer.mark("session", named_by_registrar),
            form_version=f"{form} {self.texts.language}",
            action=action,
            ip_address=client.host if client else None,
            user_agent=self.request.headers.get("user-agent"),
        )

    async def read_form(self) -> None:
        """Reads the form and refuses one that is not ours. Raises `FormRefused`."""
        self.form = await fields(self.request)
        # Browsers tell where a request comes from; what does not tell has the token to show.
        if self.request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise FormRefused("refused.forged", 403)
        token = self.form.get("token", "")
        verdict = self.desk.forms.verdict(token, self.session, self.subject_id)
        if verdict is Verdict.FORGED:
            raise FormRefused("refused.forged", 403)
        if verdict is Verdict.USED:
            raise FormRefused("refused.used", 409)

    def done(self, to: str, said: Said | None = None, written_at: str | None = None) -> Response:
        """The form has done its work: shows a page as of then, which says so."""
        self.desk.forms.used(self.form["token"])
        if written_at is not None:
            self.keep_fresh(written_at)
        return self.onward(to, said)

    def keep_fresh(self, written_at: str) -> None:
        """From here on every page shows at least what was written then."""
        self.fresh = written_at
        self._seal("fresh", [written_at], _FRESH_SECONDS)

    def onward(self, to: str, said: Said | None = None) -> Response:
        """Shows another page instead."""
        if said is not None:
            self._seal("said", list(said), _SAID_SECONDS)
        return RedirectResponse(to, 303)

    def forget_freshness(self) -> None:
        """The log is another one than the one that the reader's token is of."""
        self.fresh = None
        self.cookies["fresh"] = ("", -1)

    def speak(self, language: str) -> None:
        """Keeps the reader's language."""
        if language in LANGUAGES:
            self.cookies["language"] = (language, _LANGUAGE_SECONDS)

    def page(self, name: str, /, status: int = 200, **values: Any) -> HTMLResponse:
        """A page in the reader's language."""
        html = self.desk.pages.get_template(name).render(
            t=self.texts,
            visit=self,
            settings=self.desk.settings,
            here=self.request.url.path,
            languages=LANGUAGES,
            **values,
        )
        return HTMLResponse(html, status)

    def trouble(self, text: str, /, status: int, **values: Any) -> HTMLResponse:
        """A page that says what went wrong, and nothing of what was sent."""
        response = self.page("trouble.html", status, text=text, **values)
        if status == 503:
            response.headers["Retry-After"] = "30"
        return response

    def sealed(self, response: Response) -> Response:
        """The answer with its cookies."""
        for name, (value, seconds) in self.cookies.items():
            response.set_cookie(
                named(self.desk, name),
                value,
                max_age=None if seconds == 0 else max(seconds, 0),
                secure=self.desk.settings.secure,
                httponly=True,
                samesite="lax",
            )
        response.headers["Content-Language"] = self.texts.language
        response.headers["Vary"] = "Cookie, Accept-Language"
        return response

    def _seal(self, name: str, told: list[str], seconds: int) -> None:
        value = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
        kind = f"{name}\0{self.session}\0{self.subject_id}"
        self.cookies[name] = (self.desk.signer.sealed(kind, value, seconds), seconds)

    def _opened(self, name: str) -> list[str] | None:
        kind = f"{name}\0{self.session}\0{self.subject_id}"
        given = self.request.cookies.get(named(self.desk, name), "")
        value = self.desk.signer.opened(kind, given)
        try:
            return None if value is None else list(json.loads(base64.urlsafe_b64decode(value)))
        except (ValueError, binascii.Error):
            return None


T = TypeVar("T")
Page: TypeAlias = Callable[[Visit], Awaitable[Response]]


def named(desk: Desk, name: str) -> str:
    """A cookie's name. With the prefix no other site, nor a subdomain, can set it."""
    return f"__Host-panel-{name}" if desk.settings.secure else f"panel-{name}"


async def fields(request: Request) -> dict[str, str]:
    """What a form sent, in either encoding; files are passed over."""
    form: FormData = await request.form(max_files=0, max_fields=500)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def as_position(told: str) -> int:
    """A position as a page showed it. Raises `ValueError` for what cannot be one."""
    found = int(told)
    if not 0 <= found < 2**63:
        raise ValueError("no position in any log")
    return found


async def as_fresh_as_told(visit: Visit, ask: Callable[[str | None], Awaitable[T]]) -> T:
    """Asks for an answer as fresh as the reader's latest change; of another log, for any."""
    try:
        return await ask(visit.fresh)
    except PositionUnknown:
        if visit.fresh is None:
            raise
        visit.forget_freshness()
        return await ask(None)
