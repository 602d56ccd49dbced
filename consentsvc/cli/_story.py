"""The story that `consentsvc demo` tells, each step held against what it must lead to."""

import asyncio
import csv
import re
import time
from contextlib import aclosing
from pathlib import Path

from consentclient import (
    Action,
    Actor,
    ActorKind,
    AsyncConsentClient,
    Change,
    ContactField,
    Effect,
    EventKind,
    Reason,
    Scope,
)
from consentsvc.cli import _printing
from consentsvc.cli._background import panel, server
from consentsvc.cli._exits import Ended, Exit
from consentsvc.cli._filter import Summary, filter_list
from consentsvc.cli._publishing import DOMAIN, HANDLE, publishing
from consentsvc.cli._recipients import Recipients, Results
from consentsvc.cli._sample import NEWSLETTER, RESELLER, WHOIS, Customer, load
from consentsvc.cli._visiting import Visit
from consentsvc.domain.notes import Checkpoint, Note
from consentsvc.domain.receipts import Receipt, ReceiptInvalid
from consentsvc.service.signing import Verifier
from consentsvc.storage.audit import audit
from consentsvc.storage.opening import sqlite_path
from consentsvc.storage.verify import verify

_STRANGERS = ("customer:0", "customer:unheard-of", "device:5f0c9e")
_MEASURING = "audience_measurement"
"""A purpose of legitimate interest."""
_LIST, _ALLOWED, _REFUSED = "recipients.csv", "allowed.csv", "refused.csv"
_FILTER = (
    f"consentsvc filter --purpose newsletter {_LIST} --allowed {_ALLOWED} --refused {_REFUSED}"
    " --links"
)


