"""Signing in by the registrar's word, and the words that are not the registrar's."""

import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from panel import KeysInvalid
from tests.panel.making import Panel, forms, serving
from tests.support.clock import FakeClock

ANN, BEN = "customer:ann", "customer:ben"

KEYS: dict[str, Any] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
}
_TO_JWK: dict[str, Any] = {"EdDSA": OKPAlgorithm, "ES256": ECAlgorithm, "RS256": RSAAlgorithm}


def key_set(*algorithms: str) -> str:
    keys = [
        json.loads(_TO_JWK[one].to_jwk(KEYS[one].public_key())) | {"kid": one, "alg": one}
        for one in algorithms
    ]
    return json.dumps({"keys": keys})


def token(algorithm: str = "EdDSA", key: Any = None, **changes: Any) -> str:
    claims = {"sub": ANN, "aud": "panel", "iss": "https://id.example", "exp": time() + 60}
    claims |= changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key or KEYS[algorithm], algorithm, {"kid": algorithm})


@pytest.fixture
async def panel(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Panel]:
    file = tmp_path / "keys.json"
    file.write_text(key_set("EdDSA", "ES256", "RS256"))
    given: dict[str, Any] = {
        "local_sign_in": None,
        "jwt_keys": file,
        "jwt_audience": "panel",
        "jwt_issuer": "https://id.example",
        "jwt_cookie": "sso",
        "sign_in_url": "https://id.example/sign-in",
        "rate": 0,
    }
    async with serving(tmp_path, clock, **given) as panel:
        yield panel


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
async def test_the_registrars_word_is_enough(panel: Panel, algorithm: str) -> None:
    """Signed with any of its keys; the change is the customer's own."""
    async with panel.browser() as browser:
        browser.cookies["sso"] = token(algorithm, sid="s-1")
        page = await browser.get("/choices")
        given = forms(page.text)["/choices/turn"]
        answer = await browser.post("/choices/turn", data={**given, "turn": "on"})

    assert answer.status_code == 303
    assert (await panel.client.check(ANN, "newsletter")).permitted


def _without_signature() -> str:
    head, body, _ = token().split(".")
    return f"{head}.{body}."


def _unsigned() -> str:
    _, body, _ = token().split(".")
    head = base64url_encode(json.dumps({"alg": "none", "kid": "EdDSA"}).encode()).decode()
    return f"{head}.{body}."


