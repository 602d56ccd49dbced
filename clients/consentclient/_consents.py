"""ConsentService: a customer's choices."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Unpack

from consentclient import _incoming as incoming
from consentclient import _outgoing as outgoing
from consentclient._channel import Calls, Connection
from consentclient._decisions import NoticeRef
from consentclient._enums import Action
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
from consentsvc.v1 import consent_service_pb2 as messages

_CONSENTS_PAGE = 1_000
_EVENTS_PAGE = 100


class ConsentCalls(Calls):
    """What the customer's panel shows and changes.

    Every change takes a `request_id`, made here unless given, under which it is recorded once
    however often it is sent. After `ConsentUnavailable` it may have been recorded all the same: a
    caller that gave the id can find out by making the same call again.
    """

    async def list_purposes(self, locale: str) -> list[Purpose]:
        """The catalogue, with the notice of each purpose to show now."""
        return await self._connection.call(
            self._connection.stubs.consents.ListPurposes,
            messages.ListPurposesRequest(locale=locale),
            incoming.purposes,
        )

    async def get_notice(self, purpose_id: str, version: str, locale: str) -> Notice:
        """The text of a notice that was ever published; `NoticeNotPublished` for any other."""
        return await self._connection.call(
            self._connection.stubs.consents.GetNotice,
            messages.GetNoticeRequest(purpose_id=purpose_id, version=version, locale=locale),
            lambda answer: incoming.notice(answer.notice),
        )

    async def list_consents(
        self,
        subject_id: str,
        *,
        at_least_as_fresh: str | None = None,
        with_scopes: bool = True,
        reader: Actor | None = None,
    ) -> Consents:
        """A subject's consents and the decisions that follow from them, one for every purpose.

        For a purpose that takes a scope there is one for whatever was said at each reach; without
        scopes such purposes are left out. A reader that is not the subject is recorded.
        """
        request = messages.ListConsentsRequest(
            subject_id=subject_id,
            page_size=_CONSENTS_PAGE,
            at_least_as_fresh=outgoing.fresh(at_least_as_fresh),
            without_scopes=not with_scopes,
            reader=outgoing.reader(reader),
        )
        page, following = await self._page(request)
        first, entries = page, page.entries
        while following:
            request.page_token = following
            page, following = await self._page(request)
            entries += page.entries
        # A later page may have been read further on; all of them reflect what the first one does.
        return Consents(entries, page.standing, first.read_at)

    async def update(
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
        """Records what the subject chose, for one purpose or several: all changes or none.

        A consent given by anybody but the subject, or for a purpose that needs confirmation, is
        recorded as a request, and its outcome holds the token for the confirmation link.
        """
        return await self._connection.call(
            self._connection.stubs.consents.UpdateConsents,
            messages.UpdateConsentsRequest(
                subject_id=subject_id,
                actor=outgoing.actor(actor),
                channel=channel,
                changes=[outgoing.change(one) for one in changes],
                evidence=outgoing.evidence(evidence),
                claimed_time=None if claimed_time is None else outgoing.timestamp(claimed_time),
                request_id=outgoing.request_id(request_id),
            ),
            incoming.updated,
        )

    async def give(
        self,
        subject_id: str,
        purpose_id: str,
        notice: NoticeRef,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """The subject consents, having been shown the notice. Never lifts an objection."""
        change = Change(purpose_id, Action.GIVE, notice, expected_position)
        return await self.update(subject_id, [change], channel=channel, **options)

    async def refuse(
        self,
        subject_id: str,
        purpose_id: str,
        notice: NoticeRef,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """The subject refuses, having been shown the notice."""
        change = Change(purpose_id, Action.REFUSE, notice, expected_position)
        return await self.update(subject_id, [change], channel=channel, **options)

    async def withdraw(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """The subject takes the consent back. Succeeds also when nothing was given."""
        change = Change(purpose_id, Action.WITHDRAW, None, expected_position)
        return await self.update(subject_id, [change], channel=channel, **options)

    async def raise_objection(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """The subject objects to the purpose; that stands above every consent."""
        change = Change(purpose_id, Action.OBJECT, None, expected_position)
        return await self.update(subject_id, [change], channel=channel, **options)

    async def withdraw_objection(
        self,
        subject_id: str,
        purpose_id: str,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """The subject takes the objection back; consents given before count again."""
        change = Change(purpose_id, Action.WITHDRAW_OBJECTION, None, expected_position)
        return await self.update(subject_id, [change], channel=channel, **options)

    async def request(
        self,
        subject_id: str,
        purpose_id: str,
        notice: NoticeRef,
        *,
        channel: str,
        expected_position: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Updated:
        """The subject is asked to confirm; the outcome holds the token for the link."""
        change = Change(purpose_id, Action.REQUEST, notice, expected_position)
        return await self.update(subject_id, [change], channel=channel, **options)

    async def describe_link(self, token: str) -> Link:
        """What a link from a mail is for; `LinkUnknown` for one that is not the service's."""
        return await self._connection.call(
            self._connection.stubs.consents.DescribeLink,
            messages.DescribeLinkRequest(token=token),
            incoming.link,
        )

    async def confirm(
        self, token: str, *, evidence: Evidence | None = None, request_id: str | None = None
    ) -> Confirmed:
        """Confirms a request through the token of its link: the consent is then given."""
        return await self._connection.call(
            self._connection.stubs.consents.ConfirmConsent,
            messages.ConfirmConsentRequest(
                token=token,
                evidence=outgoing.evidence(evidence),
                request_id=outgoing.request_id(request_id),
            ),
            incoming.confirmed,
        )

    async def redeem(
        self, token: str, *, evidence: Evidence | None = None, request_id: str | None = None
    ) -> Redeemed:
        """Withdraws one consent through the token of a withdrawal link, as often as one likes."""
        return await self._connection.call(
            self._connection.stubs.consents.RedeemLink,
            messages.RedeemLinkRequest(
                token=token,
                evidence=outgoing.evidence(evidence),
                request_id=outgoing.request_id(request_id),
            ),
            incoming.redeemed,
        )

    async def history(
        self,
        subject_id: str,
        *,
        at_least_as_fresh: str | None = None,
        reader: Actor | None = None,
    ) -> AsyncGenerator[ConsentEvent, None]:
        """Yields a subject's events with their evidence, oldest first.

        A reader that is not the subject is recorded.
        """
        async for page in history_pages(self._connection, subject_id, at_least_as_fresh, reader):
            for one in page:
                yield one

    async def history_page(
        self,
        subject_id: str,
        *,
        skip: int = 0,
        page_size: int = 20,
        at_least_as_fresh: str | None = None,
    ) -> HistoryPage:
        """Reads some of a subject's events, the latest first, past so many of them."""
        return await self._connection.call(
            self._connection.stubs.consents.ListConsentEvents,
            messages.ListConsentEventsRequest(
                subject_id=subject_id,
                page_size=page_size,
                at_least_as_fresh=outgoing.fresh(at_least_as_fresh),
                newest_first=True,
                skip=skip,
            ),
            incoming.history_page,
        )

    async def receipt(
        self, subject_id: str, position: int, *, reader: Actor | None = None
    ) -> Receipt:
        """Proof of one of a subject's events; `EventUnknown` if it is not theirs.

        Right after a write it waits for the log to be signed, about a second. A reader that is not
        the subject is recorded.
        """
        return await self._connection.call(
            self._connection.stubs.consents.GetReceipt,
            messages.GetReceiptRequest(
                subject_id=subject_id, position=position, reader=outgoing.reader(reader)
            ),
            lambda answer: Receipt(answer.receipt, answer.consent_record),
        )

    async def _page(self, request: messages.ListConsentsRequest) -> tuple[Consents, str]:
        return await self._connection.call(
            self._connection.stubs.consents.ListConsents,
            request,
            lambda answer: (incoming.consents(answer), answer.next_page_token),
        )


async def history_pages(
    connection: Connection,
    subject_id: str,
    at_least_as_fresh: str | None,
    reader: Actor | None = None,
) -> AsyncGenerator[tuple[ConsentEvent, ...], None]:
    """Yields a subject's events page by page."""
    token: str | None = ""
    while token is not None:
        events, token = await connection.call(
            connection.stubs.consents.ListConsentEvents,
            messages.ListConsentEventsRequest(
                subject_id=subject_id,
                page_size=_EVENTS_PAGE,
                page_token=token,
                at_least_as_fresh=outgoing.fresh(at_least_as_fresh),
                reader=outgoing.reader(reader),
            ),
            lambda answer: (incoming.events(answer.events), answer.next_page_token or None),
        )
        yield events
