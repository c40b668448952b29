"""The demo: a whole newsletter through six weeks of real hourly ticks, with a clock of its own.

    rehearse     1,008 ticks over a scratch project; in the second week a reader joins, in the fourth one leaves
    write_page   a calendar of who got what to look at, with every letter

Guarantees
    Everything but the clock is the real thing: files, database, ledger, messages. Only the scratch project is
    touched, nothing leaves the machine, and the same files give the same calendar on every day.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from shlex import quote
from typing import Any
from zoneinfo import ZoneInfo

from newsletter import consent
from newsletter.config import Config, Rules
from newsletter.mail import Provider
from newsletter.posts import Post
from newsletter.press import Press
from newsletter.preview import framed, page_of
from newsletter.proof import html_part
from newsletter.providers.folder import file_name
from newsletter.scheduler import PressMaker, run_lock, tick
from newsletter.store import Store
from newsletter.store.accounts import Record
from newsletter.store.audience import Reader
from newsletter.store.schema import State

#: A Monday. Both the American and the European clock change lie in the six weeks after it.
START = datetime(2026, 3, 2, tzinfo=UTC)
RUNS = 6 * 7 * 24  #: one an hour
_JOINS = START + timedelta(days=9, hours=14)
_LEAVES = START + timedelta(days=24, hours=10)
_NEWCOMER = {"email": "elif.demir@example.org", "name": "Elif Demir", "timezone": "Europe/Istanbul"}


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that was accepted."""

    post: int
    title: str
    at: datetime  #: in the reader's own zone
    message: Path  #: the exact bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One reader's line of the calendar."""

    reader: Reader
    zone: ZoneInfo
    letters: tuple[Letter, ...]  #: in order of time
    joined: datetime | None = None  #: when that was within the six weeks
    left: datetime | None = None

    @property
    def name(self) -> str:
        """The name, or the address of who gave none."""
        return self.reader.name or str(self.reader.address)

    def on(self, day: date) -> list[Letter]:
        """What came on *day*, by the reader's calendar."""
        return [letter for letter in self.letters if letter.at.date() == day]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Who got what in six weeks."""

    config: Config
    lines: tuple[Line, ...]
    on_record: int  #: deliveries in the ledger
    problems: tuple[str, ...]  #: what `verify` found: nothing

    @property
    def days(self) -> list[date]:
        """Every day on which something came, by the readers' calendars."""
        return sorted({letter.at.date() for line in self.lines for letter in line.letters})

    @property
    def messages(self) -> int:
        """How many messages were accepted."""
        return sum(len(line.letters) for line in self.lines)

    @property
    def folder(self) -> Path:
        """Where the messages are."""
        return self.config.folder.path / "new"


