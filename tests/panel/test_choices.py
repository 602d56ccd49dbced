"""My choices: what the page shows, and what a switch does."""

import html
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from consentclient import Action, Actor, ActorKind, Change, EventKind, PositionConflict, Reason
from consentsvc.domain.catalogue import Catalogue, Notice, NoticeVersion
from consentsvc.domain.identifiers import PurposeId
from tests.panel.making import CATALOGUE, Panel, all_forms, forms, serving
from tests.support.clock import FakeClock

ANN = "customer:8213"


async def decided(panel: Panel, purpose: str) -> Reason:
    return (await panel.client.check(ANN, purpose)).reason


async def test_a_switch_gives_and_takes_back(panel: Panel) -> None:
    """One click each; the very next check sees it, and the page tells what was written."""
    async with panel.signed_in(ANN) as reader:
        given = await reader.turn("newsletter", "on")
        assert await decided(panel, "newsletter") is Reason.CONSENT_GIVEN
        taken = await reader.turn("newsletter", "off")

    assert await decided(panel, "newsletter") is Reason.WITHDRAWN
    assert "You agreed on 1 March 2026." in given.text
    assert "Recorded: this is on now." in given.text
    assert "You took your consent back on 1 March 2026." in taken.text


async def test_an_objection_and_its_end(panel: Panel) -> None:
    """Visitor statistics are on until the person objects, and on again when they take it back."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("audience_measurement", "off")
        assert await decided(panel, "audience_measurement") is Reason.OBJECTED
        await reader.turn("audience_measurement", "on")

    assert await decided(panel, "audience_measurement") is Reason.NOT_OBJECTED


async def test_the_evidence_says_how(panel: Panel) -> None:
    """The session, the form and the act are recorded; what would let somebody in is not."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        cookies = dict(reader.browser.cookies)

    (event,) = [one async for one in panel.client.history(ANN)]
    assert event.evidence is not None
    assert event.evidence.action == "one switch"
    assert event.evidence.form_version == "choices-1 en"
    assert event.evidence.session_reference
    assert event.evidence.session_reference not in json.dumps(cookies)
    assert event.evidence.ip_address is None
    assert event.notice is not None
    assert event.notice.sha256
    assert event.channel == "panel"


async def test_the_text_that_was_agreed_to_is_shown_with_its_hash(
    panel: Panel, clock: FakeClock
) -> None:
    """In the language in which it was agreed to, whatever is spoken now."""
    async with panel.signed_in(ANN, "fr") as reader:
        await reader.turn("newsletter", "on")
    (event,) = [one async for one in panel.client.history(ANN)]
    async with panel.signed_in(ANN, "en") as reader:
        page = await reader.get("/choices")

    assert event.notice is not None
    assert event.notice.sha256 is not None
    assert event.notice.locale == "fr"
    assert event.notice.sha256.hex() in page.text
    assert "Version 1, Français" in page.text


async def test_the_text_of_before_is_shown(tmp_path: Path, clock: FakeClock) -> None:
    """The exact text that was agreed to is shown also after it was replaced."""
    newsletter = PurposeId("newsletter")
    before = CATALOGUE.purposes[newsletter]
    notices = {
        locale: Notice(newsletter, "2", locale, "Another title", "Another text.")
        for locale in ("en", "fr")
    }
    versions = (*before.versions, NoticeVersion("2", asks_again=True, notices=notices))
    after = Catalogue({**CATALOGUE.purposes, newsletter: replace(before, versions=versions)})
    async with serving(tmp_path, clock) as panel, panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
    async with (
        serving(tmp_path, clock, offered=after) as panel,
        panel.signed_in(ANN) as reader,
    ):
        page = (await reader.get("/choices")).text

    agreed = before.current.notices["en"]
    assert html.escape(agreed.text.strip().split("\n")[0], quote=False) in html.unescape(page)
    assert agreed.sha256.hex() in page
    assert "Another text." in page


