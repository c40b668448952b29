"""Random imports, undoings and merges, with letters in between: nobody gets a post twice, nobody who left gets one.

The judge keeps books of people, not of records: two records that were merged are one person from then on.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from desk import DAY, GONE, MINUTE, Desk, hashed, row
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import NotFound, SubscriberError
from newsletter.mail import Accepted, Address, Uncertain
from newsletter.store import Store
from newsletter.store.columns import State
from newsletter.subscribers import Cause, Status

NAMES = ("ana", "ben", "col", "dot", "eva")
_NAME = st.sampled_from(NAMES)
_ROW = st.tuples(
    _NAME,
    st.sampled_from(["", "A", "B"]),
    st.sampled_from([None, None, None, 1, 2]),
    st.sampled_from([None, None, None, Status.PENDING, Status.UNSUBSCRIBED]),
    st.sampled_from(["plain", "upper"]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("day"), st.sampled_from(["accepted", "accepted", "accepted", "refused", "doubt"])),
        st.tuples(st.just("day"), st.just("accepted")),
        st.tuples(st.just("settle"), st.booleans()),
        st.tuples(st.just("import"), st.lists(_ROW, min_size=1, max_size=5), st.booleans()),
        st.tuples(st.just("file"), st.lists(_ROW, min_size=1, max_size=5)),
        st.tuples(st.just("undo"), st.integers(1, 6)),
        st.tuples(st.just("merge"), _NAME, _NAME),
        st.tuples(st.sampled_from(["leave", "complain", "bounce", "forbid", "lift", "yes", "erase"]), _NAME),
    ),
    min_size=10,
    max_size=40,
)


@dataclass
class Books:
    """What is known of people, by the names they have."""

    person: dict[str, str] = field(default_factory=lambda: {name: name for name in NAMES})
    got: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in NAMES})
    refused: set[str] = field(default_factory=set)  # persons who said no and did not come back

    def merge(self, keep: str, gone: str) -> None:
        keep, gone = self.person[keep], self.person[gone]
        self.got[keep] |= self.got[gone]
        if gone in self.refused:
            self.refused.add(keep)
        for name, person in self.person.items():
            if person == gone:
                self.person[name] = keep


@dataclass
class Life:
    """A desk, acted upon, and the books beside it."""

    desk: Desk
    books: Books = field(default_factory=Books)

    def act(self, step: tuple[Any, ...]) -> None:
        self.desk.at += MINUTE
        with suppress(NotFound, SubscriberError):  # what can't be is refused, and nothing has happened
            getattr(self, f"_{step[0]}")(*step[1:])
        self.look()

    def look(self) -> None:
        active = {str(r.address).lower().partition("@")[0] for r in self.desk.store.audience.readers(Status.ACTIVE)}
        people = [self.books.person[name] for name in active]
        assert len(set(people)) == len(people), "one record for one person"
        assert not set(people) & self.books.refused, "nobody who left is active"
        assert self.desk.verify() == []

    def _day(self, answer: str) -> None:
        self.desk.at += DAY
        self.desk.sweep()
        claims = self.desk.submitting()
        for claim in claims:
            person = self.books.person[claim.recipient.address.local.lower()]
            number = int(claim.ident.removeprefix("post-"))
            assert person not in self.books.refused
            assert number not in self.books.got[person], f"{person} would get #{number} twice"
            if answer != "refused":
                self.books.got[person].add(number)
        if answer == "doubt":
            self.desk.record(claims, Uncertain("no answer"))
        else:
            self.desk.record(claims, GONE if answer == "refused" else Accepted())

    def _settle(self, arrived: bool) -> None:
        """All that is in doubt is cleared up."""
        for record in self.desk.store.accounts.doubtful():
            if record.state is State.UNCERTAIN:
                self.desk.store.ledger.settle_doubt(record.id, arrived=arrived, at=self.desk.at, resend=False)
                if not arrived:
                    self.books.got[self.books.person[record.address.partition("@")[0].lower()]].discard(record.post)

    def _rows(self, rows: list[Any]) -> list[Any]:
        made = []
        for name, title, had, status, spelling in rows:
            local = name.upper() if spelling == "upper" else name
            made.append(row(local, name=title, had_through=had, status=status))
        return made

    def _import(self, rows: list[Any], confirmed: bool) -> None:
        self.desk.store.audience.import_rows(
            self._rows(rows), confirmed=confirmed, floor=-1, fingerprint=hashed, at=self.desk.at
        )

    def _file(self, rows: list[Any]) -> None:
        self.desk.store.audience.take_file(self._rows(rows), floor=-1, fingerprint=hashed, at=self.desk.at, meant=True)

    def _undo(self, number: int) -> None:
        self.desk.store.imports.undo(number, at=self.desk.at)
        # Whom nothing was sent is forgotten: had they got something, they would still be there.
        for name in NAMES:
            person = self.books.person[name]
            if self.books.got[person]:
                self.desk.store.audience.find(f"{name}@example.org")

    def _merge(self, keep: str, gone: str) -> None:
        self.desk.store.merging.merge(f"{keep}@example.org", f"{gone}@example.org", fingerprint=hashed, at=self.desk.at)
        self.books.merge(keep, gone)

    def _change(self, name: str, cause: Cause, status: Status) -> None:
        self.desk.store.audience.change(f"{name}@example.org", cause, status, at=self.desk.at)

    def _leave(self, name: str) -> None:
        self._change(name, Cause.UNSUBSCRIBED, Status.UNSUBSCRIBED)
        self.books.refused.add(self.books.person[name])

    def _suppress(self, name: str, cause: Cause) -> None:
        self.desk.store.audience.find(f"{name}@example.org")
        address = Address.parse(f"{name}@example.org")
        self.desk.store.suppressions.add(address, cause, detail="", fingerprint=hashed, at=self.desk.at)
        self.books.refused.add(self.books.person[name])

    def _complain(self, name: str) -> None:
        self._suppress(name, Cause.COMPLAINED)

    def _bounce(self, name: str) -> None:
        self._suppress(name, Cause.BOUNCED)

    def _forbid(self, name: str) -> None:
        self._suppress(name, Cause.FORBIDDEN)

    def _lift(self, name: str) -> None:
        address = Address.parse(f"{name}@example.org")
        before = self.desk.store.audience.find(str(address)).status
        assert self.desk.store.suppressions.lift(address, fingerprint=hashed, at=self.desk.at)
        assert before is Status.SUPPRESSED
        self.books.refused.discard(self.books.person[name])

    def _yes(self, name: str) -> None:
        """The person's own word."""
        before = self.desk.store.audience.find(f"{name}@example.org").status
        if before in (Status.PENDING, Status.UNSUBSCRIBED):
            self._change(name, Cause.CONFIRMED, Status.ACTIVE)
            self.books.refused.discard(self.books.person[name])

    def _erase(self, name: str) -> None:
        self.desk.store.audience.erase(f"{name}@example.org", keep_hash=True, fingerprint=hashed, at=self.desk.at)
        self.books.refused.add(self.books.person[name])


@given(STEPS)
def test_nobody_gets_a_post_twice_and_nobody_who_left_is_active(steps: list[Any]) -> None:
    desk = Desk(Store.in_memory())
    desk.publish(1, 2, 3, 4, 5)
    life = Life(desk)
    for step in steps:
        life.act(step)
    desk.store.close()


@given(st.lists(_ROW, min_size=1, max_size=5), st.lists(_ROW, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_an_import_that_is_undone_at_once_was_never_there(
    before: list[Any], rows: list[Any], known_confirmed: bool, confirmed: bool
) -> None:
    desk = Desk(Store.in_memory())
    desk.publish(1, 2)
    life = Life(desk)
    life.act(("import", before, known_confirmed))
    was = _everything(desk)
    life.act(("import", rows, confirmed))
    life.act(("undo", 2))
    assert _everything(desk) == was
    desk.store.close()


def _everything(desk: Desk) -> Any:
    people = "SELECT key, name, zone_id, tags, status, floor, pauses, in_file FROM subscriber ORDER BY key"
    return desk.ask(people), desk.ask("SELECT hash, reason FROM suppression ORDER BY hash")
