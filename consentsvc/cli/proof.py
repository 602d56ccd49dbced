"""`consentsvc proof`: what the log has signed, and what that proves."""

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consentsvc.cli import _printing
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._options import Service, asks_service, json_option, reader_option

if TYPE_CHECKING:
    from consentclient import Actor, AsyncConsentClient, SignedCheckpoint
    from consentsvc.domain.notes import Checkpoint, Verifier
    from consentsvc.domain.receipts import Proven

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_POSITION = click.IntRange(min=1, max=2**63 - 1)

_key_option = click.option(
    "--key",
    "key_file",
    type=_FILE,
    required=True,
    metavar="FILE",
    help="The log's public key, as `proof key` prints it; from somebody who is trusted.",
)


@click.group(short_help="Gets receipts, checks them, and audits a log.")
def proof() -> None:
    """Proves that an event is in the log, and that the log is what it was.

    Whoever checks needs the log's public key, and need not trust whoever keeps the log.
    """


@proof.command()
@asks_service
def key(*, service: Service, as_json: bool) -> None:
    """Prints the public key that the log signs with, in one line.

    Publish it, and let auditors keep it: a key that comes with what it signs proves nothing.
    """
    # The first event's: a log that was just begun, or begun anew, is about to sign.
    found = service.ask(lambda client: client.checkpoint(covering_position=1))
    if found is None:
        raise Ended(Exit.UNKNOWN, "nothing has been signed yet")
    if as_json:
        _printing.print_json({"key": found.verifier_key})
    else:
        print(found.verifier_key)


@proof.command()
@click.argument("subject")
@click.argument("position", type=_POSITION)
@click.option("--record", is_flag=True, help="Print the consent record instead (JSON-LD).")
@reader_option
@asks_service
def receipt(
    subject: str,
    position: int,
    *,
    record: bool,
    reader: "Actor | None",
    service: Service,
    as_json: bool,
) -> None:
    """Prints the receipt of SUBJECT's event at POSITION. It holds their data: it is for them."""
    found = service.ask(lambda client: client.receipt(subject, position, reader=reader))
    if as_json:
        _printing.print_json({"receipt": found.text, "consent_record": found.consent_record})
    else:
        _write(found.consent_record if record else found.text)


@proof.command()
@click.argument("receipt", type=_FILE)
@_key_option
@json_option
@click.pass_context
def verify(context: click.Context, receipt: Path, key_file: Path, *, as_json: bool) -> None:
    """Checks a RECEIPT with nothing but it and the log's public key: no service is asked.

    Exits with 1 if it proves nothing, and says which part of it fails.
    """
    from consentsvc.domain.receipts import Receipt, ReceiptInvalid

    verifier = _verifier(key_file)
    try:
        # Bytes that are no text are no receipt either: what was altered is altered, however.
        text = _bytes(receipt).decode(errors="replace")
        proven = Receipt.parse(text).check(verifier)
    except ReceiptInvalid as error:
        if as_json:
            _printing.print_json({"proven": False, "part": error.part, "problem": str(error)})
        else:
            print(f"proves nothing: {error}")
        context.exit(Exit.NO)
    if as_json:
        _printing.print_json({"proven": True, **_facts(proven)})
    else:
        _printing.one(_facts(proven), as_json=False)
        for text in proven.wording or ():
            print()
            for line in text.split("\n"):
                print(_printing.plain(line))


@proof.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write each to a file named by its size, and the last one to `checkpoint`.",
)
@click.option("--follow", is_flag=True, help="Go on with every one that is signed.")
@click.option("--covering", type=_POSITION, metavar="POSITION", help="The first with this event.")
@asks_service
def checkpoint(
    directory: Path | None,
    covering: int | None,
    *,
    follow: bool,
    service: Service,
    as_json: bool,
) -> None:
    """Publishes what the log has signed, for a witness: the last checkpoint, or all to come.

    To standard output, or to a directory that a web server serves.
    """

    async def publishing(client: "AsyncConsentClient") -> None:
        found = await client.checkpoint(covering)
        last = covering is None
        size = 0
        while True:
            if found is not None and found.tree_size > size:
                size = found.tree_size
                _publish(found, directory, last=last, as_json=as_json)
            if not follow:
                break
            await asyncio.sleep(1)  # as often as one is signed
            found, last = await client.checkpoint(), True
        if size == 0:
            raise Ended(Exit.UNKNOWN, "nothing has been signed yet")

    service.ask(publishing)


