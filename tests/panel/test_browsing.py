"""Where there is no browser."""

import shutil

import pytest

from tests.panel.browsing import launched


@pytest.mark.parametrize(
    ("everywhere", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
async def test_a_browser_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, everywhere: str, outcome: type[BaseException]
) -> None:
    """Its journeys are skipped with the reason; where everything has to run, they fail."""
    monkeypatch.setenv("CI", everywhere)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(outcome, match=r"tools/browser\.sh"):
        async with launched():
            pass


async def test_a_browser_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that only says that it has to be installed otherwise."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    with pytest.raises(pytest.skip.Exception, match="does not start"):
        async with launched():
            pass
