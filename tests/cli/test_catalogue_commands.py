"""`consentsvc catalogue`."""

from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentsvc.cli import main
from tests.cli.program import Ran


def ask(*arguments: object) -> Ran:
    ran = CliRunner().invoke(main, ["catalogue", *map(str, arguments)])
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The default catalogue, as a file that may be changed."""
    for one in resources.files("consentsvc.catalogue").iterdir():
        if one.name.endswith(".toml"):
            (tmp_path / one.name).write_bytes(one.read_bytes())
    return tmp_path / "default.toml"


def damage(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


class TestCheck:
    def test_a_good_one_is_0(self, file: Path) -> None:
        """A catalogue without a mistake is told to be one, also the default."""
        for arguments in ((file,), ()):
            ran = ask("check", *arguments)

            assert (ran.code, ran.err) == (0, "")
            assert ran.out == "8 purposes in en, fr: no mistake\n"
        assert ask("check", "--json").json() == {"valid": True, "mistakes": []}

    def test_every_mistake_is_told(self, file: Path) -> None:
        """All mistakes come at once, each with its line, and the exit code is 1."""
        damage(file, "validity_months = 13", "validity_months = 1300")
        damage(file, 'basis = "legitimate_interest"', 'basis = "mood"')
        damage(file.with_name("default.fr.toml"), "[newsletter.1]", "[newsletter.2]")
        ran = ask("check", file)
        told = ask("check", file, "--json")

        assert (ran.code, told.code) == (1, 1)
        assert len(ran.out.splitlines()) >= 4
        assert all(line.startswith("default.") for line in ran.out.splitlines())
        assert told.json()["valid"] is False
        assert {one["file"] for one in told.json()["mistakes"]} == {
            "default.toml",
            "default.fr.toml",
        }
        assert all(one["line"] > 0 and one["message"] for one in told.json()["mistakes"])


class TestShow:
    def test_every_purpose_has_a_line(self) -> None:
        """The table shows the purposes in the catalogue's order."""
        heading, *lines = ask("show").words()

        assert heading[0] == "purpose"
        assert lines[0][0] == "newsletter"
        assert len(lines) == 8

    def test_titles_are_in_the_locale(self, file: Path) -> None:
        """Titles are shown in the language that is asked for."""
        ran = ask("show", file, "--locale", "fr")

        assert ran.code == 0
        assert "Les statistiques de visite" in ran.out

    def test_a_locale_that_is_not_there_is_64(self) -> None:
        """A language is never replaced silently."""
        ran = ask("show", "--locale", "de")

        assert ran.code == 64
        assert "the catalogue has en, fr" in ran.err

    def test_json_has_all_of_it(self) -> None:
        """For programs each purpose is an object, with its notice and trackers."""
        lines = ask("show", "--json").json_lines()
        reseller, chat = lines[-1], lines[4]

        assert len(lines) == 8
        assert reseller["purpose_id"] == "reseller42.newsletter"
        assert reseller["controller"] == "reseller42"
        assert reseller["needs_confirmation"] is True
        assert reseller["evidence"] == ["ip_address"]
        assert len(reseller["notice"]["sha256"]) == 64
        assert chat["validity_months"] == 13
        assert [one["kind"] for one in chat["trackers"]] == ["cookie"] * 3 + ["local_storage"]

    def test_a_bad_one_is_1(self, file: Path) -> None:
        """A catalogue with a mistake is not shown."""
        damage(file, 'basis = "consent"', 'basis = "mood"')
        ran = ask("show", file)

        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("consentsvc: default.toml:")
