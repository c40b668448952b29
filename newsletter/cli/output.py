"""What people see: data on standard output, talk on standard error, colour and bars only on a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON (times in UTC).")
yes_option = click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")


def data(text: str = "") -> None:
    """A line of what was asked for."""
    click.echo(text)


def say(text: str = "") -> None:
    """A line about what is going on."""
    click.echo(text, err=True)


def warn(sentences: Iterable[str]) -> None:
    """Sentences that need attention."""
    for sentence in sentences:
        say(f"{click.style('!', fg='yellow', bold=True) if coloured(sys.stderr) else '!'} {sentence}")


def facts(value: Any) -> None:
    """*value* as JSON on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date | Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def iso(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def moment(at: datetime, zone: ZoneInfo) -> str:
    """As people say it: Tuesday 3 March 2026, 09:00."""
    return f"{at.astimezone(zone):%A %-d %B %Y, %H:%M}"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """ "1 reader", "2 readers"."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: frozenset[int] = frozenset()) -> None:
    """Rows under headings, aligned; columns in *right* are numbers."""
    shown = [[str(cell) for cell in row] for row in rows]
    widths = [max(_width(line[i]) for line in [list(headings), *shown]) for i in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            " " * (w - _width(c)) + c if i in right else c + " " * (w - _width(c))
            for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    data(click.style(line(headings), bold=True) if coloured(sys.stdout) else line(headings))
    for cells in shown:
        data(line(cells))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def ask(question: str, *, yes: bool) -> bool:
    """A yes-or-no question; without a terminal, and without --yes, the answer is no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        say(f"{question} (nobody is here to answer; --yes says yes)")
        return False
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        say()  # what follows begins a line of its own
        raise


def coloured(stream: Any) -> bool:
    """Whether *stream* is a terminal that may show colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


class Progress:
    """A bar on standard error for what takes longer than two seconds; nothing at all otherwise."""

    def __init__(self, what: str) -> None:
        self._what, self._since, self._shown = what, time.monotonic(), 0.0

    def __call__(self, done: int, total: int) -> None:
        """Show that *done* of *total* are done; at most ten times a second."""
        instant = time.monotonic()
        if not sys.stderr.isatty() or instant - self._since < 2 or (instant - self._shown < 0.1 and done < total):
            return
        self._shown = instant
        share = min(done / total, 1.0) if total else 0.0
        full = round(share * 30)
        sys.stderr.write(f"\r{self._what} {'━' * full}{'╌' * (30 - full)} {done:,} of {max(done, total):,} ")
        sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


Command = Callable[..., Any]
