"""What every request passes first, in its parts."""

from pathlib import Path

import pytest

from panel._forms import Forms, Verdict
from panel._guard import Rate, _client
from panel._signing import Signer
from tests.panel.making import serving
from tests.support.clock import FakeClock


def test_a_bucket_fills_with_time() -> None:
    """Half a minute's share at once, and then as many as the share allows."""
    now = 0.0
    rate = Rate(60, lambda: now)
    at_once = [rate.admits("a") for _ in range(31)]
    others = rate.admits("b")
    now = 2.0
    later = [rate.admits("a") for _ in range(3)]

    assert at_once == [True] * 30 + [False]
    assert others
    assert later == [True, True, False]


def test_no_limit() -> None:
    """0 is none."""
    rate = Rate(0)

    assert all(rate.admits("a") for _ in range(1_000))


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix", "unix"),
    ],
)
def test_a_client_is_an_address_or_a_household(address: str, client: str) -> None:
    """With IPv6 everybody has as many addresses as they like."""
    assert _client({"client": (address, 1)}) == client


def test_a_signature_ends() -> None:
    """And nothing else than what was sealed opens."""
    signer = Signer(None)

    assert signer.opened("kind", signer.sealed("kind", "a.b", 10)) == "a.b"
    assert signer.opened("kind", signer.sealed("kind", "a.b", 0)) is None
    assert signer.opened("other", signer.sealed("kind", "a.b", 10)) is None
    assert Signer(None).opened("kind", signer.sealed("kind", "a.b", 10)) is None


def test_what_was_used_is_forgotten_when_nobody_could_send_it_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The memory of forms does not grow without end."""
    monkeypatch.setattr("panel._forms._MOST", 3)
    forms = Forms(Signer(None))
    tokens = [forms.token("session", "ann") for _ in range(5)]
    for token in tokens:
        forms.used(token)

    assert [forms.verdict(one, "session", "ann") for one in tokens] == [Verdict.GOOD] * 2 + [
        Verdict.USED
    ] * 3


async def test_a_log_that_is_another_one(tmp_path: Path, clock: FakeClock) -> None:
    """After a restore a browser still asks for what the old log had: it is shown what there is."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 32)
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    async with (
        serving(tmp_path / "old", clock, secret_file=secret, rate=0) as old,
        serving(tmp_path / "new", clock, secret_file=secret, rate=0) as new,
        old.signed_in("customer:ann") as reader,
        new.browser() as browser,
    ):
        await reader.turn("newsletter", "on")
        browser.cookies.update(reader.browser.cookies)
        page = await browser.get("/choices")

    assert page.status_code == 200
    assert 'panel-fresh=""' in page.headers["set-cookie"]
    assert "You have not answered yet" in page.text
