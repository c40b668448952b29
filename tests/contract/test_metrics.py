"""/metrics: the figures as OpenMetrics text, for this machine alone."""

from __future__ import annotations

import pytest
from desk import SLOT, Desk
from starlette.requests import Request

from newsletter.store import Store
from newsletter.web.metrics import _from_here, exposition

FIGURES = {
    "ok": True, "database": True, "uptime_seconds": 12, "last_run": "2026-03-02T09:00:00Z", "letters_waiting": 1,
    "requests": {"2xx": 7, "5xx": 1}, "faults": 1, "slowest_ms": 3.5,
}  # fmt: skip
WORKERS = {"alive": 2, "queue": 3, "in_hand": 1, "due": 1500, "oldest_due": "2026-03-02T09:00:00Z", "rate": 900}
WHOLE = """\
# TYPE newsletter_up gauge
# HELP newsletter_up Whether the database answers and all threads live.
newsletter_up 1
# TYPE newsletter_database_up gauge
# HELP newsletter_database_up Whether the database answers.
newsletter_database_up 1
# TYPE newsletter_last_run_timestamp_seconds gauge
# HELP newsletter_last_run_timestamp_seconds When a run last planned.
newsletter_last_run_timestamp_seconds 1772442000.0
# TYPE newsletter_notices_waiting gauge
# HELP newsletter_notices_waiting Letters outside the sequence that wait to leave.
newsletter_notices_waiting 1
# TYPE newsletter_due gauge
# HELP newsletter_due Messages that may leave now.
newsletter_due 1500
# TYPE newsletter_oldest_due_timestamp_seconds gauge
# HELP newsletter_oldest_due_timestamp_seconds Since when the oldest of them is due.
newsletter_oldest_due_timestamp_seconds 1772442000.0
# TYPE newsletter_workers_alive gauge
# HELP newsletter_workers_alive Workers heard of in the last 15 seconds.
newsletter_workers_alive 2
# TYPE newsletter_batches gauge
# HELP newsletter_batches Batches for workers.
newsletter_batches{state="queued"} 3
newsletter_batches{state="in_hand"} 1
# TYPE newsletter_messages_last_minute gauge
# HELP newsletter_messages_last_minute Messages with an outcome in the last minute.
newsletter_messages_last_minute 900
# TYPE newsletter_requests counter
# HELP newsletter_requests Requests answered, by class of status.
newsletter_requests_total{class="2xx"} 7
newsletter_requests_total{class="5xx"} 1
# TYPE newsletter_faults counter
# HELP newsletter_faults Requests that failed by a fault of ours.
newsletter_faults_total 1
# TYPE newsletter_uptime_seconds gauge
# HELP newsletter_uptime_seconds Since the server started.
newsletter_uptime_seconds 12
# EOF
"""


def test_each_figure_has_its_line_and_what_is_not_known_has_none() -> None:
    assert exposition(FIGURES | {"workers": WORKERS}) == WHOLE
    away = exposition(FIGURES | {"ok": False, "database": False, "last_run": None})
    assert "newsletter_up 0\n" in away and "newsletter_database_up 0\n" in away
    assert not any(name in away for name in ("last_run", "notices", "due", "workers", "batches"))


@pytest.mark.parametrize(
    ("peer", "fields", "here"),
    [
        pytest.param("127.0.0.1", {"host": "127.0.0.1:8000"}, True, id="this machine"),
        pytest.param("::1", {"host": "[::1]:8000"}, True, id="this machine, by IPv6"),
        pytest.param("192.0.2.7", {"host": "localhost:8000"}, False, id="another, with our name for ourselves"),
        pytest.param("127.0.0.1", {"host": "letters.example.org"}, False, id="a web server that keeps the name"),
        pytest.param(
            "127.0.0.1", {"host": "127.0.0.1:8000", "x-forwarded-for": "192.0.2.7"}, False, id="one that does not"
        ),
    ],
)
def test_only_this_machine_is_answered(peer: str, fields: dict[str, str], here: bool) -> None:
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    assert _from_here(Request({"type": "http", "client": (peer, 4), "headers": headers})) is here


def test_what_is_due_is_counted_without_workers_too(store: Store) -> None:
    desk = Desk(store)
    desk.publish(1)
    desk.join("ana", "ben")
    assert store.workers.backlog(at=desk.at).oldest is None
    desk.plan()
    backlog = store.workers.backlog(at=desk.at)
    assert (backlog.due, backlog.oldest) == (2, SLOT)
    desk.deliver()
    assert store.workers.backlog(at=desk.at).due == 0
