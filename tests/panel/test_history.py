"""My history, and the download of everything."""

import json
from datetime import timedelta

from consentclient import Action, Actor, ActorKind, Change, ContactField, Evidence, Scope
from consentsvc.domain.receipts import Receipt
from consentsvc.service.signing import Verifier
from tests.panel.making import Panel, Reader, forms
from tests.support.clock import FakeClock

ANN = "customer:8213"


async def much(panel: Panel, reader: Reader, clock: FakeClock, times: int) -> None:
    """A customer who cannot decide."""
    for turn in range(times):
        clock.advance(timedelta(hours=7))
        if turn % 2:
            await panel.client.withdraw(ANN, "newsletter", channel="phone")
        else:
            await reader.turn("newsletter", "on")


async def test_everything_newest_first_in_pages(panel: Panel, clock: FakeClock) -> None:
    """Each page follows on the one before, and a number that makes no sense is the first one."""
    async with panel.signed_in(ANN) as reader:
        await much(panel, reader, clock, 45)
        pages = [(await reader.get(f"/history?page={one}")).text for one in (1, 2, 3)]
        strange = [(await reader.get(f"/history?page={one}")).text for one in ("0", "x", "", "-1")]
        beyond = (await reader.get("/history?page=99")).text

    events = [page.count('<p class="when">') for page in pages]
    assert events == [20, 20, 5]
    assert "45 entries" in pages[0]
    first = pages[0].index("You agreed")
    assert first < pages[0].index("You took your consent back")
    assert all("page 1 of 3" in page for page in strange)
    assert "page 3 of 3" in beyond


async def test_an_entry_tells_who_where_and_on_which_text(panel: Panel) -> None:
    """With the proof that is kept."""
    async with panel.signed_in(ANN) as reader:
        empty = (await reader.get("/history")).text
        await reader.turn("newsletter", "on")
        operator = Actor(ActorKind.OPERATOR, "op7")
        await panel.client.withdraw(ANN, "newsletter", channel="letter", actor=operator)
        page = (await reader.get("/history")).text

    assert "Nothing has been recorded about you yet." in empty
    for words in ("By you · in this panel", "By our staff · by letter", "one switch", "Version 1"):
        assert words in " ".join(page.split())
    assert "op7" not in page


async def test_what_was_done_is_told_in_the_readers_language(panel: Panel) -> None:
    """Whatever the panel records of an act; what another program recorded stands as it is."""
    async with panel.signed_in(ANN, "fr") as reader:
        await reader.turn("newsletter", "on")
        await reader.send("/choices", "/choices/all", {"answer": "refuse"})
        await panel.client.withdraw(
            ANN, "chat_cookies", channel="phone", evidence=Evidence(action="call 12")
        )
        page = (await reader.get("/history")).text

    assert "<dd>un bouton</dd>" in page
    assert "<dd>«\u00a0Tout refuser\u00a0»</dd>" in page
    assert "<dd>call 12</dd>" in page


async def test_publication_says_how_far_it_reaches(panel: Panel) -> None:
    """In the reader's words."""
    scope = Scope(frozenset({ContactField.EMAIL, ContactField.PHONE}), "C-1", "example.cz")
    change = Change("whois_publication", Action.WITHDRAW, scope=scope)
    await panel.client.update(ANN, [change], channel="panel")
    async with panel.signed_in(ANN, "fr") as reader:
        page = (await reader.get("/history")).text

    assert "Contact C-1, example.cz\u00a0: téléphone, e-mail" in page


async def test_my_data_as_a_file(panel: Panel) -> None:
    """Everything that the page shows, for programs; nobody's name in the name of the file."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        answer = await reader.get("/history/download")

    told = json.loads(answer.text)
    assert answer.headers["content-disposition"] == 'attachment; filename="my-choices.json"'
    assert told["subject_id"] == ANN
    (event,) = told["events"]
    assert (event["kind"], event["purpose_id"]) == ("consent_given", "newsletter")
    assert len(bytes.fromhex(event["notice"]["sha256"])) == 32
    assert event["evidence"]["action"] == "one switch"
    newsletter = told["consents"][0]
    assert newsletter["decision"]["permitted"] is True
    assert "read_at" not in newsletter["decision"]


async def test_nobody_elses(panel: Panel) -> None:
    """Neither page nor file without a sign-in."""
    async with panel.browser() as browser:
        answers = [await browser.get(path) for path in ("/history", "/history/download")]

    assert [one.status_code for one in answers] == [303, 303]


async def test_the_receipt_of_an_entry(panel: Panel) -> None:
    """As a file that proves it without the service, and as a record for programs."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        receipt = await reader.send("/history", "/history/receipt", {"as": "receipt"})
        record = await reader.send("/history", "/history/receipt", {"as": "record"})
    signed = await panel.client.checkpoint()
    assert signed is not None
    proven = Receipt.parse(receipt.text).check(Verifier.parse(signed.verifier_key))

    assert proven.event.personal is not None
    assert proven.event.personal.subject == ANN
    assert receipt.headers["content-disposition"] == 'attachment; filename="receipt.tlog-proof"'
    activity = record.json()["dpv:hasRecordOfActivity"]
    assert activity["dpv:hasConsentStatus"]["@type"] == "dpv:ConsentGiven"


async def test_no_receipt_of_another(panel: Panel) -> None:
    """Somebody else's entry, none at all, and a form that is not ours: nothing is handed out."""
    async with panel.signed_in("customer:1") as other:
        await other.turn("newsletter", "on")
        (event,) = [one async for one in panel.client.history("customer:1")]
        theirs = event.position
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        codes = [
            (await reader.send("/history", "/history/receipt", {"position": wrong})).status_code
            for wrong in (str(theirs), "999999", "0", "", "x", "9" * 30)
        ]
        forged = await reader.browser.post("/history/receipt", data={"position": str(theirs)})

    assert codes == [404, 404, 400, 400, 400, 400]
    assert forged.status_code == 403


async def test_a_receipt_when_the_service_is_down(panel: Panel) -> None:
    """It can be asked for again; nothing is said about a change, because there was none."""
    async with panel.signed_in(ANN) as reader:
        await reader.turn("newsletter", "on")
        given = forms((await reader.get("/history")).text)["/history/receipt"]
        await panel.stop_service()
        down = await reader.browser.post("/history/receipt", data={**given, "as": "receipt"})

    assert down.status_code == 503
    assert "Send it again" in down.text
    assert "your change" not in down.text
