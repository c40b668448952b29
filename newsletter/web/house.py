"""What the public pages have in common: the store's turns, the links' key, the pages, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from newsletter.config import Web
from newsletter.consent.asking import Desk
from newsletter.links import Links, Purpose
from newsletter.store import Store
from newsletter.store.requests import Evidence
from newsletter.web.forms import TooLarge, form_of, network_of, only
from newsletter.web.pages import Pages
from newsletter.web.turns import Turns


@dataclass(frozen=True, slots=True)
class House:
    """One newsletter as its visitors meet it."""

    store: Store
    turns: Turns
    links: Links
    pages: Pages
    desk: Desk
    web: Web
    now: Callable[[], datetime]
    wake: Callable[[], None]  #: somebody signed up: there is a letter to write
    secret: bytes = field(repr=False)

    @property
    def gone(self) -> Response:
        """There is nothing here: the same octets for whatever was asked."""
        return self.pages.message("gone", "title", "text", status=404)

    @property
    def wrong(self) -> Response:
        """A fault of ours."""
        return self.pages.message("wrong", "title", "text", status=503)

    def reader(self, request: Request, purpose: Purpose) -> bytes | None:
        """The subscriber id of the token in the path; None for anything that we did not sign."""
        return self.links.read(purpose, request.path_params["token"])

    def evidence(self, request: Request, form: str, wording: str, *, origin: bool = False) -> Evidence:
        """What was shown; with *origin*, from where it was answered."""
        return Evidence(form, wording, network_of(request, self.web.trusted_proxies) if origin else "")

    async def fields(self, request: Request) -> dict[str, list[str]] | None:
        """The form that was sent; None when it is too large."""
        try:
            return await form_of(request)
        except TooLarge:
            return None

    def done(self, what: str, language: str, text: str = "", **values: Any) -> Response:
        """The page that says what was done, a phrase of [done]."""
        said = self.pages.said(language)["done"]
        return self.pages.page("message.html", language, title=said[what], text=text or said[f"{what}_text"], **values)


TOO_LARGE = Response("That is more than a form sends.\n", 413, {"Cache-Control": "no-store"}, "text/plain")

__all__ = ["TOO_LARGE", "House", "only"]
