"""The server as a program: `python -m tests.support.process '{"store": "memory:"}'`.

Prints its port once it listens. To be replaced by nothing: it starts what `server.serve` is.
"""

import asyncio
import json
import sys

from consentsvc import logs
from consentsvc.config import Settings
from consentsvc.server import serve


def _ready(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logs.configure()
    asyncio.run(serve(Settings.read({}, **json.loads(sys.argv[1])), _ready))