def rehearse(
    config: Config,
    store: Store,
    provider: Provider,
    secret: bytes,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Calendar:
    """Run the project of *config* from `START` for six weeks. Its subscriber file becomes the example list."""
    assert config.subscribers_file is not None
    shutil.copyfile(config.root / "subscribers.example.csv", config.subscribers_file)
    press, leaver = _keeping(), ""
    with run_lock(config):
        for done in range(RUNS):
            at = START + done * timedelta(hours=1)
            if at == _JOINS:
                _append(config.subscribers_file, _NEWCOMER)
            if at == _LEAVES:
                leaver = _last_in(config.root / "subscribers.example.csv")
                consent.unsubscribe(store, leaver, at=at, detail="said so in the demo")
            tick(config, store, provider, secret, now=lambda at=at: at, press=press)  # type: ignore[misc]
            progress(done + 1, RUNS)
    lines = tuple(_line(store, config, reader, leaver) for reader in _readers(config, store))
    return Calendar(config, lines, sum(store.accounts.counts().values()), tuple(store.accounts.verify()))


def _keeping() -> PressMaker:
    """One press for as long as the posts stay the same: setting a post in type costs a hundred times a message."""
    kept: dict[tuple[str, ...], Press] = {}

    def press(posts: Iterable[Post], *rest: Any) -> Press:
        posts = list(posts)
        key = tuple(post.digest for post in posts)
        if key not in kept:
            kept[key] = Press.of(posts, *rest)
        return kept[key]

    return press


def _append(path: Path, cells: dict[str, str]) -> None:
    """Write one more row under those of the subscriber file, as its owner would."""
    table = path.read_text(encoding="utf-8")
    header = next(csv.reader(io.StringIO(table)))
    row = io.StringIO()
    csv.writer(row).writerow([cells.get(column, "") for column in header])
    path.write_text(f"{table.rstrip()}\n{row.getvalue().rstrip()}\n", encoding="utf-8")


def _last_in(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["email"] for row in csv.DictReader(file)][-1]


def _readers(config: Config, store: Store) -> Iterator[Reader]:
    """In the order of the file."""
    assert config.subscribers_file is not None
    with config.subscribers_file.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield store.audience.find(row["email"])


def _line(store: Store, config: Config, reader: Reader, leaver: str) -> Line:
    zone = ZoneInfo(reader.timezone) if reader.timezone else config.identity.timezone
    letters = tuple(_letter(r, zone, config) for r in store.accounts.history(reader) if r.state is State.ACCEPTED)
    joined = _JOINS.astimezone(zone) if str(reader.address) == _NEWCOMER["email"] else None
    left = _LEAVES.astimezone(zone) if str(reader.address) == leaver else None
    return Line(reader, zone, letters, joined, left)


def _letter(record: Record, zone: ZoneInfo, config: Config) -> Letter:
    path = config.folder.path / "new" / file_name(record.message_id)
    return Letter(record.post, record.title, record.at.astimezone(zone), path)


# --- in words


def remarks(calendar: Calendar) -> list[str]:
    """What in the calendar may need a word."""
    return [remark for line in calendar.lines for remark in _remarks(line, calendar.config.rules)]


def _remarks(line: Line, rules: Rules) -> Iterator[str]:
    name, numbers = line.name, [letter.post for letter in line.letters]
    if line.joined:
        yield f"{name} joined on {line.joined:%A %-d %B} and begins with #{numbers[0] if numbers else 1}."
    elif line.left:
        yield f"{name} unsubscribed on {line.left:%-d %B}: still in the file, but no more came."
    elif numbers and numbers[0] > 1:
        first, last = numbers[0], numbers[-1]
        yield f"{name} had all to #{first - 1} before, began with #{first}, and waits for #{last + 1}."
    if odd := next((x for x in line.letters if x.at.minute != rules.at.minute), None):
        yield f"{name}’s {rules.at:%H:%M} lies between two hourly runs: the letters come at {odd.at:%H:%M}."


def verdict(calendar: Calendar) -> str:
    """What `verify` proved, in a sentence."""
    if calendar.problems:
        return f"{calendar.messages} messages, but the accounts do not balance: {' '.join(calendar.problems)}"
    return f"{calendar.messages} messages; every reader 1, 2, 3 … in order, once; the accounts balance."


def questions(calendar: Calendar, program: str) -> list[tuple[str, str]]:
    """Commands to go on with, and what each of them answers; *program* is what to type for this one."""
    newsletter = f"{program} --root {quote(str(calendar.config.root))}"
    reader = calendar.lines[0]
    return [
        (f"{newsletter} who-got 4", "Who got #4?"),
        (f"{newsletter} history {reader.reader.address}", f"What was {reader.name} sent?"),
        (f"{newsletter} verify", "Do the accounts balance?"),
    ]


# --- the page


def write_page(calendar: Calendar, program: str = "newsletter") -> Path:
    """Write index.html and a page for every letter into the project's folder; the path of the first."""
    root = calendar.config.root
    (root / "letters").mkdir(exist_ok=True)
    for line in calendar.lines:
        for letter in line.letters:
            (root / _page_of(letter)).write_text(framed(html_part(letter.message.read_bytes())), encoding="utf-8")
    days = calendar.days
    page = page_of(
        "demo.html",
        {
            "newsletter": calendar.config.identity.name,
            "runs": f"{RUNS:,}",
            "messages": calendar.messages,
            "began": f"{START:%A %-d %B %Y}",
            "months": [(month, len(list(same))) for month, same in groupby(f"{day:%B}" for day in days)],
            "days": [f"{day:%a %-d}" for day in days],
            "lines": [_row(line, days) for line in calendar.lines],
            "remarks": remarks(calendar),
            "verdict": verdict(calendar),
            "good": not calendar.problems,
            "commands": questions(calendar, program),
            "folder": str(calendar.folder),
            "root": str(root),
        },
    )
    (root / "index.html").write_text(page, encoding="utf-8")
    return root / "index.html"


def _row(line: Line, days: list[date]) -> dict[str, Any]:
    return {
        "name": line.name,
        "place": line.zone.key.rpartition("/")[2].replace("_", " "),
        "cells": [{"letters": [_cell(x) for x in line.on(day)], "remark": remark(line, day)} for day in days],
    }


def _cell(letter: Letter) -> dict[str, Any]:
    when = {"time": f"{letter.at:%H:%M}", "day": f"{letter.at:%-d %B}"}
    return {"post": letter.post, "title": letter.title, "page": _page_of(letter).as_posix()} | when


def remark(line: Line, day: date) -> str:
    """What stands in an empty cell of the calendar."""
    if line.left and day > line.left.date():
        return "left"
    if line.joined and day <= line.joined.date():
        return ""
    return "waits" if line.letters and day > line.letters[-1].at.date() else ""


def _page_of(letter: Letter) -> Path:
    return Path("letters") / f"{letter.message.stem}.html"
