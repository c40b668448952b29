"""Paper: a letter as a page, and the index of all of them.

One template for each serves everybody: what differs is where things lie (`Where`), on our own server, in a folder of
files, or behind a reader's own link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from newsletter.config import Archive, Mode, Visible
from newsletter.render import HERE
from newsletter.web.archive.shelf import Letter
from newsletter.web.pages import Dress, Pages


@dataclass(frozen=True, slots=True)
class Where:
    """Addresses as a page writes them."""

    index: str
    letter: str  #: with {} for the id
    here: str  #: what stands before /m/
    feeds: Mapping[str, str] = field(default_factory=dict)  #: media type → address
    subscribe: str = ""  #: "" = nobody can on the web
    site: str = ""  #: https://… of the whole, for search engines; "" = nobody knows
    home: str = ""  #: and of the index

    def to(self, ident: str) -> str:
        """Where the letter with *ident* is."""
        return self.letter.replace("{}", ident)


#: Behind a reader's link, /a/TOKEN/…: relative, so that no page has a token in it.
OF_READER = Where(index="./", letter="{}", here="../..")


def served(base: str, url: str) -> Where:
    """On our own server, below *base*; *url* is its whole address."""
    feeds = {"application/atom+xml": f"{base}/atom.xml", "application/rss+xml": f"{base}/rss.xml"}
    return Where(f"{base}/archive", f"{base}/p/{{}}", base, feeds, f"{base}/subscribe", url, f"{url}/archive")


@dataclass(slots=True)
class Paper:
    """Writes pages of one newsletter. Raises `TemplateError`."""

    pages: Pages
    archive: Archive
    mode: Mode
    dress: Dress = field(init=False)

    def __post_init__(self) -> None:
        self.dress = self.pages.dress("public.css", "letter.css", images="'self'")

    def letter(self, letter: Letter, shelf: Sequence[Letter], where: Where) -> str:
        """The page of *letter*, which lies among *shelf*."""
        at = shelf.index(letter)
        before, after = shelf[at - 1] if at else None, shelf[at + 1] if at + 1 < len(shelf) else None
        post, shown = letter.post, letter.shown
        return self._page(
            "letter.html", where,
            letter=shown,
            content=self._settled(shown.content, shelf, where),
            lead=str(shown.lead).replace(HERE, where.here),
            logo=str(shown.around["logo"]).replace(HERE, where.here),
            date=self._day(post.publish_at),
            canonical=post.url or (f"{where.site}/p/{post.id}" if where.site else ""),
            before=self._neighbour(before, where),
            after=self._neighbour(after, where),
        )  # fmt: skip

    def index(self, shelf: Sequence[Letter], where: Where) -> str:
        """The index: from the first on where readers begin there, else the latest first."""
        order = shelf if self.mode is Mode.SEQUENCE else sorted(shelf, key=_newest, reverse=True)
        listed = [
            {
                "href": where.to(letter.post.id),
                "number": letter.shown.around["number"],
                "title": letter.shown.title,
                "summary": letter.shown.summary,
                "language": letter.shown.language,
                "direction": letter.shown.direction,
                "date": self._day(letter.post.publish_at),
            }
            for letter in order
        ]
        return self._page("archive.html", where, letters=listed, canonical=where.home)

    def _page(self, template: str, where: Where, **values: Any) -> str:
        index = self.archive.visible is Visible.ALL and not self.archive.noindex and where is not OF_READER
        return self.pages.html(template, "", self.dress, index=index, where=where, **values)

    def _neighbour(self, letter: Letter | None, where: Where) -> Mapping[str, str] | None:
        if letter is None:
            return None
        return {
            "href": where.to(letter.post.id), "title": letter.shown.title, "number": letter.shown.around["number"],
            "language": letter.shown.language,
        }  # fmt: skip

    def _settled(self, content: str, shelf: Sequence[Letter], where: Where) -> str:
        """*content* with its pictures, and with links from letter to letter as this place has them."""
        url = self.pages.identity.url
        content = content.replace(HERE, where.here)
        if not url:
            return content
        there = {letter.post.id for letter in shelf}
        return re.sub(
            rf'(?<=href="){re.escape(escape(url))}/p/([a-z0-9._-]+)/?(?=["#?])',
            lambda found: where.to(found[1]) if found[1] in there else found[0],
            content,
        )

    def _day(self, at: datetime | None) -> str:
        return self.pages.day(at.astimezone(self.pages.identity.timezone).date()) if at else ""


def _newest(letter: Letter) -> tuple[datetime, int]:
    return letter.published, letter.post.number
