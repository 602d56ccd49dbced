"""My domains: who may be published, where, and what the public sees."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from consentclient import (
    ContactField,
    ContactRole,
    EventKind,
    PublicationReport,
    ReportOutcome,
    Scope,
)
from panel._contacts import Contacts, Holding
from registry_sync import JsonLines
from tests.panel.making import Panel, Reader, all_forms, serving
from tests.panel.registrar import ANN, BEN, LINES, many
from tests.support.clock import FakeClock


@pytest.fixture
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    async with serving(tmp_path, clock, LINES, rate=0) as panel:
        yield panel


async def domain(reader: Reader, name: str) -> str:
    """The address of a domain's page."""
    page = (await reader.get("/domains")).text
    found = re.search(rf'<a href="(/domains/[^"]+)">{re.escape(name)}</a>', page)
    assert found, f"{name} is not listed"
    return found[1]


async def turn(reader: Reader, page: str, to: str, **wanted: str) -> httpx.Response:
    """Turns the switch whose form says what is wanted, and no more."""
    html = (await reader.get(page)).text
    given = next(
        one
        for one in all_forms(html)["/domains/turn"]
        if {name: text for name, text in one.items() if name not in {"token", "shown"}} == wanted
    )
    return await reader.browser.post(
        "/domains/turn", data={**given, "turn": to}, follow_redirects=True
    )


def public(html: str) -> str:
    """What stands in the previews."""
    found = " ".join(re.findall(r'<section class="preview".*?</section>', html, re.S))
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


async def scopes(panel: Panel) -> list[tuple[EventKind, Scope | None]]:
    return [(one.kind, one.scope) async for one in panel.client.history(ANN)]


async def reported(panel: Panel) -> None:
    """The sync job tells what the registry of durand.com made of what it was told."""
    fields = frozenset({ContactField.EMAIL})
    head = (await panel.client.list_events(page_size=1)).head_position
    report = PublicationReport(ReportOutcome.APPLIED, "Verisign", head, fields, 1000)
    await panel.client.report_publication(
        ANN, "whois_publication", report, contact_id="C-1", domain="durand.com", channel="sync"
    )


async def test_a_contact_for_all_its_domains(panel: Panel) -> None:
    """The switch is for the whole group of fields, and the next answer about a domain has it."""
    async with panel.signed_in(ANN) as reader:
        before = public((await reader.get(await domain(reader, "durand.cz"))).text)
        shown = await turn(reader, "/domains", "on", contact="C-1", group="phone")
        after = public((await reader.get(await domain(reader, "durand.cz"))).text)

    assert "+33.199000000" not in before
    assert "+33.199000000" in after
    assert "Recorded: you allow this to be shown." in shown.text
    fields = {ContactField.PHONE, ContactField.PHONE_EXT, ContactField.MOBILE_PHONE}
    assert await scopes(panel) == [
        (EventKind.CONSENT_GIVEN, Scope(frozenset(fields), "C-1")),
    ]


async def test_an_exception_for_a_domain(panel: Panel) -> None:
    """Hidden there, shown elsewhere; the preview beside the switch says so at once."""
    async with panel.signed_in(ANN) as reader:
        await turn(reader, "/domains", "on", contact="C-1", group="email")
        page = await domain(reader, "durand.com")
        hidden = await turn(reader, page, "off", contact="C-1", domain="durand.com", group="email")
        other = public((await reader.get(await domain(reader, "durand.cz"))).text)

    assert "ann@durand.example" not in public(hidden.text)
    assert "ann@durand.example" in other


async def test_an_exception_for_a_role(panel: Panel) -> None:
    """Of two roles of the same contact, one is shown."""
    async with panel.signed_in(ANN) as reader:
        page = await domain(reader, "lilas.cz")
        wanted = {"contact": "C-1", "domain": "lilas.cz", "role": "admin", "group": "email"}
        await turn(reader, page, "on", **wanted)

    (_, scope) = (await scopes(panel))[0]
    assert scope is not None
    assert (scope.domain, scope.role) == ("lilas.cz", ContactRole.ADMIN)


