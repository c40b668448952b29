"""A vendor on loopback: what each takes, wants and answers is in a class of its own; how it fails is here.

A fake keeps what it took (`took`) and every request (`asked`). `script` says what befalls the next requests, in order;
after it all goes well.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from newsletter.config import VendorSettings


@dataclass(frozen=True)
class Took:
    """A message, as the vendor understood it."""

    recipient: str
    subject: str
    text: str
    html: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""  #: what it was marked with
    ident: str = ""  #: what the vendor calls it
    data: bytes = b""  #: the whole message, where the vendor is given one


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    body: object = b""  #: bytes as they are, anything else as JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def octets(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


#: What befalls a request: it is given the fake's own answer (asking for it is taking the message) and gives another.
#: Raising `HangUp` ends the connection.
Fault = Callable[[Callable[[], Said]], Said]


def older(then: datetime | None, now: datetime | None, life: timedelta) -> bool:
    """Whether what a vendor was told *then* is forgotten; without a clock nothing is."""
    return then is not None and now is not None and now - then > life


class HangUp(Exception):
    """No answer, or no more of it: a reset."""


class Fake:
    """What all of them have."""

    name: ClassVar[str]
    raw: ClassVar[bool] = False  #: it is given whole messages
    batch: ClassVar[int] = 5  #: for tests
    settings: ClassVar[dict[str, object]] = {}

    def __init__(self) -> None:
        self.port = 0
        self.took: list[Took] = []
        self.asked: list[Asked] = []
        self.script: list[Fault | Said] = []
        self.latency = 0.0  # seconds
        self.now: datetime | None = None  #: by its clock; None: it forgets nothing
        self.killed: Callable[[], None] = lambda: None  #: what befalls the other side with half of an answer
        self.lock = threading.Lock()

    def answer(self, asked: Asked) -> Said:
        """What it says when nothing goes wrong; takes messages."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings_here(self, **changes: object) -> VendorSettings:
        """The settings with which a provider talks to it."""
        return VendorSettings(**{"base_url": self.url, "batch": self.batch, "threads": 2} | self.settings | changes)  # type: ignore[arg-type]

    def keep(self, took: Took) -> Took:
        """Take a message."""
        took = Took(**{**took.__dict__, "ident": took.ident or f"{self.name}-{len(self.took)}"})
        self.took.append(took)
        return took

    def respond(self, asked: Asked) -> Said:
        with self.lock:
            self.asked.append(asked)
            turn = self.script.pop(0) if self.script else None
        if self.latency:
            time.sleep(self.latency)

        def own() -> Said:
            with self.lock:
                return self.answer(asked)

        if turn is None:
            return own()
        return turn if isinstance(turn, Said) else turn(own)

    @contextmanager
    def running(self) -> Iterator[Fake]:
        server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name=f"fake {self.name}")
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of these tests break off."""


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                said = fake.respond(Asked(self.command, parts.path, query, headers, body))
            except HangUp:
                self._reset()
                return
            octets = said.octets
            self.send_response_only(said.status)  # no Date of its own: the machine's is another
            for name, value in said.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in said.headers:
                self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)
            self.wfile.flush()
            if int(said.headers.get("Content-Length", 0)) > len(octets):
                if "X-Then-Kill" in said.headers:
                    fake.killed()
                if "X-Then-Wait" in said.headers:
                    self.connection.settimeout(float(said.headers["X-Then-Wait"]))
                    with suppress(OSError):
                        self.connection.recv(1)
                self._reset()

        do_GET = do_POST  # noqa: N815

        def _reset(self) -> None:
            """End with RST, not with FIN: the other side learns nothing."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


# --- faults


def reset(own: Callable[[], Said]) -> Said:
    """Nothing is taken, and the connection breaks."""
    raise HangUp


def taken_then_reset(own: Callable[[], Said]) -> Said:
    """It is taken, and the connection breaks before a word of it comes back."""
    own()
    raise HangUp


def taken_then_500(own: Callable[[], Said]) -> Said:
    """It is taken, and then something breaks in there."""
    own()
    return Said(500, {"message": "Internal server error"})


def truncated(own: Callable[[], Said]) -> Said:
    """The answer ends in the middle, as if it were whole."""
    octets = own().octets
    return Said(200, octets[: len(octets) // 2])


def cut(own: Callable[[], Said]) -> Said:
    """The answer breaks off in the middle: a 200, and then a reset."""
    octets = own().octets
    return Said(200, octets[: len(octets) // 2], {"Content-Length": str(len(octets))})


def slow(own: Callable[[], Said]) -> Said:
    """Half of the answer comes, and the rest doesn't."""
    octets = own().octets
    return Said(200, octets[: len(octets) // 2], {"Content-Length": str(len(octets)), "X-Then-Wait": "20"})


REDIRECT = Said(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"})
TOO_FAST = Said(429, {"message": "Too many requests"}, {"Retry-After": "1"})
QUOTA = Said(429, {"message": "quota"}, {"Retry-After": "3600"})
BUSY = Said(503, {"message": "Service unavailable"}, {"Retry-After": "1"})
