"""Doubt, settled by the log of a Postfix on the same machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mailhost
import pytest

from newsletter.config import Security, SmtpSettings
from newsletter.mail import Accepted, Message, Uncertain
from newsletter.providers.postfix import MailLog, stamp
from newsletter.providers.smtp import Smtp

Make = Callable[..., Message]

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def old(at: datetime) -> str:
    """RFC 3164, in this machine's zone."""
    local = at.astimezone()
    return f"{local:%b} {local.day:2} {local:%H:%M:%S}"


def new(at: datetime) -> str:
    return at.isoformat()


Stamp = Callable[[datetime], str]


def line(form: Stamp, at: datetime, words: str) -> bytes:
    return f"{form(at)} host postfix/{words}\n".encode()


def header(form: Stamp, n: int, at: datetime = AT) -> bytes:
    return line(form, at, f"cleanup[77]: 4F{n:X}: message-id=<{n}@letters.example.org>")


def active(form: Stamp, n: int, at: datetime = AT) -> bytes:
    return line(form, at, f"qmgr[78]: 4F{n:X}: from=<maya@example.org>, size=321, nrcpt=1 (queue active)")


def noise(form: Stamp, at: datetime) -> bytes:
    return line(form, at, "smtpd[76]: connect from localhost[127.0.0.1]")


BEFORE, AFTER = AT - MINUTE, AT + 6 * MINUTE


def asked(path: Path, n: int = 1, since: datetime = AT) -> str | None:
    """What `Smtp.lookup` says where nobody answers at the port: "yes", "no", or why not."""
    found = Smtp(SmtpSettings(port=1, security=Security.NONE, postfix_log=path)).lookup(
        f"{n}@letters.example.org", since=since
    )
    return found.diagnostic if isinstance(found, Uncertain) else "no" if found is None else f"yes {found.provider_id}"


@pytest.mark.parametrize("form", [old, new], ids=["RFC 3164", "ISO 8601"])
@pytest.mark.parametrize(
    ("parts", "said"),
    [
        pytest.param(["noise<", "header", "active", "noise>"], "yes 4F1", id="both lines: accepted"),
        pytest.param(["header", "active"], "yes 4F1", id="accepted needs nothing around it"),
        pytest.param(["noise<", "noise>"], "no", id="neither, and lines from before and after: not accepted"),
        pytest.param(["noise>"], "does not cover", id="no line from before: doubt"),
        pytest.param(["noise<"], "does not cover", id="no line from after: doubt"),
        pytest.param([], "does not cover", id="an empty log: doubt"),
        pytest.param(["noise<", "header", "noise>"], "began to read it", id="its header alone: doubt"),
        pytest.param(["noise<", "active", "noise>"], "no", id="somebody else's message"),
        pytest.param(["noise<", "active", "header", "noise>"], "began", id="the queue id was another's before"),
        pytest.param(["noise<", "header", "active-half"], "began", id="a line that is still being written"),
    ],
)
def test_what_a_log_says(parts: list[str], said: str, form: Stamp, tmp_path: Path) -> None:
    lines = {
        "noise<": noise(form, BEFORE), "noise>": noise(form, AFTER), "header": header(form, 1),
        "active": active(form, 1), "active-half": active(form, 1)[:-1],
    }  # fmt: skip
    (tmp_path / "log").write_bytes(b"".join(lines[part] for part in parts))
    assert said in str(asked(tmp_path / "log"))


def test_a_log_that_cannot_be_read_is_doubt(tmp_path: Path) -> None:
    assert "can't be read" in str(asked(tmp_path / "none"))
    assert "no postfix_log" in str(Smtp(SmtpSettings()).lookup("1@letters.example.org", since=AT))


def test_the_log_before_it_was_rotated_counts_too(tmp_path: Path) -> None:
    (tmp_path / "log.1").write_bytes(noise(new, BEFORE) + header(new, 1))
    (tmp_path / "log").write_bytes(active(new, 1, AT + MINUTE) + noise(new, AFTER))
    assert asked(tmp_path / "log") == "yes 4F1"
    assert asked(tmp_path / "log", 2) == "no"
    (tmp_path / "log.1").unlink()
    assert "does not cover" in str(asked(tmp_path / "log", 2))


