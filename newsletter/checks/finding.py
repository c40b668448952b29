"""What a check found, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a finding does to its post."""

    ERROR = "error"  #: holds it
    WARNING = "warning"  #: worth mending; holds it only under --strict
    NOTE = "note"  #: good to know


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
