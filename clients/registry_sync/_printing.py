"""A registry that prints what it would be sent, and takes everything."""

import sys
from collections.abc import Mapping
from typing import TextIO

from lxml import etree

from registry_sync import _commands as commands
from registry_sync import _frames as frames
from registry_sync._commands import Command
from registry_sync._extensions import Dialect
from registry_sync._wire import ContactData, Disclose, Extension, Held

_ID = "DRY-RUN"


class PrintingRegistry:
    """See `Adapter`. Contact values are in the frames: they are for the eyes of the registrar."""

    def __init__(self, name: str, dialect: Dialect, out: TextIO = sys.stdout) -> None:
        self._name = name
        self._dialect = dialect
        self._out = out

    async def ready(self) -> None:
        """See `Adapter.ready`."""

    async def held(self, name: str, *, of_domain: bool) -> Held:  # noqa: ARG002 - it has none
        """See `Adapter.held`. It holds nothing, and knows of nothing that is pending."""
        return Held(pending=False)

    async def update_contact(
        self,
        handle: str,
        *,
        disclose: Disclose | None = None,
        extension: Extension | None = None,
        data: ContactData | None = None,
        emails: Mapping[str, str] | None = None,
    ) -> Held:
        """See `Adapter.update_contact`."""
        return self._print(
            commands.update_contact(
                self._dialect,
                handle,
                data=data,
                disclose=disclose,
                extension=extension,
                emails=emails,
            )
        )

    async def update_domain(self, name: str, extension: Extension) -> Held:
        """See `Adapter.update_domain`."""
        return self._print(commands.update_domain(self._dialect, name, extension))

    def _print(self, command: Command) -> Held:
        root = frames.parsed(command.frame(_ID))
        etree.indent(root)
        self._out.write(f"# to {self._name}\n{etree.tostring(root, encoding='unicode')}\n")
        self._out.flush()
        return Held(pending=False)
