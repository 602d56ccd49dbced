"""Templates, and the files that pages load."""

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

_HERE = Path(__file__).parent
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def environment() -> Environment:
    """Templates that escape everything, and stumble over names that nobody gave."""
    pages = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["static"] = address
    return pages


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    # All of them at once: whatever else is asked for is not looked up, and not remembered.
    found = {}
    for path in (_HERE / "static").iterdir():
        if path.suffix in _TYPES:
            content = path.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:12]
            found[path.name] = content, _TYPES[path.suffix], version
    return found


def address(name: str) -> str:
    """Where a file is, under a name that changes with it, so that browsers may keep it."""
    return f"/static/{name}?{_files()[name][2]}"


async def static(request: Request) -> Response:
    """A file of ours."""
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    content, kind, version = found
    lasting = request.url.query == version
    keep = "public, max-age=31536000, immutable" if lasting else "public, max-age=300"
    headers = {"Cache-Control": keep}
    if request.path_params["name"].startswith("prompts."):
        # For the registrar's other sites too.
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return Response(content, media_type=kind, headers=headers)
