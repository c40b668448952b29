"""Findings as people see them: what weighs, where, what is wrong, what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from textwrap import wrap

import click

from newsletter.cli.output import coloured, data, plural
from newsletter.findings import Severity

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_WIDEST = 100
INDENT = 11  #: beside the weight
_PLACE = 10  # of a column


def show_finding(severity: Severity, place: str | None, problem: str, remedy: str, quote: str = "") -> None:
    """One finding: two sentences, wrapped beside its weight and *place* (None: no column), and the words meant."""
    indent = INDENT if place is None else INDENT + _PLACE
    columns = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST) - indent
    mark = f"{severity:<7}"
    if coloured(sys.stdout):
        mark = click.style(mark, fg=_COLOURS[severity], bold=True)
    first, *rest = _wrapped(problem, columns)
    data(f"  {mark}  {'' if place is None else f'{place:<{_PLACE}}'}{first}")
    for line in (*rest, *_wrapped(remedy, columns)):
        data(f"{'':{indent}}{line}")
    if quote:
        data(f"{'':{indent}}{dim(f'> {quote}')}")


def _wrapped(text: str, columns: int) -> list[str]:
    return wrap(text, max(columns, 30), break_long_words=False, break_on_hyphens=False) or [""]


def counted(counts: Mapping[Severity, int]) -> str:
    """ "1 error, 2 warnings"; "" when there is nothing."""
    return ", ".join(plural(counts[severity], severity) for severity in Severity if counts.get(severity))


def bold(text: str) -> str:
    """*text* as a heading, on a terminal."""
    return click.style(text, bold=True) if coloured(sys.stdout) else text


def dim(text: str) -> str:
    """*text* as an aside, on a terminal."""
    return click.style(text, dim=True) if coloured(sys.stdout) else text
