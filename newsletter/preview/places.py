"""The place that a finding concerns, marked in the letter.

A finding quotes the words it is about. They are looked for in what a reader sees; typographer's quotes, dashes and
white space may differ, and tags may stand between them. What isn't found there has its line in the post's file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape

from newsletter.checks import Finding

# What is not read in the letter itself, then every other tag or comment: words are between them.
_TAGS = re.compile(r"<(head|style|title)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)
_UNIT = re.compile(r"&(?:#\d+|#x[0-9a-f]+|\w+);|.", re.IGNORECASE | re.DOTALL)
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_HEAD_ENDS = re.compile(r"</head>", re.IGNORECASE)
_PLAIN = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "–": "-",
                        "—": "-", "\N{NO-BREAK SPACE}": " "})  # fmt: skip
_LOOK = (
    "mark.found{background:none;color:inherit;text-decoration:underline wavy #c2571a 2px;text-underline-offset:4px;"
    "scroll-margin:90px}mark.found:target{background:#ffe3a3;color:#2b2b2b;outline:3px solid #c2571a}"
)


def anchor(index: int) -> str:
    """The name of finding *index* (from 0) in the letter."""
    return f"finding-{index + 1}"


def marked(html: str, findings: Sequence[Finding]) -> set[int]:
    """Which of *findings* (by index) have a place in the letter *html*."""
    return {index for index, _ in _places(html, findings)}


def mark(html: str, findings: Sequence[Finding]) -> str:
    """*html* with a mark around the words of each of *findings* that are found."""
    inserts: list[tuple[int, str]] = []
    taken: set[int] = set()
    for index, spans in _places(html, findings):
        for n, (start, end) in enumerate(spans):
            if taken.isdisjoint(range(start, end)):  # of two findings at one place the first has the mark
                name = "" if n else f' id="{anchor(index)}"'
                inserts += [(start, f'<mark class="found"{name}>'), (end, "</mark>")]
                taken.update(range(start, end))
    if not inserts:
        return html
    pieces, at = [], 0
    for position, tag in sorted(inserts, key=lambda insert: (insert[0], insert[1] != "</mark>")):
        pieces += [html[at:position], tag]
        at = position
    return _HEAD_ENDS.sub(lambda end: f"<style>{_LOOK}</style>{end[0]}", "".join(pieces) + html[at:], count=1)


_Spans = list[tuple[int, int]]


def _places(html: str, findings: Sequence[Finding]) -> list[tuple[int, _Spans]]:
    wanted = [(index, _folded(finding.quote)) for index, finding in enumerate(findings) if finding.quote.strip()]
    if not wanted:
        return []
    text, where = _read(html)
    found = []
    for index, quote in wanted:
        start = text.find(quote)
        if start >= 0 and quote:
            found.append((index, _spans(where[start : start + len(quote)])))
    return found


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text.translate(_PLAIN)).strip()


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


def _spans(places: list[tuple[int, int]]) -> _Spans:
    """Neighbouring characters joined: a tag between two of them begins a new span."""
    spans: _Spans = []
    for start, end in places:
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        elif not spans or spans[-1] != (start, end):
            spans.append((start, end))
    return spans
