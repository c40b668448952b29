"""Units of a pasted body: paragraphs, headings, items of lists, put together from lines.

Lines that a program or a hand has broken are joined again; short lines below short lines stay lines, as in a poem or a
signature. What is a heading or a list is judged by the neighbours, as plain text has no other sign of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from newsletter.pasted.forms import ITEM, SENTENCE_END
from newsletter.pasted.lines import MARKED, Line

_HEADING_LENGTH = 70  #: characters
_WIDEST_WRAP = 100  #: columns; longer lines were not broken by hand

_DASHES = frozenset("-–*+")  #: as marks of items these need company: one alone is a dash
_RULE = re.compile(r"([-*_=~•·])(?: ?\1){2,}|⁂")
_ENDS = re.compile(r"[.!?:…][\"”’')\]]*$")


@dataclass(slots=True)
class Unit:
    """A paragraph, a heading, an item of a list, or a rule."""

    text: str
    indent: int
    apart: bool
    marker: str = ""  #: as typed, of an item
    level: int = 0  #: of a heading
    verse: list[str] = field(default_factory=list)  #: further lines, each kept as a line

    @property
    def number(self) -> str:
        """The digits of a numbered item's marker, else ""."""
        bare = self.marker.strip("().")
        return bare if bare.isdigit() else ""

    @property
    def rule(self) -> bool:
        return self.text == "---"

    @property
    def quote(self) -> bool:
        return self.text.startswith(">")


def read_units(lines: Sequence[Line]) -> list[Unit]:
    """The units in *lines*, in order."""
    units = _joined(lines)
    _unmark_lonely_items(units)
    _mark_headings(units)
    return units


def _joined(lines: Sequence[Line]) -> list[Unit]:
    wrap = _wrap(lines)
    spaced = any(line.apart for line in lines[1:])
    units: list[Unit] = []
    last = ""
    for line in lines:
        unit = units[-1] if units else None
        if _RULE.fullmatch(line.text):
            if unit and not line.apart and set(line.text) <= set("=-") and not unit.marker and _is_heading(unit):
                unit.level = unit.level or 2
            else:
                units.append(Unit("---", 0, True))
        elif unit and unit.marker and not unit.text:  # the bullet was pasted on a line of its own
            unit.text = line.text
        elif marked := MARKED.fullmatch(line.text):
            units.append(Unit(marked[2], 0, line.apart, level=max(2, len(marked[1]))))
        elif item := ITEM.match(line.text):
            units.append(Unit(line.text[item.end() :], line.indent, line.apart, marker=item[1]))
        elif unit and _continues(unit, last, line, wrap):
            if unit.verse:
                unit.verse[-1] += f" {line.text}"
            else:
                unit.text += f" {line.text.removeprefix('> ') if unit.quote else line.text}"
        elif unit and spaced and _is_verse(unit, last, line):
            unit.verse.append(line.text)
        else:
            units.append(Unit(line.text, line.indent, line.apart))
        last = line.text
    return units


def _wrap(lines: Sequence[Line]) -> int:
    """The column at which the text was wrapped, or 0: then each line is a paragraph."""
    widest = max((len(line.text) for line in lines if " " in line.text), default=0)
    broken = [above for above, below in pairwise(lines) if not below.apart and len(above.text) >= 45]
    open_ended = sum(not _ENDS.search(line.text) for line in broken)
    return widest if broken and widest <= _WIDEST_WRAP and open_ended * 2 >= len(broken) else 0


def _continues(unit: Unit, last: str, line: Line, wrap: int) -> bool:
    """Whether *line* is the rest of a sentence or paragraph that was broken above it."""
    quote = line.text.startswith(">")
    if line.apart or unit.level or unit.rule or quote != unit.quote:
        return False
    word = line.text.split(" ", 1)[0]
    full = wrap > 0 and len(last) >= 45 and len(last) + 1 + len(word) > wrap - 6
    return full or quote or (line.text[0].islower() and not SENTENCE_END.search(last))


def _is_verse(unit: Unit, last: str, line: Line) -> bool:
    """Whether *line* is a short line below a short line, as in a poem, an address, a signature."""
    other = line.apart or unit.level or unit.marker or unit.rule or unit.quote
    return not other and max(len(last), len(line.text)) <= 50


def _unmark_lonely_items(units: Sequence[Unit]) -> None:
    """Take the marker from what only looks like an item: one dash, "12. It was", "– Rilke"."""
    for marked, group in groupby(units, key=lambda unit: bool(unit.marker)):
        run = list(group)
        numbers = sum(bool(unit.number) for unit in run)
        dashes = sum(unit.marker in _DASHES for unit in run)
        for unit in run if marked else ():
            lonely = numbers < 2 if unit.number else dashes < 2 and unit.marker in _DASHES
            if lonely or not unit.text:
                unit.text, unit.marker = f"{unit.marker} {unit.text}".strip(), ""


def _mark_headings(units: Sequence[Unit]) -> None:
    for unit, below in pairwise(units):
        if unit.marker or unit.level or below.rule:
            continue
        paragraph = bool(below.marker) or len(below.text) > _HEADING_LENGTH or bool(_ENDS.search(below.text))
        if not below.apart and not below.marker:  # lines of the same length are verse or a list without marks
            paragraph = len(below.text) >= 60
        if paragraph and _is_heading(unit):
            unit.level = 2


def _is_heading(unit: Unit) -> bool:
    """Whether the unit's words could be a heading: short, beginning with a capital or a digit, no sentence."""
    text = unit.text
    short = len(text) <= _HEADING_LENGTH and len(text.split()) <= 12 and not unit.verse
    sentence = re.search(r"[.,;:!…\"”’]$", text) or re.match(r"(?:dear|hi|hello)\b", text, re.IGNORECASE)
    return short and not sentence and (text[0].isupper() or (text[0].isdigit() and not ITEM.match(text)))
