"""What the public pages have in common: the store's turns, the links' key, the pages, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.config import Visible, Web
from newsletter.consent.asking import Desk
from newsletter.links import Links, Purpose
from newsletter.store import Store
from newsletter.web.forms import network_of
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
    letters: Visible = Visible.NOBODY  #: who reads them here

    @property
    def gone(self) -> Response:
        """There is nothing here: the same octets for whatever was asked."""
        return self.pages.message("gone", "title", "text", status=404)

    @property
    def retracted(self) -> Response:
        """There was a letter here (RFC 9110 section 15.5.11)."""
        return self.pages.message("retracted", "title", "text", status=410)

    @property
    def wrong(self) -> Response:
        """A fault of ours."""
        return self.pages.message("wrong", "title", "text", status=503)

    def reader(self, request: Request, purpose: Purpose) -> bytes:
        """The subscriber id of the token in the path; anything that we did not sign is answered `gone`."""
        token = self.links.read(purpose, request.path_params["token"])
        if token is None:
            raise HTTPException(404)
        return token

    def network(self, request: Request) -> str:
        """The block of addresses that a visitor comes from; "" when nobody can say."""
        return network_of(request, self.web.trusted_proxies)

    def done(self, what: str, language: str, text: str = "", **values: Any) -> Response:
        """The page that says what was done, a phrase of [done]."""
        said = self.pages.said(language)["done"]
        return self.pages.page("message.html", language, title=said[what], text=text or said[f"{what}_text"], **values)
