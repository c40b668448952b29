"""Provider `smtp`: submits messages to a mail server (RFC 6409), one recipient per transaction.

Guarantees
    A message is reported accepted only on the server's 2xx to its own final dot. The phase is tracked here:
    whatever fails before the dot is sent, nothing was accepted; whatever fails after it is `Uncertain`.
    The caller's iterator is pulled in the caller's thread only, and never more than `connections` ahead.
    No byte of a message can end it early: line ends become CRLF and leading dots are doubled (RFC 5321
    section 4.5.2), so a message never smuggles in a second one.

What goes wrong
    The server refuses us, or isn't there: `ProviderError`, raised after the outcomes of all messages in
    flight have been yielded. A message pulled and not yielded was not handed over, with one exception:
    when the caller itself stops early (closes the generator, Ctrl-C) sessions are broken off at once, and up to
    `connections` messages may be in doubt; the ledger has them as submitting.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from queue import SimpleQueue
from threading import Thread
from typing import Literal

from newsletter.config import Security, SmtpSettings
from newsletter.errors import ProviderError
from newsletter.mail import About, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers.replies import Phase, outcome
from newsletter.providers.session import Dropped, Session

_log = logging.getLogger(__name__)

FINAL_TIMEOUT = timedelta(minutes=10)  # RFC 5321 section 4.5.3.2.6; less would double what a slow filter takes
_FRESH = 2  # fresh connections tried for a message that keeps being dropped before its final dot
_EARLY_TIMEOUT = 1.0  # seconds; a reason that came before the connection broke is already here
_STOP_TIMEOUT = 2.0  # seconds for the threads to notice; one that is still connecting ends by itself


class Smtp:
    """A mail server; see the module's page. *helo* is the name we greet with, empty: our address."""

    name = "smtp"
    window = 50

    def __init__(self, settings: SmtpSettings, *, helo: str = "", final_timeout: timedelta = FINAL_TIMEOUT) -> None:
        self._settings, self._helo = settings, helo
        self._final_seconds = final_timeout.total_seconds()

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """Yield each message with its outcome as the server answers. Raises `ProviderError` about us."""
        context = self._tls()
        crew = _Crew(
            lambda: Session(self._settings, context, helo=self._helo),
            self._final_seconds,
            min(self._settings.connections, self.window),
        )
        try:
            yield from crew.outcomes(iter(messages))
        finally:
            crew.end()

    def _tls(self) -> ssl.SSLContext | None:
        """Certificate and host name are checked; reading the system's authorities costs about 20 ms."""
        if self._settings.security is Security.NONE:
            return None
        context = ssl.create_default_context()
        if self._settings.ca_file is not None:
            try:
                context.load_verify_locations(self._settings.ca_file)
            except OSError as error:  # ssl.SSLError is one
                raise ProviderError(
                    f"ca_file {self._settings.ca_file} can't be read as a certificate ({error.strerror}); "
                    "give the path of a PEM file, or remove ca_file from [provider.smtp]"
                ) from error
        return context


class _Crew:
    """The threads of one `submit`, a session each, and the two queues between them and the caller."""

    def __init__(self, new_session: Callable[[], Session], final_seconds: float, connections: int) -> None:
        self._new_session, self._final_seconds = new_session, final_seconds
        self._limit = max(1, connections)
        self._jobs: SimpleQueue[Message | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Message, Outcome | Exception]] = SimpleQueue()
        self._threads: list[Thread] = []
        self._sessions: list[Session] = []
        self._live = 0  # threads that take jobs
        self._in_flight = 0
        self._ending = False

    def outcomes(self, messages: Iterator[Message]) -> Iterator[tuple[Message, Outcome]]:
        """The caller's side. After a failure nothing more is pulled; what is in flight is still reported."""
        pulling, failure = True, None
        room = 1  # until the first outcome: a wrong password shall cost one login, not one per connection
        while True:
            while pulling and self._in_flight < room:
                try:
                    message = next(messages, None)
                except Exception as error:  # the caller's own: first tell it what became of the others
                    message, failure = None, error
                if message is None:
                    pulling = False
                else:
                    self._give(message)
            if not self._in_flight:
                break
            message, result = self._results.get()
            self._in_flight -= 1
            if not isinstance(result, Exception):
                room = self._limit
                yield message, result
                continue
            self._live -= 1
            if failure is None and self._live and isinstance(result, ProviderError) and result.retry_after:
                # Mail hosts allow two or three connections at a time: go on with those that stand.
                room = self._limit = self._live
                _log.info("going on with %d connection(s): %s", self._live, result)
                self._in_flight += 1
                self._jobs.put(message)
            else:
                pulling, failure = False, failure or result
        if failure is not None:
            raise failure

    def end(self) -> None:
        """Say goodbye, or break off when the caller stopped with messages in flight."""
        self._ending = True
        for _ in self._threads:
            self._jobs.put(None)
        if self._in_flight:
            for session in self._sessions:
                session.abort()
        for thread in self._threads:
            thread.join(_STOP_TIMEOUT if self._in_flight else None)

    def _give(self, message: Message) -> None:
        if self._in_flight >= self._live:
            session = self._new_session()
            # A daemon, so that a server that swallows our SYN can't keep the program from ending.
            thread = Thread(target=self._serve, args=(session,), name="smtp", daemon=True)
            self._sessions.append(session)
            self._threads.append(thread)
            self._live += 1
            thread.start()
        self._in_flight += 1
        self._jobs.put(message)

    def _serve(self, session: Session) -> None:
        """A thread with its *session*, until there is nothing more to do or the server refuses us."""
        try:
            while (message := self._jobs.get()) is not None and not self._ending:
                try:
                    self._results.put((message, self._hand_over(session, message)))
                except Exception as error:  # told to the caller, who would wait for ever otherwise
                    self._results.put((message, error))
                    return
        finally:
            session.leave()

    def _hand_over(self, session: Session, message: Message) -> Outcome:
        """One message to its outcome. Raises `ProviderError`: then it was not handed over."""
        drops = 0
        while True:
            try:
                if not session.quiet():  # not open yet, or closed by the server while idle
                    session.close()
                    session.open()
                return transact(session, message, self._final_seconds)
            except Dropped as drop:
                session.close()
                drops += 1
                if drops > _FRESH or self._ending:
                    raise session.dropped(drop) from drop


