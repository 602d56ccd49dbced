"""One server for all tests that leave it as it is but for their own subjects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Served, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def withdrawal_token(served: Served, tmp_path: Path) -> str:
    """The token of the link in a newsletter to `consents:link`."""
    served.ask("consents", "give", "consents:link", "newsletter")
    listed, allowed = tmp_path / "list.csv", tmp_path / "allowed.csv"
    listed.write_text("subject_id\nconsents:link\n")
    served.ask(
        "filter", "--purpose", "newsletter", listed, "--links",
        "--allowed", allowed, "--refused", tmp_path / "refused.csv",
    )  # fmt: skip
    return allowed.read_text().splitlines()[1].split(",")[1]
