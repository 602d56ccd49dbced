"""ConsentService, for programs that wait."""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Unpack

from consentclient._blocking import BlockingCalls
from consentclient._consents import history_pages
from consentclient._decisions import NoticeRef
from consentclient._model import (
    SUBJECT,
    Actor,
    Change,
    ChangeOptions,
    Confirmed,
    ConsentEvent,
    Consents,
    Evidence,
    HistoryPage,
    Link,
    Notice,
    Purpose,
    Receipt,
    Redeemed,
    Updated,
)


class BlockingConsentCalls(BlockingCalls):
    """What the customer's panel shows and changes."""

    def list_purposes(self, locale: str) -> list[Purpose]:
        """See `AsyncConsentClient.list_purposes`."""
        return self._background.run(self._client.list_purposes(locale))

    def get_notice(self, purpose_id: str, version: str, locale: str) -> Notice:
        """See `AsyncConsentClient.get_notice`."""
        return self._background.run(self._client.get_notice(purpose_id, version, locale))

    def list_consents(
        self,
        subject_id: str,
        *,
        at_least_as_fresh: str | None = None,
        with_scopes: bool = True,
        reader: Actor | None = None,
    ) -> Consents:
        """See `AsyncConsentClient.list_consents`."""
        return self._background.run(
            self._client.list_consents(
                subject_id,
                at_least_as_fresh=at_least_as_fresh,
                with_scopes=with_scopes,
                reader=reader,
            )
        )

    def update(
        self,
        subject_id: str,
        changes: Sequence[Change],
        *,
        channel: str,
        actor: Actor = SUBJECT,
        evidence: Evidence | None = None,
        claimed_time: datetime | None = None,
        request_id: str | None = None,
    ) -> Updated:
        """See `AsyncConsentClient.update`."""
        return self._background.run(
            self._client.update(
                subject_id,
                changes,
                channel=channel,
                actor=actor,
                evidence=evidence,
                claimed_time=claimed_time,
                request_id=request_id,
            )
        )

    def give(
        self,
        subject_id: str,
        purpose_id: str,
        notice: NoticeRef,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """See `AsyncConsentClient.give`."""
        return self._background.run(
            self._client.give(
                subject_id,
                purpose_id,
                notice,
                channel=channel,
                expected_position=expected_position,
                **options,
            )
        )

    def refuse(
        self,
        subject_id: str,
        purpose_id: str,
        notice: NoticeRef,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """See `AsyncConsentClient.refuse`."""
        return self._background.run(
            self._client.refuse(
                subject_id,
                purpose_id,
                notice,
                channel=channel,
                expected_position=expected_position,
                **options,
            )
        )

    def withdraw(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """See `AsyncConsentClient.withdraw`."""
        return self._background.run(
            self._client.withdraw(
                subject_id,
                purpose_id,
                channel=channel,
                expected_position=expected_position,
                **options,
            )
        )

    def raise_objection(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """See `AsyncConsentClient.raise_objection`."""
        return self._background.run(
            self._client.raise_objection(
                subject_id,
                purpose_id,
                channel=channel,
                expected_position=expected_position,
                **options,
            )
        )

    def withdraw_objection(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """See `AsyncConsentClient.withdraw_objection`."""
        return self._background.run(
            self._client.withdraw_objection(
                subject_id,
                purpose_id,
                channel=channel,
                expected_position=expected_position,
                **options,
            )
        )

    def request(
        self,
        subject_id: str,
        purpose_id: str,
        notice: NoticeRef,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """See `AsyncConsentClient.request`."""
        return self._background.run(
            self._client.request(
                subject_id,
                purpose_id,
                notice,
                channel=channel,
                expected_position=expected_position,
                **options,
            )
        )

    def describe_link(self, token: str) -> Link:
        """See `AsyncConsentClient.describe_link`."""
        return self._background.run(self._client.describe_link(token))

    def confirm(
        self, token: str, *, evidence: Evidence | None = None, request_id: str | None = None
    ) -> Confirmed:
        """See `AsyncConsentClient.confirm`."""
        return self._background.run(
            self._client.confirm(token, evidence=evidence, request_id=request_id)
        )

    def redeem(
        self, token: str, *, evidence: Evidence | None = None, request_id: str | None = None
    ) -> Redeemed:
        """See `AsyncConsentClient.redeem`."""
        return self._background.run(
            self._client.redeem(token, evidence=evidence, request_id=request_id)
        )

    def history_page(
        self,
        subject_id: str,
        *,
        skip: int = 0,
        page_size: int = 20,
        at_least_as_fresh: str | None = None,
    ) -> HistoryPage:
        """See `AsyncConsentClient.history_page`."""
        return self._background.run(
            self._client.history_page(
                subject_id, skip=skip, page_size=page_size, at_least_as_fresh=at_least_as_fresh
            )
        )

    def history(
        self,
        subject_id: str,
        *,
        at_least_as_fresh: str | None = None,
        reader: Actor | None = None,
    ) -> Generator[ConsentEvent, None, None]:
        """See `AsyncConsentClient.history`."""
        pages = history_pages(self._connection, subject_id, at_least_as_fresh, reader)
        for page in self._background.iterate(pages):
            yield from page

    def receipt(self, subject_id: str, position: int, *, reader: Actor | None = None) -> Receipt:
        """See `AsyncConsentClient.receipt`."""
        return self._background.run(self._client.receipt(subject_id, position, reader=reader))
