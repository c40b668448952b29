"""A mail server in a process of its own, that keeps a record of what it took, misbehaves by the dice, and can kill
its client at an exact moment of the talk.

    with Sink() as sink:
        sink.play(Play(seed=7, trouble=0.1, fate=("dot", 3)))
        sink.client(pid)
        ...
        sink.taken()

Guarantees
    `taken` answers when every connection has ended and what lay in the sockets was read, so a message that was
    on its way when its sender died is in the record, or never will be.
    A message is taken when its final dot (or its last BDAT chunk) came and the server decided so: whatever
    becomes of the answer afterwards. That's the record the ledger is held against.

It speaks RFC 5321, PIPELINING (RFC 2920), CHUNKING (RFC 3030) and AUTH PLAIN, as the play says. ``VRFY ID`` tells
whether a Message-ID was taken: the lookup that some providers have.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import random
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

DROP, RESET, HANG, GARBAGE = "drop", "reset", "hang", "garbage"
LINES, BYTES = "lines", "bytes"  #: the good answer, in several lines or byte by byte
KEPT = "kept, then "  #: after the final dot: the message is taken, then this happens instead of the answer

GOOD = {
    "banner": "220 sink.example.org ESMTP",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 go ahead",
    "dot": "250 2.0.0 Ok: queued",
    "RSET": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
}
_ANYWHERE = (DROP, RESET, HANG, GARBAGE, LINES, LINES, BYTES, BYTES)
#: What may go wrong where. At the banner, EHLO and MAIL a refusal ends the whole run, so it has one chance of many.
TROUBLES: dict[str, tuple[str, ...]] = {
    "banner": ("421 4.3.2 busy", "554 5.7.1 not you", DROP, *[LINES, BYTES] * 6),
    "EHLO": (DROP, GARBAGE, *[BYTES] * 10),
    "MAIL": ("451 4.7.1 slow down", "421 4.7.0 enough", "550 5.7.1 not your address", *[LINES, BYTES] * 6, DROP, RESET),
    "RCPT": ("450 4.2.0 greylisted", "450 4.2.0 greylisted", "421 4.7.0 bye", "550 5.1.1 User unknown",
             "554 5.7.1 Relay access denied", "552 5.2.2 mailbox full", *_ANYWHERE),
    "DATA": ("451 4.3.0 later", "421 4.3.0 bye", "554 5.6.0 not this", *_ANYWHERE),
    "body": (DROP, RESET),
    "dot": ("451 4.3.0 later", "421 4.3.0 bye", "554 5.7.1 looks like spam", *_ANYWHERE,
            KEPT + DROP, KEPT + RESET, KEPT + GARBAGE, KEPT + HANG),
    "RSET": (DROP, RESET, GARBAGE, "500 5.5.1 what"),
    "QUIT": (DROP, RESET, GARBAGE, HANG),
}  # fmt: skip


@dataclass(frozen=True)
class Play:
    """What the server does from now on."""

    seed: int = 0
    trouble: float = 0.0  #: the chance of misbehaviour at each step
    #: Where the client dies, and at which time of getting there (from 1). Steps: MAIL, RCPT, DATA, body; dot and
    #: lost (after the final dot, without an answer: taken, not taken); answer (right after it).
    fate: tuple[str, int] | None = None
    signals: Sequence[int] = (signal.SIGKILL,)  #: what it dies of: the first there, the others each at the next visit
    extensions: Sequence[str] = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 10240000")
    login: str | None = None  #: "user password"; None = no AUTH
    logins: int = 1_000_000  #: so many are good, then the password is wrong
    session_max: int = 1_000_000  #: messages, then 421
    acts: dict[str, list[str | None]] = field(default_factory=dict)  #: by step, used up one after the other


@dataclass(frozen=True)
class Taken:
    """One message that the server took responsibility for."""

    run: int  #: how many plays had begun
    recipient: str
    message_id: str
    number: int  #: of the post, as its subject had it; 0 without one
    digest: str


@dataclass(frozen=True)
class Record:
    """Everything that happened since the server began."""

    taken: list[Taken]
    refused: set[str]  #: recipients that heard a 5xx at RCPT, DATA or the dot


class Sink:
    """The server's handle. Use it in a `with`."""

    def __enter__(self) -> Sink:
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        self._control = ours.makefile("rw", encoding="utf-8")
        ours.close()
        self.port: int = json.loads(self._control.readline())["port"]
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.wait()

    def play(self, play: Play) -> None:
        """From now on."""
        self._ask({"play": asdict(play)})

    def client(self, pid: int) -> None:
        """Who dies when fate says so. Returns without waiting."""
        self._say({"client": pid})

    def record(self) -> Record:
        """The record, once every connection has ended."""
        found = self._ask({"record": 1})
        return Record([Taken(*row) for row in found["taken"]], set(found["refused"]))

    def forget(self) -> None:
        """Begin a new record."""
        self._ask({"forget": 1})

    def _say(self, words: dict[str, Any]) -> None:
        self._control.write(json.dumps(words) + "\n")
        self._control.flush()

    def _ask(self, words: dict[str, Any]) -> Any:
        self._say(words)
        return json.loads(self._control.readline())


