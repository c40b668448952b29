"""What a folder of posts holds, as values: `Post`, `Fault`, `Folder`. Files are read elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from newsletter.posts.names import named


class PostStatus(StrEnum):
    """What may happen to a post; absent in the front matter means live."""

    DRAFT = "draft"  #: being written; never leaves
    LIVE = "live"  #: leaves when it is due
    RETRACTED = "retracted"  #: passed over for ever


@dataclass(frozen=True, slots=True)
class Post:
    """One usable post, as its file has it."""

    id: str  #: identity across renames: front matter `id`, else the slug in the file name, else "post-NUMBER"
    explicit_id: bool  #: front matter has the id
    number: int  #: from the file name, base 10, 1 or more
    path: Path  #: as given: folder / name
    title: str
    subject: str  #: the title unless given
    preheader: str
    publish_at: datetime | None  #: aware, UTC
    status: PostStatus
    tags: frozenset[str]  #: whom it is for; empty = everyone
    language: str  #: BCP 47; empty = the newsletter's
    image: str
    image_alt: str
    late: bool  #: `catch_up: late`: readers who are past it get it too
    text: str  #: replaces the plain-text part; empty = made from the body
    body: str  #: Markdown, line ends LF
    body_line: int  #: the line of the file on which the body begins, from 1
    digest: str  #: SHA-256 of the file's bytes, hex
    url: str = ""  #: https://… where it stands on the owner's blog, for search engines; empty = nowhere else
    allow: frozenset[str] = frozenset()  #: checks that the owner has answered: they are silent about this post
    places: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)  #: key → its line in the file
    remarks: tuple[tuple[int, str], ...] = ()  #: what does no harm: line, and words with the remedy behind a semicolon


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a file can't be used. A file may have several."""

    path: Path
    problem: str  #: what is wrong and what to do
    line: int | None
    number: int | None
    id: str  #: as far as the file could be read, else ""

    def __str__(self) -> str:
        return f"{named(self.path)}{f', line {self.line}' if self.line else ''}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of posts at one instant."""

    posts: tuple[Post, ...]  #: usable, by number
    faults: tuple[Fault, ...]  #: broken files, and one for each file whose number or id is taken twice
    held: tuple[Post, ...]  #: they could be read, but their number or id is taken twice
    warnings: tuple[str, ...]
