"""A line to PostgreSQL that is cut at a COMMIT: before it arrives, or after it was done and before the answer.

A process of its own between two sockets in the file system, told by lines of JSON which COMMIT is meant, counted from
then on over all connections.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import subprocess
import sys
from pathlib import Path

_NAME = ".s.PGSQL.5432"
_COMMIT = b"COMMIT\0"  # the end of a simple query, as psycopg sends it


class Cutter:
    """The line's handle: connect to *folder* instead of *server*'s. Use it in a `with`."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder, self._server = folder, server

    def __enter__(self) -> Cutter:
        ours, theirs = socket.socketpair()
        words = [
            sys.executable,
            "-I",
            __file__,
            str(theirs.fileno()),
            str(self.folder / _NAME),
            str(self._server / _NAME),
        ]
        self._process = subprocess.Popen(words, pass_fds=[theirs.fileno()])
        theirs.close()
        self._control = ours.makefile("rw", encoding="utf-8")
        ours.close()
        self._control.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.wait()

    def cut(self, number: int, *, done: bool) -> None:
        """Cut the line at the *number*-th COMMIT from now (0: never); *done*: after it took effect."""
        self._control.write(json.dumps([number, done]) + "\n")
        self._control.flush()
        self._control.readline()


def _serve(control: socket.socket, front: str, back: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(front)
    listener.listen(64)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(control, selectors.EVENT_READ)
    control.sendall(b"[]\n")
    number, done = 0, False
    ends: dict[socket.socket, tuple[socket.socket, bool]] = {}  # the other end; whether this one is the client's

    def close(sock: socket.socket) -> None:
        for end in (sock, ends[sock][0]):
            selector.unregister(end)
            ends.pop(end)
            end.close()

    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is listener:
                client, server = listener.accept()[0], socket.socket(socket.AF_UNIX)
                try:
                    server.connect(back)
                except OSError:  # there is no server just now: who called hears so
                    client.close()
                    server.close()
                    continue
                ends[client], ends[server] = (server, True), (client, False)
                for end in (client, server):
                    selector.register(end, selectors.EVENT_READ)
                continue
            if sock is control:
                said = control.recv(4096)
                if not said:
                    return
                number, done = json.loads(said)
                control.sendall(b"[]\n")
                continue
            if sock not in ends:  # closed in this very round
                continue
            other, client_side = ends[sock]
            with contextlib.suppress(OSError):
                if chunk := sock.recv(262_144):
                    if client_side and number and chunk.endswith(_COMMIT):
                        number -= 1
                        if not number:
                            if done:
                                other.sendall(chunk)
                                other.recv(1)  # it answers when it is done
                            close(sock)
                            continue
                    other.sendall(chunk)
                    continue
            close(sock)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3])
