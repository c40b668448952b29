"""Rules about what the owner wrote: front matter, drafting marks, HTML that would show as text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.finding import Finding, clipped, error, warning
from newsletter.checks.reading import Reading
from newsletter.findings import halves
from newsletter.posts import TO_BE_WRITTEN

_MERGE_FIELD = r"\{\{[^{}\n]{0,80}\}\}|\{%[^{}\n]{0,80}%\}|\*\|[A-Z_:]{2,40}\|\*|%%[A-Za-z_]{2,40}%%|@@[A-Z_]{2,40}@@"
_PLACEHOLDER = r"(?i:\[(?:insert|your|first|link|quote|image|picture|date|name|add|tbd|tba)\b[^\]\n]{0,60}\](?![(\[:]))"
# "TK" is what writers put where something is "to come"; between names it is somebody's initials.
_TITLES = ("[DM]r", r"[DM]r\.", "Ms", r"Ms\.", "Mrs", r"Mrs\.", "Prof", r"Prof\.")
_NO_NAME = "".join(rf"(?<!\b{title}\s)" for title in _TITLES)
_TO_COME = rf"\bTKTK\w*|[\[(]TK\b[^\])\n]{{0,60}}[\])]|{_NO_NAME}(?<![\w.&'’-])TK(?![\w&'’-])(?!\s[A-Z]|\.[A-Z])"
_TO_DO = r"\b(?:TODO|FIXME)\b(?=\s*[:(\]])|(?:(?<=^)|(?<=[\[(]))(?:TODO|FIXME|TBD)\b"
_MARKS = re.compile(
    rf"^{re.escape(TO_BE_WRITTEN)}$|{_MERGE_FIELD}|{_PLACEHOLDER}|{_TO_COME}|{_TO_DO}|(?i:\blorem ipsum\b)"
)
_TAG = re.compile(
    r"</?(?:a|b|blockquote|br|center|div|em|font|h[1-6]|hr|i|iframe|img|li|ol|p|script|span|strong|style|table|td|tr|u|ul)"
    r"(?:\s[^<>\n]{0,200})?/?>|<!--",
    re.IGNORECASE,
)


def drafting_marks(reading: Reading) -> Iterator[Finding]:
    """Something is still to be written: TK, TODO, lorem ipsum, [insert …], a merge field such as {{ name }}."""
    post = reading.post
    top = {
        "title": post.title,
        "subject": post.subject if post.subject != post.title else "",
        "preheader": post.preheader,
    }
    for key, text in top.items():
        for found in _MARKS.finditer(text):
            yield _mark(found[0], reading.key_line(key), text)
    for line, text in reading.prose:
        for found in _MARKS.finditer(text):
            if reading.shows(found[0].strip("[]()")):
                yield _mark(found[0], line, reading.excerpt(line, found[0]))


def _mark(mark: str, line: int | None, quote: str) -> Finding:
    return error(
        "drafting-mark",
        f"“{clipped(mark, 40)}” looks like a mark from drafting, and readers would see it.",
        "Write what belongs there, or take the mark out.",
        line=line,
        quote=quote,
    )


def html_shown_as_text(reading: Reading) -> Iterator[Finding]:
    """HTML in a post is not carried out: readers would see the tags."""
    for line, text in reading.prose:
        found = _TAG.search(text)
        if found and reading.shows(found[0]):
            yield warning(
                "html-as-text",
                f"HTML in a post is shown as it is typed, so readers would see “{clipped(found[0], 40)}”.",
                "Say it in Markdown, or take it out.",
                line=line,
                quote=reading.excerpt(line, found[0]),
            )


def front_matter(reading: Reading) -> Iterator[Finding]:
    """What stands at the top of the file is read as it was meant, and nothing in it is without effect."""
    for line, words in reading.post.remarks:
        yield warning("front-matter", *halves(words), line=line)


RULES = {"drafting-mark": drafting_marks, "html-as-text": html_shown_as_text, "front-matter": front_matter}
