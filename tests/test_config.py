"""Settings: what is set, where, and every mistake in it at once."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from consentsvc.config import PREFIX, Settings, SettingsInvalid


def mistakes(environment: Mapping[str, str], **given: object) -> list[str]:
    with pytest.raises(SettingsInvalid) as refused:
        Settings.read(environment, **given)
    assert str(refused.value) == "\n".join(refused.value.mistakes)
    return refused.value.mistakes


def named(found: list[str]) -> list[str]:
    return [one.partition(":")[0] for one in found]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.pem"
    path.touch()
    return path


class TestReading:
    def test_nothing_set(self) -> None:
        """Without any setting a server runs on this machine only, on a file beside it."""
        settings = Settings.read({"PATH": "/bin", "CONSENTSVCX": "no", "XCONSENTSVC_RATE": "no"})

        assert settings == Settings()
        assert (settings.listen, settings.store) == (
            "127.0.0.1:50051",
            "sqlite:///data/consent.db",
        )

    def test_everything_set(self, file: Path, tmp_path: Path) -> None:
        """Every setting is read from the variable of its name, and becomes its type."""
        environment = {
            "LISTEN": "0.0.0.0:8443",
            "STORE": "memory:",
            "MASTER_KEY_FILE": f"{tmp_path}/to-be-made",
            "CATALOGUE": f"{file}",
            "PROFILES": f"{tmp_path}",
            "LOG_NAME": "log.registrar.example/consents",
            "TLS_CERTIFICATE": f"{file}",
            "TLS_KEY": f"{file}",
            "TLS_CLIENT_CA": f"{file}",
            "INSECURE": "True",
            "RATE": "0",
            "DRAIN_SECONDS": "0",
            "SWEEP_SECONDS": "7",
            "RETENTION_SECONDS": "9",
            "OBLIGED_FOLLOWERS": "registry_sync,mailer",
            "ERASURE_WAIT_SECONDS": "0",
            "TRUSTED_LOG_KEYS": f"{file}",
        }
        settings = Settings.read({PREFIX + name: text for name, text in environment.items()})

        assert {name.lower() for name in environment} == {
            one.name for one in dataclasses.fields(Settings)
        }
        assert dataclasses.astuple(settings) == (
            *("0.0.0.0:8443", "memory:", tmp_path / "to-be-made"),
            *(file, tmp_path, "log.registrar.example/consents", file, file, file),
            *(True, 0, 0, 7, 9, ("registry_sync", "mailer"), 0, file),
        )

    def test_given_over_environment(self) -> None:
        """What is given as an option has precedence, unless it is None; also a false and a zero."""
        environment = {
            f"{PREFIX}RATE": "5",
            f"{PREFIX}INSECURE": "true",
            f"{PREFIX}STORE": "memory:",
        }
        settings = Settings.read(environment, rate=0, insecure=False, store=None)

        assert (settings.rate, settings.insecure, settings.store) == (0, False, "memory:")

    @pytest.mark.parametrize("wrong", ["", "two words", "a+b", "log/", "x" * 201, "a\n"])
    def test_a_name_that_cannot_stand_in_a_note(self, wrong: str) -> None:
        """It would end, or cut, the lines of what is signed."""
        with pytest.raises(SettingsInvalid, match="LOG_NAME"):
            Settings.read({f"{PREFIX}LOG_NAME": wrong})

    def test_given_over_a_mistake(self) -> None:
        """An option also stands in for a variable that could not be read."""
        assert Settings.read({f"{PREFIX}RATE": "many"}, rate=5).rate == 5


class TestMistakes:
    def test_all_at_once(self, tmp_path: Path) -> None:
        """All mistakes are told in one go, each after the name of its variable."""
        wrong = {
            "LISTEN": "localhost",
            "CATALOGUE": f"{tmp_path}/none.toml",
            "TLS_CERTIFICATE": f"{tmp_path}/none.pem",
            "TLS_KEY": f"{tmp_path}",
            "TLS_CLIENT_CA": "",
            "INSECURE": "yes",
            "RATE": "-1",
            "DRAIN_SECONDS": "1.5",
            "SWEEP_SECONDS": "0",
            "SWEEP": "1",
        }
        found = mistakes({PREFIX + name: text for name, text in wrong.items()})

        assert named(found) == [
            *(PREFIX + name for name in wrong if name != "SWEEP"),
            f"{PREFIX}SWEEP",
        ]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            *(("LISTEN", text) for text in ("", ":1", "50051", "localhost")),
            *(("LISTEN", f"localhost:{port}") for port in ("", "b", "-1", "65536", "1.0", "1 ")),
            *(("LISTEN", f"localhost:{port}") for port in ("²", "\u0661")),
            *(("INSECURE", text) for text in ("", "1", "no", "true ", "on")),
            *(("RATE", text) for text in ("", "-1", "1.5", "1e3", " 1", "²", "\u0661", "1_000")),
            *(("SWEEP_SECONDS", text) for text in ("0", "00", "-1", "")),
            *((name, "/") for name in ("CATALOGUE", "TLS_CERTIFICATE", "TLS_KEY")),
        ],
    )
    def test_wrong(self, name: str, text: str) -> None:
        """What cannot be read is refused by its variable's name, and never becomes a default."""
        assert f"{PREFIX}{name}" in named(mistakes({PREFIX + name: text}))

    def test_given(self) -> None:
        """A mistake in an option goes by the same name."""
        assert named(mistakes({}, rate="many")) == [f"{PREFIX}RATE"]

    @pytest.mark.parametrize(
        "name", ["LISTENS", "listen", "", "PASSWORD", "SERVICE", "SERVICE_HOSTS"]
    )
    def test_unknown(self, name: str) -> None:
        """A variable with the prefix that is no setting is a slip of the pen, and refused."""
        assert mistakes({PREFIX + name: "x"}) == [f"{PREFIX}{name}: there is no such setting"]

    def test_kubernetes(self) -> None:
        """What Kubernetes sets beside a service named consentsvc is no slip of anybody's pen."""
        environment = {
            f"{PREFIX}SERVICE_HOST": "10.0.0.1",
            f"{PREFIX}SERVICE_PORT": "50051",
            f"{PREFIX}SERVICE_PORT_GRPC": "50051",
            f"{PREFIX}PORT": "tcp://10.0.0.1:50051",
            f"{PREFIX}PORT_50051_TCP": "tcp://10.0.0.1:50051",
            f"{PREFIX}PORT_50051_TCP_ADDR": "10.0.0.1",
        }

        assert Settings.read(environment) == Settings()

    def test_nothing_but_the_mistake(self, file: Path) -> None:
        """A certificate whose name is misspelt is one mistake, not three."""
        environment = {f"{PREFIX}TLS_CERTIFICATE": f"{file}x", f"{PREFIX}TLS_KEY": f"{file}"}

        assert named(mistakes(environment, listen="0.0.0.0:1")) == [f"{PREFIX}TLS_CERTIFICATE"]

    @pytest.mark.parametrize("slip", ["TLS", "L", ""])
    def test_unknown_hides_nothing(self, slip: str) -> None:
        """A slip of the pen hides no other mistake, also if its name begins another's."""
        found = mistakes({PREFIX + slip: "x", f"{PREFIX}LISTEN": "0.0.0.0:1"})

        assert named(found) == [PREFIX + slip, f"{PREFIX}LISTEN"]

    @pytest.mark.parametrize("name", ["STORE", "MASTER_KEY_FILE"])
    def test_empty(self, name: str) -> None:
        """A variable that is set to nothing is told with the other mistakes."""
        assert named(mistakes({PREFIX + name: ""})) == [PREFIX + name]


