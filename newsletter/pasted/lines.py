"""Lines of a pasted page: cleaned, each with its kind and what stands above it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.pasted.forms import Kind, kind_of

MARKED = re.compile(r"(#{1,6}) +(\S.*?)(?: +#+)?")  # a heading of Markdown

_SPACES = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff\ufffc]")
_ENDS = re.compile(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that isn't blank."""

    text: str  #: without spaces at its ends, never empty
    indent: int  #: columns
    apart: bool  #: a blank line, or nothing, stands above
    kind: Kind

    @property
    def residue(self) -> bool:
        return self.kind not in {Kind.TEXT, Kind.NUMBER}

    @property
    def unmarked(self) -> str:
        """The text without the marks of a heading."""
        marked = MARKED.fullmatch(self.text)
        return marked[2] if marked else self.text


def read_lines(text: str) -> list[Line]:
    """The lines of *text* that aren't blank. Odd spaces become spaces; characters that nobody sees are dropped."""
    lines: list[Line] = []
    apart = True
    for line in _ENDS.split(_SPACES.sub(" ", _INVISIBLE.sub("", text.replace("\t", "    ")))):
        words = " ".join(line.split())
        if words:
            lines.append(Line(words, len(line) - len(line.lstrip()), apart, kind_of(words)))
        apart = not words
    return lines