def took(port: int, message_id: str) -> bool:
    """Whether the server at *port* took this message: asked by anybody, at any time. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rb") as lines:
        sock.sendall(f"VRFY {message_id}\r\nQUIT\r\n".encode())
        for line in lines:
            if line[:3] in (b"252", b"551"):
                return line.startswith(b"252")
    raise OSError("no answer")


# --- the server's side


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self.control, self.heard = control, b""
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(control, selectors.EVENT_READ)
        self.peers: set[_Peer] = set()
        self.runs = -1
        self.client: int | None = None  # a descriptor of the process: its number may be another's by tomorrow
        self.asked = False  # for the record, while connections stand
        self.forget()
        self.begin(Play())

    def forget(self) -> None:
        self.taken: list[Taken] = []
        self.known: set[str] = set()
        self.refused: set[str] = set()

    def begin(self, play: Play) -> None:
        self.play, self.runs = play, self.runs + 1
        self.aim(None)
        self.dice, self.visits = random.Random(play.seed), Counter[str]()
        self.logins = 0

    def serve(self) -> None:
        self.tell({"port": self.listener.getsockname()[1]})
        while True:
            ready = self.selector.select(0 if self.asked else None)
            for key, _ in ready:
                if key.fileobj is self.listener:
                    with contextlib.suppress(OSError):
                        _Peer(self, self.listener.accept()[0])
                elif key.fileobj is self.control:
                    if not self.listen():
                        return
                else:
                    key.data.read()
            if self.asked and not ready:
                # Nothing lies in any socket. Whoever is still here must end by itself first.
                self.asked = bool(self.peers)
                if not self.asked:
                    self.tell(
                        {"taken": [list(asdict(t).values()) for t in self.taken], "refused": sorted(self.refused)}
                    )
                else:
                    self.selector.select()

    def listen(self) -> bool:
        chunk = self.control.recv(65_536)
        *lines, self.heard = (self.heard + chunk).split(b"\n")
        for line in lines:
            match json.loads(line):
                case {"play": play}:
                    self.begin(Play(**play))
                    self.tell({})
                case {"client": pid}:
                    self.aim(pid)
                case {"forget": _}:
                    self.forget()
                    self.tell({})
                case _:
                    self.asked = True
        return bool(chunk)

    def tell(self, words: dict[str, Any]) -> None:
        self.control.sendall(json.dumps(words).encode() + b"\n")

    def aim(self, pid: int | None) -> None:
        """Who is to die."""
        if self.client is not None:
            os.close(self.client)
        self.client = None
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                self.client = os.pidfd_open(pid)

    def fatal(self, step: str) -> bool:
        """Send the client its signal if this is the moment. True when it's dead by now."""
        fate = self.play.fate
        if fate is None or fate[0] != step or self.client is None:
            return False
        nth, self.visits[step] = self.visits[step] + 1 - fate[1], self.visits[step] + 1
        if not 0 <= nth < len(self.play.signals):
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.client, self.play.signals[nth])
        return self.play.signals[nth] == signal.SIGKILL

    def act(self, step: str) -> str | None:
        if acts := self.play.acts.get(step):
            return acts.pop(0)
        if step in TROUBLES and self.dice.random() < self.play.trouble:
            return self.dice.choice(TROUBLES[step])
        return None

    def take(self, recipient: str, data: bytes) -> None:
        head = data.partition(b"\r\n\r\n")[0].decode("latin-1")
        found = re.search(r"^Message-ID:\s*<([^>]*)>", head, re.MULTILINE | re.IGNORECASE)
        number = re.search(r"^Subject: .*?(\d+)", head, re.MULTILINE)
        ident = found[1] if found else ""
        self.known.add(ident)
        digest = hashlib.sha256(data).hexdigest()
        self.taken.append(Taken(self.runs, recipient, ident, int(number[1]) if number else 0, digest))


