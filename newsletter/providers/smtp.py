"""Provider `smtp`: submits messages to a mail server (RFC 6409), one recipient per transaction.

One loop over a few sessions: `channel` says what each may say next, `session` opens and closes it, `wire` and
`replies` know the bytes and their meaning. Only opening a session waits (for names, banners, certificates), so
that alone has threads.

Guarantees
    A message is reported accepted only on the server's 2xx to its own end. Whatever fails before its last octet has
    left, was not accepted; whatever fails after it is `Uncertain`.
    The caller's iterator is pulled in the caller's thread, and never more than `window` messages are pulled and
    without an outcome.

What goes wrong
    The server refuses us, or isn't there: `ProviderError`, raised after the outcomes of all messages in
    flight have been yielded. So too when it breaks off at one message again and again: that one is set aside, and if
    another passes it's the message's fault (`Deferred`, poison), else the server's. In a window of one it can't wait
    aside: it's deferred at once, and it is the server when the next fares the same.
    A message pulled and not yielded was not handed over, with one exception:
    when the caller itself stops early (closes the generator, Ctrl-C) sessions are broken off at once, and up to
    `window` messages may be in doubt; the ledger has them as submitting.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from math import inf
from queue import SimpleQueue
from threading import Thread
from time import monotonic

from newsletter.config import SmtpSettings
from newsletter.errors import ProviderError
from newsletter.mail import Accepted, Deferred, Message, Outcome, Reply, Uncertain
from newsletter.providers.channel import Channel, Job, Manners, Result
from newsletter.providers.postfix import MailLog
from newsletter.providers.session import Session, tls_context, why
from newsletter.providers.wire import Dropped

_log = logging.getLogger(__name__)

FINAL_TIMEOUT = timedelta(minutes=10)  # RFC 5321 section 4.5.3.2.6; less would double what a slow filter takes
_FRESH = 2  # fresh connections tried for a message that keeps being dropped before it was handed over
_BAD_CONNECTION = "4.4.2"  # RFC 3463 section 3.5
_STOP_TIMEOUT = 2.0  # seconds for the threads to notice; one that is still connecting ends by itself


class Smtp:
    """A mail server; see the module's page. *helo* is the name we greet with, empty: our address."""

    name = "smtp"

    def __init__(self, settings: SmtpSettings, *, helo: str = "", final_timeout: timedelta = FINAL_TIMEOUT) -> None:
        self.window = settings.window
        self._settings, self._helo = settings, helo
        self._final_seconds = final_timeout.total_seconds()
        self._log = MailLog(settings.postfix_log) if settings.postfix_log else None

    def submit(self, messages: Iterable[Message]) -> Iterator[tuple[Message, Outcome]]:
        """Yield each message with its outcome as the server answers. Raises `ProviderError` about us."""
        settings, context = self._settings, tls_context(self._settings)
        connections = min(settings.connections, self.window)
        manners = Manners(
            per_session=settings.messages_per_connection,
            ahead=-(-self.window // connections),
            timeout=settings.timeout.total_seconds(),
            final_timeout=self._final_seconds,
        )
        fleet = _Fleet(lambda: Session(settings, context, helo=self._helo), manners, connections, self.window)
        try:
            yield from fleet.outcomes(iter(messages))
        finally:
            fleet.end()

    def lookup(self, message_id: str, *, since: datetime) -> Accepted | Uncertain | None:
        """What the log of a Postfix on this machine says of a message whose attempt began at *since*."""
        if self._log is None:
            return Uncertain("there is no postfix_log in [provider.smtp]")
        try:
            self._log.read(since=since)
            if not self._log.mentions(message_id) and not self._log.covers(since) and self._knock():
                self._log.await_line(since=since)
        except OSError as error:
            return Uncertain(f"the log of Postfix can't be read: {why(error)}")
        if found := self._log.queue_id(message_id):
            return Accepted(found)
        if self._log.mentions(message_id):
            return Uncertain("Postfix began to read it, and its log does not say that it has it")
        return None if self._log.covers(since) else Uncertain("the log of Postfix does not cover the attempt")

    def _knock(self) -> bool:
        """Call on the server, which it logs: a log of which nothing is new may have stopped, or nothing happened."""
        session = Session(self._settings, tls_context(self._settings), helo=self._helo)
        try:
            session.open()
        except ProviderError:
            return False
        session.part()
        session.leave()
        return True


class _Fleet:
    """The sessions of one `submit`, and the jobs between them and the caller."""

    def __init__(self, new_session: Callable[[], Session], manners: Manners, connections: int, window: int) -> None:
        self._new_session, self._manners = new_session, manners
        self._limit, self._window = connections, window
        self._ready: deque[Job] = deque()  # pulled, on no channel
        self._results: list[tuple[Job, Result]] = []
        self._in_flight = 0  # pulled, not yielded
        self._answered = False  # once
        self._accepted = 0
        self._suspect: tuple[Job, Dropped] | None = None  # the server broke off at it, again and again
        self._let_off = False  # in a window of one: the last that it broke off at was told of, and none passed since
        self._failure: Exception | None = None  # raised in the end
        self._refused = False  # by the server: nothing more is begun
        self._channels: list[Channel] = []
        self._opening: list[Session] = []
        self._opened: SimpleQueue[tuple[Session, Exception | None]] = SimpleQueue()
        self._threads: list[Thread] = []
        self._selector = selectors.DefaultSelector()
        self._door, self._bell = socket.socketpair()  # rung when a session has opened, or has not
        self._selector.register(self._door, selectors.EVENT_READ)

    def outcomes(self, messages: Iterator[Message]) -> Iterator[tuple[Message, Outcome]]:
        """The loop. After a failure nothing more is pulled; what is in flight is still reported."""
        while True:
            self._pull(messages)
            if not self._in_flight:
                break
            self._deal()
            if not self._results and self._in_flight:
                self._turn()
            results, back = self._results[:], list[Job]()
            self._results.clear()
            for job, result in results:
                if isinstance(result, Exception):
                    back += self._lost(job, result)
                else:
                    self._answered = True
                    self._in_flight -= 1
                    yield job.message, result
                    if isinstance(result, Accepted):
                        self._accepted, self._let_off = self._accepted + 1, False
                        if self._suspect:
                            suspect, self._suspect = self._suspect, None
                            yield suspect[0].message, _broken_off(suspect[1], poison=True)
            if self._refused:
                self._in_flight -= len(back)
            else:
                self._ready.extendleft(reversed(back))
        if self._suspect and self._failure is None:
            raise self._new_session().dropped(self._suspect[1])
        if self._failure is not None:
            raise self._failure

    def _pull(self, messages: Iterator[Message]) -> None:
        room = self._room()
        while self._failure is None and self._in_flight < room:
            try:
                message = next(messages, None)
            except Exception as error:  # the caller's own: first tell it what becomes of the others
                self._failure = error
                return
            if message is None:
                return
            self._ready.append(Job(message))
            self._in_flight += 1

    def _room(self) -> int:
        """How many messages may be in flight: what the sessions can use, within the window."""
        if not self._answered:
            return 1  # a wrong password shall cost one login, not one per connection
        more = self._limit - sum(not channel.spent for channel in self._channels)
        window = self._window - bool(self._suspect)
        return min(window, sum(channel.capacity for channel in self._channels) + more)

    def _deal(self) -> None:
        """Let the channels take what is ready; close what has done its part, open more while some is left over."""
        if self._ready:
            for channel in self._channels:
                channel.start()
        for channel in [c for c in self._channels if c.exhausted]:
            self._channels.remove(channel)
            self._selector.unregister(channel.sock)
            if not channel.closed:
                channel.session.part()
                self._aside(channel.session.leave)
        self._admit()
        while (
            not self._refused  # after an error of the caller's own too: what it gave us is still to be told of
            and len(self._ready) > len(self._opening)
            and len(self._channels) + len(self._opening) < self._limit
        ):
            session = self._new_session()
            self._opening.append(session)
            self._aside(partial(self._open, session))
        for channel in self._channels:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.writing else 0)
            if events != channel.watched:
                self._selector.modify(channel.sock, events, channel)
                channel.watched = events

    def _turn(self) -> None:
        """Wait for a socket, and let its channel go on."""
        deadline = min((channel.deadline for channel in self._channels), default=inf)
        for key, _ in self._selector.select(None if deadline == inf else max(deadline - monotonic(), 0)):
            if key.data is None:
                self._door.recv(100)
            else:
                key.data.turn()
        if (now := monotonic()) >= deadline:
            for channel in self._channels:
                channel.expire(now)

    # -- sessions ------------------------------------------------------------------------------------

    def _aside(self, work: Callable[[], None]) -> None:
        """Do what may wait in a thread; a daemon, so that a swallowed SYN can't keep the program from ending."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = Thread(target=work, name="smtp", daemon=True)
        thread.start()
        self._threads.append(thread)  # once it can be joined: a second Ctrl-C may come in between

    def _open(self, session: Session) -> None:
        try:
            session.open()
            self._opened.put((session, None))
        except Exception as error:  # told to the loop, which would wait for ever otherwise
            self._opened.put((session, error))
        with contextlib.suppress(OSError):  # the loop has ended
            self._bell.send(b"!")

    def _admit(self) -> None:
        """Take in sessions that have opened; bear with those that have not while others stand."""
        while not self._opened.empty():  # nobody else takes from it
            session, error = self._opened.get()
            self._opening.remove(session)
            if error is not None:
                self._bear(error)
                continue
            channel = Channel(session, self._ready, self._results, self._manners)
            self._channels.append(channel)
            self._selector.register(channel.sock, channel.watched, channel)
            channel.start()

    def _lost(self, job: Job, error: Exception) -> list[Job]:
        """A job was not handed over: it goes back, if it is to be tried again."""
        if isinstance(error, Dropped):
            if job.drops == 1:
                job.seen = self._accepted
            if job.drops <= _FRESH:
                return [job]
            if self._accepted > job.seen:  # others passed meanwhile
                self._results.append((job, _broken_off(error, poison=True)))
                return []
            if self._window == 1 and not self._let_off and not self._refused:
                # None may stand beside it, so it makes room; those that passed before speak for the server.
                self._let_off = True
                self._results.append((job, _broken_off(error, poison=self._accepted > 0)))
                return []
            if self._window > 1 and not self._suspect and not self._refused:
                self._suspect = job, error
                self._in_flight -= 1
                return []
            error = self._new_session().dropped(error)
        if self._bear(error):
            return [job]
        self._in_flight -= 1
        return []

    def _bear(self, error: Exception) -> bool:
        """The server refused us on one session: whether others stand to go on with."""
        standing = len(self._opening) + sum(not channel.spent for channel in self._channels)
        if not self._refused and standing and isinstance(error, ProviderError) and error.retry_after:
            # Mail hosts allow two or three connections at a time.
            self._limit = standing
            _log.info("going on with %d connection(s): %s", standing, error)
            return True
        self._failure, self._refused = self._failure or error, True
        self._in_flight -= len(self._ready)
        self._ready.clear()
        return False

    def end(self) -> None:
        """Say goodbye, or break off when the caller stopped with messages in flight."""
        for session in self._opening:
            session.abort()
        sessions = [channel.session for channel in self._channels]
        for session in sessions:
            session.close() if self._in_flight else session.part()
        for session in sessions:
            session.leave()
        for thread in self._threads:
            thread.join(_STOP_TIMEOUT)
        while not self._opened.empty():
            self._opened.get()[0].close()
        self._selector.close()
        self._door.close()
        self._bell.close()


def _broken_off(drop: Dropped, *, poison: bool) -> Deferred:
    """The server breaks off at a message; *poison*: others pass, so it's the message."""
    words = f"the mail server breaks off at this message: {drop}"
    return Deferred(Reply(0, _BAD_CONNECTION, words), poison=poison)
