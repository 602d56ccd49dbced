"""Notices, published in the log: which text was valid when, and that it never changed since."""

from functools import partial

from consentsvc.domain.catalogue import Catalogue, Notice
from consentsvc.domain.events import NoticeRef
from consentsvc.domain.identifiers import PurposeId
from consentsvc.service.ports import EventStore, Published, Transaction


class NoticesChanged(Exception):
    """The catalogue has another text for a notice that was published. The server does not start."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            "a published notice never changes, give the new text a new version: " + ", ".join(names)
        )
        self.names = names


async def publish(store: EventStore, catalogue: Catalogue) -> int:
    """Publishes what the catalogue has and the log has not; tells how many notices that were.

    Raises `NoticesChanged`, naming all of them, and then publishes nothing.
    """
    notices = _notices(catalogue)
    if not _new(notices, await store.published()):
        return 0
    # Another server may be doing the same at this moment: the append lock tells who was first.
    return await store.write(partial(_publish, notices))


def _new(notices: list[Notice], published: list[Published]) -> list[Notice]:
    known = {_name(one): one.notice.sha256 for one in published}
    changed = [
        " ".join(name)
        for notice in notices
        if known.get(name := (notice.purpose, notice.version, notice.locale), notice.sha256)
        != notice.sha256
    ]
    if changed:
        raise NoticesChanged(changed)
    return [one for one in notices if (one.purpose, one.version, one.locale) not in known]


def _publish(notices: list[Notice], transaction: Transaction) -> int:
    new = _new(notices, transaction.published())
    for notice in new:
        ref = NoticeRef(notice.version, notice.locale, notice.sha256)
        transaction.publish(notice.purpose, ref, notice.title, notice.text)
    return len(new)


def _notices(catalogue: Catalogue) -> list[Notice]:
    return [
        notice
        for purpose in catalogue.purposes.values()
        for version in purpose.versions
        for notice in version.notices.values()
    ]


def _name(published: Published) -> tuple[PurposeId, str, str]:
    return published.purpose, published.notice.version, published.notice.locale
