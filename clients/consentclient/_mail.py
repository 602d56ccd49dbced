"""What a mailer puts into the head of a mail, so that its reader can leave with one click."""

import re
from urllib.parse import quote, urlsplit

_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")


def unsubscribe_headers(
    panel: str, withdrawal_token: str, *, mailto: str | None = None
) -> dict[str, str]:
    """Both headers of RFC 8058, for the panel's address and the token that came with a yes.

    The mail's DKIM signature must cover both, or mail programs do not offer the button. `mailto` is
    an address for those that know no other way.
    """
    parts = urlsplit(panel)
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("the panel's address must be one without anything behind its path")
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost"}:
        raise ValueError("the panel's address must begin with https://")
    if not withdrawal_token:
        raise ValueError("there is no token: ask for one with the check, and send on a yes only")
    link = f"{panel.rstrip('/')}/unsubscribe/{quote(withdrawal_token, safe='')}"
    if not link.isascii() or not link.isprintable() or set(link) & set("<> "):
        raise ValueError("the panel's address cannot stand in a header")
    ways = [f"<{link}>"]
    if mailto is not None:
        if not _ADDRESS.fullmatch(mailto):
            raise ValueError("mailto must be an address")
        ways.append(f"<mailto:{mailto}>")
    return {
        "List-Unsubscribe": ", ".join(ways),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
