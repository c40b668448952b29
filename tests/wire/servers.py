"""A mail server that misbehaves to order, on loopback; blocking sockets, one thread per connection.

A script maps a step to what is done there instead of the good answer: bytes are sent as they are, a
`Fault` happens. A list is used up one visit after the other (None: answer well), then all is well again.
"dot r3" is the step for the recipient r3@… alone, from RCPT on.

Steps: banner, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, body (before it's read), dot (also after BDAT), RSET, QUIT.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto


class Fault(Enum):
    DROP = auto()
    RESET = auto()
    HANG = auto()
    ENDLESS = auto()  # a multi-line reply without a last line
    LONG_LINE = auto()  # 70 kB and no line end
    DRIP = auto()  # a byte every now and then, so that no single wait is long


class Slowly(bytes):
    """Sent byte by byte."""


class ThenDrop(bytes):
    """Sent, then the connection is closed."""


@dataclass(frozen=True)
class Held:
    """The good answer, but not before *until* is set."""

    until: threading.Event


Act = bytes | Fault | Held | None
Script = Mapping[str, Act | Sequence[Act]]

GOOD = {
    "banner": b"220 test ESMTP\r\n",
    "STARTTLS": b"220 2.0.0 go ahead\r\n",
    "AUTH": b"235 2.7.0 welcome\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
    "dot": b"250 2.0.0 Ok: queued as 4F1\r\n",
    "RSET": b"250 2.0.0 Ok\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
}


class _GoneError(Exception):
    """This connection is over."""


class Scripted:
    """Use it in a `with`; it listens on 127.0.0.1 at `port`."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        extensions: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        most: int = 1_000,
        strict: bool = False,
        gathers: bool = False,
        poison: Collection[str] = (),
    ) -> None:
        self.script = {step: list(acts) if isinstance(acts, list) else acts for step, acts in (script or {}).items()}
        self.extensions = ["STARTTLS", *extensions] if tls and not implicit else list(extensions)
        self.tls, self.implicit, self.most = tls, implicit, most
        self.strict = strict  #: minds the order of commands, as real servers do
        self.gathers = gathers  #: answers in one go what came in one go
        self.poison = set(poison)  #: recipients at whose message it hangs up, before it takes a byte of it
        self.commands: list[str] = []  #: every command line, over all connections
        self.took: list[tuple[str, bytes]] = []  #: recipient and bytes of what was answered with 2xx
        self.connections = 0
        self.open_now = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Scripted:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        peer = _Peer(self, sock)
        with self._lock:
            self.open_now += 1
            crowded = self.open_now > self.most
        try:
            if crowded:
                peer.say(b"421 4.7.0 too many connections\r\n")
            else:
                peer.talk()
        except (_GoneError, OSError):
            pass
        finally:
            peer.sock.close()
            with self._lock:
                self.open_now -= 1

    def act(self, step: str, recipient: str = "") -> Act:
        with self._lock:
            mine = f"{step} {recipient.partition('@')[0]}"
            acts = self.script.get(mine if mine in self.script else step)
            if isinstance(acts, list):
                return acts.pop(0) if acts else None
            return acts  # type: ignore[return-value]


