"""What `newsletter serve` answers about letters.

    GET /archive, /p/ID        the index and a letter, for everybody ([archive] visible = "all")
    GET /p/4                   leads to the letter with that number
    GET /atom.xml, /rss.xml    the feeds
    GET /a/TOKEN/, /a/TOKEN/ID the same for one reader, up to their own position (visible = "readers")
    GET /m/HASH/NAME           a picture

Guarantees
    What is not there for whoever asks is answered like any other address that is not: only a letter that was retracted,
    and that they could have read, is 410. Nothing asked here touches the store's rows. A page is filled once, until
    something about the letters changes; a program that has it already is told so (RFC 9110 section 13).

Price
    4,000 pages a second on one process: what is looked at for each request is a dictionary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from time import perf_counter

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.config import Images, Visible
from newsletter.consent import wishes
from newsletter.errors import NewsletterError
from newsletter.links import Purpose
from newsletter.subscribers import Status
from newsletter.web.archive import feeds
from newsletter.web.archive.paper import OF_READER, Paper, served
from newsletter.web.archive.shelf import Letter, Library, Shelf
from newsletter.web.house import House

FRESH = 0.5  #: seconds that a look is good for
_SHARE = 20  # a look may take so much of the time: one part in twenty


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page as it is sent, and the word that it is still the same."""

    whole: Response
    same: Response
    tag: str
    modified: str

    @classmethod
    def of(cls, body: bytes, kind: str, modified: datetime, fields: dict[str, str]) -> Sheet:
        """*body* with validators."""
        tag, date = f'"{sha256(body).hexdigest()[:32]}"', format_datetime(modified.replace(microsecond=0), usegmt=True)
        known = fields | {"ETag": tag, "Last-Modified": date}
        return cls(Response(body, 200, known, kind), Response(None, 304, known), tag, date)

    def answer(self, request: Request) -> Response:
        """The page, or that the asker has it. RFC 9110 section 13.2.2: a tag that is sent outranks a date."""
        tags = request.headers.get("if-none-match")
        if tags is None:
            # The very date that we gave: what was retracted since makes a page with an earlier one.
            return self.same if request.headers.get("if-modified-since") == self.modified else self.whole
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return self.same if self.tag in known or "*" in known else self.whole


@dataclass(slots=True)
class Rack:
    """The sheets of one shelf, each filled when it is first asked for."""

    shelf: Shelf
    public: Sequence[Letter]
    sheets: dict[object, Sheet] = field(default_factory=dict)

    def sheet(self, key: object, fill: Callable[[], Sheet]) -> Sheet:
        """The sheet under *key*."""
        if key not in self.sheets:
            self.sheets[key] = fill()
        return self.sheets[key]


