"""The composition root: which page is where, and what stands around all of them."""

import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from consentclient import (
    AccessDenied,
    AsyncConsentClient,
    ConsentError,
    ConsentUnavailable,
    InvalidRequest,
    RateExceeded,
    RequestIdReused,
)
from panel import _choices as choices
from panel import _domains as domains
from panel import _history as history
from panel import _links as links
from panel import _pages as pages
from panel import _prompts as prompts
from panel import _signing_in as signing_in
from panel._contacts import Contacts
from panel._forms import Forms
from panel._guard import Guard
from panel._outbox import FolderOutbox, Outbox
from panel._people import LocalSignIn, SignIn, TokenSignIn
from panel._settings import Settings
from panel._signing import Signer
from panel._visit import Desk, FormRefused, Page, Visit
from registry_sync import Directory

_log = logging.getLogger("panel")

_TROUBLES = {
    400: "refused.incomplete",
    404: "trouble.missing",
    405: "trouble.missing",
    413: "trouble.too_large",
    429: "trouble.too_fast",
}


def create_app(
    settings: Settings,
    client: AsyncConsentClient,
    directory: Directory | None = None,
    outbox: Outbox | None = None,
) -> ASGIApp:
    """The panel as an ASGI application, over an open client.

    Raises `KeysInvalid` if the registrar's keys cannot be used.
    """
    signer = Signer(settings.secret_file)
    if outbox is None and settings.outbox is not None:
        outbox = FolderOutbox(settings.outbox)
    desk = Desk(
        settings,
        client,
        signer,
        Forms(signer),
        _sign_in(settings, signer),
        pages.environment(),
        None if directory is None else Contacts(directory),
        outbox,
    )
    return Guard(
        _routed(desk),
        settings.hosts,
        settings.rate,
        _spared,
        lambda status: _Answered(desk, status),
        secure=settings.secure,
    )


def _sign_in(settings: Settings, signer: Signer) -> SignIn:
    if settings.jwt_keys is None:
        prefix = "__Host-" if settings.secure else ""
        return LocalSignIn(signer, f"{prefix}panel-local")
    return TokenSignIn(
        settings.jwt_keys,
        settings.jwt_audience,
        settings.jwt_issuer,
        settings.jwt_cookie,
        settings.jwt_header,
    )


def _routed(desk: Desk) -> Starlette:
    def route(
        path: str, page: Page, method: str = "GET", *, signed_in: bool = True, form: bool = False
    ) -> Route:
        return Route(path, _endpoint(desk, page, signed_in=signed_in, form=form), methods=[method])

    asked = prompts.Prompts(desk)

    async def trouble(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _trouble(desk, request, status)

    routed = Starlette(
        routes=[
            route("/", _home),
            route("/choices", choices.show),
            route("/choices/turn", choices.turn, "POST", form=True),
            route("/choices/all", choices.answer_all, "POST", form=True),
            route("/domains", domains.show),
            route("/domains/turn", domains.turn, "POST", form=True),
            route("/domains/{mark}", domains.show_domain),
            route("/history", history.show),
            route("/history/download", history.download),
            route("/history/receipt", history.receipt, "POST", form=True),
            route("/unsubscribe/{token}", links.ask_to_withdraw, signed_in=False),
            route("/unsubscribe/{token}", links.withdraw, "POST", signed_in=False),
            route("/confirm/{token}", links.ask_to_confirm, signed_in=False),
            route("/confirm/{token}", links.confirm, "POST", signed_in=False),
            route("/sign-in", signing_in.ask, signed_in=False),
            route("/sign-in", signing_in.enter, "POST", signed_in=False, form=True),
            route("/sign-out", signing_in.leave, "POST", form=True),
            route("/language", _language, "POST", signed_in=False, form=True),
            route("/.well-known/gpc.json", _gpc, signed_in=False),
            route("/prompts", prompts.example, signed_in=False),
            Route("/prompts/{purpose}", asked.state, methods=["GET"]),
            Route("/prompts/{purpose}", asked.answer, methods=["POST"]),
            Route("/prompts/{purpose}", asked.options, methods=["OPTIONS"]),
            Route("/static/{name}", pages.static),
            Route("/healthz", _healthy),
        ],
        exception_handlers={HTTPException: trouble, Exception: trouble},
    )
    # It would lead to an address made from the request: without TLS, and with the token of a link.
    routed.router.redirect_slashes = False
    return routed


def _endpoint(
    desk: Desk, page: Page, *, signed_in: bool, form: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        visit = Visit.of(desk, request)
        if signed_in and visit.customer is None:
            if request.method == "GET" and isinstance(desk.sign_in, LocalSignIn):
                return visit.sealed(visit.onward("/sign-in"))
            return visit.sealed(visit.page("sign_in.html", 401, local=False))
        return visit.sealed(await _answered(visit, page, form=form))

    return endpoint


async def _answered(visit: Visit, page: Page, *, form: bool) -> Response:
    try:
        if form:
            await visit.read_form()
        return await page(visit)
    except FormRefused as refused:
        return visit.trouble(refused.text, refused.status)
    except (ConsentUnavailable, RateExceeded, AccessDenied) as error:
        # Neither a yes nor a no: nothing is shown that is not known.
        _log.warning("the consent service did not answer: %s", type(error).__name__)
        return visit.trouble("trouble.down", 503, again=visit.form or None)
    except RequestIdReused:
        # Sent before, to another process; what it asked for then was another change.
        return visit.trouble("refused.used", 409)
    except InvalidRequest as error:
        _log.warning("the consent service refused: %s", error.reason)
        return visit.trouble("refused.incomplete", 400)
    except ConsentError as error:
        _log.error("the consent service refused: %s", error.reason)
        return visit.trouble("trouble.unforeseen", 500)


async def _home(visit: Visit) -> Response:
    return visit.onward("/choices")


async def _language(visit: Visit) -> Response:
    visit.speak(visit.form.get("language", ""))
    visit.desk.forms.used(visit.form["token"])
    back = visit.form.get("back", "")
    # A path of ours only: what begins with two slashes is another site.
    ours = back.startswith("/") and not back.startswith("//") and "\\" not in back
    return visit.onward(back if ours and back.isascii() and back.isprintable() else "/choices")


async def _gpc(visit: Visit) -> Response:
    """The statement that a browser's signal is heeded: the registrar's, where it makes one."""
    since = visit.desk.settings.gpc_since
    if not since:
        return visit.trouble("trouble.missing", 404)
    visit.cookies.clear()
    return JSONResponse({"gpc": True, "lastUpdate": since})


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def _trouble(desk: Desk, request: Request, status: int) -> Response:
    visit = Visit.of(desk, request)
    return visit.sealed(visit.trouble(_TROUBLES.get(status, "trouble.unforeseen"), status))


class _Answered:
    """The answer to a request that the guard does not let in, or that failed."""

    def __init__(self, desk: Desk, status: int) -> None:
        self._desk = desk
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._status == 421:
            # Not our name, so not our page either.
            response: Response = PlainTextResponse("Unknown host\n", self._status)
        else:
            response = _trouble(self._desk, Request(scope), self._status)
        if self._status == 429:
            response.headers["Retry-After"] = "60"
        await response(scope, receive, send)


def _spared(scope: Scope) -> bool:
    # Mail programs withdraw for many people from one address, right after a campaign: nobody is to
    # be kept from a no. A link that the service did not make costs one call.
    path: str = scope["path"]
    return path.startswith("/static/") or (
        path.startswith("/unsubscribe/") and scope["method"] == "POST"
    )
