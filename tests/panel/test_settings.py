"""Settings: read once, every mistake told at once."""

from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from panel import Settings, SettingsInvalid
from panel.__main__ import main
from panel._guard import _POLICY, _name

DOCUMENTED = Path(__file__).parents[2] / "docs" / "panel.md"


def mistakes(**environment: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.read({f"CONSENT_PANEL_{name}": text for name, text in environment.items()})
    return caught.value.mistakes


def test_all_mistakes_are_told_at_once() -> None:
    """Each names its variable."""
    told = mistakes(
        LISTEN="nowhere",
        URL="ftp://x",
        RATE="many",
        TIME_ZONE="Mars/Olympus",
        LOCAL_SIGN_IN="perhaps",
        JWT_KEYS="/missing",
        JWT_COOKIE="a b",
        ALSO_HOSTS="a b",
        OUTBOX="/missing",
        SIGN_IN_URL="javascript:alert(1)",
        BRAND=" ",
        EMBED_ORIGINS="https://a.example/path",
        GPC_SINCE="lately",
        COLOUR="blue",
    )

    assert sorted(one.partition(":")[0].removeprefix("CONSENT_PANEL_") for one in told) == [
        "ALSO_HOSTS",
        "BRAND",
        "COLOUR",
        "EMBED_ORIGINS",
        "GPC_SINCE",
        "JWT_COOKIE",
        "JWT_KEYS",
        "LISTEN",
        "LOCAL_SIGN_IN",
        "OUTBOX",
        "RATE",
        "SIGN_IN_URL",
        "TIME_ZONE",
        "URL",
    ]


def test_nobody_could_sign_in() -> None:
    """Without keys and without a demonstration there is no panel."""
    assert mistakes() == ["CONSENT_PANEL_JWT_KEYS: nobody could sign in without it"]


def test_what_does_not_go_together(tmp_path: Path) -> None:
    """Contradictions are told together too."""
    file = tmp_path / "keys.json"
    file.write_text("{}")
    told = mistakes(
        JWT_KEYS=str(file),
        LOCAL_SIGN_IN="true",
        LISTEN="0.0.0.0:80",
        URL="http://panel.example",
        TARGET_CERTIFICATE=str(file),
    )

    assert [one.partition(":")[0].split()[0].removeprefix("CONSENT_PANEL_") for one in told] == [
        "JWT_AUDIENCE",
        "JWT_COOKIE",
        "LOCAL_SIGN_IN",
        "URL",
        "TARGET_CERTIFICATE",
        "TARGET_CERTIFICATE",
    ]


def test_a_short_secret(tmp_path: Path) -> None:
    """Fewer than 32 bytes can be guessed."""
    file = tmp_path / "secret"
    file.write_bytes(b"x" * 31)

    assert mistakes(LOCAL_SIGN_IN="true", SECRET_FILE=str(file)) == [
        f"CONSENT_PANEL_SECRET_FILE: {file} holds fewer than 32 bytes"
    ]


def test_what_is_given_has_precedence() -> None:
    """The command line over the environment."""
    settings = Settings.read(
        {"CONSENT_PANEL_BRAND": "A", "CONSENT_PANEL_RATE": "7", "OTHER": "x"},
        brand="B",
        local_sign_in=True,
    )

    assert (settings.brand, settings.rate, settings.secure) == ("B", 7, False)
    assert settings.hosts == {"127.0.0.1"}


def test_the_program_tells_its_mistakes() -> None:
    """One a line, with the code for usage."""
    ran = CliRunner().invoke(main, ["--listen", "x"], env={"CONSENT_PANEL_RATE": "y"})

    assert ran.exit_code == 64
    assert ran.stderr.splitlines() == [
        "consent-panel: CONSENT_PANEL_LISTEN: must be HOST:PORT",
        "consent-panel: CONSENT_PANEL_RATE: must be a whole number",
    ]


def test_without_an_address_for_customers_it_is_the_one_it_listens_on() -> None:
    """Links lead to it, whatever port was found."""
    usual = Settings.read({}, local_sign_in="true", listen="127.0.0.1:0").at(8123)
    behind = Settings.read({}, local_sign_in="true", url="https://localhost").at(8123)

    assert (usual.listen, usual.url) == ("127.0.0.1:8123", "http://127.0.0.1:8123")
    assert (behind.listen, behind.url) == ("127.0.0.1:8123", "https://localhost")


def test_an_address_of_ipv6_is_a_host_of_ours() -> None:
    """As a browser writes it: between brackets."""
    settings = Settings.read({}, local_sign_in="true", listen="[::1]:0").at(8000)

    assert settings.url == "http://[::1]:8000"
    assert settings.hosts == {_name("[::1]:8000")}


def test_an_origin_is_as_browsers_name_it() -> None:
    """Without the port that goes without saying; another one stays."""
    settings = Settings.read(
        {},
        local_sign_in="true",
        url="https://LocalHost:443",
        embed_origins="http://a.example:80, https://b.example:80, https://c.example:8443/",
    )

    assert settings.url == "https://localhost"
    assert settings.embed_origins == {
        "http://a.example",
        "https://b.example:80",
        "https://c.example:8443",
    }


@pytest.mark.parametrize(
    "given",
    [
        {"LISTEN": "0.0.0.0:8000", "URL": "http://127.0.0.1:8000"},
        {"LISTEN": "192.0.2.1:8000", "URL": "https://localhost"},
        {"URL": "https://privacy.example"},
        {"ALSO_HOSTS": "privacy.example"},
    ],
)
def test_a_demonstration_is_for_this_machine_only(given: dict[str, str]) -> None:
    """Neither directly nor through a proxy does it reach further."""
    assert mistakes(LOCAL_SIGN_IN="true", **given) == [
        "CONSENT_PANEL_LOCAL_SIGN_IN: only on loopback addresses, here and in URL"
    ]


def test_every_setting_is_documented() -> None:
    """With its default, where it has one."""
    told = DOCUMENTED.read_text()
    rows = [line for line in told.splitlines() if line.startswith("| `CONSENT_PANEL_")]

    for field in fields(Settings):
        variable = f"`CONSENT_PANEL_{field.name.upper()}`"
        (row,) = [one for one in rows if variable in one.split("|")[1]]
        if field.name != "url" and isinstance(field.default, str | int) and field.default:
            assert f"| `{field.default}` |" in row


def test_the_policy_is_documented() -> None:
    """As it is sent."""
    assert f"\n{_POLICY}\n" in DOCUMENTED.read_text()