async def test_until_when_is_shown(panel: Panel, clock: FakeClock) -> None:
    """A consent that lasts 13 months says so, and is no more once they are over."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("chat_cookies", "on")
        page = await reader.get("/choices")
        clock.advance(timedelta(days=400))
        later = await reader.get("/choices")

    assert "That counts until 1 April 2027; then we ask you again." in page.text
    assert "Your consent has run out, so the answer is no." in later.text


@pytest.mark.parametrize("answer", ["accept", "refuse"])
async def test_all_at_once_is_one_request(panel: Panel, answer: str) -> None:
    """Every purpose of the page, recorded together; publication is decided elsewhere."""
    async with panel.signed_in(ANN) as reader:
        await reader.send("/choices", "/choices/all", {"answer": answer})
    events = [one async for one in panel.client.history(ANN)]
    consents = await panel.client.list_consents(ANN)

    on = [one.consent.purpose_id for one in consents.entries if one.decision.permitted]
    expected = {
        "accept": [
            "newsletter",
            "newsletter_open_tracking",
            "marketing_profiling",
            "chat_cookies",
            "video_embeds",
            "audience_measurement",
        ],
        "refuse": [],
    }
    assert on == expected[answer]
    assert not any(one.scope for one in events)
    assert len(events) == {"accept": 6, "refuse": 7}[answer]


async def test_accepting_all_lifts_no_objection(panel: Panel) -> None:
    """Only its own switch does; and no consent is recorded that would count after it."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("audience_measurement", "off")
        await reader.send("/choices", "/choices/all", {"answer": "accept"})

    assert await decided(panel, "audience_measurement") is Reason.OBJECTED
    events = [one async for one in panel.client.history(ANN)]
    kinds = [one.kind for one in events if one.purpose_id == "audience_measurement"]
    assert kinds == [EventKind.OBJECTION_RAISED]


async def test_refusing_all_takes_back_what_was_given(panel: Panel) -> None:
    """What was given is withdrawn, what was never asked is refused, in the same request."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        await reader.send("/choices", "/choices/all", {"answer": "refuse"})

    assert await decided(panel, "newsletter") is Reason.WITHDRAWN
    assert await decided(panel, "chat_cookies") is Reason.REFUSED


@pytest.mark.parametrize("action", ["/choices/turn", "/choices/all"])
async def test_a_page_that_is_out_of_date_changes_nothing(panel: Panel, action: str) -> None:
    """A newer choice, made elsewhere, stays; the page says so and shows it."""
    async with panel.signed_in(ANN) as reader:
        page = await reader.get("/choices")
        given = forms(page.text)[action]
        await panel.client.withdraw(ANN, "newsletter", channel="phone")
        before = len([one async for one in panel.client.history(ANN)])
        said = await reader.browser.post(
            action, data={**given, "turn": "on", "answer": "accept"}, follow_redirects=True
        )

    assert "your answer has changed meanwhile" in said.text
    assert len([one async for one in panel.client.history(ANN)]) == before
    assert await decided(panel, "newsletter") is Reason.WITHDRAWN


async def test_a_double_opt_in_goes_by_mail(panel: Panel) -> None:
    """The switch asks; the link in the mail gives, and another click on it changes nothing."""
    async with panel.signed_in(ANN, "fr") as reader:
        await reader.turn("reseller42.newsletter", "on")
        page = await reader.get("/choices")
    assert panel.settings.outbox is not None
    (mail,) = [json.loads(one.read_text()) for one in panel.settings.outbox.iterdir()]

    assert "Nous vous attendons" in page.text
    assert await decided(panel, "reseller42.newsletter") is Reason.PENDING_CONFIRMATION
    assert (mail["subject_id"], mail["language"]) == (ANN, "fr")
    assert mail["link"].startswith(f"{panel.url}/confirm/")

    async with panel.browser() as browser:
        shown = await browser.get(mail["link"])
        assert await decided(panel, "reseller42.newsletter") is Reason.PENDING_CONFIRMATION
        confirmed = await browser.post(mail["link"], data={"confirm": "yes"})
        again = await browser.post(mail["link"], data={"confirm": "yes"})

    assert [one.status_code for one in (shown, confirmed, again)] == [200, 200, 409]
    assert await decided(panel, "reseller42.newsletter") is Reason.CONSENT_GIVEN


async def test_a_mail_that_cannot_be_sent(panel: Panel) -> None:
    """The page says so, and the same form sends it later: it was asked for once."""
    outbox = panel.settings.outbox
    assert outbox is not None
    outbox.rmdir()
    async with panel.signed_in(ANN) as reader:
        failed = await reader.turn("reseller42.newsletter", "on")
        outbox.mkdir()
        given = forms(failed.text)["/choices/turn"]
        sent = await reader.browser.post("/choices/turn", data=given, follow_redirects=True)
        (mail,) = [json.loads(one.read_text()) for one in outbox.iterdir()]
        confirmed = await reader.browser.post(mail["link"], data={"confirm": "yes"})

    assert failed.status_code == 503
    assert "We cannot send you the e-mail" in failed.text
    assert "we have sent you an e-mail" in sent.text
    assert confirmed.status_code == 200
    kinds = [one.kind async for one in panel.client.history(ANN)]
    assert kinds == [EventKind.CONSENT_REQUESTED, EventKind.CONSENT_GIVEN]


@pytest.mark.parametrize(("trusted", "told"), [("127.0.0.1", "203.0.113.9"), (None, "127.0.0.1")])
async def test_the_address_that_is_evidence(
    tmp_path: Path, clock: FakeClock, trusted: str | None, told: str
) -> None:
    """Where a purpose keeps it, it is the customer's; only a proxy of ours may name another."""
    (tmp_path / "outbox").mkdir()
    async with (
        serving(
            tmp_path, clock, outbox=tmp_path / "outbox", trusted_proxies=trusted, rate=0
        ) as panel,
        panel.signed_in(ANN) as reader,
    ):
        reader.browser.headers["X-Forwarded-For"] = "203.0.113.9"
        await reader.turn("reseller42.newsletter", "on")
        (event,) = [one async for one in panel.client.history(ANN)]

    assert event.evidence is not None
    assert event.evidence.ip_address == told


