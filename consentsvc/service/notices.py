"""Notices, published in the log: which text was valid when, and that it never changed since."""

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
    known = {_name(one): one.notice.sha256 for one in await store.published()}
    notices = _notices(catalogue)
    changed = [
        " ".join(name)
        for notice in notices
        if known.get(name := (notice.purpose, notice.version, notice.locale), notice.sha256)
        != notice.sha256
    ]
    if changed:
        raise NoticesChanged(changed)
    new = [one for one in notices if (one.purpose, one.version, one.locale) not in known]
    return await store.write(lambda transaction: _publish(transaction, new)) if new else 0


def _publish(transaction: Transaction, notices: list[Notice]) -> int:
    for notice in notices:
        ref = NoticeRef(notice.version, notice.locale, notice.sha256)
        transaction.publish(notice.purpose, ref, notice.title, notice.text)
    return len(notices)


def _notices(catalogue: Catalogue) -> list[Notice]:
    return [
        notice
        for purpose in catalogue.purposes.values()
        for version in purpose.versions
        for notice in version.notices.values()
    ]


def _name(published: Published) -> tuple[PurposeId, str, str]:
    return published.purpose, published.notice.version, published.notice.locale
