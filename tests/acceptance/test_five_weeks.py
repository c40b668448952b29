"""Five weeks of a practice: `newsletter send` every hour while Tuesday is nine o'clock somewhere, and every six hours
between; a mail server on loopback, and a clock that is moved on.

What happens on the way is what happens: one who joins late, a post that is appended, one who leaves, an hour
that cron missed, a run that is killed in the middle of a conversation, two runs at once, and summer time. In
the end who-got, verify and the server's own record agree.
"""

from __future__ import annotations

import shutil
import signal
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import frontmatter
import pytest
from mailserver import MailServer
from practice import DAY, HOUR, Practice

CHECKOUT = Path(__file__).parents[2]
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday; summer time begins on the 8th (US) and the 29th (Europe)
END = BEGIN + 5 * 7 * DAY
#: It is nine on a Tuesday from Monday 20:00 (Auckland) to Tuesday 17:00 (Los Angeles), and a letter that left at any
#: other time would be on record with it.
TICKS = [
    at
    for at in (BEGIN + n * HOUR for n in range(5 * 7 * 24))
    if 18 <= (at - BEGIN) / HOUR % 168 < 48 or at.hour % 6 == 0
]

ZONES = {
    "ana@example.org": "America/Los_Angeles",
    "jonas@example.org": "Europe/Berlin",
    "priya@example.org": "Asia/Kolkata",
    "moana@example.org": "Pacific/Auckland",
    "waiting@example.org": "Europe/Berlin",  # has had 1 to 5
    "leaver@example.org": "Asia/Kolkata",
    "late@example.org": "Pacific/Auckland",  # joins in the second week
}
ANA, JONAS, PRIYA, MOANA, WAITING, LEAVER, LATE = ZONES
JOINED = dict.fromkeys(ZONES, BEGIN) | {LATE: BEGIN + 9 * DAY}
LEFT = {LEAVER: BEGIN + 16 * DAY}
APPENDED = BEGIN + 23 * DAY
SEVENTH = "A letter that was added later"

MISSED = BEGIN + 8 * DAY + 4 * HOUR  # 04:00 UTC on a Tuesday: Kolkata's hour
KILLED = BEGIN + 15 * DAY + 4 * HOUR  # the same, a week on
TWICE = BEGIN + 22 * DAY + 8 * HOUR  # Berlin's, still in winter time


def slots(address: str) -> list[datetime]:
    """The Tuesdays at nine, by the reader's own clock, while they were readers."""
    found = (
        datetime.combine(date(2026, 3, 3) + timedelta(weeks=week), time(9), ZoneInfo(ZONES[address])).astimezone(UTC)
        for week in range(5)
    )
    return [slot for slot in found if JOINED[address] <= slot < LEFT.get(address, END)]


def hour_of(slot: datetime) -> datetime:
    """The tick at which what is due at *slot* can leave: the next that cron ran, and that lived to send it."""
    at = slot if slot == slot.replace(minute=0) else slot.replace(minute=0) + HOUR
    return at + HOUR if at in (MISSED, KILLED) else at


def expected(subjects: list[str]) -> dict[str, list[tuple[str, datetime]]]:
    """What each reader should have got when, from the words of the owner's plan alone."""
    letters: dict[str, list[tuple[str, datetime]]] = {}
    for address in ZONES:
        hours = [hour_of(slot) for slot in slots(address)]
        letters[address] = list(zip(subjects, hours, strict=False))
    # Number 6 in the first week, then a wait: number 7 was added on the Wednesday of the fourth.
    letters[WAITING] = [(subjects[5], hour_of(slots(WAITING)[0])), (SEVENTH, hour_of(slots(WAITING)[4]))]
    return letters


@pytest.fixture
def project(practice: Practice, mail: MailServer) -> Practice:
    """The files that `newsletter init` writes, her own list, and a real provider."""
    shutil.rmtree(practice.root / "posts")
    for name in ("posts", "templates"):
        shutil.copytree(CHECKOUT / name, practice.root / name)
    practice.settings((CHECKOUT / "newsletter.toml").read_text())
    practice.mail_through(mail)
    write_list(practice, [a for a in ZONES if a != LATE])
    practice.at = BEGIN
    return practice


