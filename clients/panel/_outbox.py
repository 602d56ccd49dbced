"""Links that go to a customer by mail: left in a folder for the registrar's mailer.

The panel knows no addresses. One file for each mail, complete when it appears, is something that
every mailer can take; a registrar that has a queue gives the panel an `Outbox` of its own.
"""

import asyncio
import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Protocol


class Outbox(Protocol):
    """Takes what is to be sent."""

    async def confirmation(
        self, subject_id: str, purpose_id: str, link: str, language: str, before: datetime
    ) -> None:
        """Sends a link that confirms a consent, to the subject and to nobody else.

        Returns once the mail is certain to be sent. Raises `OSError`, such as `TimeoutError`, if it
        cannot be sent now: the customer is told so, and can ask for the same mail again.
        """
        ...


class FolderOutbox:
    """See `Outbox`: one JSON file for each mail, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def confirmation(
        self, subject_id: str, purpose_id: str, link: str, language: str, before: datetime
    ) -> None:
        """See `Outbox.confirmation`."""
        mail = {
            "kind": "confirmation",
            "subject_id": subject_id,
            "purpose_id": purpose_id,
            "link": link,
            "language": language,
            "before": before.isoformat(),
        }
        await asyncio.to_thread(self._write, json.dumps(mail))

    def _write(self, text: str) -> None:
        name = secrets.token_hex(16)
        part, whole = self._folder / f".{name}", self._folder / f"{name}.json"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.rename(whole)
