"""Below the body of a pasted page, and amid it: what a website adds, told from what the letter says.

Read from the end upwards: lines of residue count, and lines that may be names of links or of strangers are taken along
as long as residue outnumbers them. The first sentence ends it, so a sentence is never cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from newsletter.pasted.forms import COMMENTS, ITEM, SENTENCE_END, Kind
from newsletter.pasted.lines import Line


def end_of_body(lines: Sequence[Line], start: int) -> int:
    """The index at which the residue below the body begins, or the number of lines."""
    end = next((at for at in range(start + 1, len(lines)) if COMMENTS.fullmatch(lines[at].text)), len(lines))
    residue, others, passed = 0, 0, 0
    for at in range(end - 1, start, -1):
        line, above = lines[at], lines[at - 1]
        label = above.kind in {Kind.WORD, Kind.LINKS} or line.kind is Kind.NUMBER
        if line.residue or (label and _is_label(line)):
            residue += 1
        elif _is_label(line):
            others, passed = others + 1, passed + 1
        else:
            break
        # A heading may be called "Resources", a letter may end in a date: these need residue right below them.
        weak = line.kind in {Kind.MENU, Kind.DATE} and (passed or residue < 2)
        if line.kind is not Kind.TEXT and not weak and residue > others:
            end, passed = at, 0
    return end


def without_steps(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """The body's lines, and the navigation amid them: two lines or more together, numbers alone being none."""
    steps = {Kind.WORD, Kind.NAVIGATION, Kind.NUMBER}
    kept: list[Line] = []
    cut: list[Line] = []
    for together, group in groupby(lines, key=lambda line: line.kind in steps):
        run = list(group)
        is_navigation = together and len(run) > 1 and any(line.residue for line in run)
        (cut if is_navigation else kept).extend(run)
    return kept, cut


def _is_label(line: Line) -> bool:
    """Whether the line may be the name of a link, an address, a site: anything but a sentence or a list."""
    return len(line.text) <= 80 and not SENTENCE_END.search(line.text) and not ITEM.match(line.text)
