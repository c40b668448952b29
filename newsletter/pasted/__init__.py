"""Pasted pages: a web page copied as plain text becomes a post.

Three parts, each found by its own rules: the *top* (menus, number, title, date, byline), the *body*, and the *residue*
below it (previous and next, sharing, comments, cookies, copyright).

Guarantees
    The number comes from a line of its own or from the title's line, never from navigation; when that can't be told
    apart it is None. What is cut is reported line by line, so no word vanishes unseen. What Markdown would misread is
    escaped: the post says what the page said.

What goes wrong
    `PostError` when there is no title or nothing below it. What is a heading and what is residue is judged by form
    (the table in `forms`), so a page may keep a line of residue; a sentence is never taken for one.

The parts, from below: `forms` (what a line looks like), `lines`, `top`, `below`, `units` (paragraphs, headings, lists),
`markdown`. They meet here.
"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.errors import PostError
from newsletter.pasted.below import end_of_body, without_steps
from newsletter.pasted.lines import read_lines
from newsletter.pasted.markdown import markdown
from newsletter.pasted.top import find_top
from newsletter.pasted.units import read_units

__all__ = ["Pasted", "read_pasted"]


@dataclass(frozen=True, slots=True)
class Pasted:
    """A page as a post."""

    number: int | None  #: None when the page doesn't say, or says it only in its navigation
    title: str
    body: str  #: Markdown; headings from level 2
    cut: tuple[str, ...]  #: lines that were left out, in the page's order


def read_pasted(text: str, name: str) -> Pasted:
    """The post in *text*; *name* is the file's, for messages. Raises `PostError` with file and remedy."""
    lines = read_lines(text)
    if not lines:
        raise PostError(name, "the file is empty; copy the page's text into it and save it as plain text in UTF-8")
    top = find_top(lines)
    if top is None:
        raise PostError(name, "no title was found; put the title on the first line, and a blank line below it")
    end = end_of_body(lines, top.end)
    kept, amid = without_steps(lines[top.end : end])
    body = markdown(read_units(kept))
    if not body:
        raise PostError(name, "there is a title but no text below it; copy the whole page")
    return Pasted(top.number, top.title, body, (*top.cut, *(line.text for line in (*amid, *lines[end:]))))
