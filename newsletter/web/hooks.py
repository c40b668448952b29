"""Webhooks: where providers tell what came back.

    POST /hooks/VENDOR/SECRET    200 once it is in the database; 5xx: tell it again

Guarantees
    An unknown vendor and a wrong secret get the same 404, in the same time, before a byte of the body is read. What
    is not genuine gets one and the same 401. An answer of 2xx means that the events are durable; while they can't
    be, the answer is 503, and every vendor tells again.

A body has at most 1 MB, and is handed on as it came: signatures are over its octets. Not 403, after which some vendors
never tell again: a key that was mistyped here must not cost events.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from newsletter.errors import HookRefused, NewsletterError
from newsletter.events import Heard, Hook
from newsletter.links import mac
from newsletter.store.feedback import Taken
from newsletter.web.forms import TooLarge, body_of

_log = logging.getLogger(__name__)

BODY_MOST = 1_000_000  # octets
_SECRET_CHARACTERS = 32  # of hexadecimal: 128 bits
_AGAIN_AFTER = "60"  # seconds

Hear = Callable[[Hook, datetime], Heard]  #: raises `HookRefused` unless the request is genuine
TakeIn = Callable[[str, Heard, datetime], Taken]  #: vendor, what it told, when


@dataclass(frozen=True, slots=True)
class Entrance:
    """One vendor's way in."""

    hear: Hear
    secrets: tuple[str, ...] = field(repr=False)  #: any of them opens it


def secret_for(vendor: str, key: bytes) -> str:
    """The last part of the address for *vendor*; made from the newsletter's signing *key*, so kept nowhere."""
    return mac(key, b"newsletter hook\0" + vendor.encode()).hex()[:_SECRET_CHARACTERS]


def path_for(vendor: str, key: bytes) -> str:
    """What follows the newsletter's url in the address that *vendor* is given."""
    return f"/hooks/{vendor}/{secret_for(vendor, key)}"


def routes(entrances: Mapping[str, Entrance], take_in: TakeIn, *, now: Callable[[], datetime]) -> list[Route]:
    """The routes by which the vendors of *entrances* tell what *take_in* is to make durable."""
    return [Route("/hooks/{vendor}/{secret}", _Hooks(dict(entrances), take_in, now).answer, methods=["POST"])]


@dataclass(frozen=True, slots=True)
class _Hooks:
    entrances: Mapping[str, Entrance]
    take_in: TakeIn
    now: Callable[[], datetime]

    async def answer(self, request: Request) -> Response:
        vendor = request.path_params["vendor"]
        entrance = self._opened(vendor, request.path_params["secret"])
        if entrance is None:
            raise HTTPException(404)  # the site's own, as for every page that is not there
        try:
            body = await body_of(request, BODY_MOST)
        except TooLarge:
            return PlainTextResponse("Too much at once.\n", status_code=413)
        # Names in lower case, as ASGI has them; of a field that comes twice the first.
        hook = Hook(body, dict(request.headers), dict(request.query_params))
        try:
            await run_in_threadpool(self._take, vendor, entrance, hook)
        except HookRefused as error:
            _log.warning("hook refused", extra={"facts": {"vendor": vendor, "why": str(error)}})
            fields = {"WWW-Authenticate": 'Basic realm="webhooks"'}  # RFC 9110 section 15.5.2
            return PlainTextResponse("Not accepted.\n", status_code=401, headers=fields)
        except NewsletterError as error:  # the database is busy, a certificate can't be had
            _log.error("hook failed", extra={"facts": {"vendor": vendor, "why": str(error)}})
            return PlainTextResponse("Not now.\n", status_code=503, headers={"Retry-After": _AGAIN_AFTER})
        return PlainTextResponse("Thank you.\n")

    def _opened(self, vendor: str, secret: str) -> Entrance | None:
        """The entrance of *vendor*, if *secret* opens it; a entrance that is not there takes as long."""
        entrance = self.entrances.get(vendor)
        wanted = entrance.secrets if entrance else ("no such entrance",)
        given = secret.encode("utf-8", "replace")
        found = [hmac.compare_digest(given, word.encode()) for word in wanted if word]
        return entrance if any(found) else None

    def _take(self, vendor: str, entrance: Entrance, hook: Hook) -> None:
        at = self.now()
        heard = entrance.hear(hook, at)
        taken = self.take_in(vendor, heard, at)
        facts = {"vendor": vendor, "known": taken.known, "ignored": heard.ignored, "replayed": taken.replayed}
        _log.info("hook", extra={"facts": facts | {effect.value: n for effect, n in taken.effects.items()}})
