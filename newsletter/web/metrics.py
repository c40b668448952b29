"""/metrics: the figures as OpenMetrics text 1.0, which Prometheus and most other monitoring systems read.

Guarantees
    Answered only to this machine itself, not through the web server in front of us: to the world there is nothing here.
    It tells counts and times, and nothing about anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.web.door import LOOPBACK
from newsletter.web.house import House

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def route(house: House, figures: Callable[[], Mapping[str, Any]]) -> Route:
    """The page; *figures* are those of /healthz, and `due` and `oldest_due`."""

    async def metrics(request: Request) -> Response:
        if not _from_here(request):
            return house.gone
        found = await house.turns.aside(figures)
        return Response(exposition(found), headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPE)

    return Route("/metrics", metrics)


def exposition(figures: Mapping[str, Any]) -> str:
    """*figures* as text; what is not known has no sample."""
    lines = list[str]()
    for name, kind, words, samples in _families(figures):
        known = [(labels, value) for labels, value in samples.items() if value is not None]
        if known:
            lines += [f"# TYPE newsletter_{name} {kind}", f"# HELP newsletter_{name} {words}"]
            total = "_total" if kind == "counter" else ""
            lines += [f"newsletter_{name}{total}{labels} {value}" for labels, value in known]
    return "\n".join([*lines, "# EOF", ""])


def _families(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, float | None]]]:
    """Name, kind, words, and the samples by their labels."""
    workers = figures.get("workers", {})
    there = {**figures, **workers}
    yield "up", "gauge", "Whether the database answers and all threads live.", {"": int(figures["ok"])}
    yield "database_up", "gauge", "Whether the database answers.", {"": int(figures["database"])}
    yield "last_run_timestamp_seconds", "gauge", "When a run last planned.", {"": _seconds(figures["last_run"])}
    waiting = figures["letters_waiting"] if figures["database"] else None
    yield "notices_waiting", "gauge", "Letters outside the sequence that wait to leave.", {"": waiting}
    yield "due", "gauge", "Messages that may leave now.", {"": there.get("due")}
    oldest = _seconds(there.get("oldest_due"))
    yield "oldest_due_timestamp_seconds", "gauge", "Since when the oldest of them is due.", {"": oldest}
    yield "workers_alive", "gauge", "Workers heard of in the last 15 seconds.", {"": workers.get("alive")}
    batches = {'{state="queued"}': workers.get("queue"), '{state="in_hand"}': workers.get("in_hand")}
    yield "batches", "gauge", "Batches for workers.", batches
    yield "messages_last_minute", "gauge", "Messages with an outcome in the last minute.", {"": workers.get("rate")}
    requests = {f'{{class="{status}"}}': count for status, count in figures["requests"].items()}
    yield "requests", "counter", "Requests answered, by class of status.", requests
    yield "faults", "counter", "Requests that failed by a fault of ours.", {"": figures["faults"]}
    yield "uptime_seconds", "gauge", "Since the server started.", {"": figures["uptime_seconds"]}


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def _from_here(request: Request) -> bool:
    """Whether somebody on this machine asks, and nobody through a web server that runs here too."""
    if request.client is None or not ip_address(request.client.host).is_loopback:
        return False
    named = request.headers.get("host", "").lower()
    direct = any(named == name or named.startswith(f"{name}:") for name in LOOPBACK)
    return direct and not any(name in request.headers for name in _FORWARDED)
