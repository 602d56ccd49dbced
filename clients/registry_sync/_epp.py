"""A registry as the sync job meets it: commands go in, and come back carried out, refused or not.

"Refused" and "could not find out" are two errors: only the second is worth trying again, and that
has been done before it is raised.
"""

import asyncio
import ipaddress
import logging
import ssl
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Self, TypeVar

from registry_sync import _commands as commands
from registry_sync import _frames as frames
from registry_sync import _responses as responses
from registry_sync._commands import Command
from registry_sync._errors import LoginRefused, Refused, RegistryUnavailable
from registry_sync._extensions import NAMESPACES, RFC, Dialect
from registry_sync._frames import FrameError
from registry_sync._responses import Greeting, Response
from registry_sync._retry import Retry
from registry_sync._wire import Contact, ContactData, Disclose, Extension, Held

T = TypeVar("T")

# Nothing of what was sent or answered is logged, only codes and numbers.
_log = logging.getLogger(__name__)

# Command failed; and, the server closing the connection after it: command failed, not
# authenticated any more, too many sessions.
_TEMPORARY = frozenset({2400, 2500, 2501, 2502})
_CLOSING = frozenset({2500, 2501, 2502})
# For a login 2501 says that the password is wrong. To try again may lock the account.
_TEMPORARY_AT_LOGIN = _TEMPORARY - {2501}

# The status of what a change was accepted for (RFC 5731 and 5733, section 2.2 and 2.3).
_PENDING = "pendingUpdate"

# Out of order, for a session that the server has lost: once it is worth a new one.
_OUT_OF_ORDER = 2002

# How many answers back one may still come twice. With a server that is further behind than that it
# is better to begin anew.
_REMEMBERED = 16

# To say goodbye is polite, and not worth a wait.
_LOGOUT_SECONDS = 2.0

_LOST = (OSError, EOFError, FrameError, TimeoutError)


