"""Columns of a table: which of them keep their words whole.

A word that is longer than its column breaks, or the letter would scroll sideways. As few columns as possible pay for
that: beside a long address the day and the hour stay whole. Pure.

    whole   in a column that fits on any phone, whatever it makes of styles
    snug    in one that fits on most phones
    roomy   in one that fits on a wide screen only
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from markdown_it.token import Token

from newsletter.render.plaintext import width

# What says so → px of the text column there, and of a cell's padding; styles.html has the widths of the screens.
_SCREENS = {"whole": (248, 20), "snug": (320, 12), "roomy": (552, 20)}
_CHARACTER, _BOLD = 9.5, 11  # px: a letter, one of a header cell
_LEAST = 48  # px that a column of broken words keeps


def fit_columns(tokens: Sequence[Token]) -> None:
    """Give each table of *tokens*, or those of its cells that keep their words whole, the class that says so."""
    begins = 0
    for at, token in enumerate(tokens):
        if token.type == "table_open":
            begins = at
        elif token.type == "table_close":
            _fit(tokens[begins], list(_cells(tokens[begins:at])))


def _cells(tokens: Sequence[Token]) -> Iterator[tuple[int, Token, Token]]:
    """Each cell with its column and its words."""
    column = 0
    for opened, words in pairwise(tokens):
        if opened.type == "tr_open":
            column = 0
        elif opened.type in ("th_open", "td_open"):
            yield column, opened, words
            column += 1


def _fit(table: Token, cells: Sequence[tuple[int, Token, Token]]) -> None:
    longest: dict[int, float] = {}
    for column, cell, words in cells:
        letters = max((width(word) for word in _plain(words).split()), default=0)
        wide = letters * (_BOLD if cell.type == "th_open" else _CHARACTER)
        longest[column] = max(longest.get(column, 0), wide)
    kinds = dict.fromkeys(longest, "")
    for kind, (room, padding) in _SCREENS.items():
        for column in _whole(longest, room - len(longest) * padding):
            kinds[column] = kinds[column] or kind
    table.attrSet("class", "facts")
    if len(set(kinds.values())) == 1:
        table.attrSet("class", f"facts {kinds[0]}".strip())
        return
    for column, cell, _ in cells:
        if kinds[column]:
            cell.attrSet("class", kinds[column])


def _whole(longest: dict[int, float], left: float) -> set[int]:
    """The columns whose words fit unbroken, beginning with the narrowest, when the others keep a little."""
    kept: set[int] = set()
    order = sorted(longest, key=lambda column: longest[column])
    for place, column in enumerate(order):
        left -= longest[column]
        if left < sum(min(longest[other], _LEAST) for other in order[place + 1 :]):
            break
        kept.add(column)
    return kept


def _plain(words: Token) -> str:
    return "".join(" " if t.type in ("softbreak", "hardbreak") else t.content for t in words.children or ())