def transact(session: Session, message: Message, final_seconds: float) -> Outcome:
    """One mail transaction (RFC 5321 section 3.3) on an open *session*.

    Raises `Dropped` while nothing can have been accepted, `ProviderError` when MAIL is refused.
    """
    data = canonical(message.data)
    if fault := _fault(session, data):
        return fault
    sender, recipient = message.envelope.sender, message.envelope.recipient
    eight_bit = "" if data.isascii() else " BODY=8BITMIME"
    reply = session.command(f"MAIL FROM:<{sender}>{eight_bit}")
    if reply.code == 421:  # so many messages a session, or a farewell that crossed ours: a fresh one will do
        raise Dropped(f"it said {reply}")
    if reply.code >= 300:
        raise session.refused(Phase.MAIL, reply, sender=sender.domain)
    reply = session.command(f"RCPT TO:<{recipient}>")
    if reply.code >= 300:
        return _refused(session, Phase.RCPT, reply)
    reply = session.command("DATA")
    if reply.code != 354:
        return _refused(session, Phase.DATA, reply)
    return _body(session, stuffed(data), final_seconds)


def _body(session: Session, body: bytes, final_seconds: float) -> Outcome:
    """The bytes, the dot and the answer to it. Two writes, so that a failing first one leaves no doubt."""
    try:
        session.put(body)
    except Dropped as drop:
        return _early(session, drop)
    try:
        session.put(b".\r\n")
        reply = session.reply(final_seconds)
    except Dropped as drop:
        session.close()
        return Uncertain(f"handed over, then no answer: {drop}")
    if reply.code == 421:
        session.close()
    if 300 <= reply.code < 400:
        session.close()
        return Uncertain(f"handed over, then an answer that makes no sense here: {reply}")
    return outcome(Phase.DOT, reply)


def _early(session: Session, drop: Dropped) -> Outcome:
    """The server closed while the body was on its way; it may have said why. Raises `Dropped` when it didn't."""
    try:
        reply = session.reply(_EARLY_TIMEOUT)
    except Dropped:
        raise drop from None
    session.close()
    if reply.code < 400:  # without the dot nothing was accepted, whatever it says
        raise drop
    return outcome(Phase.DOT, reply)


def _refused(session: Session, phase: Literal[Phase.RCPT, Phase.DATA], reply: Reply) -> Outcome:
    """RCPT or DATA was refused: the outcome, and the session made ready for the next message."""
    if reply.code < 400:
        raise Dropped(f"it answered {phase} with {reply}, which makes no sense here")
    try:
        if reply.code == 421 or session.command("RSET").code >= 300:
            session.close()
    except Dropped:
        session.close()
    return outcome(phase, reply)


def _fault(session: Session, data: bytes) -> Rejected | None:
    """Why this server can't take *data* at all, from what it announced in EHLO."""
    if b"\0" in data:
        return _unfit("5.6.0", "the message has a NUL byte, which mail must not have (RFC 5322 section 2.2)")
    if not data.isascii() and not session.has_extn("8bitmime"):
        return _unfit("5.6.3", "the message has 8-bit bytes and the server takes 7-bit only (no 8BITMIME, RFC 6152)")
    size = session.esmtp_features.get("size", "")
    if size.isdigit() and 0 < int(size) < len(data):  # 0: no fixed limit (RFC 1870 section 4)
        return _unfit("5.3.4", f"the message has {len(data):,} bytes and the server takes {int(size):,} at most (SIZE)")
    return None


def _unfit(status: str, words: str) -> Rejected:
    """Our own refusal: no code, since no server was asked."""
    return Rejected(Reply(0, status, f"{words}; it was not submitted"), About.MESSAGE)


def canonical(data: bytes) -> bytes:
    """*data* with CRLF as its only line end, and one at its end."""
    ends = data.count(b"\r\n")
    if data.count(b"\r") != ends or data.count(b"\n") != ends:
        data = _LINE_END.sub(b"\r\n", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def stuffed(data: bytes) -> bytes:
    """Canonical *data* with leading dots doubled (RFC 5321 section 4.5.2), without the final dot."""
    data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data


_LINE_END = re.compile(rb"\r\n|\r|\n")
