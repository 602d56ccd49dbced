"""Signing in and out: at the registrar, or in a demonstration here."""

import secrets

from starlette.responses import Response

from panel._people import LocalSignIn
from panel._visit import FormRefused, Visit

_LOCAL_SECONDS = 8 * 3600


async def ask(visit: Visit) -> Response:
    """The page for somebody who has not signed in."""
    if visit.customer is not None:
        return visit.onward("/choices")
    local = isinstance(visit.desk.sign_in, LocalSignIn)
    return visit.page("sign_in.html", 200 if local else 401, local=local)


async def enter(visit: Visit) -> Response:
    """Signs in as whoever was typed in: in a demonstration only."""
    sign_in = visit.desk.sign_in
    if not isinstance(sign_in, LocalSignIn):
        raise FormRefused("trouble.missing", 404)
    # A session that somebody else may have prepared is not carried into a sign-in.
    session = secrets.token_urlsafe(24)
    admitted = sign_in.admitted(visit.form.get("customer", "").strip(), session)
    if admitted is None:
        return visit.page("sign_in.html", 422, local=True, wrong=True)
    response = visit.done("/choices")
    visit.cookies = {"session": (session, 0), "local": (admitted, _LOCAL_SECONDS)}
    return response


async def leave(visit: Visit) -> Response:
    """Signs out here."""
    response = visit.done("/sign-in")
    visit.cookies = dict.fromkeys(("session", "local", "fresh"), ("", -1))
    return response