async def test_a_request_can_be_taken_back(panel: Panel) -> None:
    """Its link then counts no more."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("reseller42.newsletter", "on")
        await reader.turn("reseller42.newsletter", "off")
    assert panel.settings.outbox is not None
    (mail,) = [json.loads(one.read_text()) for one in panel.settings.outbox.iterdir()]
    async with panel.browser() as browser:
        answer = await browser.post(mail["link"], data={"confirm": "yes"})

    assert answer.status_code == 409
    assert "no longer counts" in answer.text


async def test_under_a_restriction_nothing_can_be_turned_on(panel: Panel) -> None:
    """What was given can still be taken back."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        await panel.client.restrict(ANN, actor=Actor(ActorKind.OPERATOR, "op7"), channel="letter")
        page = await reader.get("/choices")
        offered = [one["purpose"] for one in all_forms(page.text)["/choices/turn"]]
        await reader.turn("newsletter", "off")

    assert "You asked us to restrict" in page.text
    assert offered == ["newsletter"]
    kinds = [one.kind async for one in panel.client.history(ANN)]
    assert kinds[-1] is EventKind.CONSENT_WITHDRAWN


async def test_a_conflict_is_the_services_word(panel: Panel) -> None:
    """What the panel relies on: a position that is no longer current refuses the whole request."""
    purposes = {one.id: one for one in await panel.client.list_purposes("en")}
    ref = purposes["newsletter"].notice.ref
    with pytest.raises(PositionConflict):
        await panel.client.update(
            ANN, [Change("newsletter", Action.GIVE, ref, 99)], channel="panel"
        )


async def test_a_service_that_is_down_shows_no_switch(panel: Panel, tmp_path: Path) -> None:
    """Neither on nor off: the page says that it does not know, and offers to send again."""
    async with panel.signed_in(ANN) as reader:
        page = await reader.get("/choices")
        await panel.stop_service()
        down = await reader.get("/choices")
        given = forms(page.text)["/choices/turn"]
        sent = await reader.browser.post("/choices/turn", data={**given, "turn": "on"})

    assert (down.status_code, sent.status_code) == (503, 503)
    assert "switch" not in down.text.partition("<main")[2].replace("No switch is shown", "")
    assert 'aria-checked="' not in down.text + sent.text
    assert forms(sent.text)["/choices/turn"]["token"] == given["token"]


async def test_a_purpose_that_asks_by_mail_where_no_mail_goes_out(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Without a mailer its switch is not there, and "accept all" leaves it out."""
    async with (
        serving(tmp_path, clock, rate=0) as panel,
        panel.signed_in(ANN) as reader,
    ):
        page = await reader.get("/choices")
        offered = [one["purpose"] for one in all_forms(page.text)["/choices/turn"]]
        await reader.send("/choices", "/choices/all", {"answer": "accept"})
        refused = await reader.send(
            "/choices", "/choices/turn", {"purpose": "reseller42.newsletter", "turn": "on"}
        )

        assert "reseller42.newsletter" not in offered
        assert "through an e-mail only" in page.text
        assert refused.status_code == 400
        assert await decided(panel, "reseller42.newsletter") is Reason.NEVER_ASKED
