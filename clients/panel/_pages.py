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
def _file(name: str) -> tuple[bytes, str, str] | None:
    path = _HERE / "static" / name
    if path.parent != _HERE / "static" or path.suffix not in _TYPES or not path.is_file():
        return None
    content = path.read_bytes()
    return content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:12]


def address(name: str) -> str:
    """Where a file is, under a name that changes with it, so that browsers may keep it."""
    found = _file(name)
    if found is None:
        raise KeyError(name)
    return f"/static/{name}?{found[2]}"


async def static(request: Request) -> Response:
    """A file of ours."""
    found = _file(request.path_params["name"])
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
