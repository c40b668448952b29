"""What was found wrong, or worth knowing, about what surrounds a newsletter: values only.

A post's own findings are in `checks`; they have a line. These have a place in the world and, where the DNS is the
place to mend it, the record to copy.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import StrEnum

from newsletter.mail import printable


class Severity(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"  #: a post: it does not leave; elsewhere: letters are lost, refused, or break a promise
    WARNING = "warning"  #: worth mending
    NOTE = "note"  #: good to know


@dataclass(frozen=True, slots=True)
class Record:
    """One record to copy into the DNS."""

    name: str
    value: str
    type: str = "TXT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or worth knowing: what, where, what to do."""

    rule: str  #: a stable name, such as "spf-record"
    severity: Severity
    place: str  #: a domain, a server, a file: whatever the owner would have to look at
    problem: str  #: a sentence
    remedy: str  #: a sentence
    record: Record | None = None


def error(rule: str, place: str, problem: str, remedy: str, record: Record | None = None) -> Finding:
    """A finding that costs letters."""
    return _clean(Finding(rule, Severity.ERROR, place, problem, remedy, record))


def warning(rule: str, place: str, problem: str, remedy: str, record: Record | None = None) -> Finding:
    """A finding that is worth mending."""
    return _clean(Finding(rule, Severity.WARNING, place, problem, remedy, record))


def note(rule: str, place: str, problem: str, remedy: str, record: Record | None = None) -> Finding:
    """A finding that is good to know."""
    return _clean(Finding(rule, Severity.NOTE, place, problem, remedy, record))


def _clean(finding: Finding) -> Finding:
    """Without control characters: strangers write what stands in the DNS, and must not paint on a terminal."""
    words = (finding.place, finding.problem, finding.remedy, *(astuple(finding.record) if finding.record else ()))
    place, problem, remedy, *rest = map(printable, words)
    return Finding(finding.rule, finding.severity, place, problem, remedy, Record(*rest) if rest else None)


def halves(words: str) -> tuple[str, str]:
    """Problem and remedy, as sentences, of what an error says with a semicolon between them."""
    problem, _, remedy = words.partition("; ")
    return _sentence(problem), _sentence(remedy or "put it right")


def _sentence(words: str) -> str:
    first = words.partition(" ")[0]
    named = "." in first[:-1] or "/" in first or "_" in first  # a file, a domain, a setting: written as it is
    return f"{words[:1] if named else words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '?', '!')) else '.'}"