class _Gone(Exception):
    """This connection is over."""


class _Peer:
    def __init__(self, server: _Server, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.buffer = b""
        self.sender = self.recipient = ""
        self.body: bytes | None = None  # while DATA's text comes
        self.chunks, self.chunk_left, self.last = b"", 0, False  # BDAT
        self.mute, self.count = False, 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(10)
        server.selector.register(sock, selectors.EVENT_READ, self)
        server.peers.add(self)
        self.guarded(lambda: self.answer("banner"))

    def read(self) -> None:
        self.guarded(self.hear)

    def guarded(self, do: Any) -> None:
        try:
            do()
        except (_Gone, OSError):
            self.server.selector.unregister(self.sock)
            self.sock.close()
            self.server.peers.discard(self)

    def hear(self) -> None:
        chunk = self.sock.recv(262_144)
        if not chunk:
            raise _Gone
        if self.mute:
            return
        self.buffer += chunk
        while self.buffer and not self.mute and self.step():
            pass

    def step(self) -> bool:
        """One thing out of the buffer; False when more must come first."""
        if self.body is not None:
            return self.text()
        if self.chunk_left or self.last:
            return self.chunk()
        line, end, rest = self.buffer.partition(b"\r\n")
        if not end:
            return False
        self.buffer = rest
        self.command(line.decode("latin-1"))
        return True

    def command(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        match verb:
            case "EHLO":
                words = ["sink.example.org", *self.server.play.extensions]
                if self.server.play.login:
                    words.append("AUTH PLAIN")
                good = "".join(f"250{'-' if n < len(words) - 1 else ' '}{word}\r\n" for n, word in enumerate(words))
                self.answer("EHLO", good)
            case "AUTH":
                self.server.logins += 1
                given = base64.b64decode(rest.partition(" ")[2]).decode().strip("\0").replace("\0", " ")
                good = given == self.server.play.login and self.server.logins <= self.server.play.logins
                self.answer("AUTH", "" if good else "535 5.7.8 wrong password\r\n")
            case "MAIL":
                self.count += 1
                if self.count > self.server.play.session_max:
                    self.say("421 4.7.0 enough for one session\r\n")
                    raise _Gone
                self.recipient = ""
                self.sender = rest if self.answer("MAIL") else ""
            case "RCPT":
                address = rest.partition("<")[2].partition(">")[0]
                if not self.sender:
                    self.say("503 5.5.1 MAIL first\r\n")
                elif self.answer("RCPT", about=address):
                    self.recipient = address
            case "DATA":
                if not self.recipient:
                    self.say("503 5.5.1 no valid recipients\r\n")
                elif self.answer("DATA", about=self.recipient):
                    self.body = b""
            case "BDAT":
                size, _, last = rest.partition(" ")
                self.chunk_left, self.last = int(size), last.upper() == "LAST"
                if not self.recipient:  # RFC 3030: the octets come all the same
                    self.chunks = b""
            case "VRFY":
                self.say("252 taken\r\n" if rest in self.server.known else "551 not taken\r\n")
            case _:
                self.answer(verb, "" if verb in GOOD else "500 5.5.1 what\r\n")
                if verb == "RSET":
                    self.reset()
                if verb == "QUIT":
                    raise _Gone

    def reset(self) -> None:
        self.sender = self.recipient = self.chunks = ""  # type: ignore[assignment]
        self.chunks, self.last, self.chunk_left, self.body = b"", False, 0, None

    def text(self) -> bool:
        """The text after DATA, up to its final dot."""
        assert self.body is not None
        if not self.body:
            self.in_the_body()
        self.body += self.buffer
        self.buffer = b""
        data = b"\r\n" + self.body  # so that a dot at once is found too
        end = data.find(b"\r\n.\r\n")
        if end < 0:
            return False
        self.buffer, self.body = data[end + 5 :], None
        self.taken_or_not(data[2:end].replace(b"\r\n..", b"\r\n.") + b"\r\n")
        return True

    def chunk(self) -> bool:
        """The octets after BDAT."""
        if not self.chunks and self.recipient:
            self.in_the_body()
        part, self.buffer = self.buffer[: self.chunk_left], self.buffer[self.chunk_left :]
        self.chunks, self.chunk_left = self.chunks + part, self.chunk_left - len(part)
        if self.chunk_left:
            return False
        if not self.recipient:
            self.last = False
            self.say("503 5.5.1 no valid recipients\r\n")
        elif self.last:
            data, self.chunks, self.last = self.chunks, b"", False
            self.taken_or_not(data)
        else:
            self.say("250 2.0.0 chunk\r\n")
        return True

    def in_the_body(self) -> None:
        """The first octets are here; the last ones won't be, if fate or the dice say so."""
        if self.server.fatal("body"):
            raise _Gone
        act = self.server.act("body")
        if act is not None:
            self.perform(act, "")

    def taken_or_not(self, data: bytes) -> None:
        recipient = self.recipient
        self.sender = self.recipient = ""
        if self.server.fatal("lost"):
            raise _Gone
        act = self.server.act("dot")
        kept = act is not None and act.startswith(KEPT)
        if act is None or kept or act in (LINES, BYTES):
            self.server.take(recipient, data)
            if self.server.fatal("dot"):
                raise _Gone
        if act is not None and act[:1] == "5":
            self.server.refused.add(recipient)
        self.perform(act.removeprefix(KEPT) if act else None, GOOD["dot"] + "\r\n")
        self.server.fatal("answer")

    def answer(self, step: str, good: str = "", *, about: str = "") -> bool:
        """Do what is to be done at *step*; whether it was the good answer."""
        if self.server.fatal(step):
            raise _Gone
        act = self.server.act(step)
        if act is not None and act[:1] == "5" and about:
            self.server.refused.add(about)
        self.perform(act, good or GOOD[step] + "\r\n")
        return act is None or act in (LINES, BYTES)

    def perform(self, act: str | None, good: str) -> None:
        match act:
            case None:
                self.say(good)
            case "lines":
                self.say(f"{good[:3]}-2.0.0 well\r\n" * 3 + good)
            case "bytes":
                for byte in good.encode():
                    self.sock.sendall(bytes([byte]))
            case "drop":
                raise _Gone
            case "reset":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise _Gone
            case "hang":
                self.mute = True
            case "garbage":
                self.say("what do you want?\r\n")
            case _:
                self.say(act + "\r\n")
                if act.startswith("421"):
                    raise _Gone

    def say(self, words: str) -> None:
        self.sock.sendall(words.encode())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us says when it is over
    _Server(socket.socket(fileno=int(sys.argv[1]))).serve()
