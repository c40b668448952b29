"""A newsletter's life as Hypothesis writes it, and a judge who knows the rules and not the code.

`Life` acts (the owner writes, renames, retracts; readers come, leave, pause; the clock moves) and looks, after
each tick, at what the provider accepted. `Judge` keeps its own books of it, from sequence-rules.md, with its own
arithmetic of slots: neither asks the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from world import DAY, HOUR, FakeProvider, Letter, World

from newsletter.config import Mode, Rules
from newsletter.mail import Address
from newsletter.scheduler import Tick
from newsletter.store import Store

MINUTE = timedelta(minutes=1)
#: Zones with whole, half and quarter hours, on both sides of the date line, with every sort of clock change
ZONES = (
    "UTC", "Europe/Lisbon", "America/New_York", "America/St_Johns", "Africa/Casablanca", "Africa/Cairo", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Santiago", "Asia/Beirut",
)  # fmt: skip
#: Days before clock changes somewhere, and ordinary ones
STARTS = tuple(
    datetime(2026, m, d, tzinfo=UTC) for m, d in ((3, 5), (3, 26), (4, 2), (6, 1), (9, 4), (10, 22), (12, 28))
)


# --- the rules, said once more


def slot_of(day: date, zone: ZoneInfo, at: time) -> datetime:
    """The first instant of *day* at which the wall clock in *zone* shows *at* or later."""
    wall = datetime.combine(day, at)
    guesses = sorted({(wall - offset).replace(tzinfo=UTC) for offset in _offsets(wall, zone)})
    for guess in guesses:
        if guess.astimezone(zone).replace(tzinfo=None) == wall:
            return guess
    early, late = guesses[0], guesses[-1]  # the clock jumps over it, between these two
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        early, late = (early, middle) if middle.astimezone(zone).replace(tzinfo=None) >= wall else (middle, late)
    return late.replace(microsecond=0)


def _offsets(wall: datetime, zone: ZoneInfo) -> Iterator[timedelta]:
    for hours in (-30, 30):
        offset = (wall.replace(tzinfo=UTC) + hours * HOUR).astimezone(zone).utcoffset()
        assert offset is not None
        yield offset


def last_slot(at: datetime, zone: ZoneInfo, rules: Rules) -> tuple[date, datetime] | None:
    """The last slot at or before *at*, with its day."""
    day = at.astimezone(zone).date() + DAY
    for _ in range(60):
        if day.weekday() in rules.days and day not in rules.holidays:
            slot = slot_of(day, zone, rules.at)
            if slot <= at:
                return day, slot
        day -= DAY
    return None


# --- what Hypothesis chooses


def rules(**fixed: Any) -> st.SearchStrategy[Rules]:
    """Cadences, days, hours, holidays, gaps. Quiet hours stay within the night: late posts need a daytime."""
    night = st.sampled_from([None, (time(21), time(6)), (time(0), time(7, 30)), (time(22, 15), time(8))])
    chosen = {
        "every": st.sampled_from([1, 1, 2, 3, 7]),
        "days": st.sampled_from([range(7), range(7), range(5), (0, 3), (6,)]).map(frozenset),
        "at": st.sampled_from([time(9), time(0), time(2, 30), time(7), time(13, 45), time(23, 30)]),
        "holidays": st.frozensets(st.dates(date(2026, 3, 1), date(2027, 1, 31)), max_size=6),
        "min_gap": st.sampled_from([20, 20, 1, 36]).map(lambda h: h * HOUR),
        "quiet_hours": night,
        **{name: st.just(value) for name, value in fixed.items()},
    }
    return st.fixed_dictionaries(chosen).map(lambda c: Rules(**c))


_READER = st.integers(0, 3)
_POST = st.integers(0, 7)
_PAUSES = st.sampled_from([MINUTE, 7 * MINUTE, HOUR, 3 * HOUR, 11 * HOUR, DAY, 25 * HOUR, 3 * DAY, 9 * DAY])

TICKS = st.tuples(st.just("tick"), _PAUSES)
WRITING = st.one_of(
    st.tuples(st.just("insert"), st.integers(1, 120)),
    st.tuples(st.just("renumber"), _POST, st.integers(1, 120)),
    st.tuples(st.sampled_from(["edit", "retract", "draft", "live", "delete", "late"]), _POST),
)
READING = st.one_of(
    st.tuples(st.just("join"), st.sampled_from(ZONES)),
    st.tuples(st.sampled_from(["leave", "back", "pause", "resume"]), _READER),
    st.tuples(st.sampled_from(["pause all", "resume all"])),
    st.tuples(st.just("clock back"), st.sampled_from([2 * MINUTE, 5 * MINUTE, 2 * HOUR])),
)


def scripts(*actions: st.SearchStrategy[Any], most: int = 40) -> st.SearchStrategy[list[Any]]:
    """Lives of at most *most* steps; about half of them are ticks."""
    return st.lists(st.one_of(TICKS, TICKS, *actions), min_size=most // 2, max_size=most)


# --- the life


@dataclass
class Piece:
    """One post in the owner's folder."""

    ident: str
    number: int
    status: str = "live"  # or draft, retracted, deleted
    late: bool = False
    edits: int = 0
    touched: bool = False  # inserted later, renumbered, or away for a while: some readers may have passed it
    moved: bool = False  # renumbered: it took the readers who stood at it along, past others or back


