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

from newsletter.config import Security, SmtpSettings
from newsletter.errors import ProviderError
from newsletter.mail import About, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers.replies import Phase, outcome
from newsletter.providers.session import Dropped, Session

_log = logging.getLogger(__name__)

FINAL_TIMEOUT = timedelta(minutes=10)  # RFC 5321 section 4.5.3.2.6; less would double what a slow filter takes
_FRESH = 2  # fresh connections tried for a message that keeps being dropped before its final dot
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
        self._sessions: set[Session] = set()
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
                self._give(message)
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
            for session in tuple(self._sessions):
                session.abort()
        for thread in self._threads:
            thread.join(_STOP_TIMEOUT if self._in_flight else None)

    def _give(self, message: Message) -> None:
        if self._in_flight >= self._live:
            # A daemon, so that a server that swallows our SYN can't keep the program from ending.
            thread = Thread(target=self._serve, name="smtp", daemon=True)
            self._threads.append(thread)
            self._live += 1
            thread.start()
        self._in_flight += 1
        self._jobs.put(message)

    def _serve(self) -> None:
        """A thread: one session, opened at the first message and again when it's dropped."""
        session = self._new_session()
        try:
            while (message := self._jobs.get()) is not None and not self._ending:
                try:
                    session, result = self._hand_over(session, message)
                except Exception as error:  # told to the caller, who would wait for ever otherwise
                    self._results.put((message, error))
                    return
                self._results.put((message, result))
        finally:
            session.leave()
            self._sessions.discard(session)

    def _hand_over(self, session: Session, message: Message) -> tuple[Session, Outcome]:
        """One message to its outcome, over *session* or fresh ones. Raises `ProviderError`: not handed over."""
        if b"\0" in message.data:
            return session, _unfit("5.6.0", "the message has a NUL byte, which no mail may have (RFC 5322); not sent")
        fresh = 0
        while True:
            try:
                if not session.quiet():
                    session = self._replace(session)
                    fresh += 1
                return session, transact(session, message, self._final_seconds)
            except ConnectionError if False else Dropped as drop:
                session.close()
                if fresh >= _FRESH or self._ending:
                    raise session.dropped(drop) from drop

    def _replace(self, session: Session) -> Session:
        session.close()
        self._sessions.discard(session)
        session = self._new_session()
        self._sessions.add(session)
        if self._ending:
            raise Dropped("stopped")
        session.open()
        return session