@proof.command()
@click.option("--store", required=True, metavar="URL", help="Where the log is: sqlite:///PATH.")
@click.option(
    "--checkpoint",
    "checkpoint_file",
    type=_FILE,
    required=True,
    metavar="FILE",
    help="What the log signed before, kept by somebody else since.",
)
@_key_option
@json_option
@click.pass_context
def audit(
    context: click.Context, store: str, checkpoint_file: Path, key_file: Path, *, as_json: bool
) -> None:
    """Checks a whole log, on its file, against an older checkpoint: was history rewritten?

    Reads every event that the checkpoint covers, needs none of the store's keys, and changes
    nothing. Exits with 1 if the log is not what was signed, and names the first event that is not.
    """
    from consentsvc.storage.audit import audit as audit_log
    from consentsvc.storage.errors import StoreRefused
    from consentsvc.storage.opening import sqlite_path

    verifier = _verifier(key_file)
    signed = _checkpoint(checkpoint_file, verifier)
    try:
        log = sqlite_path(store)
    except StoreRefused as error:
        raise Ended(Exit.USAGE, str(error)) from error
    try:
        with _printing.progress("auditing") as progress:
            audited = audit_log(log, signed, verifier.public_key, progress)
    except StoreRefused as error:
        raise Ended(Exit.UNKNOWN, str(error)) from error
    found = audited.finding
    if as_json:
        _printing.print_json(
            {
                "sound": found is None,
                "events": audited.events,
                "checkpoint_size": signed.size,
                "finding": None if found is None else found._asdict(),
            }
        )
    elif found is None:
        print(f"sound: the log of {audited.events:,} events begins with the {signed.size:,} signed")
    else:
        where = f"event {found.first}"
        if found.last != found.first:
            where = f"one of the events {found.first} to {found.last}"
        print(f"the log is not what was signed: {where} is {found.what}")
    context.exit(Exit.YES if found is None else Exit.NO)


def _publish(
    found: "SignedCheckpoint", directory: Path | None, *, last: bool, as_json: bool
) -> None:
    if as_json:
        _printing.print_json({"checkpoint": found.text, "tree_size": found.tree_size})
    elif directory is None:
        _write(found.text)
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            _refuse_another(directory / str(found.tree_size), found.text)
            for name in (str(found.tree_size), "checkpoint")[: 1 + last]:
                _replace(directory / name, found.text)
        except OSError as error:
            raise Ended(Exit.USAGE, f"{error.filename}: {error.strerror}") from error


def _refuse_another(file: Path, text: str) -> None:
    """What was published stays: a log signs a size once, and another log has its own directory."""
    if file.exists() and file.read_bytes() != text.encode():
        raise Ended(Exit.USAGE, f"{file}: holds another checkpoint; use a directory for each log")


def _write(text: str) -> None:
    """Writes to standard output in UTF-8, whatever a terminal there takes.

    Of what is signed, not one letter may be put for another.
    """
    click.echo(text.encode(), nl=False)


def _replace(file: Path, text: str) -> None:
    """Writes a file at once: whoever reads it meanwhile gets the one or the other."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Ended(Exit.USAGE, f"{file}: {error.strerror}") from error


def _text(file: Path) -> str:
    try:
        return _bytes(file).decode()
    except UnicodeDecodeError as error:
        raise Ended(Exit.USAGE, f"{file}: cannot be read as text") from error


def _verifier(file: Path) -> "Verifier":
    from consentsvc.domain.notes import NoteInvalid
    from consentsvc.service.signing import Verifier

    try:
        return Verifier.parse(_text(file))
    except (NoteInvalid, ValueError) as error:
        raise Ended(Exit.USAGE, f"{file}: {error}") from error


def _checkpoint(file: Path, verifier: "Verifier") -> "Checkpoint":
    from consentsvc.domain.notes import Checkpoint, Note, NoteInvalid

    try:
        note = Note.parse(_text(file))
        note.check(verifier)
        found = Checkpoint.parse(note.text)
    except NoteInvalid as error:
        raise Ended(Exit.USAGE, f"{file}: {error}") from error
    if found.origin != verifier.name:
        raise Ended(Exit.USAGE, f"{file}: it is of another log than the key")
    return found


def _facts(proven: "Proven") -> dict[str, object]:
    from consentsvc.domain.instants import moment

    event = proven.event
    facts: dict[str, object] = {
        "log": proven.checkpoint.origin,
        "events_signed": proven.checkpoint.size,
        "position": event.position,
        "recorded": moment(event.recorded_at).isoformat().replace("+00:00", "Z"),
        "kind": event.kind.value,
        "purpose": event.purpose,
    }
    if event.since is not None:
        facts["since"] = moment(event.since).isoformat().replace("+00:00", "Z")
    if event.notice is not None:
        facts["notice"] = f"{event.notice.version} {event.notice.locale}"
    if event.personal is not None:
        facts["subject"] = event.personal.subject
        facts["actor"] = event.personal.actor.kind.value
        facts["channel"] = event.personal.channel
    return facts
