"""The live preview: the routes behind `newsletter preview 4`.

    GET  /4?show=dark&as=ana@example.org   the page
    GET  /4/letter?…                       the letter alone, for the page's frames
    GET  /4/post.eml?as=…                  the exact bytes
    POST /4/test                           a test message, from the page's form
    GET  /events                           tells when something was saved (server-sent events)

Guarantees
    GET changes nothing. A page may load what comes from here and nothing else, and a letter nothing at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Protocol
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from newsletter.errors import NewsletterError, NotFound, PostError
from newsletter.posts import Post
from newsletter.preview import Sheet, View, beside, letter, page, page_of
from newsletter.preview.views import POLICY
from newsletter.starter import builtin_templates
from newsletter.web.forms import TooLarge, form_of, only
from newsletter.web.watching import Bell

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_LETTER_POLICY = f"{POLICY}; frame-ancestors 'self'"
_BREATH = 15.0  # seconds between signs of life of a stream
_BODY_MOST = 16 * 1024  # octets of a form
_TESTS, _TESTS_WITHIN = 10, timedelta(minutes=10)
_SAID_MOST = 50


class Desk(Protocol):
    """What the pages show, and the one thing they can do."""

    @property
    def provider(self) -> str:
        """What a test message goes through, in the owner's words."""
        ...

    @property
    def owner(self) -> str:
        """The address that the form suggests."""
        ...

    def sheet(self, number: int, reader: str) -> Sheet:
        """Post *number* for *reader* ("" = the sample one) from the files as they are now. Raises `NewsletterError`."""
        ...

    def beside(self, number: int) -> tuple[Post | None, Post | None]:
        """The posts before and after *number*, whatever is the matter with that one."""
        ...

    def test(self, number: int, reader: str, to: str) -> str:
        """Send a test message, and say what went out. Raises `NewsletterError`."""
        ...


@dataclass(frozen=True, slots=True)
class _Here:
    """The `Site` of the live pages of one post for one reader."""

    number: int
    reader: str
    live = True

    def page(self, view: View) -> str:
        return f"/{self.number}{self._query(show='' if view is View.LIGHT else view.value)}"

    def letter(self, view: View, digest: str) -> str:
        return f"/{self.number}/letter{self._query(show=view.value, v=digest)}"

    def message(self) -> str:
        return f"/{self.number}/post.eml{self._query()}"

    def neighbour(self, number: int) -> str:
        return f"/{number}{self._query()}"

    def _query(self, **values: str) -> str:
        given = {key: value for key, value in ({"as": self.reader} | values).items() if value}
        return f"?{urlencode(given)}" if given else ""