class EppRegistry:
    """A registry behind EPP, for as long as a block runs. The first command connects.

    One command is under way at a time, others wait for their turn. Without `tls` nothing is sent,
    unless `plain` allows it, and then to this machine only. `objects` and `extensions` are the
    namespaces to log in with; by default those that the greeting announces and that can be written.

    `prompt` is for commands that may be out of date soon. They go out once and at once, on the
    connection that `ready` has made, or not at all: it is for the caller to think again, and retry.

    `hides` says whether the registry hides by default, where its greeting is known to be wrong.
    """

    def __init__(
        self,
        host: str,
        port: int = 700,
        *,
        client: str,
        password: str,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        plain: bool = False,
        dialect: Dialect = RFC,
        objects: Iterable[str] | None = None,
        extensions: Iterable[str] | None = None,
        timeout: float = 30.0,
        retry: Retry | None = None,
        prompt: bool = False,
        hides: bool | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        if (tls is None) is not plain:
            raise ValueError("say either how TLS is to be used, or that it is not")
        if plain and not _is_loopback(host):
            raise ValueError("without TLS only this machine is spoken to")
        if not timeout > 0:
            raise ValueError("timeout must be more than 0 seconds")
        self._address = (host, port)
        self._tls = tls
        self._server_name = (server_name or host) if tls is not None else None
        self._credentials = (client, password)
        self._dialect = dialect
        self._objects = None if objects is None else tuple(objects)
        self._extensions = None if extensions is None else tuple(extensions)
        self._timeout = timeout
        self._retry = Retry(attempts=1) if prompt else retry or Retry()
        self._prompt = prompt
        self._hides = hides
        self._new_id = new_id
        self._turn = asyncio.Lock()
        self._session: _Session | None = None
        self._open = False
        self._out_of_order = False

    async def ready(self) -> bool | None:
        """Connects and logs in, unless that has been done; tells whether the registry hides."""
        hides = (await self.greeting()).hides
        return self._hides if self._hides is not None else hides

    async def greeting(self) -> Greeting:
        """What the server said of itself when the connection was made."""

        async def greeted(session: _Session) -> Greeting:
            return session.greeting

        return await self._persist("connect", greeted, connects=True)

    async def send(self, command: Command) -> Response:
        """Sends a command until it is answered, and returns the answer if it is a success.

        Raises Refused, or RegistryUnavailable after the last attempt. A command whose answer was
        lost is sent again: it should be one that may be carried out twice.
        """
        return await self._persist(
            command.name, lambda session: self._asked(session, command), connects=not self._prompt
        )

    async def contact(self, handle: str) -> Contact:
        """What the registry holds of a contact, and shows."""
        response = await self.send(commands.contact_info(self._dialect, handle))
        try:
            return responses.contact(self._dialect, response)
        except FrameError as error:
            raise RegistryUnavailable("the answer cannot be understood") from error

    async def held(self, name: str, *, of_domain: bool) -> Held:
        """What has become of a contact, by its handle, or of a domain."""
        if of_domain:
            answer = await self.send(commands.domain_info(self._dialect, name))
        else:
            answer = await self.send(commands.contact_info(self._dialect, name))
        try:
            if of_domain:
                return Held(_PENDING in responses.domain_statuses(self._dialect, answer))
            contact = responses.contact(self._dialect, answer)
        except FrameError as error:
            raise RegistryUnavailable("the answer cannot be understood") from error
        return Held(_PENDING in contact.statuses, contact.disclose)

    async def create_contact(
        self,
        handle: str,
        data: ContactData,
        *,
        password: str,
        disclose: Disclose | None = None,
        extension: Extension | None = None,
        emails: Mapping[str, str] | None = None,
    ) -> Response:
        """Makes a contact. Made twice it is refused with 2302, and `resent` says so."""
        command = commands.create_contact(
            self._dialect,
            handle,
            data,
            password=password,
            disclose=disclose,
            extension=extension,
            emails=emails,
        )
        return await self.send(command)

    async def update_contact(
        self,
        handle: str,
        *,
        disclose: Disclose | None = None,
        extension: Extension | None = None,
        data: ContactData | None = None,
        emails: Mapping[str, str] | None = None,
    ) -> Response:
        """Changes a contact. An answer that is `pending` means: accepted, and not in force yet."""
        command = commands.update_contact(
            self._dialect,
            handle,
            data=data,
            disclose=disclose,
            extension=extension,
            emails=emails,
        )
        return await self.send(command)

    async def update_domain(self, name: str, extension: Extension) -> Response:
        """Changes what a registry's own extension says of a domain."""
        return await self.send(commands.update_domain(self._dialect, name, extension))

    async def next_message(self) -> Response | None:
        """The message that has waited longest, in `queued`; None if none waits."""
        response = await self.send(commands.poll(self._dialect))
        return response if response.code == 1301 else None

    async def acknowledge(self, message_id: str) -> None:
        """Takes a message off the queue."""
        await self.send(commands.poll(self._dialect, acknowledge=message_id))

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open = False
        session, self._session = self._session, None
        if session is None:
            return
        if not self._turn.locked():
            try:
                async with asyncio.timeout(min(_LOGOUT_SECONDS, self._timeout)):
                    await session.ask(commands.logout(self._dialect), self._new_id())
            except _LOST:
                _log.debug("no answer to the logout")
        session.abort()

    async def _persist(
        self, name: str, act: "Callable[[_Session], Awaitable[T]]", *, connects: bool
    ) -> T:
        if not self._open:
            raise RuntimeError("the registry is not open: use it in an `async with` block")
        async with self._turn:
            failed, resent = 0, False
            while True:
                try:
                    return await act(await self._logged_in(connects=connects))
                except Refused as error:
                    error.resent = resent
                    raise
                except _AttemptFailed as error:
                    failed, resent, last = failed + 1, resent or error.sent, error
                if not self._open:
                    raise RegistryUnavailable("closed before there was an answer") from last
                _log.warning("%s: attempt %d failed: %s", name, failed, last)
                if failed == self._retry.attempts:
                    raise RegistryUnavailable(f"no answer after {failed} attempts") from last
                await self._retry.sleep(self._retry.delay(failed))

    async def _asked(self, session: "_Session", command: Command) -> Response:
        try:
            async with asyncio.timeout(self._timeout):
                answer = await session.ask(command, self._new_id())
        except BaseException as error:
            # Whoever gave up waiting: what is still to come would be read as the next answer.
            session.abort()
            if isinstance(error, _LOST):
                raise _AttemptFailed(type(error).__name__, sent=True) from error
            raise
        lost = answer.code == _OUT_OF_ORDER and not self._out_of_order
        self._out_of_order = lost
        if lost or answer.code in _CLOSING:
            session.abort()
        if lost or answer.code in _TEMPORARY:
            raise _AttemptFailed(f"answered with {answer.code}")
        if not answer.ok:
            raise Refused(answer.code, answer.message)
        return answer

    async def _logged_in(self, *, connects: bool) -> "_Session":
        # A server ends a session that was idle for long. That costs no attempt.
        if self._session is not None and self._session.ended:
            self._session.abort()
            self._session = None
        if self._session is None:
            if not connects:
                raise _AttemptFailed("the connection has ended")
            try:
                async with asyncio.timeout(self._timeout):
                    session = await self._connected()
            except ssl.SSLCertVerificationError as error:
                raise RegistryUnavailable("the server's certificate is not trusted") from error
            except _LOST as error:
                raise _AttemptFailed(type(error).__name__) from error
            if not self._open:
                session.abort()
                raise RegistryUnavailable("closed while it was connecting")
            self._session = session
        return self._session

    async def _connected(self) -> "_Session":
        reader, writer = await asyncio.open_connection(
            *self._address, ssl=self._tls, server_hostname=self._server_name
        )
        try:
            # Names can be made to mean anything.
            if self._tls is None and not _is_loopback(writer.get_extra_info("peername")[0]):
                raise RegistryUnavailable("without TLS only this machine is spoken to")
            greeting = responses.greeting(self._dialect, await frames.read(reader))
            session = _Session(reader, writer, self._dialect, greeting)
            answer = await session.ask(self._login(greeting), self._new_id())
            if answer.code in _TEMPORARY_AT_LOGIN:
                raise _AttemptFailed(f"login answered with {answer.code}")
            if not answer.ok:
                raise LoginRefused(answer.code, answer.message)
        except BaseException:
            writer.transport.abort()
            raise
        return session

    def _login(self, greeting: Greeting) -> Command:
        written = (self._dialect.contact, self._dialect.domain)
        objects = self._objects or [one for one in written if one in greeting.objects] or written
        extensions = self._extensions
        if extensions is None:
            extensions = tuple(sorted(greeting.extensions & NAMESPACES))
        return commands.login(self._dialect, *self._credentials, objects, extensions)


class _AttemptFailed(Exception):
    """Another attempt may go better. `sent`: this one may have been carried out all the same."""

    def __init__(self, what: str, *, sent: bool = False) -> None:
        self.sent = sent
        super().__init__(what)


class _Session:
    """One connection, from its greeting on."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        dialect: Dialect,
        greeting: Greeting,
    ) -> None:
        self.greeting = greeting
        self._reader = reader
        self._writer = writer
        self._dialect = dialect
        self._answered: deque[str] = deque(maxlen=_REMEMBERED)

    @property
    def ended(self) -> bool:
        """Whether the server has closed the connection."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def ask(self, command: Command, client_id: str) -> Response:
        """Sends a command and waits for the answer that bears its id."""
        self._writer.write(frames.framed(command.frame(client_id)))
        await self._writer.drain()
        while True:
            answer = responses.response(self._dialect, await frames.read(self._reader))
            # A server that could not read a command cannot repeat its id. It refused this one.
            unread = answer.client_id is None and not answer.ok
            if answer.client_id == client_id or unread:
                self._answered.append(client_id)
                return answer
            if answer.client_id not in self._answered:
                raise FrameError("an answer to something else")

    def abort(self) -> None:
        """Ends the connection at once."""
        self._writer.transport.abort()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