class Life:
    """A world, acted upon; the judge looks on."""

    def __init__(
        self, root: Path, store: Store, chosen: Rules, *, zone: str = "UTC", start: datetime = STARTS[0]
    ) -> None:
        root.mkdir(exist_ok=True)
        self.world = World(root, store)
        self.world.now = start
        self.world.config = replace_rules(self.world, chosen)
        self.world.zone(zone)
        self.pieces: list[Piece] = []
        self.judge = Judge(chosen, zone)
        self.readers: list[str] = []
        self.seen = 0
        self.forgiven: set[str] = set()  # message ids that doubt allows twice

    # Acts

    def act(self, step: tuple[Any, ...]) -> None:
        """Do one step of a script; what makes no sense now is left out."""
        name, *values = step
        getattr(self, "_" + name.replace(" ", "_"))(*values)

    def write(self, piece: Piece, **front: Any) -> None:
        """Bring the folder to what the piece says."""
        for old in (self.world.root / "posts").glob(f"*-{piece.ident}.md"):
            old.unlink()
        if piece.status != "deleted":
            keys = {"ident": piece.ident, "status": piece.status} | ({"catch_up": "late"} if piece.late else {}) | front
            self.world.post(piece.number, piece.ident, f"Words, edited {piece.edits} times.", **keys)

    def begin(self, numbers: range, readers: list[str]) -> None:
        """The posts and readers there are before the first step."""
        for number in numbers:
            self._insert(number, touched=False)
        self.look(self.world.tick())
        for zone in readers:
            self._join(zone)

    def _tick(self, pause: timedelta) -> None:
        self.world.now += pause
        self.tick()

    def tick(self) -> Tick:
        at = max(self.world.now, self.judge.last_tick or self.world.now)
        self.judge.before_tick(at, self.pieces, back=self.world.now < at - 5 * MINUTE)
        done = self.world.tick()
        self.look(done)
        return done

    def look(self, done: Tick) -> None:
        """Have every letter that arrived since the last look judged."""
        at = done.at
        letters, self.seen = self.world.provider.box[self.seen :], len(self.world.provider.box)
        for letter in letters:
            self.judge.letter(
                letter, at, {p.ident: p for p in self.pieces}, forgiven=letter.message_id in self.forgiven
            )

    def _insert(self, number: int, *, touched: bool = True) -> None:
        if all(p.number != number for p in self.pieces):
            piece = Piece(f"p{len(self.pieces)}", number, touched=touched)
            self.pieces.append(piece)
            self.write(piece)

    def _renumber(self, which: int, number: int) -> None:
        if which < len(self.pieces) and all(p.number != number for p in self.pieces):
            if self.pieces[which].status == "deleted":
                return  # there is no file to rename
            self.pieces[which].number = number
            self.pieces[which].touched = self.pieces[which].moved = True
            self.write(self.pieces[which])

    def _edit(self, which: int) -> None:
        if which < len(self.pieces):
            self.pieces[which].edits += 1
            self.write(self.pieces[which])

    def _status(self, which: int, status: str) -> None:
        if which < len(self.pieces) and self.pieces[which].status != "retracted":
            self.pieces[which].status, self.pieces[which].touched = status, True
            self.write(self.pieces[which])

    def _retract(self, which: int) -> None:
        self._status(which, "retracted")

    def _draft(self, which: int) -> None:
        self._status(which, "draft")

    def _delete(self, which: int) -> None:
        self._status(which, "deleted")

    def _live(self, which: int) -> None:
        self._status(which, "live")

    def _late(self, which: int) -> None:
        if which < len(self.pieces):
            self.pieces[which].late = True
            self.write(self.pieces[which])

    def _join(self, zone: str) -> None:
        if len(self.readers) < 6:
            address = f"r{len(self.readers)}@example.org"
            self.readers.append(address)
            self.world.join(address, zone=zone)
            self.judge.joined(address, zone, self.world.now)

    def _reader(self, which: int) -> Book | None:
        return self.judge.books[self.readers[which]] if which < len(self.readers) else None

    def _leave(self, which: int) -> None:
        book = self._reader(which)
        if book and not book.left:
            self.world.leave(book.address)
            book.left = True

    def _back(self, which: int) -> None:
        book = self._reader(which)
        if book and book.left:
            self.world.confirm(book.address)
            book.left, book.since = False, self.world.now

    def _pause(self, which: int) -> None:
        book = self._reader(which)
        if book:
            self.world.pause(book.address)
            book.paused = True

    def _resume(self, which: int) -> None:
        book = self._reader(which)
        if book and book.paused:
            self.world.resume(book.address)
            book.paused, book.since = False, self.world.now

    def _pause_all(self) -> None:
        self.world.pause()
        self.judge.paused_since = self.judge.paused_since or self.world.now

    def _resume_all(self) -> None:
        self.world.resume()
        self.judge.resumed(self.world.now)

    def _clock_back(self, by: timedelta) -> None:
        self.world.now -= by
        self.tick()
        self.world.now += by

    # The end

    def settle_down(self) -> None:
        """Everything is put right, and ticks come until nothing more can be due."""
        for piece in self.pieces:
            if piece.status in ("draft", "deleted"):
                piece.status = "live"
                self.write(piece)
        last = self.judge.last_tick
        self.world.now = max(self.world.now, last or self.world.now) + HOUR
        self._resume_all()
        for n in range(len(self.readers)):
            self._resume(n)
        leap = (self.world.config.rules.every + 8) * DAY
        for _ in range(len(self.pieces) + 2):
            self._tick(leap)
            self._tick(12 * HOUR)  # it is daytime everywhere at one of the two

    def everybody_has_everything(self) -> None:
        """Who is active is missing only what they had passed when it came, and only pieces that came or moved."""
        for book in self.judge.books.values():
            if book.left:
                continue
            position = book.position({p.ident: p for p in self.pieces})
            taken_along = any(p.moved for p in self.pieces if p.ident in book.got)
            for piece in self.pieces:
                if piece.ident not in book.got and piece.status == "live":
                    assert piece.touched or taken_along, f"{book.address} never got {piece}; got {book.got}"
                    assert piece.number < position, f"{book.address} at #{position} still waits for {piece}"