class Reading:
    """The routes."""

    def __init__(self, house: House, library: Library, *, fresh: float = FRESH) -> None:
        config = library.config
        self._house, self._library, self._fresh = house, library, fresh
        self._visible, self._hosted = config.archive.visible, config.design.images is Images.HOSTED
        self._where = served(house.pages.base, config.identity.url)
        self._paper = Paper(house.pages, config.archive, config.rules.mode)
        self._index = {} if config.archive.visible is Visible.ALL and not config.archive.noindex else _NO_INDEX
        self._rack: Rack | None = None
        self._due = 0.0
        self._lock = asyncio.Lock()

    def routes(self) -> list[BaseRoute]:
        """All of them; what nobody may see is not among them."""
        found: list[BaseRoute] = []
        if self._visible is Visible.ALL:
            found += [
                Route("/p/{ident}", self.letter),
                Route("/archive", self.index),
                Route("/atom.xml", self.atom),
                Route("/rss.xml", self.rss),
            ]
        if self._visible is not Visible.NOBODY:
            found += [
                Route("/a/{token}", self.threshold),
                Route("/a/{token}/", self.own_index),
                Route("/a/{token}/{ident}", self.own_letter),
            ]
        if self._visible is not Visible.NOBODY or self._hosted:
            found.append(Route("/m/{digest}/{name}", self.picture))
        return found

    def prepare(self, *, at: datetime) -> tuple[str, ...]:
        """Write everything out before anybody asks; what can't be shown. Raises `TemplateError`."""
        if self._visible is Visible.NOBODY and not self._hosted:
            return ()
        shelf = self._library.look(at=at)
        self._paper.index(shelf.letters, self._where)
        for letter in shelf.letters[:1]:  # a fault in the template shows in the first
            self._paper.letter(letter, shelf.letters, self._where)
        return shelf.notes

    async def _now(self) -> Rack:
        """What is there; looked up when the last look is too old, by one visitor for all."""
        if self._rack is None or perf_counter() >= self._due:
            async with self._lock:
                if self._rack is None or perf_counter() >= self._due:
                    await self._look_again()
        assert self._rack is not None
        return self._rack

    async def _look_again(self) -> None:
        begun, rest = perf_counter(), self._fresh
        try:
            shelf = await run_in_threadpool(self._library.look, at=self._house.now())
        except NewsletterError:
            if self._rack is None:
                raise
        else:
            if self._rack is None or shelf is not self._rack.shelf:
                self._rack = Rack(shelf, shelf.public())
            elif rest:  # what a look costs that finds nothing new
                rest = max(rest, _SHARE * (perf_counter() - begun))
        self._due = perf_counter() + rest

    # For everybody

    async def index(self, request: Request) -> Response:
        """All letters."""
        rack = await self._now()
        sheet = rack.sheet("index", lambda: self._html(self._paper.index(rack.public, self._where), rack))
        return sheet.answer(request)

    async def letter(self, request: Request) -> Response:
        """One letter, by its id; by its number it is only found."""
        rack, ident = await self._now(), request.path_params["ident"]
        if (sheet := rack.sheets.get(("p", ident))) is not None:
            return sheet.answer(request)
        found = next((letter for letter in rack.public if letter.post.id == ident), None)
        if found is not None:
            html = self._paper.letter(found, rack.public, self._where)
            return rack.sheet(("p", ident), lambda: self._html(html, rack)).answer(request)
        if ident in rack.shelf.retracted:
            return self._house.retracted
        return self._by_number(rack, ident)

    def _by_number(self, rack: Rack, ident: str) -> Response:
        named = next((letter.post.id for letter in rack.public if str(letter.post.number) == ident), "")
        if named:
            return RedirectResponse(self._where.to(named), 302, {"Cache-Control": "no-cache"} | self._index)
        return self._house.retracted if ident in map(str, rack.shelf.retracted.values()) else self._house.gone

    async def atom(self, request: Request) -> Response:
        """The feed of RFC 4287."""
        return await self._feed(request, feeds.ATOM, feeds.atom)

    async def rss(self, request: Request) -> Response:
        """The feed of RSS 2.0."""
        return await self._feed(request, feeds.RSS, feeds.rss)

    async def _feed(self, request: Request, kind: str, write: Callable[..., bytes]) -> Response:
        rack, identity = await self._now(), self._house.pages.identity

        def fill() -> Sheet:
            body = write(
                feeds.latest(rack.public), identity,
                site=identity.url, home=f"{identity.url}/archive", changed=rack.shelf.changed,
            )  # fmt: skip
            return Sheet.of(body, kind, rack.shelf.changed, _KEEP | _FOR_PROGRAMS | self._index)

        return rack.sheet((kind,), fill).answer(request)

    # For one reader

    async def threshold(self, request: Request) -> Response:
        """The link as it is mailed, without the stroke that the index needs behind it."""
        token = request.path_params["token"]
        self._house.reader(request, Purpose.ARCHIVE)
        return RedirectResponse(f"{self._house.pages.base}/a/{token}/", 302, _NO_STORE)

    async def own_index(self, request: Request) -> Response:
        """A reader's letters."""
        shelf = await self._own(request)
        if shelf is None:
            return self._house.gone
        if self._visible is Visible.ALL:
            return RedirectResponse(self._where.index, 302, _NO_STORE)
        return self._private(self._paper.index(shelf[0], OF_READER))

    async def own_letter(self, request: Request) -> Response:
        """One of them."""
        shelf, ident = await self._own(request), request.path_params["ident"]
        if shelf is None:
            return self._house.gone
        letters, retracted = shelf
        if self._visible is Visible.ALL:
            return RedirectResponse(self._where.to(ident), 302, _NO_STORE)
        found = next((letter for letter in letters if letter.post.id == ident), None)
        if found is None:
            return self._house.retracted if ident in retracted else self._house.gone
        return self._private(self._paper.letter(found, letters, OF_READER))

    async def _own(self, request: Request) -> tuple[Sequence[Letter], set[str]] | None:
        """What the reader has had by now, and what of it was retracted; None for somebody who is no reader."""
        house, token = self._house, self._house.reader(request, Purpose.ARCHIVE)
        at = house.now()
        view = await house.turns.look(lambda c: wishes.look(c, token, at=at))
        if view is None or view.person.status is not Status.ACTIVE:
            return None
        rack, tags, position = await self._now(), view.situation.tags, view.situation.position
        mine = [letter for letter in rack.shelf.letters if letter.post.number <= position and letter.is_for(tags)]
        return mine, {ident for ident, number in rack.shelf.retracted.items() if number <= position}

    def _private(self, html: str) -> Response:
        fields = {"Content-Security-Policy": self._paper.dress.policy} | _NO_STORE | _NO_INDEX
        return Response(html, 200, fields, "text/html")

    # Pictures

    async def picture(self, request: Request) -> Response:
        """A picture of a letter; its address has its hash, so it never changes."""
        rack = await self._now()
        name = f"{request.path_params['digest']}/{request.path_params['name']}"
        image = rack.shelf.media.get(name)
        if image is None:
            return self._house.gone
        fields = {"Cache-Control": "public, max-age=31536000, immutable"} | _FOR_PROGRAMS | self._index

        def fill() -> Sheet:
            return Sheet.of(image.data, f"image/{image.subtype}", rack.shelf.changed, fields)

        return rack.sheet(("m", name), fill).answer(request)

    def _html(self, html: str, rack: Rack) -> Sheet:
        fields = {"Content-Security-Policy": self._paper.dress.policy} | _KEEP | self._index
        return Sheet.of(html.encode(), "text/html; charset=utf-8", rack.shelf.changed, fields)


_KEEP = {"Cache-Control": "no-cache"}  # kept, and asked about each time: what is retracted must be gone
_NO_STORE = {"Cache-Control": "no-store"}
_NO_INDEX = {"X-Robots-Tag": "noindex"}
_FOR_PROGRAMS = {"Cross-Origin-Resource-Policy": "cross-origin"}  # mail programs and feed readers show them
