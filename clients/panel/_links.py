"""Links from mails: one click to withdraw (RFC 8058), and to confirm a consent.

A token names nobody and opens nothing but its own act, so these pages need no sign-in, and their
forms no token of ours: whoever could forge the form holds the link. Only a POST changes anything;
mail programs and scanners follow links by GET.
"""

from starlette.responses import Response

from consentclient import (
    ConfirmationExpired,
    ConfirmationUsed,
    ConfirmationVoid,
    InvalidRequest,
    LinkKind,
    LinkUnknown,
)
from panel._visit import Visit, fields

FORM = "links-1"

_BUTTON = "List-Unsubscribe"
_ONE_CLICK = "One-Click"


async def ask_to_withdraw(visit: Visit) -> Response:
    """A page with a button, which says what it is about."""
    return await _asked(visit, LinkKind.WITHDRAWAL, "unsubscribe.html")


async def withdraw(visit: Visit) -> Response:
    """Withdraws, for the page's button and for a mail program alike, as often as it comes."""
    visit.form = await fields(visit.request)
    if visit.form.get(_BUTTON) != _ONE_CLICK:
        return visit.trouble("refused.incomplete", 400)
    try:
        # No request id: each click is a withdrawal of its own, also after a later consent.
        redeemed = await visit.desk.client.redeem(
            visit.request.path_params["token"],
            evidence=visit.evidence(FORM, "one click on a link from a mail"),
        )
    except (LinkUnknown, InvalidRequest):
        return visit.trouble("link.unknown", 404, hint="link.unknown_hint")
    return visit.page("unsubscribed.html", purpose=await _purpose(visit, redeemed.purpose_id))


async def ask_to_confirm(visit: Visit) -> Response:
    """A page with a button, which says what it is about."""
    return await _asked(visit, LinkKind.CONFIRMATION, "confirm.html")


async def confirm(visit: Visit) -> Response:
    """Gives the consent that was asked for."""
    visit.form = await fields(visit.request)
    if visit.form.get("confirm") != "yes":
        return visit.trouble("refused.incomplete", 400)
    token = visit.request.path_params["token"]
    try:
        confirmed = await visit.desk.client.confirm(
            token, evidence=visit.evidence(FORM, "button on the page of the link from a mail")
        )
    except (LinkUnknown, InvalidRequest):
        return visit.trouble("link.unknown", 404, hint="link.unknown_hint")
    except ConfirmationExpired:
        return visit.trouble("link.expired", 410, hint="link.ask_again")
    except ConfirmationVoid:
        return visit.trouble("link.void", 409, hint="link.ask_again")
    except ConfirmationUsed:
        return visit.trouble("link.used", 409, hint="link.see_choices")
    return visit.page("confirmed.html", purpose=await _purpose(visit, confirmed.purpose_id))


async def _asked(visit: Visit, kind: LinkKind, page: str) -> Response:
    try:
        link = await visit.desk.client.describe_link(visit.request.path_params["token"])
    except (LinkUnknown, InvalidRequest):
        return visit.trouble("link.unknown", 404, hint="link.unknown_hint")
    if link.kind is not kind:
        return visit.trouble("link.unknown", 404, hint="link.unknown_hint")
    return visit.page(page, purpose=await _purpose(visit, link.purpose_id))


async def _purpose(visit: Visit, purpose_id: str) -> str:
    purposes = await visit.desk.client.list_purposes(visit.texts.language)
    return next((one.notice.title for one in purposes if one.id == purpose_id), purpose_id)
