"""Runs the registry for tests, and prints every frame that it receives.

python -m registry_sync.testing --port 7700 --policy hide --contact ANN-1 --fault slow:2@3

"""

import argparse
import asyncio
import copy
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

from lxml import etree
from lxml.etree import _Element as Element

from registry_sync import _frames as frames
from registry_sync._extensions import CISA, FRED, NASK, RFC
from registry_sync._wire import ELEMENTS, ContactData, Phone, Postal
from registry_sync.testing import Fault, Faults, Registry, RegistryServer, self_signed

_DIALECTS = {"rfc": RFC, "fred": FRED, "gov": CISA, "pl": NASK}

_USAGE = 64
_LARGEST_PORT = 65_535

_SAMPLE = ContactData(
    postal={
        "loc": Postal(
            "Camille Durand", None, ("1 rue de l'Exemple",), "Exempleville", None, "00000", "FR"
        )
    },
    voice=Phone("+33.199000000", "42"),
    email="camille@durand.example",
)

_EPILOGUE = """\
faults:
  slow[:SECONDS]    carried out, answered late
  drop-before       not carried out, connection cut
  drop-after        carried out, connection cut before the answer
  refuse[:CODE]     not carried out, answered with a code (2400)
  twice             carried out, answered twice
  stray             carried out, answered with the id of something else
  garbage           carried out, answered with a frame that is no XML
  noise             carried out, answered with bytes that are no frame
  close[:CODE]      not carried out, answered with a code (2502), connection cut

A fault is for the first command that comes, for the third with @3, for the second contact:update
with @2/contact:update. Logins and logouts count only where they are named.

A first look:
  python -m registry_sync.testing --port 7700 --contact ANN-1 --fault drop-after@2
"""


class _Parser(argparse.ArgumentParser):
    """Ends with the code that the other programs have for usage errors."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and ends the program."""
        self.print_usage(sys.stderr)
        self.exit(_USAGE, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m registry_sync.testing",
        description="A registry for tests: speaks EPP, keeps everything in memory, prints every "
        "frame that it receives and what the public sees after it.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="where to listen (%(default)s)")
    add("--port", type=_port, default=7700, help="0 takes a free one (%(default)s)")
    add("--policy", choices=["hide", "show"], default="hide", help="the default (%(default)s)")
    add("--dialect", choices=list(_DIALECTS), default="rfc", help="whose EPP (%(default)s)")
    add("--client", default="registrar", help="who may log in (%(default)s)")
    add("--password", default="correct horse", help="with what (%(default)s)")
    add("--contact", action="append", default=[], metavar="HANDLE", help="a contact to begin with")
    add(
        "--violation",
        action="append",
        default=[],
        choices=ELEMENTS,
        metavar="ELEMENT",
        help="answer 2308 to a disclose that lists this element",
    )
    add("--fault", action="append", default=[], type=_fault, metavar="FAULT", help="see below")
    add("--chance", type=_chance, default=0.0, help="of a fault at random with each command")
    add("--seed", type=int, default=0, help="of what comes at random (%(default)s)")
    add(
        "--tls",
        type=Path,
        metavar="FILE",
        help="speak TLS; FILE receives the certificate, for the client to trust",
    )
    return parser


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"there is no port {port}")
    return port


def _chance(text: str) -> float:
    chance = float(text)
    if not 0 <= chance <= 1:
        raise argparse.ArgumentTypeError("a chance lies between 0 and 1")
    return chance


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class _Printer:
    """Prints what arrives, how it is answered, and what has changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._arrived = 0
        self._told = len(registry.history)

    def received(self, name: str, root: Element, fault: Fault | None) -> None:
        self._arrived += 1
        shown = copy.deepcopy(root)
        for secret in shown.iterfind(".//{*}pw"):
            secret.text = "…"
        etree.indent(shown)
        coming = "" if fault is None else f", and a fault: {fault.kind.value}"
        _say(f"\n#{self._arrived} {name}{coming}")
        _say(etree.tostring(shown, encoding="unicode"))

    def answered(self, xml: bytes) -> None:
        root = frames.parsed(xml)
        for result in root.iterfind("{*}response/{*}result"):
            _say(f"-> {result.get('code')} {result.findtext('{*}msg')}")
        for one in self._registry.history[self._told :]:
            if one.about in self._registry.contacts:
                seen = ", ".join(sorted(one.visible)) or "nothing"
                _say(f"   the public sees of {one.about}: {seen}")
            for path, value in one.extension.items():
                _say(f"   said of {one.about}: {path} = {value}")
        self._told = len(self._registry.history)


class _Unusable(Exception):
    """An option that cannot be used, as it turned out."""


async def _run(options: argparse.Namespace) -> None:
    registry = Registry(
        dialect=_DIALECTS[options.dialect],
        hides=options.policy == "hide",
        protected=options.violation,
        client=options.client,
        password=options.password,
    )
    for handle in options.contact:
        registry.create_contact(handle, _SAMPLE)
    faults = Faults(*options.fault)
    faults.at_random(options.chance, options.seed)
    tls = None
    if options.tls is not None:
        made = self_signed()
        try:
            options.tls.write_text(made.certificate)
        except OSError as error:
            raise _Unusable(f"argument --tls: {options.tls}: {error.strerror}") from error
        tls = made.server
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    printer = _Printer(registry)
    server = RegistryServer(
        registry, host=options.host, port=options.port, tls=tls, faults=faults, watch=printer
    )
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(server)
        except (OSError, UnicodeError) as error:
            where = f"{options.host}:{options.port}"
            raise _Unusable(f"argument --host: cannot listen on {where}: {error}") from error
        _say(f"listening on {server.host}:{server.port}, {options.policy}s by default")
        await stop.wait()
    _say("stopped")


def main() -> None:
    """Reads the command line and runs until SIGTERM or SIGINT."""
    parser = _parser()
    try:
        asyncio.run(_run(parser.parse_args()))
    except _Unusable as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
