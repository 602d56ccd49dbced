"""The registrar's directory in a file: what is taken, what is refused, and where it stands."""

import json
from pathlib import Path
from typing import Any

import pytest

from consentsvc.domain.errors import InvalidRequest
from consentsvc.rpc import scopes
from registry_sync import DirectoryInvalid, JsonLines, domain_name
from tests.registry_sync.program import arguments, run, start, write_settings
from tests.registry_sync.scene import EMAIL, Scene, contact, domain, write_lines

LONE = "\ud800"


def refusal(folder: Path, *lines: dict[str, Any]) -> str:
    """Why a directory of these lines is refused."""
    file = folder / "directory.jsonl"
    write_lines(file, lines)
    with pytest.raises(DirectoryInvalid) as refused, JsonLines(file):
        pass
    return str(refused.value)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (contact("B", values={"name": LONE}), "values"),
        (contact("B", handle=LONE), "handle"),
        (contact("B", account=LONE), "account"),
        (contact(LONE, account="b"), "contact"),
        (domain("b.no", LONE), "bindings"),
        (domain(f"{LONE}.no", "A"), "domain"),
    ],
)
def test_half_a_pair_of_surrogates(tmp_path: Path, line: dict[str, Any], field: str) -> None:
    """What no encoding can say is refused by its line. It ended every run with a traceback."""
    why = refusal(tmp_path, contact("A"), line)

    assert why == f"directory.jsonl:2: {field} cannot be read"


@pytest.mark.parametrize("control", ["\0", "\a", "\x0b", "\x1f", "\x7f", "\x85"])
def test_a_control_character(tmp_path: Path, control: str) -> None:
    """What no frame can say is refused by its line."""
    why = refusal(tmp_path, contact("A", values={"name": f"Camille{control}Durand"}))

    assert why == "directory.jsonl:1: values cannot be read"


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T01:59:59+02:00",
        "9000-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize("field", ["registered", "transferred"])
def test_moments_that_the_service_does_not_take(tmp_path: Path, moment: str, field: str) -> None:
    """A moment that cannot be told is refused by its line.

    Of the first, which is none in UTC, every run made an OverflowError.
    """
    why = refusal(tmp_path, contact("A"), domain("a.no", "A", **{field: moment}))

    assert why == f"directory.jsonl:2: {field} cannot be read"


@pytest.mark.parametrize(("one", "other"), [("SAME", "SAME"), ("same", "SAME"), ("A", None)])
def test_two_contacts_with_one_handle(tmp_path: Path, one: str, other: str | None) -> None:
    """Two people in one object at a registry: what the one allows would be shown of the other."""
    more = {} if other is None else {"handle": other}
    why = refusal(
        tmp_path, contact("A", handle="A"), contact("B", handle=one), contact("C", **more)
    )

    if other is None:
        assert why == "directory.jsonl:2: handle is another contact's"
    else:
        assert why == "directory.jsonl:3: handle is another contact's"


NAMES = [
    "A.NO",
    "a.no.",
    "dürand.no",
    "DÜRAND.no.",
    "xn--drand-kva.no",
    "bad name.no",
    "no",
    "-a.no",
    "a..no",
    "a.no..",
    "a.1",
    f"{'a' * 64}.no",
    ".".join(["a" * 60] * 5),
    "a_b.no",
    "a\n.no",
    "a.no\n",
    "",
    ".",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_the_service(name: str) -> None:
    """The job takes a name if the service does, and says it alike."""
    try:
        expected: str | None = scopes.domain_name(name, "domain")
    except InvalidRequest:
        expected = None
    try:
        found: str | None = domain_name(name)
    except ValueError:
        found = None

    assert found == expected


def test_a_name_in_any_spelling(tmp_path: Path) -> None:
    """A domain is found by its A-labels, however the file spells it."""
    file = tmp_path / "directory.jsonl"
    write_lines(file, [contact("A"), domain("DÜRAND.no.", "A")])
    with JsonLines(file) as directory:
        found = directory.domain("xn--drand-kva.no")
        uses = [use.domain for use in directory.all_uses()]

    assert found is not None
    assert found.name == "xn--drand-kva.no"
    assert uses == ["xn--drand-kva.no"]


def test_no_domain_name(tmp_path: Path) -> None:
    """What is no domain name is refused by its line.

    The service refused it, and with it every question about the contact: a withdrawal was not told.
    """
    why = refusal(tmp_path, contact("A"), domain("a.no", "A"), domain("bad name.no", "A"))

    assert why == "directory.jsonl:3: domain cannot be read"


def test_the_index_has_no_name(tmp_path: Path) -> None:
    """The index, which holds what the directory does, is nowhere in the file system."""
    file = tmp_path / "directory.jsonl"
    values = {"name": "Camille " * 500}
    write_lines(file, [contact(f"C-{number}", values=values) for number in range(2_000)])
    before = set(opened())
    with JsonLines(file) as directory:
        index = set(opened()) - before
        assert directory.contact("C-7") is not None

    assert index  # it is too large for memory
    assert all(one.endswith(" (deleted)") for one in index)
    assert set(opened()) <= before


def opened() -> list[str]:
    """The files that this process holds open."""
    folder = Path("/proc/self/fd")
    return [str(one.readlink()) for one in folder.iterdir() if one.is_symlink()]


async def test_killed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, the job leaves nothing of the directory behind. It left a copy in /tmp."""
    temporary = scene.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("SQLITE_TMPDIR", str(temporary))
    await scene.has(contact("A"), domain("a.no", "A"))
    await scene.give("account:A", EMAIL)
    write_settings(scene)
    process = await start("run", *arguments(scene))
    await scene.next_report(0)
    process.kill()
    await process.wait()

    assert list(temporary.iterdir()) == []


async def test_the_state_is_for_its_owner(scene: Scene) -> None:
    """The state file holds digests of values and their key: nobody else may read it."""
    await scene.has(contact("A"), domain("a.no", "A"))
    write_settings(scene)
    process = await start("run", *arguments(scene))
    await scene.next_report(0)
    files = list(scene.folder.glob(f"{scene.state_file.name}*"))
    modes = {file.name: file.stat().st_mode & 0o777 for file in files}
    process.terminate()
    await process.wait()

    assert modes == dict.fromkeys(modes, 0o600)
    assert scene.state_file.name in modes


async def test_a_bad_line_stops_nothing_half_way(scene: Scene) -> None:
    """The program names the line, ends with 64, and has told nobody anything."""
    await scene.has(contact("A"), domain("a.no", "A"))
    write_settings(scene)
    with scene.directory_file.open("a") as out:
        out.write(json.dumps(contact("B", values={"name": LONE})) + "\n")
    ran = await run("reconcile", *arguments(scene))

    assert ran.code == 64
    assert ran.err == "registry-sync: directory.jsonl:3: values cannot be read\n"
    assert scene.history("no") == []