class _Peer:
    def __init__(self, server: Scripted, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.sock.settimeout(0.05)
        self.held, self.whole = b"", deque[bytes]()
        self.recipient = ""
        self.in_mail = self.has_recipient = False
        self.gathered = b""

    def talk(self) -> None:
        if self.server.implicit:
            self._encrypt()
        self.answer("banner")
        for line in self.lines():
            verb, space, rest = line.partition(" ")
            verb = verb.upper()
            self.server.commands.append(verb + space + rest)
            if verb == "EHLO":
                words = ["test", *self.server.extensions]
                good = b"".join(
                    f"250{'-' if n < len(words) - 1 else ' '}{word}\r\n".encode() for n, word in enumerate(words)
                )
                self.answer("EHLO", good)
            elif verb == "STARTTLS":
                if self.answer("STARTTLS").startswith(b"220"):
                    self._encrypt()
            else:
                if verb == "RCPT":
                    self.recipient = line.partition("<")[2].rstrip(">")
                if verb == "DATA" and self.recipient in self.server.poison:
                    return
                if verb == "BDAT":
                    self.chunk(int(rest.split()[0]))
                elif wrong := self.out_of_order(verb):
                    self.say(wrong)
                else:
                    reply = self.answer(verb)
                    self.follow(verb, reply)
                    if verb == "DATA" and reply.startswith(b"354"):
                        self.body()
                if verb == "QUIT":
                    self.flush()
                    return

    def out_of_order(self, verb: str) -> bytes:
        if not self.server.strict:
            return b""
        if verb == "MAIL" and self.in_mail:
            return b"503 5.5.1 Error: nested MAIL command\r\n"
        if verb == "RCPT" and not self.in_mail:
            return b"503 5.5.1 Error: need MAIL command\r\n"
        if verb in ("DATA", "BDAT") and not self.has_recipient:
            return b"554 5.5.1 Error: no valid recipients\r\n"
        return b""

    def follow(self, verb: str, reply: bytes) -> None:
        if reply.startswith(b"2"):
            if verb == "MAIL":
                self.in_mail = True
            elif verb == "RCPT":
                self.has_recipient = True
            elif verb == "RSET":
                self.in_mail = self.has_recipient = False

    def chunk(self, size: int) -> None:
        """BDAT LAST (RFC 3030): its octets are read in any case."""
        lines = self.raw_lines()
        data = b""
        while len(data) < size:
            data += next(lines)
        if wrong := self.out_of_order("BDAT"):
            self.say(wrong)
        else:
            self.end(data)

    def body(self) -> None:
        if (act := self.server.act("body")) is not None:
            self.perform(act)
            raise _GoneError
        lines = []
        for line in self.raw_lines():
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        self.end(b"".join(lines))

    def end(self, data: bytes) -> None:
        self.in_mail = self.has_recipient = False
        reply = self.server.act("dot", self.recipient)
        if reply is None or isinstance(reply, Held) or (isinstance(reply, bytes) and reply.startswith(b"2")):
            self.server.took.append((self.recipient, data))
        self.perform(GOOD["dot"] if reply is None else reply)

    def answer(self, step: str, good: bytes = b"") -> bytes:
        act = self.server.act(step, self.recipient)
        reply = (good or GOOD.get(step, b"500 5.5.1 what\r\n")) if act is None else act
        self.perform(reply)
        return reply if isinstance(reply, bytes) else b""

    def perform(self, act: Act) -> None:
        match act:
            case Slowly():
                for n in range(len(act)):
                    self.say(act[n : n + 1])
            case bytes():
                self.say(act)
                if isinstance(act, ThenDrop) or act.startswith(b"421"):
                    raise _GoneError
            case Held():
                act.until.wait(10)
                self.say(GOOD["dot"])
            case Fault.RESET:
                self.flush()
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise _GoneError
            case Fault.HANG:
                for _ in self.raw_lines():
                    pass
            case Fault.ENDLESS:
                while True:
                    self.say(b"250-and more\r\n")
            case Fault.DRIP:
                while not self.server._stop.wait(0.05):
                    self.say(b"2")
            case Fault.LONG_LINE:
                self.say(b"250 " + b"x" * 70_000)
                self.perform(Fault.HANG)
            case _:
                raise _GoneError

    def say(self, data: bytes) -> None:
        self.gathered += data
        if not self.server.gathers or not self.whole:
            self.flush()

    def flush(self) -> None:
        data, self.gathered = self.gathered, b""
        self.sock.settimeout(10)
        self.sock.sendall(data)
        self.sock.settimeout(0.05)

    def lines(self) -> Iterator[str]:
        for line in self.raw_lines():
            yield line.decode("latin-1").rstrip("\r\n")

    def raw_lines(self) -> Iterator[bytes]:
        """Lines as they come; what a consumer leaves is there for the next one."""
        while True:
            while self.whole:
                yield self.whole.popleft()
            try:
                chunk = self.sock.recv(65_536)
            except TimeoutError:
                if self.server._stop.is_set():
                    raise _GoneError from None
                continue
            if not chunk:
                raise _GoneError
            *lines, self.held = (self.held + chunk).split(b"\n")
            self.whole.extend(line + b"\n" for line in lines)

    def _encrypt(self) -> None:
        assert self.server.tls is not None
        self.sock.settimeout(10)
        self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
        self.sock.settimeout(0.05)
