"""A campaign: lives of a small newsletter whose runs die again and again, each life judged at its end.

A life has two slots. At each, run after run begins, and most die: at a named point, at a random moment, by signals.
Then the runs are left alone until nothing is under way, and the judge compares. All dice are thrown from the seed. What
the machine makes of two connections at once is its own, so a seed repeats the plan, not each microsecond.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from judge import Entry, Verdict, judge
from sink import Play, Record, Sink
from stage import FAILED, fork

if TYPE_CHECKING:
    from cutter import Cutter
    from postgres import Server

SLOT_DEATHS, IDLE_MAX, CALM_MAX = 10, 2, 60
DAY = timedelta(days=1)
STEPS = tuple(timedelta(minutes=m) for m in (1, 12, 35, 35, 65))  #: from one run to the next; a lease has twenty
PIPELINING = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")
OFFERS: tuple[tuple[str, ...], ...] = ((), PIPELINING, (*PIPELINING, "CHUNKING"))
WINDOWS = (1, 2, 5, 50)
NO_DEATH = "nowhere: the server gave no answer"


class Subject(Protocol):
    """Who is tortured: a sender with its books."""

    start: datetime
    numbers: range
    readers: list[str]

    def reset(self) -> None:
        """Back to the first morning."""

    def work(self, campaign: Campaign) -> Callable[[], object]:
        """What one run does, in a fork of this process."""

    def in_doubt(self, since: datetime) -> int:
        """Messages that the run of that instant left without an outcome."""

    def unfinished(self, number: int) -> bool:
        """Whether anything up to post *number* is still under way or to come."""

    def record(self, sink: Sink) -> Record:
        """What arrived."""

    def entries(self) -> list[Entry]:
        """The books."""

    def verify(self) -> list[str]:
        """What the books find wrong with themselves."""


@dataclass
class Row:
    """One way to die, and what it did."""

    deaths: int = 0
    in_doubt: int = 0  #: at most, after one death
    lost: int = 0  #: in lives in which something died so
    doubled: int = 0
    silent: int = 0  #: doubled, and nobody is told


@dataclass
class Tally:
    """What came of a story."""

    seed: int
    rows: dict[str, Row] = field(default_factory=lambda: defaultdict(Row))
    lives: int = 0
    runs: int = 0
    messages: int = 0
    lost: int = 0
    held: int = 0  #: never arrived, and named as doubtful
    problems: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)  #: more in doubt after one death than a window
    seconds: float = 0.0

    @property
    def deaths(self) -> int:
        return sum(row.deaths for row in self.rows.values())

    @property
    def doubled(self) -> int:
        return sum(row.doubled for row in self.rows.values())

    @property
    def silent(self) -> int:
        return sum(row.silent for row in self.rows.values())

    def add(self, verdict: Verdict, fates: dict[int, str]) -> None:
        """One life's end; *fates* says what befell each run."""
        self.lives += 1
        self.messages += verdict.messages
        self.lost += len(verdict.lost)
        self.held += verdict.held
        wrong = verdict.lost + verdict.false
        for words in set(fates.values()):
            self.rows[words].lost += len(verdict.lost)
        for ident, run, named in verdict.doubled:
            row = self.rows[fates.get(run, NO_DEATH)]
            row.doubled += 1
            row.silent += not named
            if not named:
                wrong.append(
                    f"{ident} arrived twice, first when it died {fates.get(run, NO_DEATH)}, and nobody is told"
                )
        self.problems += [f"life {self.lives}: {words}" for words in wrong]


@dataclass(frozen=True)
class Story:
    """What is done to whom."""

    words: str
    death: Callable[[Campaign], tuple[str, int]]  #: one run and its end: how it died, and how many processes did
    share: int  #: of the deaths of all stories
    subjects: tuple[Callable[[Path, Server | None, Cutter | None], Subject], ...] = ()  #: empty: a `Stage`
    needs: str = ""  #: "server" or "cutter": PostgreSQL, and a line to it that can be cut
    trouble: float = 0.04  #: the chance that the mail server misbehaves, at each step
    steps: Sequence[timedelta] = STEPS
    calm: timedelta = timedelta(minutes=35)  #: from run to run at the end
    check: Callable[[Campaign, Record, dict[int, datetime]], list[str]] = lambda campaign, record, times: []