class Story:
    """The steps, in their order. Each tells its commands, does it, and checks what came of it."""

    def __init__(self, folder: Path, sample: list[Customer]) -> None:
        self._folder = folder
        self._store = f"sqlite:///{folder}/consent.db"
        self._sample = sample
        self._step = 0

    async def tell(self) -> None:
        """Does everything."""
        self._begin(
            "A server on a fresh directory", "consentsvc serve --store sqlite:///data/consent.db"
        )
        async with server(self._folder, self._store) as target:
            _say(f"it listens on {target}")
            async with AsyncConsentClient(target, timeout=30) as client:
                events = await self._load(client)
                allowed = await self._send(client)
                await self._withdraw(client, allowed)
                await self._click(client, allowed)
                head = await self._turn(client, target, allowed)
                await self._ask_for_more(client)
                await self._follow(client, head, events + 3)
                head = await self._forget(client, await self._publish(client))
                receipt, key, checkpoint = await self._get_proof(client, head)
            self._verify(head)
        self._prove(receipt, key, checkpoint)

    async def _load(self, client: AsyncConsentClient) -> int:
        self._begin(
            f"{len(self._sample):,} customers make their choices in the panel",
            "consentsvc consents give customer:1 newsletter --channel panel",
            "consentsvc consents refuse customer:1 marketing_profiling --channel panel",
        )
        began = time.monotonic()
        with _printing.progress("choosing") as progress:
            loaded = await load(client, self._sample, progress)
        rate = loaded.calls / (time.monotonic() - began)
        _say(f"{loaded.events:,} events in {loaded.calls:,} requests, {rate:,.0f} a second")
        _say("each was on the disk before it was answered")
        return loaded.events

    async def _send(self, client: AsyncConsentClient) -> dict[str, str]:
        self._begin("The mailer asks before it sends", _FILTER)
        with (self._folder / _LIST).open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("subject_id", "name"))
            rows.writerows((one.subject, "A customer") for one in self._sample)
            rows.writerows((one, "Not a customer") for one in _STRANGERS)
        summary, allowed, refused = await self._filter(client)
        for reason, count in summary.reasons.most_common():
            _say(f"{count:>9,}  {reason}")
        expected = {one.subject for one in self._sample if one.permits(NEWSLETTER)}
        _hold(set(allowed) == expected, "allowed are those who said yes and did not take it back")
        _hold(
            all(refused.get(one) == "NEVER_ASKED" for one in _STRANGERS),
            "somebody who was never asked has not agreed",
        )
        return allowed

    async def _withdraw(self, client: AsyncConsentClient, allowed: dict[str, str]) -> None:
        person = next(iter(allowed))
        self._begin(
            "One of them takes it back, and the mailer asks again",
            f"consentsvc consents withdraw {person} newsletter --channel panel",
            _FILTER,
        )
        await client.withdraw(person, NEWSLETTER, channel="panel")
        _, still, refused = await self._filter(client)
        _hold(set(still) == set(allowed) - {person}, f"{person} is left out, and nobody else")
        _hold(refused[person] == "WITHDRAWN", "and the refused file says why")

    async def _click(self, client: AsyncConsentClient, allowed: dict[str, str]) -> None:
        person, token = list(allowed.items())[1]
        self._begin(
            "Another one clicks on the link in an e-mail, without signing in",
            f"consentsvc consents redeem {token}",
            f"consentsvc check {person} newsletter",
        )
        await client.redeem(token)
        decision = await client.check(person, NEWSLETTER)
        _hold(decision.reason is Reason.WITHDRAWN, f"{person} is not written to any more")
        again = await client.redeem(token)
        _hold(again.effect is Effect.UNCHANGED, "a second click succeeds and changes nothing")

    async def _turn(self, client: AsyncConsentClient, target: str, allowed: dict[str, str]) -> int:
        person = list(allowed)[2]
        self._begin(
            "A third one opens the panel and turns the switch off",
            f"consentsvc panel --target {target} --local-sign-in",
            f"consentsvc check {person} {NEWSLETTER}",
        )
        async with panel(self._folder, target) as url:
            _say(f"it is found at {url}")
            before = await client.check(person, NEWSLETTER)
            _hold(before.permitted, f"{person} is written to")
            await asyncio.to_thread(_turn_off, Visit(url), person)
            decision = await client.check(person, NEWSLETTER)
        _hold(decision.reason is Reason.WITHDRAWN, "the mailer’s very next check is refused")
        return decision.position or 0

    async def _ask_for_more(self, client: AsyncConsentClient) -> None:
        free = [one for one in self._sample if not one.restricted]
        asked = [one for one in free if one.first.get(RESELLER) is Action.GIVE]
        questions = (
            (
                next(one for one in free if one.permits(NEWSLETTER) and RESELLER not in one.first),
                Reason.NEVER_ASKED,
                "a yes to the registrar says nothing about the reseller",
            ),
            (
                next(one for one in asked if not one.confirms),
                Reason.PENDING_CONFIRMATION,
                "a yes that was not confirmed by e-mail is none yet",
            ),
            (
                next(one for one in asked if one.confirms),
                Reason.CONSENT_GIVEN,
                "one that was confirmed through the link counts",
            ),
            (
                next(one for one in self._sample if one.restricted),
                Reason.RESTRICTED,
                "a restriction stands above every choice",
            ),
        )
        self._begin(
            "A reseller has a newsletter of its own",
            *(f"consentsvc check {person.subject} {RESELLER}" for person, _, _ in questions),
        )
        for person, reason, word in questions:
            decision = await client.check(person.subject, RESELLER)
            _hold(decision.reason is reason, f"{person.subject} is {reason.name}: {word}")

    async def _follow(self, client: AsyncConsentClient, head: int, events: int) -> None:
        self._begin(
            "A follower reads the log from its beginning", f"consentsvc events watch --until {head}"
        )
        seen, published = [], 0
        async with aclosing(client.watch(start_position=1)) as stretches:
            async for stretch in stretches:
                seen += [one.position for one in stretch.events]
                published += sum(one.kind is EventKind.NOTICE_PUBLISHED for one in stretch.events)
                if stretch.through_position >= head:
                    break
        _hold(seen == list(range(1, head + 1)), f"every position from 1 to {head:,} came, once")
        _hold(len(seen) - published == events, "no event is missing, and none is there twice")

    async def _publish(self, client: AsyncConsentClient) -> str:
        person = next(
            one for one in self._sample if not one.restricted and WHOIS not in one.first
        ).subject
        reach = f"--contact {HANDLE} --domain {DOMAIN} --field email"
        self._begin(
            "A customer shows their e-mail address in WHOIS, and the registry is told",
            f"consentsvc consents give {person} {WHOIS} {reach}",
            "registry-sync run --directory directory.jsonl --registries registries.toml"
            " --state sync.db",
            f"consentsvc publication explain {DOMAIN} --directory directory.jsonl",
        )
        scope = Scope(frozenset({ContactField.EMAIL}), HANDLE, DOMAIN)
        notices = {one.id: one.notice.ref for one in await client.list_purposes("en")}
        async with publishing(client, self._folder, person, WHOIS) as registry:
            _hold(not registry.shows("email"), "before that the registry shows no address")
            given = await client.update(
                person,
                [Change(WHOIS, Action.GIVE, notices[WHOIS], scope=scope)],
                channel="panel",
            )
            await registry.sync(given.outcomes[0].position or 0)
            _frames(registry.updates())
            _hold(registry.shows("email"), "the registry shows the address")
            _hold(not registry.shows("voice"), "and nothing that was not agreed to")
            self._begin(
                "They take it back",
                f"consentsvc consents withdraw {person} {WHOIS} {reach}",
            )
            withdrawn = await client.update(
                person, [Change(WHOIS, Action.WITHDRAW, scope=scope)], channel="panel"
            )
            await registry.sync(withdrawn.outcomes[0].position or 0)
            _frames(registry.updates())
            _hold(not registry.shows("email"), "the registry hides the address again")
        reported = [one async for one in client.history(person) if one.report is not None]
        _hold(
            [ContactField.EMAIL in one.report.published_fields for one in reported if one.report]
            == [True, False],
            "and the log says what the registry took, and when",
        )
        return person

    async def _forget(self, client: AsyncConsentClient, person: str) -> int:
        self._begin(
            "They ask to be forgotten",
            f"consentsvc rights erase {person} --actor operator:dpo --channel letter",
            f"consentsvc check {person} {_MEASURING}",
            f"grep -c {person} data/*",
        )
        kept = person.encode()
        _hold(self._holds(kept), "before that their name is in the key file")
        erased = await client.erase(
            person, actor=Actor(ActorKind.OPERATOR, "dpo"), channel="letter"
        )
        events = [one async for one in client.history(person)]
        _hold(not events, "nothing is told of them any more")
        _hold(not self._holds(kept), "and no byte of their name is in any file")
        decision = await client.check(person, _MEASURING)
        _hold(
            decision.reason is Reason.OBJECTED,
            "what needs no consent is answered with no, should anybody still ask for them",
        )
        return erased.position or 0

    def _holds(self, value: bytes) -> bool:
        """Whether a value, and not a longer one, is anywhere in the files of the store."""
        whole = re.compile(re.escape(value) + rb"(?![0-9])")
        files = [one for one in self._folder.glob("consent.db*") if one.is_file()]
        return any(whole.search(one.read_bytes()) for one in files)

    async def _get_proof(self, client: AsyncConsentClient, head: int) -> tuple[str, str, str]:
        """A customer's receipt, the log's public key, and what the log signs of all of this."""
        signed = await client.checkpoint(head)
        someone = next(
            one.subject
            for one in self._sample
            if one.first.get(NEWSLETTER) is Action.GIVE and WHOIS in one.first
        )
        history = (await client.history_page(someone)).events
        event = next(one for one in history if one.kind is EventKind.CONSENT_GIVEN)
        receipt = await client.receipt(someone, event.position)
        if signed is None:
            raise Ended(Exit.NO, "the log has signed nothing")
        return receipt.text, signed.verifier_key, signed.text

    def _prove(self, receipt: str, key: str, checkpoint: str) -> None:
        self._begin(
            "The service is off. A customer proves what they said, and an auditor that it is all"
            " there",
            "consentsvc proof verify receipt.tlog-proof --key log.key",
            "consentsvc proof audit --store sqlite:///data/consent.db --checkpoint checkpoint"
            " --key log.key",
        )
        verifier = Verifier.parse(key)
        event = Receipt.parse(receipt).check(verifier).event
        said_by = event.personal and event.personal.subject
        _say(f"event {event.position}: {event.kind.value} for {event.purpose}, by {said_by}")
        _hold(said_by is not None, "the receipt proves it with the public key alone")
        changed = receipt.replace("index ", "index 1", 1)
        _hold(_proves_nothing(changed, verifier), "with a digit added it proves nothing")
        note = Note.parse(checkpoint)
        note.check(verifier)
        audited = audit(sqlite_path(self._store), Checkpoint.parse(note.text), verifier.public_key)
        _hold(audited.finding is None, f"all {audited.events:,} events are those that were signed")

    def _verify(self, head: int) -> None:
        self._begin(
            "An auditor looks at the files", "consentsvc verify --store sqlite:///data/consent.db"
        )
        with _printing.progress("verifying") as progress:
            report = verify(sqlite_path(self._store), progress=progress)
        for problem in report.problems:
            _say(f"event {problem.position}: {problem.table}: {problem.what}")
        _hold(not report.problems, "every hash, every sealed part and every state is as it was")
        _hold(report.events == head, f"and there are {head:,} events")

    async def _filter(
        self, client: AsyncConsentClient
    ) -> tuple[Summary, dict[str, str], dict[str, str]]:
        """The summary, the allowed with their links, and the refused with their reasons."""
        allowed, refused = self._folder / _ALLOWED, self._folder / _REFUSED
        with (
            (self._folder / _LIST).open("rb") as raw,
            Recipients(raw, "subject_id") as recipients,
        ):
            summary = await filter_list(
                client, NEWSLETTER, recipients, Results(allowed, refused), links=True
            )
        return summary, _columns(allowed, "withdrawal_token"), _columns(refused, "reason")

    def _begin(self, title: str, *commands: str) -> None:
        self._step += 1
        print(f"\n{self._step}. {title}\n")
        for command in commands:
            print(f"   $ {command}")
        print()


