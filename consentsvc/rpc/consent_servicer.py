"""ConsentService."""

from typing import Any, Literal, Protocol

from consentsvc.domain import identifiers
from consentsvc.domain.catalogue import Catalogue
from consentsvc.domain.errors import InvalidRequest
from consentsvc.domain.events import Actor
from consentsvc.domain.identifiers import Position
from consentsvc.rpc import translate
from consentsvc.rpc.limits import MAX_CHANGES, page_size, refuse_large
from consentsvc.rpc.reading import at_least, page_start
from consentsvc.rpc.tokens import Kind, Tokens
from consentsvc.rpc.writing import request_of
from consentsvc.service.consents import Consents, UpdateConsents
from consentsvc.service.links import LinkKind
from consentsvc.service.ports import Stretch
from consentsvc.service.queries import Queries
from consentsvc.service.reads import Reads
from consentsvc.service.receipts import Receipts
from consentsvc.v1 import consent_pb2 as consent_messages
from consentsvc.v1 import consent_service_pb2 as messages
from consentsvc.v1.consent_service_pb2_grpc import ConsentServiceServicer

_PAGE, _LARGEST_PAGE = 100, 1_000
# An event carries up to 20 KB of evidence, and a page must fit into 4 MiB, the size beyond which a
# gRPC client refuses a message unless told otherwise.
_EVENTS, _MOST_EVENTS = 50, 100
_MOST_SKIPPED = 1_000_000

_LINKS = {
    LinkKind.WITHDRAWAL: messages.LINK_KIND_WITHDRAWAL,
    LinkKind.CONFIRMATION: messages.LINK_KIND_CONFIRMATION,
}


