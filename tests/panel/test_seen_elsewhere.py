"""What is done in the panel, as others see it: the mailer, and the public at a registry."""

import base64
import json
import re
from pathlib import Path

from consentclient import Reason
from consentsvc.cli._publishing import DOMAIN, HANDLE, publishing
from tests.panel.making import Panel, Reader, all_forms, serving
from tests.support.clock import FakeClock

ANN = "customer:ann"
LINES = [
    {
        "contact": HANDLE,
        "account": ANN,
        "kind": "natural",
        "values": {"name": "Camille Durand", "email": "camille@durand.example"},
    },
    {
        "domain": DOMAIN,
        "registered": "2024-02-01T10:00:00Z",
        "bindings": {"registrant": HANDLE},
    },
]


def token_of(reader: Reader) -> str:
    """The token of the last change, which a registrar's other pages hand on to the mailer."""
    value = reader.browser.cookies["panel-fresh"].split(".", 2)[2]
    (told,) = json.loads(base64.urlsafe_b64decode(value))
    return str(told)


async def test_the_mailers_next_check_is_refused(panel: Panel) -> None:
    """With the token of the change, whichever node it asks: never the answer of before."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        given = await panel.client.check(ANN, "newsletter", at_least_as_fresh=token_of(reader))
        await reader.turn("newsletter", "off")
        taken = await panel.client.check(ANN, "newsletter", at_least_as_fresh=token_of(reader))

    assert given.permitted
    assert (taken.permitted, taken.reason) == (False, Reason.WITHDRAWN)


async def test_the_registry_shows_and_hides(tmp_path: Path, clock: FakeClock) -> None:
    """A switch of a domain, turned over HTTP, reaches the registry by the sync job, over EPP."""

    async def turn(reader: Reader, to: str) -> None:
        page = (await reader.get("/domains")).text
        found = re.search(rf'<a href="(/domains/[^"]+)">{re.escape(DOMAIN)}</a>', page)
        assert found is not None
        forms = all_forms((await reader.get(found[1])).text)["/domains/turn"]
        given = next(one for one in forms if one["group"] == "email")
        answer = await reader.browser.post("/domains/turn", data={**given, "turn": to})
        assert answer.status_code == 303

    async def head() -> int:
        return (await panel.client.list_events(page_size=1)).head_position

    (tmp_path / "job").mkdir()
    async with (
        serving(tmp_path, clock, LINES, rate=0) as panel,
        publishing(panel.client, tmp_path / "job", ANN, "whois_publication") as registry,
        panel.signed_in(ANN) as reader,
    ):
        before = registry.shows("email")
        await turn(reader, "on")
        await registry.sync(await head())
        shown = registry.shows("email")
        await turn(reader, "off")
        await registry.sync(await head())
        hidden = not registry.shows("email")
        history = (await reader.get("/history")).text

    assert (before, shown, hidden) == (False, True, True)
    assert history.count("CZ.NIC was told, and accepted it.") == 2
