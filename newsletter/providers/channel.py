"""One session's transactions (RFC 5321 section 3.3), as far ahead of the answers as the server allows.

    step by step    without PIPELINING: each command waits for the answer to the one before
    pipelined       RFC 2920: a body, its final dot and the next message's MAIL, RCPT and DATA leave in one go. DATA
                    waits for its 354, so one body is unanswered at a time, and a message costs one round trip
    chunked         RFC 3030, with CHUNKING as well: MAIL, RCPT and BDAT LAST of many messages leave without waiting,
                    so that distance doesn't matter; as many are in doubt when the line goes dead

Guarantees
    Each reply is tied to its message and phase by the order in which commands were said. A message is handed over
    when the kernel has taken its last octet (of the final dot, or of its BDAT chunk): what fails before that was not
    accepted, what stays without an answer after it is `Uncertain`.

What goes wrong
    A reply that makes no sense where it comes, silence, or a broken line end the session: see `Result`.
"""

from __future__ import annotations

import ssl
from collections import deque
from dataclasses import dataclass, field
from math import inf
from selectors import EVENT_READ
from time import monotonic
from typing import Final

from newsletter.errors import ProviderError
from newsletter.mail import About, Message, Outcome, Rejected, Reply, Uncertain
from newsletter.providers.session import Session, why
from newsletter.providers.wire import FINAL_DOT, Dropped, canonical, clean, spoken, stuffed
from newsletter.replies import Phase, outcome, parse

#: What came of a job here: an outcome; the server's refusal of us; or the session broke before handing it over.
Result = Outcome | ProviderError | Dropped

_CHUNK = 65_536  # octets read at once
# An Enum looks up a member anew each time it is named, in 65 ns.
RSET: Final = Phase.RSET
MAIL: Final = Phase.MAIL
RCPT: Final = Phase.RCPT
DATA: Final = Phase.DATA
DOT: Final = Phase.DOT


@dataclass(slots=True, eq=False)
class Job:
    """A message on its way."""

    message: Message
    drops: int = 0  #: sessions that broke while it was in hand
    seen: int = 0  #: messages accepted before the first of them
    commands: list[tuple[Phase, bytes]] = field(default_factory=list)  #: still to be said
    body: tuple[bytes, ...] = ()  #: what DATA or BDAT is followed by
    end: int = 0  #: where its last octet stands among all that the session writes; 0: not written
    refusal: Outcome | ProviderError | Dropped | None = None  #: before the body


@dataclass(slots=True)
class Manners:
    """What a server takes: as set, and as it taught us in this run."""

    per_session: int  #: messages
    ahead: int  #: bodies without an answer on one session; 1: no chunks
    timeout: float  #: seconds for a reply
    final_timeout: float  #: seconds for the reply to a body


