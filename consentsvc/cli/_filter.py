"""What the mailer does before it sends: a list in, the allowed and the refused out."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consentsvc.cli._errors import refuse_unknown_purpose
from consentsvc.cli._recipients import ListUnusable, Recipients, Results, Row

if TYPE_CHECKING:
    from consentclient import AsyncConsentClient, CheckFailed, Decision

NOT_CHECKED = "NOT_CHECKED"
"""Stands in the place of a reason where there is no decision. It is not a no."""

_NOBODY = "nobody"
"""Whom an empty list is asked about. Any subject does; the answer is not looked at."""

_LINK = "withdrawal_token"
_WHY = ("reason", "detail")

# A chunk costs a message each way, a row next to nothing: this many make the message cheap, and
# what is under way at once stays at some thousand rows.
_CHUNK = 2_000


@dataclass(slots=True)
class Summary:
    """How many rows went where and why; `read_at` is how fresh the answers are at least."""

    allowed: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    read_at: str | None = None

    @property
    def rows(self) -> int:
        """All rows of the list."""
        return self.reasons.total()

    @property
    def not_checked(self) -> int:
        """Rows that stand among the refused without a decision."""
        return self.reasons[NOT_CHECKED]


async def filter_list(
    client: "AsyncConsentClient",
    purpose: str,
    recipients: Recipients,
    results: Results,
    *,
    links: bool = False,
    at_least_as_fresh: str | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Summary:
    """Writes each row of the list to one of the results, and completes them.

    Holds no more rows than are under way. A purpose that the service does not know ends it; a row
    that cannot be answered for stands among the refused as `NOT_CHECKED`. A list of nobody is no
    reason not to ask: what was named on the command line may be wrong all the same.
    """
    added = [_LINK] if links else []
    for name in (*added, *_WHY):
        if name in recipients.header:
            raise ListUnusable(f"there is a column {name} already, and the results get one")
    with results:
        to_allowed, to_refused = results.writers(recipients.delimiter, recipients.line_end)
        to_allowed.writerow([*recipients.header, *added])
        to_refused.writerow([*recipients.header, *_WHY])

        summary = Summary()
        under_way: deque[Row] = deque()

        def subjects() -> Iterator[str]:
            column = recipients.column
            for rows in recipients.chunks(_CHUNK):
                under_way.extend(rows)
                yield from [row[column] for row in rows]

        answers = client.check_chunks(
            subjects(),
            purpose,
            chunk=_CHUNK,
            with_withdrawal_tokens=links,
            at_least_as_fresh=at_least_as_fresh,
        )
        async with aclosing(answers):
            async for answered in answers:
                rows = [under_way.popleft() for _ in answered]
                allowed, refused = _sorted(rows, answered, summary, links=links)
                to_allowed.writerows(allowed)
                to_refused.writerows(refused)
                progress()
        if not summary.rows:
            asked = await client.check(_NOBODY, purpose, at_least_as_fresh=at_least_as_fresh)
            summary.read_at = asked.read_at
        results.complete()
    return summary


def _sorted(
    rows: Sequence[Row],
    answered: "Sequence[tuple[str, Decision | CheckFailed]]",
    summary: Summary,
    *,
    links: bool,
) -> tuple[list[Row], list[Row]]:
    from consentclient import CheckFailed

    allowed, refused, reasons = [], [], []
    for row, (_, answer) in zip(rows, answered, strict=True):
        if isinstance(answer, CheckFailed):
            refuse_unknown_purpose(answer)
            reasons.append(NOT_CHECKED)
            refused.append([*row, NOT_CHECKED, answer.error.message])
            continue
        reason = answer.reason.name
        reasons.append(reason)
        summary.read_at = summary.read_at or answer.read_at
        if not answer.permitted:
            refused.append([*row, reason, f"event {answer.position}" if answer.position else ""])
        elif links:
            allowed.append([*row, _link(answer)])
        else:
            allowed.append(row)
    summary.reasons.update(reasons)
    summary.allowed += len(allowed)
    summary.refused += len(refused) - reasons.count(NOT_CHECKED)
    return allowed, refused


def _link(decision: "Decision") -> str:
    from consentclient import AnswerNotUnderstood

    if decision.withdrawal_token is None:
        raise AnswerNotUnderstood("a yes came without the link to take it back")
    return decision.withdrawal_token
