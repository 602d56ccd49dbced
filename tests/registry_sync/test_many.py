"""Many domains: reconciled from a file, in a memory that does not grow with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.registry_sync.program import arguments, run, write_settings
from tests.registry_sync.scene import VOICE, Scene, contact, domain

# The interpreter and gRPC hold some 55 MB before there is any domain.
_MEGABYTES = 150.0
_SHOWN = 40


def _lines(domains: int) -> Iterator[dict[str, Any]]:
    """Four domains for three contacts: one has a domain of its own, two share three."""
    for number in range(0, domains, 4):
        for one in "XYZ":
            yield contact(f"{one}{number}", f"account:{number}")
        yield domain(f"d{number}.uk", f"X{number}")
        for more in range(1, 4):
            both = {"registrant": f"Y{number}", "tech": f"Z{number}"}
            yield domain(f"d{number + more}.cz", f"Y{number}", bindings=both)


@pytest.mark.parametrize("domains", [5_000, pytest.param(100_000, marks=pytest.mark.soak)])
async def test_many_domains(scene: Scene, tmp_path: Path, domains: int) -> None:
    """Of everything is told once what holds; the second time all is compared, and nothing sent."""
    await scene.has(*_lines(domains))
    write_settings(scene)
    for number in range(0, 4 * _SHOWN, 4):
        await scene.give(f"account:{number}", VOICE)
    # The registry for tests answers some 150 commands a second, on a slow machine.
    first = await run("reconcile", *arguments(scene), at_most=max(600.0, domains / 50))
    sent = sum(len(scene.history(one)) for one in scene.registries)
    second = await run("reconcile", *arguments(scene))
    switches = 3 * domains // 4
    print(  # noqa: T201 - figures
        f"{domains} domains: {first.seconds:.1f} s and {second.seconds:.1f} s,"
        f" at most {first.megabytes:.0f} MB and {second.megabytes:.0f} MB"
    )

    assert (first.code, second.code) == (0, 0)
    # Where nobody knows what stood, .cz is told what to hide, and thereby what to show.
    assert first.summary == {"hidden": switches, "shown": 2 * domains // 4}
    assert second.summary == {"unchanged": switches}
    assert sent == sum(len(scene.history(one)) for one in scene.registries) == switches
    assert 0 < max(first.megabytes, second.megabytes) < _MEGABYTES