@dataclass
class Window:
    """One live preview; it began with post *first*."""

    desk: Desk
    bell: Bell
    first: int
    now: Callable[[], datetime]
    _sent: deque[datetime] = field(default_factory=deque)  # when tests were sent
    _said: dict[str, tuple[str, bool]] = field(default_factory=dict)  # what came of each, and whether it went wrong

    def app(self) -> Starlette:
        """The routes."""
        routes: Sequence[Route] = [
            Route("/", self._start),
            Route("/events", self._events),
            Route("/preview.js", self._script),
            Route("/{number:int}", self._page),
            Route("/{number:int}/letter", self._letter),
            Route("/{number:int}/post.eml", self._message),
            Route("/{number:int}/test", self._test, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={Exception: _unforeseen})

    # What is shown

    def _start(self, request: Request) -> Response:
        return RedirectResponse(f"/{self.first}{'?' + request.url.query if request.url.query else ''}")

    def _page(self, request: Request) -> Response:
        number, reader, view = _asked(request)
        said, bad = self._said.get(request.query_params.get("said", ""), ("", False))
        form = {"provider": self.desk.provider, "to": self.desk.owner, "said": said, "bad": " bad" if bad else ""}
        try:
            sheet = self.desk.sheet(number, reader)
            return _html(page(sheet, view, _Here(number, sheet.reader), form=form))
        except NewsletterError as error:
            return self._fault(number, reader, error)

    def _fault(self, number: int, reader: str, error: NewsletterError) -> Response:
        """A page that says what is in the way, and goes by itself when that does."""
        more = error.more if isinstance(error, PostError) else ()
        values = {
            "newsletter": "Preview",
            "number": number,
            "reader": reader,
            "sentences": [_sentence(each) for each in (error, *more)],
            "live": True,
            "neighbours": beside(*self.desk.beside(number), _Here(number, reader)),
        }
        return _html(page_of("preview-fault.html", values), _status(error))

    def _letter(self, request: Request) -> Response:
        number, reader, view = _asked(request)
        try:
            sheet = self.desk.sheet(number, reader)
        except NewsletterError as error:
            return PlainTextResponse(str(error), status_code=_status(error))
        shown = letter(sheet.proof.page, view if view.is_letter else View.LIGHT, sheet.findings)
        return HTMLResponse(shown, headers={"Content-Security-Policy": _LETTER_POLICY})

    def _message(self, request: Request) -> Response:
        number, reader, _ = _asked(request)
        try:
            message = self.desk.sheet(number, reader).proof.message
        except NewsletterError as error:
            return PlainTextResponse(str(error), status_code=_status(error))
        return Response(
            message,
            media_type="message/rfc822",
            headers={"Content-Disposition": f'attachment; filename="post-{number}.eml"'},
        )

    def _script(self, _: Request) -> Response:
        script = (builtin_templates().parent / "web" / "preview.js").read_bytes()
        return Response(script, media_type="text/javascript")

    def _events(self, _: Request) -> Response:
        return StreamingResponse(self._told(), media_type="text/event-stream")

    def _told(self) -> Iterator[str]:
        """The count of what was saved, now and whenever it rises (HTML section 9.2, server-sent events)."""
        heard = self.bell.count
        yield f"retry: 500\nevent: saved\ndata: {heard}\n\n"
        while not self.bell.closed:
            count = self.bell.wait(heard, _BREATH)
            yield f"event: saved\ndata: {count}\n\n" if count != heard else ":\n\n"
            heard = count

    # What is sent

    async def _test(self, request: Request) -> Response:
        try:
            form = await form_of(request, _BODY_MOST)
        except TooLarge:
            return PlainTextResponse("That is more than the form sends.\n", status_code=413)
        return await run_in_threadpool(self._send, int(request.path_params["number"]), form)

    def _send(self, number: int, form: dict[str, list[str]]) -> Response:
        reader = only(form, "as").strip()
        said, bad = self._sending(number, reader, only(form, "to").strip())
        while len(self._said) >= _SAID_MOST:
            del self._said[next(iter(self._said))]
        name = token_urlsafe(6)
        self._said[name] = (said, bad)
        given = {"as": reader, "show": only(form, "show"), "said": name}
        query = urlencode({key: value for key, value in given.items() if value})
        return RedirectResponse(f"/{number}?{query}#test", status_code=303)

    def _sending(self, number: int, reader: str, to: str) -> tuple[str, bool]:
        now = self.now()
        while self._sent and self._sent[0] <= now - _TESTS_WITHIN:
            self._sent.popleft()
        if len(self._sent) >= _TESTS:
            minutes = _TESTS_WITHIN // timedelta(minutes=1)
            return f"{_TESTS} tests in {minutes} minutes are enough for this page; wait a little.", True
        self._sent.append(now)
        try:
            return self.desk.test(number, reader, to), False
        except NewsletterError as error:
            return _sentence(error), True


def _asked(request: Request) -> tuple[int, str, View]:
    words = request.query_params
    show = words.get("show", "")
    view = View(show) if show in set(View) else View.LIGHT
    return int(request.path_params["number"]), words.get("as", "").strip(), view


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status_code=status, headers={"Content-Security-Policy": _PAGE_POLICY})


def _unforeseen(_: Request, error: Exception) -> Response:
    """What should not have happened, said as on the command line."""
    words = f"This should not have happened, and it is not your mistake: {type(error).__name__}: {error}"
    return PlainTextResponse(f"{words}\nThe next thing you save may mend it.\n", status_code=500)


def _status(error: NewsletterError) -> int:
    return 404 if isinstance(error, NotFound) else 422


def _sentence(error: NewsletterError) -> str:
    words = str(error)
    return f"{words[:1].upper()}{words[1:]}" if words.partition(" ")[0].isalpha() else words  # not the name of a file


def preview_app(desk: Desk, bell: Bell, *, first: int, now: Callable[[], datetime]) -> Starlette:
    """The live preview as an application; `Guard` belongs in front of it."""
    return Window(desk, bell, first, now).app()
