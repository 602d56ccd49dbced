"""`consentsvc publication`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentsvc.cli import main
from tests.cli.program import Ran
from tests.publication.test_cases import CASES, FILE


def ask(*arguments: object) -> Ran:
    ran = CliRunner().invoke(main, ["publication", *map(str, arguments)])
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """The cases, with one of them expecting the wrong thing of a field, a wire and an entry."""
    content = json.loads(FILE.read_text("utf-8"))
    told = next(one for one in content["cases"] if one["id"] == "epp-039")
    del told["then"]["outcomes"]["NAME"]
    told["then"]["outcomes"]["STREET"]["reason"] = "REFUSED"
    told["then"]["wire"] = {"epp_disclose": None}
    told["then"]["rdap"] = {"redacted": [{"name": "Tech Name", "method": "emptyValue"}]}
    file = tmp_path / "spoiled.json"
    file.write_text(json.dumps(content), "utf-8")
    return file


class TestCases:
    def test_good_ones_are_0(self) -> None:
        """Without a difference there is a summary, and nothing else."""
        ran = ask("cases", FILE, FILE)

        assert (ran.code, ran.err) == (0, "")
        assert ran.out == f"{2 * len(CASES)} cases, 0 failed\n"
        assert ask("cases", FILE, "--json").json() == {"cases": len(CASES), "failed": 0}

    def test_a_bad_one_is_1(self, spoiled: Path) -> None:
        """A case that fails is named, with what was to come out and what did."""
        ran = ask("cases", FILE, spoiled)
        lines = ran.out.splitlines()

        assert (ran.code, ran.err) == (1, "")
        assert lines[0] == (
            f"{spoiled}: epp-039: A hiding server, create, consent to name and e-mail"
        )
        assert lines[1:] == [
            "    NAME: expected nothing, was PUBLISH CONSENT REGISTRY_KNOB",
            "    STREET: expected REDACT REFUSED REGISTRY_KNOB,"
            " was REDACT NO_CONSENT REGISTRY_KNOB",
            '    wire: expected {"epp_disclose": null}, was {"epp_disclose": {"flag": 1, '
            '"elements": ["email", "name"], "types": ["int", "loc"]}}',
            lines[4],
            f"{2 * len(CASES)} cases, 1 failed",
        ]
        assert lines[4].startswith('    rdap: expected [["Tech Name", "emptyValue"]], was [["Reg')

    def test_json(self, spoiled: Path) -> None:
        """For programs each failing case is an object, and the summary is the last."""
        failed, summary = ask("cases", spoiled, "--json").json_lines()

        assert summary == {"cases": len(CASES), "failed": 1}
        assert (failed["id"], failed["file"]) == ("epp-039", str(spoiled))
        assert failed["differences"][0] == {
            "what": "NAME",
            "expected": None,
            "actual": ["PUBLISH", "CONSENT", "REGISTRY_KNOB"],
        }

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            (b"\xff", "is not UTF-8"),
            (b"{", ":1: is not JSON"),
            (b'{"version": 1}', "cases: is missing"),
        ],
    )
    def test_no_cases_are_64(self, tmp_path: Path, content: bytes, word: str) -> None:
        """A file that holds no cases is told, with where, before any case is run."""
        file = tmp_path / "none.json"
        file.write_bytes(content)
        ran = ask("cases", FILE, file)

        assert (ran.code, ran.out) == (64, "")
        assert str(file) in ran.err
        assert word in ran.err

    def test_no_file_is_64(self, tmp_path: Path) -> None:
        """So is one that is not there, and none at all."""
        assert ask("cases", tmp_path / "none.json").code == 64
        assert ask("cases").code == 64


class TestProfiles:
    def test_the_list(self) -> None:
        """Each profile has a line."""
        heading, *lines = ask("profiles").words()

        assert heading[0] == "profile"
        assert {"gtld", "afnic", "swiss"} <= {line[0] for line in lines}

    def test_one(self) -> None:
        """A profile is shown by its id, or by a suffix."""
        by_id, by_suffix = ask("profiles", "afnic"), ask("profiles", ".re")

        assert by_id.out == by_suffix.out
        assert "AFNIC" in by_id.out
        assert "fr pm re tf wf yt" in by_id.out
        assert "NIS2" in by_id.out

    def test_json(self) -> None:
        """For programs it is an object."""
        told = ask("profiles", "de", "--json").json()

        assert told["registry"] == "DENIC"
        assert told["valid_from"] == "2018-05-25T00:00:00Z"
        assert told["suffixes"] == ["de"]
        assert told["offers"] == ["admin", "billing", "registrant", "tech"]
        assert len(ask("profiles", "--json").json_lines()) > 20

    def test_of_ones_own(self, tmp_path: Path) -> None:
        """A folder of one's own goes first, and both publishers of a suffix are shown."""
        own = 'extends = "epp-hiding"\nregistry = "Ours"\nsuffixes = ["org"]\n'
        (tmp_path / "ours.toml").write_text(own, "utf-8")
        told = ask("profiles", "org", "--profiles", tmp_path, "--json").json_lines()

        assert [one["profile"] for one in told] == ["gtld", "ours"]

    def test_a_mistake_is_1(self, tmp_path: Path) -> None:
        """Mistakes are told with their lines, and nothing is shown."""
        (tmp_path / "ours.toml").write_text('extends = "mine"', "utf-8")
        ran = ask("profiles", "--profiles", tmp_path)

        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            f"consentsvc: {tmp_path}/ours.toml:1: extends: is the id of no profile\n"
        )

    def test_an_unknown_name_is_64(self) -> None:
        """What is neither an id nor a suffix is told."""
        assert ask("profiles", "kyoto").code == 64
