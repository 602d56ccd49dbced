"""A visit to the panel over HTTP, as a browser without JavaScript makes it, for the demo."""

import http.client
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

_SECONDS = 30


class Visit:
    """Somebody's browser: keeps cookies, reads forms and sends them."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> "Forms":
        """Opens a page."""
        return self._ask("GET", path, None)

    def send(self, form: dict[str, str], **typed: str) -> "Forms":
        """Sends a form of a page with what was typed or clicked, and reads what comes of it."""
        fields = {name: value for name, value in form.items() if name != Forms.ACTION}
        return self._ask("POST", form[Forms.ACTION], urlencode({**fields, **typed}))

    def _ask(self, method: str, path: str, body: str | None) -> "Forms":
        connection = http.client.HTTPConnection(self._host, timeout=_SECONDS)
        headers = {"Cookie": "; ".join(f"{name}={one}" for name, one in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            html = answer.read().decode()
        finally:
            connection.close()
        for line in answer.headers.get_all("set-cookie", ()):
            self._cookies |= {name: one.value for name, one in SimpleCookie(line).items()}
        if answer.status == http.HTTPStatus.SEE_OTHER:
            return self._ask("GET", answer.headers["location"].partition("#")[0], None)
        return Forms(answer.status, html)


class Forms(HTMLParser):
    """A page's forms: of each its action, and its fields and buttons by name."""

    ACTION = "action "  # no field is called that

    def __init__(self, status: int, html: str) -> None:
        super().__init__()
        self.status = status
        self.all: list[dict[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a form, or what stands in it."""
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.all.append({self.ACTION: told["action"]})
        elif tag in {"input", "button"} and "name" in told and self.all:
            self.all[-1][told["name"]] = told.get("value", "")

    def one(self, action: str, **fields: str) -> dict[str, str] | None:
        """The form that is sent there and holds these values; None if the page has none."""
        wanted = {self.ACTION: action, **fields}
        return next((one for one in self.all if wanted.items() <= one.items()), None)