async def test_the_registrys_rules_are_said_plainly(panel: Panel) -> None:
    """Where a switch would have no effect there is none, and the page says why."""
    async with panel.signed_in(ANN) as reader:
        us = (await reader.get(await domain(reader, "durand.us"))).text
        cz = (await reader.get(await domain(reader, "durand.cz"))).text
        unknown = (await reader.get(await domain(reader, "durand.unheard-of"))).text

    assert "GoDaddy Registry always shows this; a switch would have no effect." in us
    assert "ann@durand.example" in public(us)
    assert "/domains/turn" not in us
    assert "CZ.NIC always shows this" in cz
    assert "This registry keeps one setting for each contact." in cz
    assert "The rules for this ending are not known to us" in unknown
    assert "/domains/turn" not in unknown


async def test_everything_at_once(panel: Panel) -> None:
    """Showing and hiding are one click each, and reach the whole account."""
    async with panel.signed_in(ANN) as reader:
        await turn(reader, "/domains", "on", group="everything")
        page = await domain(reader, "durand.com")
        shown = public((await reader.get(page)).text)
        await turn(reader, "/domains", "off", group="everything")
        hidden = public((await reader.get(page)).text)

    assert "bonjour@durand.example" in shown
    assert "bonjour@durand.example" not in hidden
    everything = Scope(frozenset({ContactField.ALL}))
    assert await scopes(panel) == [
        (EventKind.CONSENT_GIVEN, everything),
        (EventKind.CONSENT_WITHDRAWN, everything),
    ]


async def test_a_no_further_out_is_seen_inside(panel: Panel) -> None:
    """A contact's switch is off after everything was hidden, and on again when turned anew."""
    async with panel.signed_in(ANN) as reader:
        await turn(reader, "/domains", "on", contact="C-1", group="email")
        await turn(reader, "/domains", "off", group="everything")
        off = (await reader.get("/domains")).text
        await turn(reader, "/domains", "on", contact="C-1", group="email")
        on = (await reader.get("/domains")).text

    assert off.count('aria-checked="true"') == 0
    assert on.count('aria-checked="true"') == 1


async def test_what_is_not_the_customers_own(panel: Panel) -> None:
    """Another customer's contact or domain is refused as if there were none; so is its page."""
    async with panel.signed_in(ANN) as ann, panel.signed_in(BEN) as ben:
        mine = await domain(ben, "martin.com")
        stolen = await ann.get(mine)
        for wrong in (
            {"contact": "C-9", "group": "email"},
            {"contact": "C-1", "domain": "martin.com", "group": "email"},
            {"contact": "C-1", "domain": "durand.cz", "role": "tech", "group": "email"},
            {"contact": "C-2", "domain": "durand.cz", "group": "email"},
            {"contact": "C-1", "group": "secrets"},
            {"contact": "<script>", "group": "email"},
            {"group": "email"},
        ):
            form = all_forms((await ann.get("/domains")).text)["/domains/turn"][0]
            kept = {"token": form["token"], "shown": form["shown"], "turn": "on"}
            answer = await ann.browser.post("/domains/turn", data={**kept, **wrong})
            assert answer.status_code == 400, wrong
            assert "<script>" not in answer.text

    assert stolen.status_code == 404
    assert await scopes(panel) == []


async def test_another_customers_contact_on_ones_own_domain(panel: Panel) -> None:
    """Nothing of it is shown, neither value nor switch."""
    async with panel.signed_in(ANN) as reader:
        page = (await reader.get(await domain(reader, "durand.com"))).text

    assert "C-9" not in page
    assert "Ben" not in page


async def test_an_address_of_a_domain_is_one_customers_only(panel: Panel) -> None:
    """Two who have a contact in it see it each under their own, and not under the other's."""
    async with panel.signed_in(ANN) as ann, panel.signed_in(BEN) as ben:
        hers, his = await domain(ann, "durand.com"), await domain(ben, "durand.com")
        swapped = [(await ann.get(his)).status_code, (await ben.get(hers)).status_code]

    assert hers != his
    assert swapped == [404, 404]