class TestWhoCouldListenIn:
    @pytest.mark.parametrize(
        "listen",
        [
            "127.0.0.1:0",
            "127.255.0.9:65535",
            "localhost:50051",
            "[::1]:50051",
            "[0:0:0:0:0:0:0:1]:1",
        ],
    )
    def test_loopback(self, listen: str) -> None:
        """On a loopback address nobody else listens in: no TLS is asked for."""
        assert Settings.read({}, listen=listen).listen == listen

    @pytest.mark.parametrize(
        "listen",
        [
            *("0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "128.0.0.1:1"),
            *("consent.example:1", "localhost.example:1", "127.0.0.1.example:1", "*:1"),
            *("[::ffff:192.0.2.1]:1", "[fe80::1]:1", "0:1", "2130706433:1"),
        ],
    )
    def test_elsewhere(self, listen: str, file: Path) -> None:
        """Anywhere else it takes TLS, or a word that none is wanted."""
        secured = Settings.read({}, listen=listen, tls_certificate=file, tls_key=file)
        open_ = Settings.read({f"{PREFIX}INSECURE": "true"}, listen=listen)
        (mistake,) = mistakes({f"{PREFIX}LISTEN": listen})

        assert mistake.startswith(f"{PREFIX}LISTEN: {listen} ")
        assert f"{PREFIX}INSECURE=true" in mistake
        assert (secured.listen, open_.listen) == (listen, listen)


class TestTls:
    @pytest.mark.parametrize("missing", ["tls_certificate", "tls_key"])
    def test_one_of_two(self, file: Path, missing: str) -> None:
        """A certificate without its key, or the other way round, is refused by both names."""
        given = {"tls_certificate": file, "tls_key": file, missing: None}
        (mistake,) = mistakes({}, **given)

        assert f"{PREFIX}TLS_CERTIFICATE" in mistake
        assert f"{PREFIX}TLS_KEY" in mistake

    def test_a_key_secures_nothing(self, file: Path) -> None:
        """A key alone does not open the server to others."""
        found = mistakes({}, tls_key=file, listen="0.0.0.0:1")

        assert len(found) == 2
        assert f"{PREFIX}LISTEN" in named(found)

    def test_client_authority(self, file: Path) -> None:
        """Whom to let in can be asked of callers only over TLS."""
        alone = mistakes({}, tls_client_ca=file)
        with_tls = Settings.read({}, tls_client_ca=file, tls_certificate=file, tls_key=file)

        assert named(alone) == [f"{PREFIX}TLS_CLIENT_CA"]
        assert with_tls.tls_client_ca == file