class Campaign:
    """One story, told until enough runs have died."""

    def __init__(self, story: Story, subject: Subject, sink: Sink, tally: Tally) -> None:
        self.story, self.subject, self.sink, self.tally = story, subject, sink, tally
        self.dice = random.Random(f"{tally.seed} {story.words} {tally.runs}")
        self.typical = 0.03  #: seconds that a run takes which has something to do, learned
        self.tries = Counter[str]()  #: deaths of each kind that were tried
        self.window, self.offer, self.hold, self.at = 50, PIPELINING, False, subject.start
        self.times: dict[int, datetime] = {}  #: of each run

    def run(self, deaths: int, *, whole: bool) -> None:
        """Lives, one at least, until so many have died in all; if not *whole*, only until something is wrong."""
        begun = time.monotonic()
        self.life()
        while self.tally.deaths < deaths and (whole or not self.tally.problems):
            self.life()
        self.tally.seconds += time.monotonic() - begun

    def life(self) -> None:
        """One life, from its first morning to the judge."""
        self.subject.reset()
        self.sink.forget()
        self.window, self.offer = self.dice.choice(WINDOWS), self.dice.choice(OFFERS)
        self.hold = self.dice.random() < 0.2
        self.at, fates = self.subject.start, dict[int, str]()
        for number in self.subject.numbers:
            self.at = max(self.at, self.subject.start + (number - 1) * DAY)
            self.die(fates)
            self.finish(number)
        record = self.subject.record(self.sink)
        verdict = judge(self.subject.entries(), record, self.subject.readers, self.subject.numbers)
        verdict.false += self.subject.verify() + self.story.check(self, record, self.times)
        self.tally.add(verdict, fates)

    def die(self, fates: dict[int, str]) -> None:
        """Run after run at one slot, until enough have died or there's nothing left to die of."""
        died = idle = 0
        while died < SLOT_DEATHS and idle < IDLE_MAX:
            words, deaths = self.story.death(self)
            fates[self.tally.runs] = words
            if deaths:
                self.count(words, deaths)
            died, idle = died + deaths, 0 if deaths else idle + 1
            self.at += self.dice.choice(self.story.steps)

    def count(self, words: str, deaths: int) -> None:
        row, doubt = self.tally.rows[words], self.subject.in_doubt(self.at)
        row.deaths += deaths
        row.in_doubt = max(row.in_doubt, doubt)
        if doubt > self.window * deaths:
            self.tally.beyond.append(f"{words}: {doubt} in doubt with a window of {self.window}")

    def finish(self, number: int) -> None:
        """Runs that nobody disturbs, until nothing is under way."""
        for n in range(CALM_MAX):
            begun = time.monotonic()
            self.wait(self.begin(Play(extensions=self.offer)))
            if not n:  # those after it find little to do
                self.typical += 0.2 * (time.monotonic() - begun - self.typical)
            self.at += self.story.calm
            if not self.subject.unfinished(number):
                return
        self.tally.problems.append(f"life {self.tally.lives + 1}: still under way after {CALM_MAX} runs")

    # What stories are made of

    def flaky(self, fate: tuple[str, int] | None = None) -> Play:
        """A server that misbehaves now and then."""
        seed = self.dice.randrange(2**32)
        return Play(seed=seed, trouble=self.story.trouble, fate=fate, extensions=self.offer)

    def begin(self, play: Play, before: Callable[[], object] = lambda: None) -> int:
        """Start a run; *before* it, something is done in its process. Returns the pid."""
        self.sink.play(play)
        self.tally.runs += 1
        self.times[self.tally.runs] = self.at
        return self.another(before)

    def another(self, before: Callable[[], object] = lambda: None) -> int:
        """Start one more runner in the same run."""
        work = self.subject.work(self)
        pid = fork(lambda: (before(), work()))
        self.sink.client(pid)
        return pid

    def wait(self, pid: int) -> int:
        """Wait for its end; the exit status, or minus the signal that ended it."""
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == FAILED:
            self.tally.problems.append("a run failed with an error that no command would catch; see above")
        return status

    def moment(self) -> None:
        """Let a part of a run's time go by."""
        time.sleep(self.dice.uniform(0, 1.2) * self.typical)

    def killed(self, pid: int) -> int:
        """Wait for its end; 1 if it was `kill -9`."""
        return int(self.wait(pid) == -signal.SIGKILL)

    def kill(self, pid: int) -> int:
        """Kill it now; 1 if that was its end."""
        os.kill(pid, signal.SIGKILL)
        return self.killed(pid)
