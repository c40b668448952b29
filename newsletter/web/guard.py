"""Who may ask a server on loopback.

Any page that the browser shows can send requests to this computer, and by rebinding its own name to 127.0.0.1
(DNS rebinding) even read the answers. So the Host must be one of this computer's own names, with our port, on every
route; and what acts must come from our own pages (Fetch Metadata, else Origin as in RFC 6454 section 7).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",  # a letter's links must not be looked up before somebody follows one
}
_ACTING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard:
    """Lets in what may come in, and puts the header fields that hold for everything on what goes out."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in NAMES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope)
        if request.headers.get("host", "").lower() not in self._hosts:
            answer = PlainTextResponse("This page is for this computer alone.\n", status_code=421)  # RFC 9110 15.5.20
            await answer(scope, receive, send)
        elif request.method in _ACTING and not self._own(request):
            await PlainTextResponse("This came from another page.\n", status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _own(self, request: Request) -> bool:
        site = request.headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        # Every browser sends Origin with a POST; without one nothing says that our page asked.
        return request.headers.get("origin", "").lower() == f"http://{request.headers['host'].lower()}"


def _with_headers(send: Send) -> Send:
    fields = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *fields]
        await send(message)

    return sending
