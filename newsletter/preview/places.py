"""The place that a finding concerns, marked in the letter.

A finding quotes the words it is about. They are looked for in what a reader sees: quotation marks, dashes, white space
and Markdown's own marks may differ, and tags may stand between them. What isn't found there has its line in the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from newsletter.checks import Finding

# What nobody reads in the letter itself, then every other tag: words are between them.
_TAGS = re.compile(
    r"<(style|title)\b.*?</\1\s*>|<!--.*?-->|<(\w+)\b[^>]*\bdisplay:\s*none[^>]*>.*?</\2\s*>|<[^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_MARKDOWN = re.compile(r"^(?:#{1,6} |> ?|[-*+] |\d+[.)] )|!?\[([^\]]*)\]\([^)]*\)|\*\*?|~~|`+|(?<!\w)_+|_+(?!\w)")
_UNIT = re.compile(r"&(?:#\d+|#x[0-9a-f]+|\w+);|.", re.IGNORECASE | re.DOTALL)
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HEAD_ENDS = re.compile(r"</head>", re.IGNORECASE)
_PLAIN = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "–": "-",
                        "—": "-", "\N{NO-BREAK SPACE}": " "})  # fmt: skip
_LOOK = (
    "mark.found{background:none;color:inherit;text-decoration:underline wavy #c2571a 2px;text-underline-offset:4px;"
    "scroll-margin:90px}mark.found:target{background:#ffe3a3;color:#2b2b2b;outline:3px solid #c2571a}"
)


def places(html: str, findings: Sequence[Finding]) -> dict[int, str]:
    """Which of *findings* (by index) have a place in the letter *html*, and the name of that place."""
    return {index: place.name for index, place in _places(html, findings).items()}


def mark(html: str, findings: Sequence[Finding]) -> str:
    """*html* with a mark around the words of each of *findings* that are found."""
    inserts: list[tuple[int, str]] = []
    for place in dict.fromkeys(_places(html, findings).values()):
        for n, (start, end) in enumerate(place.spans):
            name = "" if n else f' id="{place.name}"'
            inserts += [(start, f'<mark class="found"{name}>'), (end, "</mark>")]
    if not inserts:
        return html
    pieces, at = [], 0
    for position, tag in sorted(inserts, key=lambda insert: (insert[0], insert[1] != "</mark>")):
        pieces += [html[at:position], tag]
        at = position
    return _HEAD_ENDS.sub(lambda end: f"<style>{_LOOK}</style>{end[0]}", "".join(pieces) + html[at:], count=1)


@dataclass(frozen=True, slots=True)
class _Place:
    """Words of the letter."""

    name: str  #: of the mark, to be led to
    start: int  #: among the letter's words
    end: int
    spans: tuple[tuple[int, int], ...]  #: where they stand in the HTML, cut at its tags


def _places(html: str, findings: Sequence[Finding]) -> dict[int, _Place]:
    wanted = [(index, quote) for index, finding in enumerate(findings) if (quote := _folded(finding.quote))]
    if not wanted:
        return {}
    text, where = _read(html)
    found: dict[int, _Place] = {}
    for index, quote in wanted:
        if same := _told_of(findings, index, found):
            found[index] = same
            continue
        if quote not in text:
            quote = _MARKDOWN.sub(r"\1", quote) or quote  # it is how the owner wrote them
        # As words of their own ("here" is not in "there"), if they are, and where nothing else was found, if they are.
        spans = [m.span() for m in re.finditer(rf"(?<!\w){re.escape(quote)}(?!\w)", text)]
        spans = spans or [m.span() for m in re.finditer(re.escape(quote), text)]
        free = [span for span in spans if not _at(found, *span)]
        if free:
            start, end = free[0]
            found[index] = _Place(f"finding-{index + 1}", start, end, tuple(_spans(where[start:end])))
        elif spans and (shared := _at(found, *spans[0])):
            found[index] = shared
    return found


def _told_of(findings: Sequence[Finding], index: int, found: dict[int, _Place]) -> _Place | None:
    """Where another rule has found the very words of the same line: the next such words are none of its business."""
    one = findings[index]
    return next(
        (
            place
            for other, place in found.items()
            if one.line and (one.quote, one.line) == (findings[other].quote, findings[other].line)
            and one.rule != findings[other].rule
        ),
        None,
    )  # fmt: skip


def _at(found: dict[int, _Place], start: int, end: int) -> _Place | None:
    return next((place for place in found.values() if place.start < end and start < place.end), None)


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text.translate(_PLAIN)).strip(" …")  # a long quote is cut at its ends


def _read(html: str) -> tuple[str, list[tuple[int, int]]]:
    """The words of *html* with white space folded, and for each character where it stands."""
    letters: list[str] = []
    where: list[tuple[int, int]] = []
    body = _BODY.search(html)
    at = body.end() if body else 0
    for tag in [*_TAGS.finditer(html, at), None]:
        for unit in _UNIT.finditer(html, at, tag.start() if tag else len(html)):
            letter = unescape(unit[0]).translate(_PLAIN)
            letter = " " if letter.isspace() else letter
            if letter == " " and letters[-1:] == [" "]:
                continue
            letters += letter
            where += [unit.span()] * len(letter)
        at = tag.end() if tag else at
    return "".join(letters), where


def _spans(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring characters joined: a tag between two of them begins a new span."""
    spans: list[tuple[int, int]] = []
    for start, end in places:
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        elif not spans or spans[-1] != (start, end):
            spans.append((start, end))
    return spans