def _by_hmac_with_the_public_key() -> str:
    public = (
        KEYS["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    _, body, _ = token().split(".")
    head = base64url_encode(json.dumps({"alg": "HS256", "kid": "RS256"}).encode()).decode()
    mark = hmac.digest(public, f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{base64url_encode(mark).decode()}"


FORGED: dict[str, Callable[[], str]] = {
    "none": lambda: "",
    "not a token": lambda: "a.b.c",
    "another key": lambda: token(key=ed25519.Ed25519PrivateKey.generate()),
    "spoilt": lambda: token()[:-8] + "AAAAAAAA",
    "without signature": _without_signature,
    "unsigned": _unsigned,
    "by HMAC with the public key": _by_hmac_with_the_public_key,
    "expired": lambda: token(exp=time() - 60),
    "for ever": lambda: token(exp=None),
    "not yet": lambda: token(nbf=time() + 60),
    "for another": lambda: token(aud="another"),
    "for anybody": lambda: token(aud=None),
    "by another": lambda: token(iss="https://evil.example"),
    "by nobody": lambda: token(iss=None),
    "about nobody": lambda: token(sub=None),
    "about an empty name": lambda: token(sub=""),
    "about two words": lambda: token(sub="two words"),
    "about a long name": lambda: token(sub="x" * 257),
    "nested": lambda: base64url_encode(b"[" * 6000).decode() + ".e30.e30",
    "long": lambda: token() + "x" * 9000,
}


@pytest.mark.parametrize("kind", FORGED)
async def test_a_word_that_is_not_the_registrars(panel: Panel, kind: str) -> None:
    """Forged, expired, not yet valid, for somebody else's panel, or for nobody."""
    async with panel.browser() as browser:
        browser.cookies["sso"] = FORGED[kind]()
        page = await browser.get("/choices")
        form = await browser.post("/choices/turn", data={"purpose": "newsletter", "turn": "on"})

    assert (page.status_code, form.status_code) == (401, 401)
    assert 'role="switch"' not in page.text
    assert "https://id.example/sign-in" in page.text


async def test_another_customers_subject_is_out_of_reach(panel: Panel) -> None:
    """Nothing that is sent names a subject: it is the token's, for pages and for forms alike."""
    async with panel.browser() as browser:
        browser.cookies["sso"] = token()
        page = await browser.get("/choices", params={"subject": BEN, "subject_id": BEN})
        given = forms(page.text)["/choices/turn"] | {"subject": BEN, "subject_id": BEN, "sub": BEN}
        await browser.post("/choices/turn", data={**given, "turn": "on"}, headers={"sub": BEN})
        # Ann's form, sent with Ben's word for who he is.
        given = forms((await browser.get("/choices")).text)["/choices/turn"]
        browser.cookies["sso"] = token(sub=BEN)
        stolen = await browser.post("/choices/turn", data={**given, "turn": "on"})

    assert stolen.status_code == 403
    assert (await panel.client.check(ANN, "newsletter")).permitted
    assert [one async for one in panel.client.history(BEN)] == []


async def test_keys_are_read_again_when_the_file_changes(panel: Panel) -> None:
    """A key that is taken out opens nothing any more; the panel need not be restarted."""
    assert panel.settings.jwt_keys is not None
    async with panel.browser() as browser:
        browser.cookies["sso"] = token("EdDSA")
        before = await browser.get("/choices")
        panel.settings.jwt_keys.write_text(key_set("ES256"))
        after = await browser.get("/choices")
        browser.cookies["sso"] = token("ES256")
        other = await browser.get("/choices")

    assert [one.status_code for one in (before, after, other)] == [200, 401, 200]


async def test_keys_that_were_spoilt_are_told(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody gets in by keys of before; whoever runs the panel reads why."""
    assert panel.settings.jwt_keys is not None
    panel.settings.jwt_keys.write_text("{")
    async with panel.browser() as browser:
        browser.cookies["sso"] = token()
        answer = await browser.get("/choices")

    assert answer.status_code == 401
    assert "nobody can sign in: keys.json is no JWK set: JSONDecodeError" in caplog.messages


async def test_there_is_no_local_sign_in_unless_asked_for(panel: Panel) -> None:
    """No form, and no page that takes one."""
    async with panel.browser() as browser:
        page = await browser.get("/sign-in")
        given = forms(page.text)["/language"]
        answer = await browser.post("/sign-in", data={**given, "customer": ANN})

    assert page.status_code == 401
    assert "demonstration" not in page.text.lower()
    assert answer.status_code == 404


async def test_a_header_that_a_proxy_sets(tmp_path: Path, clock: FakeClock) -> None:
    """With or without `Bearer`; the cookie then counts for nothing."""
    file = tmp_path / "keys.json"
    file.write_text(key_set("EdDSA"))
    given: dict[str, Any] = {
        "jwt_keys": file,
        "jwt_audience": "panel",
        "jwt_header": "Authorization",
    }
    async with (
        serving(tmp_path, clock, local_sign_in=None, **given) as panel,
        panel.browser() as browser,
    ):
        bearer = await browser.get("/choices", headers={"Authorization": f"Bearer {token()}"})
        bare = await browser.get("/choices", headers={"Authorization": token()})
        browser.cookies["sso"] = token()
        cookie = await browser.get("/choices")

    assert [one.status_code for one in (bearer, bare, cookie)] == [200, 200, 401]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "a"}]}',
        '{"keys": [{"kty": "unheard of"}]}',
    ],
)
async def test_keys_that_cannot_be_used_are_told_at_the_start(
    tmp_path: Path, clock: FakeClock, text: str
) -> None:
    """A secret is no public key: whoever could read the file could sign in as anybody."""
    file = tmp_path / "keys.json"
    file.write_text(text)
    given: dict[str, Any] = {"jwt_keys": file, "jwt_audience": "panel", "jwt_cookie": "sso"}
    with pytest.raises(KeysInvalid, match=r"keys\.json"):
        async with serving(tmp_path, clock, local_sign_in=None, **given):
            pass


async def test_signing_out_ends_a_demonstration(tmp_path: Path, clock: FakeClock) -> None:
    """The cookies are gone, and their session's forms with them."""
    async with serving(tmp_path, clock, rate=0) as panel, panel.signed_in(ANN) as reader:
        given = forms((await reader.get("/choices")).text)
        await reader.browser.post("/sign-out", data=given["/sign-out"])
        page = await reader.browser.get("/choices")

    assert page.status_code == 303