async def test_a_directory_that_tells_too_much(tmp_path: Path) -> None:
    """A contact of another account is passed over, whoever says that it is this one's."""
    file = tmp_path / "directory.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    with JsonLines(file) as directory:
        others = list(directory.uses(BEN))
        careless = cast("Any", SimpleNamespace(uses=lambda _: others, contact=directory.contact))
        holding = await Contacts(careless).of(ANN)

    assert others
    assert holding == Holding()


async def test_no_name_in_any_address(panel: Panel) -> None:
    """Neither of a domain nor of a contact: addresses are logged all along the way."""
    async with panel.signed_in(ANN) as reader:
        first = await reader.get("/domains")
        page = await domain(reader, "durand.cz")
        turned = await turn(reader, page, "on", contact="C-1", domain="durand.cz", group="email")

    links = re.findall(r'(?:href|action|id)="([^"]*)"', first.text + turned.text)
    links += [str(one.url) for one in (*turned.history, turned)]
    assert not [one for one in links if re.search(r"durand|C-1|ann", one)]


async def test_a_page_that_is_out_of_date(panel: Panel) -> None:
    """What was said elsewhere since, stays."""
    async with panel.signed_in(ANN) as reader:
        html = (await reader.get("/domains")).text
        stale = next(one for one in all_forms(html)["/domains/turn"] if one["group"] == "email")
        await turn(reader, "/domains", "off", group="everything")
        said = await reader.browser.post(
            "/domains/turn", data={**stale, "turn": "on"}, follow_redirects=True
        )

    assert "your answer has changed meanwhile" in said.text
    assert len(await scopes(panel)) == 1


@pytest.mark.parametrize(
    "meanwhile", ["another domain", "another field", "another contact", "the registry's report"]
)
async def test_what_happens_elsewhere_is_not_in_the_way(panel: Panel, meanwhile: str) -> None:
    """Two windows about two things, or the sync job at work: the switch does what it says."""
    group = {"contact": "C-1", "group": "email"}
    async with panel.signed_in(ANN) as reader:
        await turn(reader, "/domains", "on", **group)
        page = await domain(reader, "durand.com")
        shown = all_forms((await reader.get(page)).text)["/domains/turn"]
        stale = next(one for one in shown if one.get("contact") == "C-1" and "role" not in one)
        if meanwhile == "another domain":
            other = await domain(reader, "lilas.cz")
            wanted = group | {"domain": "lilas.cz", "role": "admin"}
            await turn(reader, other, "on", **wanted)
        elif meanwhile == "another field":
            await turn(reader, page, "on", **group | {"domain": "durand.com", "group": "phone"})
        elif meanwhile == "another contact":
            await turn(reader, "/domains", "on", **group | {"contact": "C-2"})
        else:
            await reported(panel)
        said = await reader.browser.post(
            "/domains/turn", data={**stale, "group": "email", "turn": "off"}, follow_redirects=True
        )

    assert "Recorded: this is to be hidden." in said.text
    assert "your answer has changed meanwhile" not in said.text


async def test_many_domains_come_in_pages(tmp_path: Path, clock: FakeClock) -> None:
    """Five hundred domains are no long page."""
    async with (
        serving(tmp_path, clock, many(500), rate=0) as panel,
        panel.signed_in(ANN) as reader,
    ):
        first = (await reader.get("/domains")).text
        last = (await reader.get("/domains?page=99")).text
        strange = [(await reader.get(f"/domains?page={one}")).text for one in ("²", "0", "-1", "x")]

    assert first.count('<a href="/domains/') == 25
    assert "505 domains" in first
    assert "page 21 of 21" in last
    assert all("page 1 of 21" in page for page in strange)


async def test_without_a_directory_there_is_no_such_page(tmp_path: Path, clock: FakeClock) -> None:
    """And nothing leads to it."""
    async with serving(tmp_path, clock, rate=0) as panel, panel.signed_in(ANN) as reader:
        answer = await reader.get("/domains")
        choices = await reader.get("/choices")

    assert answer.status_code == 404
    assert "/domains" not in choices.text
