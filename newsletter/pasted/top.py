"""The top of a pasted page: number, title, and the menus, dates and bylines around them.

The number is that of a line of its own or of the title's line. Where links to the neighbours stand, each takes the
number below it; only a number that is left over is the page's own, and when that can't be told apart there is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from newsletter.pasted.forms import BETWEEN, Kind, form_of, is_name, numbered
from newsletter.pasted.lines import Line

_TITLE_LENGTH = 120  #: characters
_LONGEST = 80  #: lines; what stands below them is no top


@dataclass(slots=True)
class Top:
    """What was found above the body."""

    number: int | None
    title: str
    cut: list[str]
    end: int  #: the index of the body's first line


def find_top(lines: Sequence[Line]) -> Top | None:
    """Number and title from the lines above the first paragraph, and what to cut there; None without a title."""
    least = min(len(lines), _LONGEST)
    zone = lines[: next((at for at in range(least) if _is_prose(lines, at)), least)]
    own = _own_number(zone)
    number, title = (None, "") if own is None else numbered(lines[own].unmarked)
    named = own if title else _title(lines, zone, own)
    if named is None:
        return None
    used = {named} if own is None else {named, own}
    cut = [line.text for at, line in enumerate(lines[: max(used)]) if at not in used]
    if own is not None and Kind.DATE in {form_of(piece) for piece in BETWEEN.split(lines[own].text)}:
        cut.append(lines[own].text)
    top = Top(number, title or lines[named].unmarked, cut, max(used) + 1)
    while top.end < len(lines) and _belongs_to_top(lines, top):
        cut.append(lines[top.end].text)
        top.end += 1
    return top


def _is_prose(lines: Sequence[Line], at: int) -> bool:
    """Whether a paragraph begins here."""
    line = lines[at]
    if line.kind is not Kind.TEXT:
        return False
    follows = at + 1 < len(lines) and not lines[at + 1].apart and lines[at + 1].kind is Kind.TEXT
    wrapped = follows and len(line.text) >= 55 and (len(lines[at + 1].text) >= 40 or lines[at + 1].text[0].islower())
    ended = len(line.text.split()) >= 6 and re.search(r"[.,;:…][\"”’')\]]*$", line.text) is not None
    return len(line.text) > _TITLE_LENGTH or wrapped or ended


def _own_number(zone: Sequence[Line]) -> int | None:
    """The index of the line with this page's number; None when the only numbers are those of its neighbours."""
    for run in _runs(zone):
        shape = "".join("w" if zone[at].kind is Kind.WORD else "n" for at in run)
        rest = run[len(re.sub(r"^(?:w+n)*", lambda taken: "", shape)) * -1 :] if shape else []
        words = {zone[at].text.lower()[:4] for at in run if zone[at].kind is Kind.WORD}
        alone = {numbered(zone[at].unmarked)[0] for at in rest if zone[at].kind is Kind.NUMBER}
        both = re.fullmatch(r"nw+", shape) and len(words) > 1  # the number, then both links without theirs
        if len(alone) == 1 and zone[rest[0]].kind is Kind.NUMBER and (both or "w" not in shape[-len(rest) :]):
            return rest[0]
    return None


