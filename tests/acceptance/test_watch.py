"""`newsletter health` and the log, as their owner and her monitor meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mailserver import MailServer
from practice import ANA, DAY, HOUR, Practice


def with_line(practice: Practice, section: str, line: str) -> None:
    path = practice.root / "newsletter.toml"
    path.write_text(f"{path.read_text()}\n[{section}]\n{line}\n")


def test_health_before_anything_ran(practice: Practice) -> None:
    ran = practice.run("health")
    assert (ran.status, "has not run yet" in ran.said) == (1, True)
    assert not (practice.root / "newsletter.db").exists()


def test_health_from_a_second_clock_when_the_first_stands_still(live: Practice, mail: MailServer) -> None:
    with_line(live, "alerts", 'to = "maya@example.org"')
    assert live.run("send").status == 0
    assert live.run("health").status == 0
    ran = live.run("health", "--mail", at=live.at + DAY + 2 * HOUR)
    assert ran.status == 1
    assert "Post 2 was due Tuesday 3 March 09:00; the scheduler has not run since Monday 2 March 09:05." in ran.said
    live.run("health", "--mail", at=live.at + HOUR)
    (alert,) = [letter for letter in mail.taken if letter.address == "maya@example.org"]
    assert b"Post 2 was due" in alert.data and b"Auto-Submitted: auto-generated" in alert.data
    answer = live.run("health", "--json")
    assert answer.status == 1
    assert (answer.json()["ok"], answer.json()["last_run"][:16]) == (False, "2026-03-02T09:05")


def test_health_tells_of_a_hold(live: Practice) -> None:
    live.run("send")
    live.run("pause")
    ran = live.run("health")
    assert (ran.status, "paused by you" in ran.said) == (1, True)


def test_the_log_has_ids_and_no_address(live: Practice, mail: MailServer) -> None:
    with_line(live, "log", 'file = "newsletter.log"')
    mail.at_rcpt[ANA] = f"550 5.1.1 <{ANA}>: no such user"
    assert live.run("send").status == 0
    path = live.root / "newsletter.log"
    text = path.read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert sorted(e["event"] for e in events) == ["accepted", "accepted", "rejected", "run"]
    (rejected,) = [e for e in events if e["event"] == "rejected"]
    assert {k: rejected[k] for k in ("post", "attempt", "code", "status")} == {
        "post": "the-first-hour", "attempt": 1, "code": 550, "status": "5.1.1",
    }  # fmt: skip
    assert "@" not in text
    assert path.stat().st_mode & 0o077 == 0


def test_a_log_that_can_not_be_written_is_named(live: Practice) -> None:
    with_line(live, "log", 'file = "nowhere/newsletter.log"')
    ran = live.run("send")
    assert (ran.status, "check file in [log]" in ran.said) == (2, True)


def test_a_disk_that_is_nearly_full_is_no_place_to_begin(live: Practice, tmp_path: Path, small_disk: Path) -> None:
    path = live.root / "newsletter.toml"
    path.write_text(f'{path.read_text()}\n[store]\nurl = "sqlite:///{small_disk / "newsletter.db"}"\n')
    live.run("go-live", "--yes")
    ran = live.run("send")
    assert ran.status == 1
    assert "MB left" in ran.said and "make room" in ran.said
    assert live.json("status")["deliveries"]["planned"] == 0


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A disk of three megabytes."""
    import subprocess

    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("a small disk can't be mounted here")
    request.addfinalizer(lambda: subprocess.run(["umount", place], check=True))
    return place
