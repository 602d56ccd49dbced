"""The settings of the registries: what cannot be used is told by its key, before anything is."""

from pathlib import Path

import pytest

from registry_sync._settings import SettingsInvalid, read

_USUAL = {"host": "epp.example", "client": "REG-1", "password_file": "password"}


def written(folder: Path, **settings: str) -> Path:
    """A file with the section [no], which has these settings beside those that are needed."""
    (folder / "password").write_text("secret\n")
    lines = [f"{key} = {_toml(value)}" for key, value in {**_USUAL, **settings}.items()]
    file = folder / "registries.toml"
    file.write_text("\n".join(["[no]", *lines]), encoding="utf-8")
    return file


def _toml(value: str) -> str:
    return value if value == "true" else f'"{value}"'


def mistakes(folder: Path, **settings: str) -> list[str]:
    """What is wrong with these settings."""
    with pytest.raises(SettingsInvalid) as refused:
        read(written(folder, **settings))
    return refused.value.mistakes


@pytest.mark.parametrize("host", ["epp.example", "EPP.example.", "h", "a_b", "127.0.0.1", "::1"])
def test_hosts(tmp_path: Path, host: str) -> None:
    """A host is a name, or an address."""
    (registry,) = read(written(tmp_path, host=host, server_name="epp.example"))

    assert registry.host == host


@pytest.mark.parametrize(
    "host", ["", " ", ".", "a..b", "-a.example", "a b", "a\\u0001", "é.example", "a" * 64]
)
@pytest.mark.parametrize("key", ["host", "server_name"])
def test_no_host(tmp_path: Path, key: str, host: str) -> None:
    """What is no host is refused. A label without a letter was a traceback at the first command."""
    found = mistakes(tmp_path, **{key: host})

    assert found == [f"no.{key}: must be the name of a host, in A-labels, or an address"]


def test_what_is_shown_by_default(tmp_path: Path) -> None:
    """What holds where the greeting is wrong is one of two words."""
    assert mistakes(tmp_path, default="all") == ["no.default: must be one of hides, shows"]
    for word, hides in (("hides", True), ("shows", False)):
        (found,) = read(written(tmp_path, default=word))
        assert found.hides is hides
    (found,) = read(written(tmp_path))
    assert found.hides is None


@pytest.mark.parametrize("client", ["", "  ", "R\\u0001", "R\\n"])
def test_no_client(tmp_path: Path, client: str) -> None:
    """A name that no frame can say is refused. It was a traceback at the login."""
    assert mistakes(tmp_path, client=client) == ["no.client: must be printable, and not empty"]


@pytest.mark.parametrize("password", [b"", b"\n", b"a\x01"])
def test_no_password(tmp_path: Path, password: bytes) -> None:
    """Nor is a password that no frame can say; it is not quoted."""
    file = written(tmp_path)
    (tmp_path / "password").write_bytes(password)
    with pytest.raises(SettingsInvalid) as refused:
        read(file)

    assert refused.value.mistakes == [
        "no.password_file: password: must hold a password that is printable"
    ]


def test_a_password_in_other_bytes(tmp_path: Path) -> None:
    """Nor one that is not UTF-8."""
    file = written(tmp_path)
    (tmp_path / "password").write_bytes(b"s\xffcret")
    with pytest.raises(SettingsInvalid) as refused:
        read(file)

    assert refused.value.mistakes == ["no.password_file: password: is not UTF-8"]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is told by its key and its name. It was `[Errno 2]`."""
    absent = "No such file or directory"

    assert mistakes(tmp_path, ca_file="a.pem") == [f"no.ca_file: a.pem: {absent}"]
    assert mistakes(tmp_path, password_file="p") == [f"no.password_file: p: {absent}"]
    assert mistakes(tmp_path, certificate_file="c.pem", key_file="k.pem") == [
        f"no.certificate_file: c.pem, k.pem: {absent}"
    ]


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    """A file that holds no certificate is told by its key and its name too."""
    (found,) = mistakes(tmp_path, ca_file="password")

    assert found.startswith("no.ca_file: password: ")


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "key_file", "server_name"])
def test_what_plain_has_no_use_for(tmp_path: Path, key: str) -> None:
    """Settings of TLS are refused where there is none. They were ignored."""
    found = mistakes(tmp_path, host="127.0.0.1", plain="true", **{key: "something"})

    assert f"no.{key}: is for TLS, and plain is without" in found