def write_list(practice: Practice, addresses: list[str]) -> None:
    rows = (f"{a},{a.partition('@')[0].title()},{ZONES[a]},{5 if a == WAITING else ''}" for a in addresses)
    practice.readers(*rows, header="email,name,timezone,had_through")


def kill_in_the_middle(practice: Practice, mail: MailServer) -> None:
    """End a run while the server has a whole message and has not answered yet."""
    mail.hold()
    process = practice.start("send")
    assert mail.held.wait(240)
    process.kill()
    assert practice.finish(process).status == -signal.SIGKILL
    mail.let_go()


def two_at_once(practice: Practice, mail: MailServer) -> None:
    mail.hold()
    first = practice.start("send")
    assert mail.held.wait(240)
    assert practice.run("send").status == 75
    mail.let_go()
    assert practice.finish(first).status == 0


def live_through(practice: Practice, mail: MailServer) -> None:
    """Every tick, and what the owner does between them."""
    to_do = {
        JOINED[LATE]: lambda: write_list(practice, list(ZONES)),
        LEFT[LEAVER]: lambda: practice.run("subscribers", "unsubscribe", LEAVER),
        APPENDED: lambda: practice.post(7, SEVENTH, "Dear reader,\n\nOne more.", id="added-later"),
    }
    for at in TICKS:
        practice.at = mail.now = at
        for when in [when for when in to_do if when <= at]:
            to_do.pop(when)()
        if at == MISSED:
            continue
        if at == KILLED:
            kill_in_the_middle(practice, mail)
        elif at == TWICE:
            two_at_once(practice, mail)
        else:
            ran = practice.run("send")
            assert ran.status == 0, (at, ran)
            assert ran.err == "", (at, ran)
    assert not to_do


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_reader_gets_every_letter_in_order_once_at_her_hour(project: Practice, mail: MailServer) -> None:
    assert project.run("go-live", "--yes").status == 0
    fronts = [frontmatter.load(str(path)) for path in sorted((project.root / "posts").glob("0*.md"))]
    subjects = [str(front.get("subject") or front["title"]) for front in fronts]
    live_through(project, mail)

    # The server's own record
    arrived: dict[str, list[tuple[str, datetime]]] = {}
    for letter in mail.taken:
        arrived.setdefault(letter.address, []).append((letter.subject, letter.at))
    assert arrived == expected(subjects)

    # The ledger's
    numbers = {subject: number for number, subject in enumerate([*subjects, SEVENTH], 1)}
    assert project.accepted() == {a: [numbers[subject] for subject, _ in got] for a, got in arrived.items()}
    rows = [row for number in range(1, 8) for row in project.json("who-got", str(number))]
    assert {row["message_id"] for row in rows if row["state"] == "accepted"} == {m.message_id for m in mail.taken}
    assert len({m.message_id for m in mail.taken}) == len(mail.taken)
    for row in rows:
        if row["state"] == "accepted":
            (letter,) = [m for m in mail.taken if m.message_id == row["message_id"]]
            assert letter.at <= datetime.fromisoformat(row["at"]) < letter.at + HOUR
    assert project.run("verify").status == 0
    status = project.json("status")
    assert status["balanced"] and status["deliveries"]["accepted"] == len(mail.taken)
    assert status["subscribers"] == {"active": 6, "pending": 0, "suppressed": 0, "unsubscribed": 1}

    # What a run that was killed leaves is told, and is all that is told
    told = project.run("report").out
    killed = {PRIYA, LEAVER}
    assert {a for a in ZONES if f"to {a} was sent once more after doubt" in told} == killed

    # Byte for byte
    for address, number in ((ANA, 1), (MOANA, 4), (WAITING, 7)):
        (sent,) = [m.data for m in mail.taken if (m.address, numbers[m.subject]) == (address, number)]
        assert project.run("history", address, str(number), "--raw").raw == sent
