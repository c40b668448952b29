"""The door of the public pages: what holds for every request, whatever it asks.

    Host     only the newsletter's own names, or this computer's: nobody else's name leads here
    prefix   works under a path ("https://example.org/letters"), whether the proxy takes it off or not
    method   GET, HEAD and POST; OPTIONS is answered and does nothing
    log      one line a request: method, the kind of page, status, milliseconds. No address, no token, no query.

Guarantees
    Each answer has the header fields of `HEADERS`. A fault of ours is a page that says so, and a line in the log.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # an address with a token in it is told to nobody
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_FIELDS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_KINDS = frozenset(
    {"", "subscribe", "subscribe.json", "subscribe.js", "u", "c", "s", "healthz", "metrics", "hooks"}
    | {"archive", "p", "a", "m", "atom.xml", "rss.xml"}
)


@dataclass(slots=True)
class Tally:
    """What was answered since the start."""

    requests: Counter[str] = field(default_factory=Counter)  #: by class of status: "2xx"
    kinds: Counter[str] = field(default_factory=Counter)  #: by method and kind of page: "POST u"
    failed: int = 0
    slowest: float = 0.0  #: seconds


class Door:
    """Lets requests in, and puts on what goes out what holds for everything."""

    def __init__(
        self,
        app: ASGIApp,
        url: str,
        port: int,
        *,
        tally: Tally,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        parts = urlsplit(url)
        self._app, self._prefix, self._tally, self._clock = app, parts.path.rstrip("/"), tally, clock
        names = {parts.netloc.lower(), *(f"{name}:{port}" for name in LOOPBACK), *LOOPBACK} - {""}
        self._hosts = {name.encode() for name in names}
        if parts.hostname and parts.port is None:
            self._hosts |= {f"{parts.netloc.lower()}:{default}".encode() for default in (80, 443)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        begun, status = self._clock(), 500
        path = scope["path"]
        if self._prefix and (path == self._prefix or path.startswith(f"{self._prefix}/")):
            path = path[len(self._prefix) :] or "/"
            scope = {**scope, "path": path, "root_path": ""}

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_FIELDS]
            await send(message)

        try:
            answer = self._refusal(scope)
            await (answer or self._app)(scope, receive, sending)
        except Exception as error:  # the visitor has had a page that says so
            self._tally.failed += 1
            # The kind of fault and no more: its words may quote what a visitor sent.
            _log.error("fault", extra={"facts": {"page": _kind(path), "fault": type(error).__name__}})
        finally:
            self._note(scope["method"], _kind(path), status, self._clock() - begun)

    def _refusal(self, scope: Scope) -> Response | None:
        hosts = [value.lower() for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:  # two are one too many: RFC 9112 section 3.2
            return _ELSEWHERE
        if scope["method"] in ("GET", "HEAD", "POST"):
            return None
        return _ALLOWED if scope["method"] == "OPTIONS" else _NOT_ALLOWED

    def _note(self, method: str, kind: str, status: int, seconds: float) -> None:
        tally = self._tally
        tally.requests[f"{status // 100}xx"] += 1
        tally.kinds[f"{method if method in ('GET', 'HEAD', 'POST', 'OPTIONS') else 'other'} {kind}"] += 1
        tally.slowest = max(tally.slowest, seconds)
        if _log.isEnabledFor(logging.INFO):
            facts = {"method": method, "page": kind, "status": status, "ms": round(seconds * 1000, 1)}
            _log.info("request", extra={"facts": facts})


def _kind(path: str) -> str:
    first = path.split("/", 2)[1] if path.startswith("/") else path
    return first if first in _KINDS else "other"


_ALLOW = {"Allow": "GET, HEAD, POST, OPTIONS", "Cache-Control": "no-store"}
_ALLOWED = Response(status_code=204, headers=_ALLOW)
_NOT_ALLOWED = Response("This can't be done here.\n", 405, _ALLOW, "text/plain")
# RFC 9110 section 15.5.20: not the right server for that name.
_ELSEWHERE = Response("This server knows no such name.\n", 421, {"Cache-Control": "no-store"}, "text/plain")
