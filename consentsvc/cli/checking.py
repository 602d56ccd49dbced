"""`consentsvc check`: may we do this for this person?"""

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

import click

from consentsvc.cli import _printing, _shapes
from consentsvc.cli._errors import refuse_unknown_purpose
from consentsvc.cli._exits import Exit
from consentsvc.cli._filter import NOT_CHECKED
from consentsvc.cli._options import (
    Service,
    asks_service,
    freshness_option,
    moment,
    standard_input,
)

if TYPE_CHECKING:
    from consentclient import AsyncConsentClient, CheckFailed, Decision


@click.command(short_help="Answers whether something may be done for a person.")
@click.argument("subject")
@click.argument("purpose")
@click.option("--as-of", callback=moment, metavar="TIME", help="Answer for a moment in the past.")
@freshness_option
@asks_service
@click.pass_context
def check(
    context: click.Context,
    subject: str,
    purpose: str,
    as_of: datetime | None,
    at_least_as_fresh: str | None,
    *,
    service: Service,
    as_json: bool,
) -> None:
    """Answers whether PURPOSE may be pursued for SUBJECT: exits with 0 for yes, 1 for no.

    With - for SUBJECT, reads subjects from standard input, one a line, and prints one answer a
    line: 0 if all are yes, 1 if any is no, 2 if any could not be answered.
    """
    if as_of and at_least_as_fresh:
        raise click.UsageError("--as-of and --at-least-as-fresh do not go together")
    if subject == "-":
        if as_of:
            raise click.UsageError("--as-of takes one subject at a time")
        context.exit(_check_each(service, purpose, at_least_as_fresh, as_json=as_json))

    decision = service.ask(
        lambda client: client.check(
            subject, purpose, at_least_as_fresh=at_least_as_fresh, as_of=as_of
        )
    )
    if as_json:
        _printing.print_json(_shapes.answer(subject, purpose, decision))
    else:
        _show(decision)
    context.exit(Exit.YES if decision.permitted else Exit.NO)


def _show(decision: "Decision") -> None:
    notice = decision.notice
    _printing.facts(
        [
            ("permitted", decision.permitted),
            ("reason", decision.reason.name),
            ("since event", decision.position),
            ("notice", notice and f"{notice.version} {notice.locale}"),
            ("notice sha256", notice and notice.sha256 and notice.sha256.hex()),
            ("valid until", decision.valid_until),
            ("read at", decision.read_at),
        ]
    )


def _check_each(
    service: Service, purpose: str, at_least_as_fresh: str | None, *, as_json: bool
) -> Exit:
    from consentclient import CheckFailed

    # Read whole before anything is asked: waiting for more would count as the service's delay.
    subjects = standard_input()
    if not subjects:
        # A program that was to name them may have failed: nobody has said yes.
        raise click.UsageError("no subject came on standard input")

    async def checking(client: "AsyncConsentClient") -> Exit:
        code = Exit.YES
        answers = client.check_stream(subjects, purpose, at_least_as_fresh=at_least_as_fresh)
        async with aclosing(answers):
            async for subject, answer in answers:
                if isinstance(answer, CheckFailed):
                    refuse_unknown_purpose(answer)
                    code = Exit.UNKNOWN
                elif not answer.permitted:
                    code = max(code, Exit.NO)
                if as_json:
                    _printing.print_json(_shapes.answer(subject, purpose, answer))
                else:
                    print(subject, *_words(answer), sep="\t")
        return code

    return service.ask(checking)


def _words(answer: "Decision | CheckFailed") -> tuple[str, str]:
    from consentclient import Decision

    if isinstance(answer, Decision):
        return ("yes" if answer.permitted else "no"), answer.reason.name
    return NOT_CHECKED, _printing.plain(answer.error.message)
