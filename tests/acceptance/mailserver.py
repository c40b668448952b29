"""A mail server on loopback that remembers what it took, and can be told to wait, refuse or hang up.

It speaks SMTP by aiosmtpd, in a thread. What it says `250` to after the final dot is in `taken`, with the
instant that the test says it is: that is the record which the ledger is held against.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HANG_UP = "hang up"  #: an answer for `at_dot`: none, the connection ends (RFC 1047)


@dataclass(frozen=True)
class Letter:
    """One message, as the server took it."""

    address: str
    at: datetime
    subject: str
    message_id: str
    data: bytes = field(repr=False)


class MailServer:
    """See the module's page. Attributes may be changed while it runs."""

    def __init__(self) -> None:
        self.port = 0
        self.now = datetime.now(UTC)  #: what `Letter.at` will say
        self.taken: list[Letter] = []
        self.at_rcpt: dict[str, str] = {}  #: address → answer to RCPT
        self.at_dot: dict[str, str] = {}  #: address → answer after the final dot
        self.keeps_before_hanging_up = False  #: whether HANG_UP comes after the message was taken
        self.login: tuple[str, str] | None = None
        self.held = threading.Event()  #: a message waits for `let_go`
        self._free: int | None = None  # messages that still pass; None = all
        self._gate = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    # What tests do

    def hold(self, *, after: int = 0) -> None:
        """Take *after* messages more and leave the next ones without an answer until `let_go`."""
        self.held.clear()
        self._gate.clear()
        self._free = after

    def let_go(self) -> None:
        """Answer what waits, and everything from here on."""
        self._free = None
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def got(self) -> dict[str, list[str]]:
        """Each address with the subjects that it got, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        for letter in self.taken:
            found[letter.address].append(letter.subject)
        return dict(found)

    # What aiosmtpd calls

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        """RFC 4954."""
        assert isinstance(given, LoginPassword)
        return AuthResult(success=(given.login.decode(), given.password.decode()) == self.login, handled=False)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.at_rcpt.get(address, "250 2.1.5 Ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        (address,) = envelope.rcpt_tos  # one recipient a message, always
        await self._wait()
        answer = self.at_dot.get(address, "250 2.0.0 Ok: queued")
        if answer.startswith("2") or (answer == HANG_UP and self.keeps_before_hanging_up):
            self._take(address, envelope)
        if answer == HANG_UP:
            server.transport.abort()
        return answer

    async def _open(self) -> None:
        for _ in range(10):  # looks at the sockets: a client that is dead already is found so first
            await asyncio.sleep(0)
        self._gate.set()

    async def _wait(self) -> None:
        if self._free is None:
            return
        if self._free:
            self._free -= 1
            return
        self.held.set()
        await self._gate.wait()  # a client that is killed ends this wait, and nothing was taken

    def _take(self, address: str, envelope: Envelope) -> None:
        data = envelope.content
        assert isinstance(data, bytes)
        head = message_from_bytes(data, policy=policy.default)
        self.taken.append(Letter(address, self.now, str(head["Subject"]), str(head["Message-ID"])[1:-1], data))

    # Running

    @contextmanager
    def running(self, *, tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
        """Listen on a port that the system chooses; with *tls*, STARTTLS is offered."""
        loop = self._loop = asyncio.new_event_loop()

        def session() -> SMTP:
            return SMTP(
                self, hostname="mail.example.org", loop=loop, tls_context=tls, auth_require_tls=False,
                authenticator=self.authenticate,
            )  # fmt: skip

        server = loop.run_until_complete(loop.create_server(session, host="127.0.0.1", port=self.port))
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.run_until_complete(server.wait_closed())
            loop.close()
