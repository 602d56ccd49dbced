"""Links from mails."""

import pytest

from consentclient import Reason, unsubscribe_headers
from tests.panel.making import Panel

ANN = "customer:8213"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def link(panel: Panel) -> str:
    """The link in a newsletter to Ann."""
    notice = next(one for one in await panel.client.list_purposes("en") if one.id == "newsletter")
    await panel.client.give(ANN, "newsletter", notice.notice.ref, channel="panel")
    decision = await panel.client.check(ANN, "newsletter", with_withdrawal_token=True)
    assert decision.withdrawal_token
    headers = unsubscribe_headers(panel.url, decision.withdrawal_token)
    return headers["List-Unsubscribe"].strip("<>")


async def reason(panel: Panel) -> Reason:
    return (await panel.client.check(ANN, "newsletter")).reason


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_changes_nothing(panel: Panel, link: str, method: str) -> None:
    """A mail scanner follows every link: the person is still subscribed."""
    async with panel.browser() as browser:
        page = await browser.request(method, link)

    assert page.status_code == 200
    assert await reason(panel) is Reason.CONSENT_GIVEN


async def test_the_page_names_what_it_is_about(panel: Panel, link: str) -> None:
    """Before anybody presses the button, and without naming the person."""
    title = next(
        one.notice.title for one in await panel.client.list_purposes("en") if one.id == "newsletter"
    )
    async with panel.browser() as browser:
        page = await browser.get(link)
        altered = await browser.get(link[:-2])

    assert title in page.text
    assert ANN not in page.text
    assert altered.status_code == 404


async def test_one_click_from_a_mail_program(panel: Panel, link: str) -> None:
    """RFC 8058: one POST without cookies, not redirected, in either encoding, again and again."""
    async with panel.browser() as browser:
        first = await browser.post(link, data=ONE_CLICK)
        assert await reason(panel) is Reason.WITHDRAWN
        browser.cookies.clear()
        again = await browser.post(link, files={"List-Unsubscribe": (None, "One-Click")})

    assert (first.status_code, again.status_code) == (200, 200)
    assert await reason(panel) is Reason.WITHDRAWN


async def test_it_withdraws_again_after_a_later_consent(panel: Panel, link: str) -> None:
    """Whoever subscribes anew leaves by the same link."""
    notice = next(one for one in await panel.client.list_purposes("en") if one.id == "newsletter")
    async with panel.browser() as browser:
        await browser.post(link, data=ONE_CLICK)
        await panel.client.give(ANN, "newsletter", notice.notice.ref, channel="panel")
        await browser.post(link, data=ONE_CLICK)

    assert await reason(panel) is Reason.WITHDRAWN


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "yes"}, {"x": "One-Click"}])
async def test_a_post_that_is_no_click(panel: Panel, link: str, body: dict[str, str]) -> None:
    """Something else was meant: nothing is changed."""
    async with panel.browser() as browser:
        answer = await browser.post(link, data=body)

    assert answer.status_code == 400
    assert await reason(panel) is Reason.CONSENT_GIVEN


async def test_an_altered_link(panel: Panel, link: str) -> None:
    """A friendly page, wherever it was altered; nobody is unsubscribed by chance."""
    async with panel.browser() as browser:
        head, _, token = link.rpartition("/")
        for spoilt in (token[:-1], token[::-1], token + "A", "x", "%00", "é", token[:9] + "_" * 9):
            shown = await browser.get(f"{head}/{spoilt}")
            answer = await browser.post(f"{head}/{spoilt}", data=ONE_CLICK)
            confirmed = await browser.post(f"{panel.url}/confirm/{spoilt}", data={"confirm": "yes"})
            assert [one.status_code for one in (shown, answer, confirmed)] == [404] * 3
            assert "This link does not work" in shown.text
            assert "This link does not work" in answer.text

    assert await reason(panel) is Reason.CONSENT_GIVEN


async def test_the_other_kind_of_link(panel: Panel, link: str) -> None:
    """A link to withdraw confirms nothing."""
    async with panel.browser() as browser:
        other = link.replace("/unsubscribe/", "/confirm/")
        shown = await browser.get(other)
        answer = await browser.post(other, data={"confirm": "yes"})

    assert (shown.status_code, answer.status_code) == (404, 404)


async def test_a_service_that_is_down_does_not_thank(panel: Panel, link: str) -> None:
    """Nobody is told that they are unsubscribed when nobody knows; the button sends it again."""
    await panel.stop_service()
    async with panel.browser() as browser:
        answer = await browser.post(link, data=ONE_CLICK)

    assert answer.status_code == 503
    assert "unsubscribed" not in answer.text
    assert "Send it again" in answer.text


async def test_it_is_told_in_the_readers_language(panel: Panel, link: str) -> None:
    """French for who reads French."""
    async with panel.browser(**{"Accept-Language": "de, fr-CA;q=0.8, en;q=0.2"}) as browser:
        shown = await browser.get(link)
        done = await browser.post(link, data=ONE_CLICK)

    assert '<html lang="fr">' in shown.text
    assert "Votre accord pour «\u00a0Notre lettre d’information\u00a0» est retiré" in done.text
