"""What a post can say beyond Markdown.

``::: email_only`` and ``::: web_only``, up to a line ``:::``
    stays in that medium alone, with the footnotes that are only there.
``[Book a first hour](https://…){.button}``
    in a paragraph of its own is a button.

Diagnostics
    `PostError` with the line in the post's file: a block that is not known or never closed, a button among words,
    lists within lists without end. What some readers shall not see must not depend on a typing mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from newsletter.errors import PostError
from newsletter.mail import shown
from newsletter.posts import Post
from newsletter.posts.names import named


class Medium(StrEnum):
    """Where a post is read."""

    EMAIL = "email"
    WEB = "web"


ONLY = {f"{medium}_only": medium for medium in Medium}  #: blocks for one medium, by their name
DEEPEST = 100  #: blocks within blocks; markdown-it's own 20 would drop the tenth list within lists without a word

_FENCES = " or ".join(f"::: {name}" for name in ONLY)
_FENCE = re.compile(r"\s*:{3,}\s*")
_MARK = re.compile(r"\s*\{\s*[.#:][^}]*\}")  # attributes as other Markdown tools have them
_BUTTON = re.compile(r"\s*\{\s*\.button\s*\}\s*")
_EXAMPLE = "[Book a first hour](https://…){.button}"
_BETWEEN = ("link_close", "softbreak")


def choose(state: StateCore) -> None:
    """Keep what is for this medium. Before any text is read, so that a note is numbered only where it is shown."""
    post: Post = state.env["post"]
    kept, hidden, above = [], 0, 0  # `above`: how much of what hides is only around the note, and not within it
    for token in state.tokens:
        if token.nesting == 1 and token.level + 1 >= DEEPEST:
            line = post.body_line + token.map[0] if token.map else None
            raise PostError(
                named(post.path), "lists and quotes are nested too deeply here; begin a new list", line=line
            )
        name = token.type.removeprefix("container_").rpartition("_")[0]
        if name in ONLY or name == "unknown":
            if token.nesting == 1:
                _check_fence(post, token)
            hidden += token.nesting if hidden or ONLY[name] != state.env["medium"] else 0
            continue
        # The text of a note shows only where something refers to it, so it may stand in any block.
        if token.type == "footnote_reference_open":
            above = hidden
        if hidden <= above:
            kept.append(token)
        if token.type == "footnote_reference_close":
            above = 0
    state.tokens = kept


def _check_fence(post: Post, token: Token) -> None:
    """A block that somebody else's eyes are not meant for must not depend on a typing mistake."""
    begins, end = token.map or (0, 0)
    line = post.body_line + begins
    name = token.info.strip()
    if not name:
        raise PostError(named(post.path), "this ::: closes nothing; delete the line", line=line)
    if name not in ONLY:
        raise PostError(named(post.path), f"there is no block {shown(name)}; write {_FENCES}", line=line)
    lines = post.body.split("\n")
    if end >= len(lines) or not _FENCE.fullmatch(lines[end].lstrip("> ")):
        raise PostError(named(post.path), f"the block {name} is never closed; put a line ::: below its text", line=line)


def make_buttons(tokens: Sequence[Token], post: Post) -> None:
    """A paragraph of nothing but links marked {.button} becomes a row of buttons."""
    for opened, block, closed in zip(tokens, tokens[1:], tokens[2:], strict=False):
        children = block.children or []
        behind = [mark.content for end, mark in pairwise(children) if end.type == "link_close" and mark.type == "text"]
        marks = [mark.strip() for mark in behind if _MARK.match(mark)]
        if not marks:
            continue
        line = post.body_line + block.map[0] if block.map else None
        if unknown := next((mark for mark in marks if not _BUTTON.match(mark)), ""):
            problem = f"{shown(unknown)} behind a link is not known; a button is written {_EXAMPLE}"
            raise PostError(named(post.path), problem, line=line)
        links = sum(child.type == "link_open" for child in children)
        around = [child for depth, child in _depths(children) if not depth and child.type not in _BETWEEN]
        alone = links == len(marks) and all(_BUTTON.fullmatch(child.content) for child in around)
        if opened.type != "paragraph_open" or not alone:
            problem = "a button stands in a paragraph of its own; put an empty line above and below it"
            raise PostError(named(post.path), problem, line=line)
        opened.type, closed.type = "buttons_open", "buttons_close"
        opened.hidden = closed.hidden = False
        block.children = [child for depth, child in _depths(children) if depth or child.type == "link_close"]
        for child in block.children:
            if child.type in ("link_open", "link_close"):
                child.meta = {"button": True}


def _depths(children: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """Inline tokens, each with the number of links that it stands in, its own opening included."""
    depth = 0
    for child in children:
        if child.type in ("link_open", "link_close"):
            depth += child.nesting
        yield depth, child
