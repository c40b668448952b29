"""A proof as the rules see it: its parts taken apart once, and places found again in the post's file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from newsletter.checks.css import Sheet, sheet
from newsletter.checks.page import Element, Page
from newsletter.config import LOCK_SCREEN_WORDS
from newsletter.posts import Folder, Post, PostStatus
from newsletter.proof import Proof
from newsletter.render.templates import Filler

LARGEST = 256 * 1024  #: octets of HTML that are read word by word; of more only the size is said

_FENCE = re.compile(r"[ >\t]*(`{3,}|~{3,})")
_TICKS = re.compile(r"`+")
_TARGET = re.compile(r"(?<=\]\()[^()\s]*(?=\))|(?<=\]:)\s*\S+|<?\bhttps?://[^\s<>]*>?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Context:
    """What the rules need to know besides the proof."""

    posts: Mapping[str, PostStatus] | None = None  #: id → status of every post in the folder; None = not known
    lock_screen_words: tuple[str, ...] = LOCK_SCREEN_WORDS
    templates: Path | None = None  #: the project's own

    @classmethod
    def of(
        cls, folder: Folder, lock_screen_words: tuple[str, ...] = LOCK_SCREEN_WORDS, templates: Path | None = None
    ) -> Context:
        """The context that a folder of posts gives; a broken file is there as well, and counts as live."""
        posts = {fault.id: PostStatus.LIVE for fault in folder.faults}
        return cls(
            posts | {post.id: post.status for post in (*folder.posts, *folder.held)}, lock_screen_words, templates
        )


@dataclass(frozen=True)
class Reading:
    """One proof under the eyes of the rules."""

    proof: Proof
    context: Context = field(default_factory=Context)

    @property
    def post(self) -> Post:
        """What the owner wrote."""
        return self.proof.post

    @cached_property
    def page(self) -> Page:
        """The HTML part."""
        return Page(self.proof.html)

    @cached_property
    def sheet(self) -> Sheet:
        """What stands in style elements."""
        return sheet("\n".join("".join(map(str, e.children)) for e in self.page.all("style")))

    @cached_property
    def links(self) -> list[Element]:
        """Every link."""
        return [e for e in self.page.all("a") if "href" in e.attributes]

    @cached_property
    def images(self) -> list[Element]:
        """Every picture."""
        return self.page.all("img")

    @cached_property
    def words(self) -> str:
        """The text that readers see outside code."""
        return self.page.words

    def shows(self, text: str) -> bool:
        """Whether readers see *text*, whatever the typographer did to its quotes and dashes."""
        return _plain(text) in self._shown

    @cached_property
    def _shown(self) -> str:
        return _plain(self.words)

    def template_line(self, words: str) -> str:
        """File and line of the first template that has *words* in it, to begin a sentence with; "" for none."""
        found = Filler(self.context.templates).find(words)
        return f"templates/email/{found[0]}, line {found[1]}: " if found else ""

    # The post's file

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """The body's lines with their numbers in the file; code and the addresses of links are left out."""
        return list(_prose(self.post.body, self.post.body_line))

    def line_of(self, text: str) -> int | None:
        """The first line of the file that has *text* in it, code included."""
        wanted = _plain(text)
        if not wanted:
            return None
        return next((number for number, line in self._lines if wanted in line), None)

    @cached_property
    def _lines(self) -> list[tuple[int, str]]:
        return list(enumerate(map(_plain, self.post.body.split("\n")), self.post.body_line))

    def excerpt(self, line: int | None, words: str) -> str:
        """The line of the file as typed, from a little before *words* on."""
        if line is None or line < self.post.body_line:
            return words
        text = self.post.body.split("\n")[line - self.post.body_line]
        start = text.rfind(" ", 0, max(text.find(words) - 15, 0)) + 1
        return f"…{text[start:]}" if start else text

    def key_line(self, key: str) -> int | None:
        """The line of the file on which a key of the front matter stands."""
        return self.post.places.get(key)


def _plain(text: str) -> str:
    """*text* as it can be found again whatever the typographer did to it."""
    # Whatever looks like a token was broken by a word joiner.
    words = unquote(text).replace("\N{WORD JOINER}", "")
    return re.sub(r"[\s*_\\\"'“”‘’„‚«»‹›–—…-]+", " ", words).strip()


def _prose(body: str, first: int) -> Iterator[tuple[int, str]]:
    fence = ""
    for number, line in enumerate(body.split("\n"), first):
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence):
                fence = ""
        elif found:
            fence = found[1]
        else:
            yield number, _TARGET.sub("", _without_code(line))


def _without_code(line: str) -> str:
    """*line* without code spans (CommonMark section 6.1), within the line."""
    if "`" not in line:
        return line
    kept, at, ticks = [], 0, list(_TICKS.finditer(line))
    last = {len(tick[0]): i for i, tick in enumerate(ticks)}  # the last run of each length: whether one can close
    i = 0
    while i < len(ticks):
        length = len(ticks[i][0])
        if last[length] > i:
            close = next(j for j in range(i + 1, len(ticks)) if len(ticks[j][0]) == length)
            kept.append(line[at : ticks[i].start()])
            at, i = ticks[close].end(), close
        i += 1
    return " ".join([*kept, line[at:]])