def test_a_long_log_is_read_from_the_attempt_on(tmp_path: Path) -> None:
    days = b"".join(noise(old, AT - 100 * MINUTE * n) for n in range(9_000, 0, -1))
    recent = b"".join(header(old, n) + active(old, n) for n in range(1, 3_000))
    (tmp_path / "log").write_bytes(days + recent + noise(old, AFTER))
    log = MailLog(tmp_path / "log")
    log.read(since=AT)
    assert log.covers(AT) and log.first is not None and log.first > AT - timedelta(days=400)
    assert [log.queue_id(f"{n}@letters.example.org") for n in (1, 2_999, 3_000)] == ["4F1", "4FBB7", None]


def test_a_log_that_grows_or_is_rotated_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(noise(new, BEFORE) + header(new, 1))
    log = MailLog(path)
    log.read(since=AT)
    assert log.mentions("1@letters.example.org") and not log.queue_id("1@letters.example.org")
    with path.open("ab") as file:
        file.write(active(new, 1))
    log.read(since=AT)
    assert log.queue_id("1@letters.example.org") == "4F1" and not log.covers(AT)
    path.rename(tmp_path / "log.1")
    path.write_bytes(noise(new, AFTER))
    log.read(since=AT)
    assert log.queue_id("1@letters.example.org") == "4F1" and log.covers(AT)


@pytest.mark.parametrize(
    ("words", "at"),
    [
        pytest.param("2026-03-02T09:00:00+00:00 h p:", AT, id="ISO 8601"),
        pytest.param("2026-03-02T10:00:00.000000+01:00 h p:", AT, id="ISO 8601 with a zone"),
        pytest.param(f"{old(AT)} h p:", AT, id="RFC 3164"),
        pytest.param(f"{old(AT + 365 * timedelta(days=1) / 3)} h p:", AT + 365 * timedelta(days=1) / 3, id="later"),
        pytest.param("Feb 30 09:00:00 h p:", None, id="no such day"),
        pytest.param("no date at all", None, id="no date"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_time_stamps(words: str, at: datetime | None) -> None:
    assert stamp(words.encode(), near=AT) == at


def test_a_stamp_without_a_year_is_of_the_nearest_one() -> None:
    silvester = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    assert stamp(f"{old(silvester)} h p:".encode(), near=datetime(2026, 1, 1, 9, tzinfo=UTC)) == silvester


@pytest.mark.skipif(not mailhost.installed(), reason="needs Postfix, and to be root")
def test_a_real_postfix(tmp_path: Path, message: Make) -> None:
    now = datetime.now(UTC)
    since = now - 10 * MINUTE
    with mailhost.postfix(tmp_path, noise(old, since - MINUTE)) as port:
        log = tmp_path / "log"
        provider = Smtp(SmtpSettings(port=port, security=Security.NONE, postfix_log=log))
        data = b"Message-ID: <1@letters.example.org>\r\nSubject: hello\r\n\r\nDear reader\r\n"
        ((_, outcome),) = provider.submit([message(1, data)])
        assert isinstance(outcome, Accepted)
        for _ in range(200):
            if "queue active" in log.read_text():
                break
            time.sleep(0.05)
        found = provider.lookup("1@letters.example.org", since=since)
        assert isinstance(found, Accepted) and found.provider_id and found.provider_id in str(outcome.reply)
        assert provider.lookup("2@letters.example.org", since=since) is None
        assert isinstance(provider.lookup("2@letters.example.org", since=now), Uncertain)  # too early to say


@pytest.mark.skipif(not mailhost.installed(), reason="needs Postfix, and to be root")
def test_a_log_of_which_nothing_is_new_is_asked_for_a_line(tmp_path: Path) -> None:
    since = datetime.now(UTC) - 10 * MINUTE
    with mailhost.postfix(tmp_path) as port:
        log = tmp_path / "log"
        log.write_bytes(noise(old, since - MINUTE))
        before = log.stat().st_size
        provider = Smtp(SmtpSettings(port=port, security=Security.NONE, postfix_log=log))
        assert provider.lookup("2@letters.example.org", since=since) is None
        assert log.stat().st_size > before
    os.truncate(log, before)  # nobody is there any more
    assert isinstance(provider.lookup("2@letters.example.org", since=since), Uncertain)
