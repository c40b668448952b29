"""The public pages of a newsletter, as one application.

    /subscribe, /c/TOKEN    `asking`     /u/TOKEN    `leaving`     /s/TOKEN    `own`
    /healthz                figures for whoever watches the server

Guarantees
    What is not one of these is answered 404 with the same octets, and so is a token that we did not sign. A visitor
    gets no cookie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.web.asking import Asking
from newsletter.web.door import Door, Tally
from newsletter.web.house import House
from newsletter.web.leaving import Leaving
from newsletter.web.own import Own

Figures = Callable[[], Mapping[str, Any]]


def public_app(house: House, port: int, *, tally: Tally, figures: Figures, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The application; *more* routes stand beside the pages."""
    asking, leaving, own = Asking(house), Leaving(house), Own(house)

    def health(_: Request) -> Response:
        found = figures()
        return JSONResponse(found, 200 if found["ok"] else 503, {"Cache-Control": "no-store"})

    routes: list[BaseRoute] = [
        Route("/u/{token}", _either(leaving.page, leaving.act), methods=["GET", "POST"]),
        Route("/", asking.form),
        Route("/subscribe", _either(asking.form, asking.sign_up), methods=["GET", "POST"]),
        Route("/subscribe.json", _either(asking.nonce, asking.sign_up_by_script), methods=["GET", "POST"]),
        Route("/subscribe.js", asking.script),
        Route("/c/{token}", _either(asking.confirm_page, asking.confirm), methods=["GET", "POST"]),
        Route("/s/{token}", _either(own.page, own.act), methods=["GET", "POST"]),
        Route("/healthz", health),
        *more,
    ]
    router = Router(routes, redirect_slashes=False, default=_nothing(house))
    return Door(router, house.links.url, port, tally=tally, wrong=house.wrong)


def _either(get: Callable[[Request], Any], post: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """One endpoint of two: *get* for GET and HEAD."""

    async def endpoint(request: Request) -> Response:
        answer = (post if request.method == "POST" else get)(request)
        found: Response = answer if isinstance(answer, Response) else await answer
        return found

    return endpoint


def _nothing(house: House) -> ASGIApp:
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        await house.gone(scope, receive, send)

    return nothing
