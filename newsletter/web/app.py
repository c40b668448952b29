"""The public pages of a newsletter, as one application.

    /subscribe, /c/TOKEN    `asking`     /u/TOKEN    `leaving`     /s/TOKEN    `own`
    /healthz                figures for whoever watches the server
    /metrics                `metrics`, the same for a monitoring system on this machine
    /hooks/VENDOR/SECRET    `hooks`, where a provider tells what came back
    /archive, /p/ID, /a/TOKEN/, /atom.xml, /rss.xml, /m/…    `archive`, the letters to be read

Guarantees
    What is not one of these is answered 404 with the same octets, and so is a token that we did not sign. A visitor
    gets no cookie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from newsletter.web.asking import Asking
from newsletter.web.door import Door, Tally
from newsletter.web.forms import TooLarge
from newsletter.web.house import House
from newsletter.web.leaving import Leaving
from newsletter.web.own import Own

Figures = Callable[[], Mapping[str, Any]]
_TOO_LARGE = Response("That is more than a form sends.\n", 413, {"Cache-Control": "no-store"}, "text/plain")


def public_app(house: House, port: int, *, tally: Tally, figures: Figures, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The application; *more* routes stand beside the pages."""
    asking, leaving, own = Asking(house), Leaving(house), Own(house)

    async def health(_: Request) -> Response:
        found = await house.turns.aside(figures)
        return JSONResponse(found, 200 if found["ok"] else 503, {"Cache-Control": "no-store"})

    # Coroutines: a plain function would be sent to a thread for each stray request.
    async def nothing(_: Request, __: Exception) -> Response:
        return house.gone

    async def too_large(_: Request, __: Exception) -> Response:
        return _TOO_LARGE

    async def odd(_: Request, error: Exception) -> Response:
        return Response(status_code=error.status_code if isinstance(error, HTTPException) else 400)

    async def wrong(_: Request, __: Exception) -> Response:
        return house.wrong

    routes: list[BaseRoute] = [
        Route("/u/{token}", _either(leaving.page, leaving.act), methods=["GET", "POST"]),
        Route("/", _either(asking.form, asking.form)),
        Route("/subscribe", _either(asking.form, asking.sign_up), methods=["GET", "POST"]),
        Route("/subscribe.json", _either(asking.nonce, asking.sign_up_by_script), methods=["GET", "POST"]),
        Route("/subscribe.js", _either(asking.script, asking.script)),
        Route("/c/{token}", _either(asking.confirm_page, asking.confirm), methods=["GET", "POST"]),
        Route("/s/{token}", _either(own.page, own.act), methods=["GET", "POST"]),
        Route("/healthz", health),
        *more,
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={404: nothing, 405: nothing, TooLarge: too_large, HTTPException: odd, Exception: wrong},
    )
    app.router.redirect_slashes = False
    return Door(app, house.links.url, port, tally=tally)


def _either(get: Callable[[Request], Any], post: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """One endpoint of two: *get* for GET and HEAD. A coroutine, for what waits for nothing needs no thread."""

    async def endpoint(request: Request) -> Response:
        answer = (post if request.method == "POST" else get)(request)
        found: Response = answer if isinstance(answer, Response) else await answer
        return found

    return endpoint