def replace_rules(world: World, chosen: Rules) -> Any:
    """The world's configuration with *chosen*."""
    from dataclasses import replace

    return replace(world.config, rules=chosen)


# --- the judge


@dataclass
class Book:
    """What the judge knows of one reader."""

    address: str
    zone: ZoneInfo
    since: datetime  # slots from here on count
    left: bool = False
    paused: bool = False
    got: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    last: str | None = None  # the post last handed over in order
    handed_over: datetime | None = None
    anchor: datetime | None = None  # the same, shifted by pauses of the owner

    def position(self, pieces: dict[str, Piece]) -> int:
        return -1 if self.last is None else pieces[self.last].number


class Judge:
    """Checks every letter against the rules at the instant of its acceptance."""

    def __init__(self, chosen: Rules, zone: str) -> None:
        self.rules, self.zone = chosen, zone
        self.books: dict[str, Book] = {}
        self.last_tick: datetime | None = None
        self.paused_since: datetime | None = None
        self.resumed_at: datetime | None = None
        self.pause_began: datetime | None = None  # of the pause that was lifted then
        self.present: dict[str, datetime] = {}  # a post counts from here on
        self.ids: defaultdict[str, int] = defaultdict(int)
        self.clock_wrong = False

    def joined(self, address: str, zone: str, at: datetime) -> None:
        self.books[address] = Book(address, ZoneInfo(zone), at)

    def resumed(self, at: datetime) -> None:
        if self.paused_since is None:
            return
        for book in self.books.values():
            if book.anchor is not None and book.anchor <= at:
                book.anchor = min(book.anchor + (at - self.paused_since), at)
        self.paused_since, self.resumed_at, self.pause_began = None, at, self.paused_since

    def before_tick(self, at: datetime, pieces: list[Piece], *, back: bool) -> None:
        self.clock_wrong = back
        if self.paused_since is not None or back:
            return
        for piece in pieces:
            if piece.status == "live":
                # From the tick before the one that first sees it.
                self.present.setdefault(piece.ident, self.last_tick or at - 400 * DAY)
            else:
                self.present.pop(piece.ident, None)
        self.last_tick = at

    def letter(self, letter: Letter, at: datetime, pieces: dict[str, Piece], *, forgiven: bool) -> None:
        """Invariants 1 to 5, for one letter."""
        ident = letter.subject.rpartition(" ")[2]
        book, piece = self.books[letter.address], pieces[ident]
        self.ids[letter.message_id] += 1
        if forgiven and ident in book.got:
            return  # once more, after doubt
        what = f"{letter.address} got #{letter.number} {ident} at {at} after {book.got}"
        assert self.ids[letter.message_id] == 1, f"1: the same message twice: {what}"
        assert ident not in book.got, f"1: the same post twice: {what}"
        if not piece.late:
            assert piece.number > book.position(pieces), f"2: out of order: {what}, at #{book.position(pieces)}"
        if book.handed_over is not None:
            assert at - book.handed_over >= self.rules.min_gap, f"3: too soon after {book.handed_over}: {what}"
        assert not book.left and not book.paused, f"4: left or paused: {what}"
        assert self.paused_since is None and not self.clock_wrong, f"4: the owner has paused: {what}"
        assert piece.status == "live", f"4: {piece.status}: {what}"
        self._hours(book, at, what)
        if self.rules.mode is Mode.SEQUENCE:
            self._slot(book, ident, at, what)
        book.got.append(ident)
        book.handed_over = book.anchor = at
        if not piece.late or piece.number > book.position(pieces):
            book.last = ident

    def _hours(self, book: Book, at: datetime, what: str) -> None:
        local = at.astimezone(book.zone).time()
        if self.rules.quiet_hours:
            start, end = self.rules.quiet_hours
            quiet = start <= local < end if start <= end else local >= start or local < end
            assert not quiet, f"5: in quiet hours: {what}"

    def _slot(self, book: Book, ident: str, at: datetime, what: str) -> None:
        """Every condition says "the slot is not earlier than …", so the latest slot must satisfy them all."""
        found = last_slot(at, book.zone, self.rules)
        assert found is not None, f"5: before any slot: {what}"
        why = self._too_early(book, ident, *found)
        assert not why, f"5: {why}: {what}"
        local = at.astimezone(book.zone).time()
        assert at - found[1] <= 12 * HOUR or time(8) <= local < time(20), f"5: late, and not by day: {what}"
        if self.resumed_at is not None and found[1] < self.resumed_at:
            # Slots within a pause of the owner's do not count; what was due before it had only been kept waiting.
            assert self.pause_began is not None
            earlier = last_slot(self.pause_began, book.zone, self.rules)
            assert earlier and not self._too_early(book, ident, *earlier), f"5: a slot within the pause: {what}"

    def _too_early(self, book: Book, ident: str, day: date, slot: datetime) -> str:
        """Why this slot is none for *ident* and this reader."""
        if slot < book.since:
            return "before the reader's first slot"
        if slot < self.present[ident]:
            return f"before the post's first slot ({self.present[ident]})"
        before = last_slot(book.anchor, book.zone, self.rules) if book.anchor else None
        return "too soon for the cadence" if before and (day - before[0]).days < self.rules.every else ""


def key_of(address: str) -> str:
    return Address.parse(address).key


__all__ = [
    "READING",
    "STARTS",
    "WRITING",
    "ZONES",
    "FakeProvider",
    "Judge",
    "Life",
    "Piece",
    "last_slot",
    "rules",
    "scripts",
    "slot_of",
]