class ConsentServicer(ConsentServiceServicer):
    """Shows a customer's choices and changes them."""

    def __init__(
        self,
        consents: Consents,
        queries: Queries,
        receipts: Receipts,
        reads: Reads,
        catalogue: Catalogue,
        tokens: Tokens,
    ) -> None:
        self._consents = consents
        self._queries = queries
        self._receipts = receipts
        self._reads = reads
        self._catalogue = catalogue
        self._tokens = tokens

    async def ListPurposes(
        self, request: messages.ListPurposesRequest, context: Any
    ) -> messages.ListPurposesResponse:
        """See the proto."""
        if request.locale not in self._catalogue.locales:
            known = ", ".join(self._catalogue.locales)
            raise InvalidRequest.field("locale", f"must be one of {known}")
        purposes = self._catalogue.purposes.values()
        return messages.ListPurposesResponse(
            purposes=[translate.purpose(one, request.locale) for one in purposes],
            locales=self._catalogue.locales,
        )

    async def GetNotice(
        self, request: messages.GetNoticeRequest, context: Any
    ) -> messages.GetNoticeResponse:
        """See the proto."""
        purpose = identifiers.purpose_id(request.purpose_id)
        found = await self._queries.notice(purpose, request.version, request.locale)
        return messages.GetNoticeResponse(notice=translate.published(found))

    async def ListConsents(
        self, request: messages.ListConsentsRequest, context: Any
    ) -> messages.ListConsentsResponse:
        """See the proto."""
        subject = identifiers.subject_id(request.subject_id)
        size = page_size(request.page_size, _PAGE, _LARGEST_PAGE)
        reader = _reader(request)
        first = page_start(request.page_token, self._tokens, Kind.CONSENTS_PAGE)
        queries = self._queries
        read = queries.undivided_choices if request.without_scopes else queries.choices
        if not first:
            await self._reads.record(subject, reader, "consents")
        choices = await read(subject, at_least(request.at_least_as_fresh, self._tokens))
        following = first + size
        more = following < len(choices.entries)
        return messages.ListConsentsResponse(
            consents=map(translate.entry, choices.entries[first:following]),
            standing=translate.standing(choices.standing),
            next_page_token=self._tokens.make(Kind.CONSENTS_PAGE, following) if more else "",
            read_at=self._tokens.make(Kind.FRESHNESS, choices.read_at),
        )

    async def UpdateConsents(
        self, request: messages.UpdateConsentsRequest, context: Any
    ) -> messages.UpdateConsentsResponse:
        """See the proto."""
        command = _update(request, context)
        updated = await self._consents.update(command)
        outcomes = zip(
            updated.written.outcomes, updated.confirmation_tokens, command.changes, strict=True
        )
        return messages.UpdateConsentsResponse(
            outcomes=[
                translate.outcome(one, token, change.scope) for one, token, change in outcomes
            ],
            written_at=self._tokens.make(Kind.FRESHNESS, updated.written.written_at),
        )

    async def DescribeLink(
        self, request: messages.DescribeLinkRequest, context: Any
    ) -> messages.DescribeLinkResponse:
        """See the proto."""
        kind, purpose = self._consents.described(request.token)
        return messages.DescribeLinkResponse(kind=_LINKS[kind], purpose_id=purpose)

    async def ConfirmConsent(
        self, request: messages.ConfirmConsentRequest, context: Any
    ) -> messages.ConfirmConsentResponse:
        """See the proto."""
        written = await self._consents.confirm(
            request.token, translate.evidence(request.evidence), request_of(request, context)
        )
        outcome = written.outcomes[0]
        return messages.ConfirmConsentResponse(
            purpose_id=outcome.purpose or "",
            position=outcome.position or 0,
            written_at=self._tokens.make(Kind.FRESHNESS, written.written_at),
        )

    async def RedeemLink(
        self, request: messages.RedeemLinkRequest, context: Any
    ) -> messages.RedeemLinkResponse:
        """See the proto."""
        written = await self._consents.redeem(
            request.token, translate.evidence(request.evidence), request_of(request, context)
        )
        outcome = written.outcomes[0]
        return messages.RedeemLinkResponse(
            purpose_id=outcome.purpose or "",
            effect=translate.effect(outcome.effect),
            written_at=self._tokens.make(Kind.FRESHNESS, written.written_at),
        )

    async def ListConsentEvents(
        self, request: messages.ListConsentEventsRequest, context: Any
    ) -> messages.ListConsentEventsResponse:
        """See the proto."""
        subject = identifiers.subject_id(request.subject_id)
        reader = _reader(request)
        size = page_size(request.page_size, _EVENTS, _MOST_EVENTS)
        if not 0 <= request.skip <= _MOST_SKIPPED:
            raise InvalidRequest.field("skip", f"must be 0 to {_MOST_SKIPPED:,}")
        # A list is read on in its own order only: the other one would repeat what was read.
        kind = Kind.NEWEST_FIRST_PAGE if request.newest_first else Kind.HISTORY_PAGE
        past = page_start(request.page_token, self._tokens, kind)
        if not request.page_token:
            await self._reads.record(subject, reader, "history")
        page = await self._queries.history(
            subject,
            Stretch(size + 1, past or None, request.skip, request.newest_first),
            at_least(request.at_least_as_fresh, self._tokens),
        )
        shown = page.events[:size]
        more = len(page.events) > size
        return messages.ListConsentEventsResponse(
            events=[translate.event(one, with_evidence=True) for one in shown],
            next_page_token=self._tokens.make(kind, shown[-1].position) if more else "",
            read_at=self._tokens.make(Kind.FRESHNESS, page.head),
            total_size=page.total,
        )

    async def GetReceipt(
        self, request: messages.GetReceiptRequest, context: Any
    ) -> messages.GetReceiptResponse:
        """See the proto."""
        subject = identifiers.subject_id(request.subject_id)
        reader = _reader(request)
        if request.position < 1:
            raise InvalidRequest.field("position", "must be 1 or more")
        await self._reads.record(subject, reader, "receipt")
        issued = await self._receipts.issue(subject, Position(request.position))
        return messages.GetReceiptResponse(
            receipt=str(issued.receipt), consent_record=issued.record or ""
        )


class _Read(Protocol):
    """A request that says who reads."""

    @property
    def reader(self) -> consent_messages.Actor: ...
    def HasField(self, field_name: Literal["reader"]) -> bool: ...


def _reader(request: _Read) -> Actor | None:
    return translate.actor(request.reader, "reader") if request.HasField("reader") else None


def _update(request: messages.UpdateConsentsRequest, context: Any) -> UpdateConsents:
    refuse_large(len(request.changes), MAX_CHANGES, "changes")
    return UpdateConsents(
        subject=identifiers.subject_id(request.subject_id),
        actor=translate.actor(request.actor),
        channel=translate.channel(request.channel),
        changes=[
            translate.change(one, f"changes[{index}]") for index, one in enumerate(request.changes)
        ],
        request=request_of(request, context),
        evidence=translate.evidence(request.evidence),
        claimed_at=(
            translate.moment(request.claimed_time, "claimed_time")
            if request.HasField("claimed_time")
            else None
        ),
    )
