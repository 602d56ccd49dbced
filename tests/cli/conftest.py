"""One server for all tests that leave it as it is but for their own subjects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.lists import Lists
from tests.cli.program import Served, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
def lists(tmp_path: Path) -> Lists:
    folder = tmp_path / "lists"
    folder.mkdir()
    return Lists(folder)


@pytest.fixture
def withdrawal_token(served: Served, lists: Lists) -> str:
    """The token of the link in a newsletter to `consents:link`."""
    served.ask("consents", "give", "consents:link", "newsletter")
    lists.source.write_text("subject_id\nconsents:link\n")
    served.ask(*lists.arguments("--links"))
    return lists.rows(lists.allowed)[1][1]
