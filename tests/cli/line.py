"""A line between the program and the server that stops in the middle of an answer."""

import socket
import threading
from types import TracebackType
from typing import Self

_AT_ONCE = 4096


class StallingLine:
    """Passes everything to a server, and of its answers so many bytes; then nothing.

    `stalled` is set when it stops. Leaving the block hangs up.
    """

    def __init__(self, target: str, passes: int) -> None:
        host, _, port = target.rpartition(":")
        self._server = (host, int(port))
        self._left = passes
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listening]
        self._threads: list[threading.Thread] = []
        self.target = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.stalled = threading.Event()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hang_up()
        for thread in self._threads:
            thread.join()
        for one in self._open:
            one.close()

    def hang_up(self) -> None:
        """Cuts every connection, and takes no other."""
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it was cut already

    def _start(self, work: "object", *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                program, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._open += [program, server]
            self._start(self._pass, program, server, False)
            self._start(self._pass, server, program, True)

    def _pass(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        while True:
            try:
                data = source.recv(_AT_ONCE)
                if not data:
                    return
                if answers:
                    self._left -= len(data)
                    if self._left < 0:
                        self.stalled.set()
                        continue
                sink.sendall(data)
            except OSError:
                return
