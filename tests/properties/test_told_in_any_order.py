"""Whatever is told, in whatever order and however often: nothing goes backwards, and the accounts balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from world import ANA, BO, CY, DAY, DEAD, GREYLISTED, HOUR, LOST, NO_SUCH_USER, SPAM, World

from newsletter import feedback
from newsletter.errors import NewsletterError
from newsletter.events import Event, EventKind, Heard
from newsletter.mail import Address, Reply
from newsletter.store import Store
from newsletter.store.feedback import Effect, Taken
from newsletter.subscribers import Cause, Status, may

READERS = (ANA, BO, CY)
REPLIES = (
    (Reply(550, "5.1.1", "no such user"), True),
    (Reply(452, "4.2.2", "mailbox full"), False),
    (Reply(554, "5.7.1", "blocked for spam"), False),
    (Reply(0, "", ""), False),
)
_who = st.sampled_from(READERS)
_events = st.tuples(
    st.just("tell"), st.sampled_from(EventKind), _who, st.integers(0, 5), st.sampled_from(REPLIES),
    st.sampled_from(("delivery", "subscriber", "message_id", "recipient", "nobody")), st.integers(0, 20),
)  # fmt: skip
_steps = st.one_of(
    _events,
    _events,
    _events,
    st.tuples(st.just("tick"), st.integers(1, 6)),
    st.tuples(st.just("tick"), st.integers(1, 6)),
    st.tuples(st.just("answer"), _who, st.sampled_from((GREYLISTED, NO_SUCH_USER, DEAD, SPAM, LOST))),
    st.tuples(st.just("again"), st.integers(0, 30)),
    st.tuples(st.sampled_from(("leave", "confirm", "correct", "lift", "forbid", "erase", "resume_reader")), _who),
    st.tuples(st.sampled_from(("accept", "discard", "resume"))),
)


class Told:
    """A small newsletter, and what was told about it."""

    def __init__(self, world: World) -> None:
        self.world, self.store = world, world.store
        world.posts(1, 2, 3, 4, 5, 6)
        world.join(*READERS)
        self.now_at = {reader: reader for reader in READERS}  #: corrected addresses
        self.heard: list[tuple[Heard, datetime]] = []
        self.count = 0
        self.effects: Counter[Effect] = Counter()

    def act(self, step: Sequence[Any]) -> None:
        match step:
            case ("tick", days):
                self.world.tick(self.world.now.replace(hour=9, minute=30) + days * DAY)
                self.world.now += HOUR
            case ("answer", who, outcome):
                self.world.provider.answers[self.now_at[who]].append(outcome)
            case ("tell", kind, who, which, (reply, dead), way, days):
                self.tell(kind, who, which, reply, dead and kind is EventKind.BOUNCED, way, days)
            case ("again", n):
                if self.heard:
                    self.again(*self.heard[n % len(self.heard)])
            case (what, who):
                with suppress(NewsletterError):
                    self.owner(what, who, self.now_at[who])
            case (what,):
                self.decide(what)

    def tell(self, kind: EventKind, who: str, which: int, reply: Reply, dead: bool, way: str, days: int) -> None:
        self.count += 1
        event = Event(kind, "fake", f"e{self.count}", self.world.now - days * DAY, reply=reply, suppress=dead)
        with suppress(NewsletterError):
            records = [r for r in self.world.history(self.now_at[who]) if r.attempts]
            about = records[which % len(records)] if records else None
            names = {
                "delivery": {"delivery": about.id if about else 10_000},
                "subscriber": {"subscriber": self.world.reader(self.now_at[who]).token},
                "message_id": {"message_id": about.message_id if about else "x@y", "recipient": who},
                "recipient": {"recipient": self.now_at[who]},
                "nobody": {"provider_id": "stranger", "recipient": "stranger@example.org"},
            }
            event = replace(event, **names[way])
        heard = Heard([event], once=f"n{self.count}")
        taken = self.hear(heard)
        assert taken.known == 0 and sum(taken.effects.values()) == 1
        self.heard.append((heard, self.world.now))

    def again(self, heard: Heard, at: datetime) -> None:
        """Word for word; with the same events signed anew; with the same signature, as long as it holds, under others."""
        before, copies = self.everything(), [heard, replace(heard, once="")]
        if self.world.now - at < DAY:
            copies.append(replace(heard, events=[replace(heard.events[0], id="another")]))
        for copy in copies:
            taken = self.hear(copy)
            assert not taken.effects and taken.known + taken.replayed == 1
        assert self.everything() == before

    def hear(self, heard: Heard) -> Taken:
        taken = feedback.take_in(self.store, heard, source="fake", fingerprint=World.hash, at=self.world.now)
        self.effects += taken.effects
        return taken

    def owner(self, what: str, who: str, address: str) -> None:
        parsed, at = Address.parse(address), self.world.now
        match what:
            case "leave":
                self.world.leave(address)
            case "confirm":
                self.world.confirm(address)
            case "resume_reader":
                self.world.resume(address)
            case "correct":
                new = f"n{address}"
                self.world.correct(address, new)
                self.now_at[who] = new
            case "lift":
                self.store.suppressions.lift(parsed, fingerprint=World.hash, at=at)
            case "forbid":
                self.store.suppressions.add(parsed, Cause.FORBIDDEN, detail="", fingerprint=World.hash, at=at)
            case "erase":
                self.store.audience.erase(address, keep_hash=True, fingerprint=World.hash, at=at)

    def decide(self, what: str) -> None:
        if what == "resume":
            self.world.resume()
        else:
            feedback.decide(self.store, (), believed=what == "accept", fingerprint=World.hash, at=self.world.now)

    # What must hold

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with self.store.read() as c:
            return [tuple(row) for row in c.execute(text(question))]

    def everything(self) -> list[Any]:
        tables = ("event", "delivery", "subscriber", "consent", "suppression", "attempt", "promise")
        return [self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

    def accepted(self) -> set[int]:
        return {row[0] for row in self.rows("SELECT id FROM delivery WHERE state = 'accepted'")}

    def positions(self) -> dict[int, int]:
        return {r.id: r.position for r in self.store.audience.readers()}

    def known_ids(self) -> set[int]:
        return {row[0] for row in self.rows("SELECT id FROM delivery")}

    def causes(self) -> dict[int, list[tuple[str, str]]]:
        found: dict[int, list[tuple[str, str]]] = {}
        for who, cause, status in self.rows("SELECT subscriber_id, cause, status FROM consent ORDER BY id"):
            found.setdefault(who, []).append((cause, status))
        return found


@contextmanager
def telling() -> Iterator[Told]:
    with TemporaryDirectory() as folder:
        (Path(folder) / "project").mkdir()
        store = Store.in_memory()
        yield Told(World(Path(folder) / "project", store))
        assert store.accounts.verify() == []
        store.close()


TOLD = st.lists(_steps, max_size=40)


@given(TOLD)
def test_nothing_goes_backwards_and_every_event_counts_once(script: list[Any]) -> None:
    with telling() as told:
        for step in script:
            accepted, positions = told.accepted(), told.positions()
            told.act(step)
            assert accepted & told.known_ids() <= told.accepted()
            after = told.positions()
            assert all(after[who] >= position for who, position in positions.items() if who in after)
        assert sum(told.effects.values()) == told.count
        for log in told.causes().values():  # whatever was told, the law of consent held
            before: Status | None = None
            reason: Cause | None = None
            for cause, status in log:
                assert may(before, Status(status), Cause(cause), suppressed_for=reason), log
                before, reason = Status(status), Cause(cause)
        fared = told.store.accounts.figures().values()
        assert sum(f.accepted for f in fared) == len(told.accepted())
        assert all(f.complained <= f.accepted for f in fared)
        mail = {r.address: r for r in told.store.accounts.doubtful()}
        assert all(not r.came_back_at or r.state == "accepted" for r in mail.values())


@given(st.lists(_events, min_size=2, max_size=10), st.randoms(use_true_random=False))
def test_the_order_in_which_it_is_told_makes_no_difference(script: list[Any], chance: Random) -> None:
    """To who may still be mailed, and to how many strikes a reader has."""
    ends = []
    for order in (script, chance.sample(script, len(script))):
        with telling() as told:
            for _ in range(4):
                told.act(("tick", 4))
            for step in order:
                told.act(step)
            causes = told.causes()
            ends.append({str(r.address): (r.status, causes[r.id][-1]) for r in list(told.store.audience.readers())})
    assert ends[0] == ends[1]
