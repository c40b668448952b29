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
        left = re.sub(r"^(?:w+n)+", "", shape)  # each group of words takes the number below it
        words = {zone[at].text.lower()[:4] for at in run[1:]}
        if re.fullmatch(r"n+", left) or (
            re.fullmatch(r"nw+", shape) and len(words) > 1
        ):  # or both links without theirs
            rest = [at for at in run[len(shape) - len(left) :] if zone[at].kind is Kind.NUMBER]
            if len({numbered(zone[at].unmarked)[0] for at in rest}) == 1:
                return rest[0]
    return None


def _runs(zone: Sequence[Line]) -> list[list[int]]:
    """The indexes of words of navigation and of numbers, those that belong together in one list."""
    steps = [at for at, line in enumerate(zone) if line.kind in {Kind.WORD, Kind.NUMBER}]
    # Where navigation stands in blocks, a blank line ends it; where blank lines are everywhere they say nothing.
    blocks = any(here + 1 == after and not zone[after].apart for here, after in pairwise(steps))
    runs: list[list[int]] = []
    for at in steps:
        if runs and runs[-1][-1] + 1 == at and not (blocks and zone[at].apart):
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _title(lines: Sequence[Line], zone: Sequence[Line], own: int | None) -> int | None:
    """The index of the title's line; *own* is that of the line with nothing but the number."""
    fitting = [at for at in range(len(zone)) if _fits_a_title(zone, at)]
    text = [at for at, line in enumerate(lines[: _LONGEST + 10]) if line.kind is Kind.TEXT]
    if own is not None:
        text = [at for at in text if at > own]
        beside = _title_beside(lines, fitting, text, own)
        if beside is not None:
            return beside
    elif fitting:
        # What stands above a menu is the site's name.
        menus = [at for at in range(1, len(zone)) if zone[at].kind is zone[at - 1].kind is Kind.MENU]
        return next((at for at in fitting if menus and at > menus[-1]), fitting[0])
    # A title may be a sentence, when it is short and something follows it.
    return text[0] if len(text) > 1 and len(lines[text[0]].text) <= 80 else None


def _fits_a_title(zone: Sequence[Line], at: int) -> bool:
    """Whether the line is text, no clause, and not the name of the neighbour that navigation leads to."""
    after_word = at > 0 and zone[at - 1].kind is Kind.WORD and not zone[at].apart
    return zone[at].kind is Kind.TEXT and not after_word and not zone[at].text.endswith((".", ",", ";", ":"))


def _title_beside(lines: Sequence[Line], fitting: Sequence[int], below: Sequence[int], own: int) -> int | None:
    """The index of the title above or below the line with the number; *below* has the lines of text below it."""
    above = max((at for at in fitting if at < own), default=None)
    under = below[0] if below and below[0] in fitting else None
    glued = above == own - 1 and not lines[own].apart
    if above is not None and (under is None or (glued and lines[under].apart)):
        return above
    if under is None and own + 1 < len(lines) and lines[own + 1].kind is Kind.MENU:  # a post may be called "Home"
        return own + 1
    return under


def _belongs_to_top(lines: Sequence[Line], top: Top) -> bool:
    """Whether the line at *top*'s end still is a date, a byline, a widget or the title once more."""
    line, above = lines[top.end], lines[top.end - 1]
    below = lines[top.end + 1] if top.end + 1 < len(lines) else None
    if line.kind is Kind.NUMBER:
        return above.kind is Kind.WORD or numbered(line.unmarked) == (top.number, "")
    if line.kind is Kind.MENU:
        return below is not None and below.kind in {Kind.MENU, Kind.NAVIGATION}
    dated = below is not None and below.kind is Kind.DATE and not below.apart
    return line.residue or (dated and is_name(line.text)) or line.text.casefold() == top.title.casefold()
