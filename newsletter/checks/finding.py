"""What a check found, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from newsletter.findings import Severity

_QUOTED = 60  # characters
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # of emoji, and of Persian words


class Part(StrEnum):
    """Where a finding is."""

    POST = "post"  #: the post's file; `line` counts there
    TEMPLATE = "template"  #: templates/email or [theme]
    HEADER = "header"
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or worth knowing: what, where, what to do."""

    rule: str  #: a stable name, such as "image-alt"
    severity: Severity
    problem: str  #: a sentence
    remedy: str  #: a sentence
    part: Part = Part.POST
    line: int | None = None  #: of the post's file, from 1
    quote: str = ""  #: the words at that place, verbatim and short


def error(
    rule: str, problem: str, remedy: str, part: Part = Part.POST, *, line: int | None = None, quote: str = ""
) -> Finding:
    """A finding that holds its post."""
    return Finding(rule, Severity.ERROR, problem, remedy, part, line, clipped(quote))


def warning(
    rule: str, problem: str, remedy: str, part: Part = Part.POST, *, line: int | None = None, quote: str = ""
) -> Finding:
    """A finding that is worth mending."""
    return Finding(rule, Severity.WARNING, problem, remedy, part, line, clipped(quote))


def note(
    rule: str, problem: str, remedy: str, part: Part = Part.POST, *, line: int | None = None, quote: str = ""
) -> Finding:
    """A finding that is good to know."""
    return Finding(rule, Severity.NOTE, problem, remedy, part, line, clipped(quote))


def clipped(text: str, most: int = _QUOTED) -> str:
    """*text* on one line of at most *most* characters, with nothing in it that would move a terminal's cursor."""
    text = " ".join(text[: most * 8].split())
    text = "".join(c for c in text if c.isprintable() or c in _JOINERS)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
