"""The job follows the feed: what people choose is what registries show."""

from consentclient import EventKind
from tests.registry_sync.scene import (
    Scene,
    contact,
    domain,
)


async def test_first(scene: Scene) -> None:
    """X"""
    await scene.has(
        contact("A"),
        domain("a.no", "A"),
        contact("B"),
        domain("b.cz", "B"),
        contact("C"),
        domain("c.fr", "C"),
        contact("D"),
        domain("d.ca", "D"),
        contact("E"),
        domain("e.uk", "E"),
        contact("F"),
        domain("f.com", "F"),
    )
    print(scene.seen())
    sync = await scene.settle()
    print(scene.seen(), sync.summary)
    assert scene.seen() == await scene.wanted()
    for one in "ABCDE":
        await scene.give(f"account:{one}")
    sync = await scene.settle()
    print(scene.seen(), sync.summary)
    assert scene.seen() == await scene.wanted()
    for one in "ABCDE":
        await scene.withdraw(f"account:{one}")
    sync = await scene.settle()
    print(scene.seen(), sync.summary)
    assert scene.seen() == await scene.wanted()
    print([(e.kind, e.report) for e in await scene.log(EventKind.PUBLICATION_REPORTED)])
