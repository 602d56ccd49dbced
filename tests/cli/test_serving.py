"""`consentsvc serve`."""

import dataclasses
import json
import signal
import socket
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner

import consentsvc.catalogue
from consentsvc.cli import main
from consentsvc.cli.serving import serve
from consentsvc.config import Settings
from tests.cli.program import SECONDS, run, serving


def test_every_setting_is_an_option() -> None:
    """What can be set in the environment can be set on the command line."""
    settings = {field.name for field in dataclasses.fields(Settings)}
    options = {parameter.name for parameter in serve.params}

    assert settings == options - {"port_file"}


def test_settings_are_refused_all_at_once() -> None:
    """Every mistake is told in one go, by the name under which it was made."""
    ran = CliRunner().invoke(
        main,
        ["serve", "--listen", "nowhere", "--rate", "fast", "--tls-certificate", "missing.pem"],
        env={"CONSENTSVC_SWEEP_SECONDS": "0", "CONSENTSVC_LISTEN_ON": "127.0.0.1:1"},
    )

    assert ran.exit_code == 78
    assert ran.stdout == ""
    assert set(ran.stderr.splitlines()) == {
        "consentsvc: --listen: must be HOST:PORT",
        "consentsvc: --rate: must be a whole number",
        "consentsvc: --tls-certificate: missing.pem is not a file",
        "consentsvc: CONSENTSVC_SWEEP_SECONDS: must be 1 or more",
        "consentsvc: CONSENTSVC_LISTEN_ON: there is no such setting",
    }


def test_an_open_address_needs_tls() -> None:
    """Listening to the world in the clear is refused, and the message says what to do."""
    ran = CliRunner().invoke(main, ["serve", "--listen", "0.0.0.0:0"])

    assert ran.exit_code == 78
    assert "--listen: 0.0.0.0:0 is not a loopback address" in ran.stderr


def test_a_store_whose_log_was_emptied_is_refused(tmp_path: Path) -> None:
    """An empty file in the place of a used log does not let the server start.

    It did: the objection was gone without a word.
    """
    with serving(tmp_path) as served:
        objected = served.run("consents", "object", "customer:1", "newsletter")
    (tmp_path / "log.db").write_bytes(b"")
    ran = run("serve", "--listen", "127.0.0.1:0", "--store", served.store)

    assert objected.code == 0
    assert ran.code == 78
    assert f"is not its log: restore {tmp_path}/log.db" in ran.err


def test_the_port_file_is_there_exactly_while_it_answers(tmp_path: Path) -> None:
    """A script that finds the port file can ask at once; one that finds none waits."""
    with serving(tmp_path) as served:
        answered = served.run("check", "customer:1", "newsletter")
        listed = (tmp_path / "port").read_text()

    assert answered.code == 1
    assert f"127.0.0.1:{int(listed)}" == served.target
    assert not (tmp_path / "port").exists()
    assert served.process.returncode == 0


def test_the_log_tells_the_address(tmp_path: Path) -> None:
    """With port 0, the address that was found is in the log line called ready."""
    with serving(tmp_path) as served:
        pass

    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    assert [line["address"] for line in lines if line["event"] == "ready"] == [served.target]


def test_an_interrupt_stops_it_in_order(tmp_path: Path) -> None:
    """Ctrl-C on a server is how it is stopped, not an accident: it drains and exits with 0."""
    with serving(tmp_path) as served:
        served.process.send_signal(signal.SIGINT)

        assert served.process.wait(SECONDS) == 0


def test_a_taken_address_is_told(tmp_path: Path) -> None:
    """An address that somebody else has is one line and 78."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = run("serve", "--listen", address, "--store", "memory:")

    assert ran.code == 78
    assert ran.err.splitlines() == [f"consentsvc: cannot listen on {address}"]


def test_a_store_without_its_keys_is_told(tmp_path: Path) -> None:
    """A log whose keys are not there is not opened, and the message says what to restore."""
    with serving(tmp_path) as served:
        pass
    (tmp_path / "log.db.keys").unlink()

    ran = run("serve", "--listen", "127.0.0.1:0", "--store", served.store)

    assert ran.code == 78
    assert "log.db.keys" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "Traceback" not in ran.err


def test_a_url_that_is_no_store_is_told() -> None:
    """A store of a kind that does not exist is one line and 78."""
    ran = run("serve", "--listen", "127.0.0.1:0", "--store", "mysql://db")

    assert ran.code == 78
    assert ran.err.splitlines() == ["consentsvc: mysql://db: a store is sqlite:///PATH or memory:"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A store whose folder cannot be made names the folder."""
    (tmp_path / "file").write_text("")
    ran = run("serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:///{tmp_path}/file/log.db")

    assert ran.code == 78
    assert f"consentsvc: {tmp_path}/file" in ran.err
    assert "Traceback" not in ran.err


def test_a_broken_catalogue_is_told(tmp_path: Path) -> None:
    """Every mistake of the catalogue is a line, and the server does not start."""
    broken = tmp_path / "broken.toml"
    broken.write_text('main_controller = "nobody"\n')

    ran = run("serve", "--store", "memory:", "--catalogue", broken)

    assert ran.code == 78
    assert len(ran.err.splitlines()) > 1
    assert all(line.startswith("consentsvc: broken.toml:") for line in ran.err.splitlines())


def test_a_rewritten_notice_is_told(tmp_path: Path) -> None:
    """A published notice with another text keeps the server from starting, and is named."""
    with serving(tmp_path) as served:
        pass
    package = Path(consentsvc.catalogue.__file__).parent
    for file in package.glob("default*.toml"):
        text = file.read_text(encoding="utf-8").replace("Our newsletter", "Our other newsletter")
        (tmp_path / file.name).write_text(text, encoding="utf-8")

    ran = run(
        "serve", "--listen", "127.0.0.1:0", "--store", served.store,
        "--catalogue", tmp_path / "default.toml",
    )  # fmt: skip

    assert ran.code == 78
    assert "never changes" in ran.err
    assert "newsletter 1 en" in ran.err
    assert "Traceback" not in ran.err


def test_a_key_that_is_none_is_told(tmp_path: Path) -> None:
    """A certificate that is none keeps the server from starting without a traceback."""
    for name in ("certificate.pem", "key.pem"):
        (tmp_path / name).write_text("not PEM")

    ran = run(
        "serve", "--listen", "127.0.0.1:0", "--store", "memory:",
        "--tls-certificate", tmp_path / "certificate.pem", "--tls-key", tmp_path / "key.pem",
    )  # fmt: skip

    assert ran.code == 78
    assert "Traceback" not in ran.err
