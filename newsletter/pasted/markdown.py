"""Markdown of a pasted body: each unit written so that Markdown says what the page said, and no more.

Whatever Markdown would read as emphasis, code, a link or HTML is escaped; web addresses become links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from newsletter.pasted.units import Unit

_NESTED = frozenset("◦○▫")  #: bullets that programs use for the second level
_URL = re.compile(r"(?<!\w)https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}’”']")
_MISREAD = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)"  # an escape
    r"|\*(?!\s)|(?<!\s)\*|(?<![^\W_])_|_(?![^\W_])"  # emphasis
    r"|`|~~|<(?=[\w/!?])|&(?=#?\w+;)"
    r"|\](?=[(\[:])|\[(?=\^|[ xX]\]|!)"  # links, footnotes, boxes, call-outs
)
_BEGINNING = re.compile(
    r"^(?:(?P<mark>[-+*](?=\s|$)|=+(?=\s*$)|>|#{1,6}(?=\s|\d|$)|~{3}|:{3})|(?P<number>\d{1,9})(?=[.)](?:\s|$)))"
)


def markdown(units: Sequence[Unit]) -> str:
    """The units as Markdown: one line per paragraph."""
    blocks: list[str] = []
    last = ""
    for kind, text in _written(units):
        if kind and kind == last:
            blocks[-1] += "\n>\n" + text if kind == ">" else "\n" + text
        else:
            blocks.append(text)
        last = kind
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _written(units: Sequence[Unit]) -> Iterator[tuple[str, str]]:
    """Each unit's Markdown, after what it is a part of: "-" or "1" (a list), ">" (a quotation), "" (nothing)."""
    kind, base, width = "", 0, 0
    for unit in units:
        if unit.marker:
            if kind not in {"-", "1"}:
                base = unit.indent
            nested = kind in {"-", "1"} and (unit.indent >= base + 2 or unit.marker in _NESTED)
            mark = f"{unit.number}." if unit.number else "-"
            if not nested:
                kind, width = "1" if unit.number else "-", len(mark) + 1
            yield kind, f"{' ' * width if nested else ''}{mark} {escaped(unit.text)}"
            continue
        kind = ">" if unit.quote and not unit.level else ""
        if unit.level:
            yield kind, f"{'#' * unit.level} {escaped(unit.text)}"
        elif unit.quote:
            yield kind, f"> {escaped(unit.text.lstrip('> '))}"
        elif unit.rule:
            yield kind, unit.text
        else:
            yield kind, "\\\n".join(escaped(line) for line in (unit.text, *unit.verse))


def escaped(text: str) -> str:
    """*text* so that Markdown says exactly that; web addresses become links."""
    parts, at = [], 0
    for url in _URL.finditer(text):
        parts += [_MISREAD.sub(r"\\\g<0>", text[at : url.start()]), f"<{url[0]}>"]
        at = url.end()
    parts.append(_MISREAD.sub(r"\\\g<0>", text[at:]))
    return _BEGINNING.sub(lambda found: f"\\{found[0]}" if found["mark"] else f"{found[0]}\\", "".join(parts))