class Channel:
    """An open *session* that takes jobs from *ready* when the protocol allows, and puts each with its `Result`."""

    def __init__(
        self, session: Session, ready: deque[Job], results: list[tuple[Job, Result]], manners: Manners
    ) -> None:
        assert session.sock is not None
        session.sock.setblocking(False)
        self.session, self.sock = session, session.sock
        self.deadline = inf  #: of the next reply
        self.spent = False  #: begins nothing more
        self.watched = EVENT_READ  #: what its socket is watched for
        self._ready, self._results, self._manners = ready, results, manners
        self._pipelining = session.has_extn("pipelining")
        self._chunking = self._pipelining and session.has_extn("chunking") and manners.ahead > 1
        self._depth = 1  # chunks ahead; doubles with each answer, so that a server that can't do it shows early
        self._due: deque[tuple[Phase, Job]] = deque()  # what each coming reply answers
        self._begun = self._done = 0  # messages
        self._awaiting: Job | None = None  # said DATA, wants its 354
        self._dirty = False  # a transaction was refused halfway: RSET comes first
        self._farewell = False  # 421 was the last that was heard
        self._out: list[bytes] = []
        self._rest = memoryview(b"")  # of what was to be written
        self._queued = self._sent = 0  # octets
        self._broken: Dropped | None = None  # while writing

    @property
    def capacity(self) -> int:
        """How many messages keep it busy: in doubt, announced, and at hand."""
        if self.spent:
            return self._begun - self._done
        return min(self._depth, self._manners.ahead) if self._chunking else 3 if self._pipelining else 1

    @property
    def closed(self) -> bool:
        """It is over."""
        return self.session.sock is None

    @property
    def exhausted(self) -> bool:
        """It takes no more, and all that it took is answered: time for QUIT."""
        return self.spent and not self._due

    @property
    def writing(self) -> bool:
        """It waits for room in the kernel."""
        return bool(self._rest)

    # -- saying --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin what can be begun now."""
        while self._ready and self._free():
            if self._begun >= self._manners.per_session:
                self.spent = True
            elif not self._due and not self.session.quiet():  # closed while idle is nobody's failed try
                self.session.close()
                self.spent = True
                return
            else:
                self._begin(self._ready.popleft())
        self._flush()

    def _free(self) -> bool:
        if self.spent:
            return False
        if self._chunking:
            return self._begun - self._done < self.capacity
        return self._awaiting is None if self._pipelining else not self._due

    def _begin(self, job: Job) -> None:
        good = clean(job.message)
        data = job.message.data if good else canonical(job.message.data)
        if fault := self._fault(data, good):
            self._results.append((job, fault))
            return
        job.end, job.refusal = 0, None
        # When chunked nobody knows yet how the transaction before it will end.
        reset = self._dirty or (self._chunking and self._begun > 0)
        sender, recipient = job.message.envelope.sender, job.message.envelope.recipient
        # Addresses are ASCII and so are our header fields: SMTPUTF8 (RFC 6531) is never needed.
        eight_bit = "" if good or data.isascii() else " BODY=8BITMIME"
        mail, rcpt = spoken(f"MAIL FROM:<{sender}>{eight_bit}"), spoken(f"RCPT TO:<{recipient}>")
        if self._chunking:
            job.commands = [(MAIL, mail), (RCPT, rcpt), (DOT, b"BDAT %d LAST\r\n" % len(data))]
            job.body = (data,)
        else:
            job.commands = [(MAIL, mail), (RCPT, rcpt), (DATA, b"DATA\r\n")]
            job.body = (data if good else stuffed(data), FINAL_DOT)
            self._awaiting = job
        if reset:
            job.commands.insert(0, (RSET, b"RSET\r\n"))
        self._begun += 1
        self._dirty = False
        self._say(job)

    def _say(self, job: Job) -> None:
        """Its next command; all of them when pipelining."""
        now = len(job.commands) if self._pipelining else 1
        for phase, line in job.commands[:now]:
            self._out.append(line)
            self._queued += len(line)
            self._due.append((phase, job))
        del job.commands[:now]
        if self._chunking:
            self._write(*job.body)
            job.end = self._queued

    def _give_body(self, job: Job) -> None:
        """354 has come. When nobody is there to take the body, the dot alone (RFC 2920 section 3.1)."""
        if isinstance(job.refusal, Exception):  # MAIL was refused, yet somebody is there
            self._end(Dropped("it refused the sender and then asked for the message"))
            return
        self._write(*((FINAL_DOT,) if job.refusal else job.body))
        job.end = self._queued
        self._due.append((DOT, job))

    def _write(self, *data: bytes) -> None:
        self._out += data
        self._queued += sum(map(len, data))

    def _flush(self) -> None:
        """Write what the kernel takes. If it takes nothing more, reading may still tell why."""
        if self._out:
            self._rest = memoryview(b"".join((self._rest, *self._out)))
            self._out.clear()
        if not self._rest or self._broken:
            return
        before = self._sent
        try:
            while self._rest:
                count = self.sock.send(self._rest)
                self._sent += count
                self._rest = self._rest[count:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self._broken, self.spent = Dropped(why(error)), True
        if self._sent > before or self.deadline == inf:
            self._wait()

    def _wait(self) -> None:
        """Something moved: the time of the next reply begins anew."""
        if not self._due:
            self.deadline = inf
        elif self._due[0][0] is DOT and not self._rest:
            self.deadline = monotonic() + self._manners.final_timeout
        else:
            self.deadline = monotonic() + self._manners.timeout

    # -- hearing -------------------------------------------------------------------------------------

    def turn(self) -> None:
        """The socket has something to read, or room to write: deal with what came, and go on."""
        try:
            self._receive()
        except Dropped as drop:
            self._end(drop)
            return
        heard = False
        try:
            while not self.closed and (found := self.session.replies.take()) is not None:
                self._farewell = False  # it goes on all the same: what it leaves unanswered may have been taken
                self._answered(*found)
                heard = True
        except Dropped as drop:
            self._farewell = False
            self._end(drop)
        if not self.closed:
            if heard:  # a whole reply: octet by octet it may not keep us for ever
                self._wait()
            self.start()

    def expire(self, now: float) -> None:
        """Give up when the server has been silent for too long."""
        if now >= self.deadline:
            final = self._due[0][0] is DOT
            seconds = self._manners.final_timeout if final else self._manners.timeout
            self._farewell = False  # it neither answers nor closes
            self._end(Dropped(f"it did not answer within {seconds:g} seconds"))

    def _receive(self) -> None:
        try:
            chunk = self.sock.recv(_CHUNK)
            while chunk and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
                self.session.replies.feed(chunk)
                chunk = self.sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if self._broken:
                raise self._broken from None
            return
        except OSError as error:
            raise Dropped(why(error)) from error
        if not chunk:
            raise self._broken or Dropped("it closed the connection")
        self.session.replies.feed(chunk)

    def _answered(self, code: int, lines: list[bytes]) -> None:
        """The reply to what was said first of all that is unanswered."""
        if not self._due:
            raise Dropped(f"it said {parse(code, lines)} unasked")
        phase, job = self._due[0]
        if code == 250 and (phase is MAIL or phase is RCPT) and job.refusal is None and not job.commands:
            self._due.popleft()  # yes to what more follows: four replies of five
            return
        if code < 400 and (code == 354) != (phase is DATA) and (code >= 300 or phase is DATA):
            raise Dropped(f"it answered {phase} with {parse(code, lines)}, which makes no sense here")
        self._due.popleft()
        if phase is DATA:
            self._awaiting = None
        if code == 421:
            self._said_farewell(phase, job, parse(code, lines))
        elif phase is DOT:
            self._ended(job, parse(code, lines))
        elif code == 354:
            self._give_body(job)
        elif code >= 400 and job.refusal is None:
            self._refused(phase, job, parse(code, lines))
        more = bool(self._due) and self._due[0][1] is job
        if job.refusal is not None and not more:
            self._dirty = phase is not DOT
            self._settle(job, job.refusal)
        elif job.commands and not more:
            self._say(job)
        if self._farewell and not any(self._handed_over(other) for _, other in self._due):
            self._end(Dropped("it closed the connection"))

    def _refused(self, phase: Phase, job: Job, reply: Reply) -> None:
        """A 4xx or 5xx before the body."""
        if phase is RSET:
            self.spent = True  # a MAIL that is refused after this says nothing about us
        elif phase is MAIL and self.spent:
            job.drops += 1
            job.refusal = Dropped(f"it refused to start anew, then said {reply}")
        elif phase is MAIL:
            job.refusal = self.session.refused(phase, reply, sender=job.message.envelope.sender.domain)
            self.spent = True
        elif phase is RCPT or phase is DATA:
            job.refusal = outcome(phase, reply)
        if job.refusal is not None:
            job.commands.clear()

    def _ended(self, job: Job, reply: Reply) -> None:
        """The reply to a body, or to the dot alone."""
        if job.refusal is not None:
            if self._chunking and reply.code < 300:
                job.refusal = Uncertain(f"its envelope was refused and its body was accepted: {reply}")
            return
        if self._sent >= job.end:
            self._settle(job, outcome(DOT, reply))
        elif reply.code >= 400:  # the reason why it reads no further; what follows would be half a message
            self._settle(job, outcome(DOT, reply))
            self._end(Dropped("it stopped reading"))
        else:  # without its end nothing was accepted, whatever it says
            self._due.appendleft((DOT, job))
            raise Dropped(f"it said {reply} in the middle of a message")

    def _said_farewell(self, phase: Phase, job: Job, reply: Reply) -> None:
        """421: it closes (RFC 5321 section 3.8). What it still answers counts; the rest it did not take."""
        if self._done:
            self._manners.per_session = min(self._manners.per_session, self._done)
        self.spent = self._farewell = True
        job.commands.clear()
        if job.refusal is None:
            if phase is RCPT or phase is DATA or phase is DOT:
                job.refusal = outcome(phase, reply)
            else:
                job.drops += 1
                job.refusal = Dropped(f"it said {reply}")

    def _settle(self, job: Job, result: Result) -> None:
        self._done += 1
        self._depth = min(2 * self._depth, self._manners.ahead)
        self._results.append((job, result))

    def _handed_over(self, job: Job) -> bool:
        return job.refusal is None and 0 < job.end <= self._sent

    def _end(self, drop: Dropped) -> None:
        """The session is over: what becomes of those under way."""
        jobs = list(dict.fromkeys(job for _, job in self._due))
        for job in jobs:
            result: Result = drop
            if job.refusal is not None:
                result = job.refusal
            elif self._handed_over(job) and not self._farewell:
                result = Uncertain(f"handed over, then no answer: {drop}")
                self._manners.ahead = 1  # so many in doubt are not risked twice
            elif job is jobs[0]:  # the others only stood behind it
                job.drops += 1
            self._results.append((job, result))
        self._due.clear()
        self.spent = True
        self.deadline = inf
        self.session.close()

    def _fault(self, data: bytes, good: bool) -> Rejected | None:
        """Why this server can't take *data* (*good*: found clean) at all, from what it announced in EHLO."""
        if not good and b"\0" in data:
            return _unfit("5.6.0", "the message has a NUL byte, which mail must not have (RFC 5322 section 2.2)")
        if not good and not data.isascii() and not self.session.has_extn("8bitmime"):
            return _unfit(
                "5.6.3", "the message has 8-bit bytes and the server takes 7-bit only (no 8BITMIME, RFC 6152)"
            )
        size = self.session.esmtp_features.get("size", "")
        if size.isdigit() and 0 < int(size) < len(data):  # 0: no fixed limit (RFC 1870 section 4)
            return _unfit(
                "5.3.4", f"the message has {len(data):,} bytes and the server takes {int(size):,} at most (SIZE)"
            )
        return None


def _unfit(status: str, words: str) -> Rejected:
    """Our own refusal: no code, since no server was asked."""
    return Rejected(Reply(0, status, f"{words}; it was not submitted"), About.MESSAGE)
