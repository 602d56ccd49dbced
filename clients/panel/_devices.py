"""The device of somebody who had not signed in, and what becomes of it once they do."""

import re

from consentclient import AsyncConsentClient
from panel._visit import Visit, named

_DEVICE = re.compile(r"[0-9a-f]{32}")


def device(visit: Visit) -> str:
    """The random id of the device; empty for one that has none."""
    given = visit.request.cookies.get(named(visit.desk, "device"), "")
    return given if _DEVICE.fullmatch(given) else ""


def subject_of(device: str) -> str:
    """What the service knows the device as."""
    return f"device:{device}"


async def join(visit: Visit, *, channel: str) -> bool:
    """Makes the device's no the customer's own, and forgets the device; tells whether it did.

    For somebody who has signed in. What they refused before they did so is not asked again, nor
    held against them by the customer's older yes: the stricter choice wins.
    """
    known = device(visit)
    if not known:
        return False
    client: AsyncConsentClient = visit.desk.client
    linked = await client.link(visit.subject_id, subject_of(known), channel=channel)
    visit.cookies["device"] = ("", -1)
    visit.keep_fresh(linked.written_at)
    return True