def _turn_off(visit: Visit, person: str) -> None:
    """Signs in and turns a switch, through the pages and forms that a browser gets."""
    entrance = visit.get("/sign-in").one("/sign-in")
    _hold(entrance is not None, "the panel asks who it is: POST /sign-in")
    choices = visit.send(entrance or {}, customer=person)
    switch = choices.one("/choices/turn", purpose=NEWSLETTER, turn="off")
    _hold(switch is not None, "it shows the switch, and it is on: POST /choices/turn")
    after = visit.send(switch or {})
    _hold(
        after.one("/choices/turn", purpose=NEWSLETTER, turn="on") is not None,
        "it shows the switch, and it is off",
    )


def _columns(file: Path, name: str) -> dict[str, str]:
    with file.open(encoding="utf-8", newline="") as rows:
        return {row["subject_id"]: row[name] for row in csv.DictReader(rows)}


def _frames(frames: list[str]) -> None:
    """Shows what went over the line."""
    for frame in frames:
        for line in frame.splitlines():
            print(f"      {line}")


def _say(word: str) -> None:
    print(f"   {word}", flush=True)


def _proves_nothing(receipt: str, verifier: Verifier) -> bool:
    try:
        Receipt.parse(receipt).check(verifier)
    except ReceiptInvalid:
        return True
    return False


def _hold(holds: bool, word: str) -> None:
    if not holds:
        raise Ended(Exit.NO, f"this does not hold: {word}")
    _say(f"ok: {word}")
