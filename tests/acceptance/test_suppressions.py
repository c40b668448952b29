"""What comes back, as the owner sees it: status, who-got, report, history, and the commands of `suppressions`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mailserver import MailServer
from practice import ANA, BO, CY, HOUR, Practice

from newsletter import feedback
from newsletter.events import Event, EventKind, Heard
from newsletter.intake import fingerprint
from newsletter.mail import Reply
from newsletter.store import Store
from newsletter.store.feedback import Effect

GONE = Reply(550, "5.1.1", "no such user")


def tell(practice: Practice, *events: Event) -> dict[Effect, int]:
    """What a webhook or the mailbox would take in."""
    secret = (practice.root / "secret.key").read_text().strip().encode()
    store = Store.open(f"sqlite:///{practice.root / 'newsletter.db'}")
    try:
        told = [replace(event, at=practice.at) for event in events]
        heard = Heard(told)
        return feedback.take_in(store, heard, source="acme", fingerprint=fingerprint(secret), at=practice.at).effects
    finally:
        store.close()


def event(address: str, kind: EventKind = EventKind.BOUNCED, n: int = 1) -> Event:
    dead = kind is EventKind.BOUNCED
    reply = GONE if dead else Reply(0, "", "")
    return Event(kind, "acme", f"{kind}-{address}-{n}", None, recipient=address, reply=reply, suppress=dead)


@pytest.fixture
def sent(live: Practice) -> Practice:
    """Post 1 is with all three."""
    assert live.run("send").status == 0
    live.at += HOUR
    return live


def test_the_owner_sees_who_could_not_be_reached_and_why(sent: Practice) -> None:
    tell(sent, event(ANA), event(BO, EventKind.COMPLAINED), event(CY, EventKind.UNSUBSCRIBED))
    listed = sent.run("suppressions", "list").out
    assert "ana@example.org  2026-03-02  letters came back     550 5.1.1 no such user" in listed
    assert "bo@example.org   2026-03-02  called a letter spam" in listed and "2 readers get nothing more." in listed
    first, second = sent.json("suppressions", "list")
    assert (first["email"], first["reason"], first["detail"], first["liftable"]) == (
        ANA, "bounced", "550 5.1.1 no such user", True
    )  # fmt: skip
    assert (second["email"], second["reason"], second["liftable"]) == (BO, "complained", False)

    rows = {row["email"]: row for row in sent.json("who-got", "1")}
    assert {row["state"] for row in rows.values()} == {"accepted"}
    assert (rows[ANA]["came_back"], rows[BO]["came_back"]) == ("550 5.1.1 no such user", None)
    assert rows[BO]["complained_at"] and not rows[CY]["complained_at"]
    told = sent.run("who-got", "1").out
    assert (
        "came back: 550 5.1.1 no such user" in told
        and "3 messages accepted of 3 deliveries on record; 1 came back." in told
    )

    status = sent.json("status")
    figures = {"number": 1, "title": "The first hour", "accepted": 3, "failed": 1, "complained": 1, "unsubscribed": 1}
    assert figures in status["posts"] and status["unknown_events"] == 0
    words = sent.run("status").out
    assert "Feedback   #1 The first hour: 3 accepted, 1 failed, 1 called spam, 1 left after it" in words
    assert "1 letter was accepted and came back; `newsletter report` says which" in words

    report = sent.run("report").out
    assert "Called spam" in report and f"#1 to {ANA} was accepted and came back (550 5.1.1 no such user)" in report
    assert {"accepted": 3, "failed": 1}.items() <= sent.json("report")["posts"][0].items()
    assert "acme told about #1: bounced (550 5.1.1 no such user); suppressed" in sent.run("history", ANA).out
    (told,) = sent.json("history", ANA)["events"]
    assert (told["kind"], told["effect"], told["post"]) == ("bounced", "suppressed", 1)
    assert sent.run("verify").status == 0


def test_a_wrong_suppression_is_lifted_and_the_letter_sent_again(sent: Practice, mail: MailServer) -> None:
    tell(sent, event(ANA))
    sent.tick_at(mail, days=1)
    sent.run("send")
    assert [letter.address for letter in mail.taken[3:]] == [BO, CY]
    asked = sent.run("suppressions", "lift", ANA)
    assert asked.status == 1 and "Send to ana@example.org again? (nobody is here" in asked.err
    assert (
        sent.run("suppressions", "lift", ANA, "--yes").out
        == "ana@example.org gets letters again, from the next slot on.\n"
    )
    assert sent.run("suppressions", "list").out == "No reader is suppressed; everybody gets what is due.\n"
    for days in (2, 3):
        sent.tick_at(mail, days=days)
        assert sent.run("send").status == 0
    subjects = [letter.subject for letter in mail.taken if letter.address == ANA]
    assert subjects == ["The first hour", "The first hour", "Worries"]
    assert sent.run("verify").status == 0


def test_a_complaint_is_not_lifted(sent: Practice) -> None:
    tell(sent, event(ANA, EventKind.COMPLAINED))
    refused = sent.run("suppressions", "lift", ANA, "--yes")
    assert refused.status == 2 and "called a letter spam; that is for ever" in refused.err
    assert sent.run("subscribers", "sync").status in (0, 1)  # her row is in the file
    assert sent.json("suppressions", "list")[0]["email"] == ANA


def test_what_the_owner_suppresses_by_hand_stays_out(sent: Practice, mail: MailServer) -> None:
    added = sent.run("suppressions", "add", ANA, "new@example.org", "--reason", "asked me on the telephone")
    assert added.out.splitlines() == [
        "ana@example.org gets nothing more.",
        "new@example.org gets nothing more, though it is no reader: no file brings it in.",
    ]
    sent.readers(f"{ANA},Ana,UTC", f"{BO},Bo,UTC", f"{CY},Cy,UTC", "new@example.org,New,UTC")
    sent.tick_at(mail, days=1)
    sent.run("send")
    assert {letter.address for letter in mail.taken[3:]} == {BO, CY}
    listed = sent.run("suppressions", "list").out
    assert "by you" in listed and "asked me on the telephone" in listed
    assert "Of 1 further address only a coded trace is kept" in listed
    assert "new@" not in listed
    twice = sent.run("suppressions", "add", ANA)
    assert twice.status == 2 and "is suppressed already" in twice.err
    assert sent.run("subscribers", "confirm", ANA, "--yes").status == 2  # whom she does not want, she does not get back
    assert sent.run("suppressions", "lift", ANA, "--yes", "--json").json() == {"email": ANA, "reader": True}
    assert (
        sent.run("suppressions", "lift", "new@example.org", "--yes").out
        == "new@example.org may become a reader again.\n"
    )
    assert sent.run("suppressions", "lift", "anna@example.org", "--yes").status == 2


@pytest.mark.parametrize("words", ["list", "lift ana@example.org --yes", "quarantined", "accept --yes"])
def test_before_anything_was_sent_nobody_is_suppressed(practice: Practice, words: str) -> None:
    ran = practice.run("suppressions", *words.split())
    assert ran.status == (2 if "--yes" in words else 0)
    assert not (practice.root / "newsletter.db").exists()


def crowd(practice: Practice, mail: MailServer) -> list[str]:
    """Twenty readers, who have post 1."""
    names = [f"reader{n}@example.org" for n in range(20)]
    practice.readers(*[f"{name},,UTC" for name in names])
    practice.run("send")  # those who join get their first letter with the next slot
    practice.tick_at(mail, days=1)
    practice.run("send")
    assert len(mail.taken) == 20
    practice.at += HOUR
    return names


def test_a_flood_waits_and_so_does_the_run_until_the_owner_has_looked(live: Practice, mail: MailServer) -> None:
    names = crowd(live, mail)
    assert tell(live, *map(event, names)) == {Effect.QUARANTINED: 20}
    (held, waits) = live.json("status")["attention"][:2]
    assert held.startswith("20 of the 20 letters of post 1 (The first hour)") and "`newsletter resume`" in held
    assert waits.startswith("20 readers would get nothing more on the word of acme")
    live.tick_at(mail, days=2)
    stopped = live.run("send")
    assert stopped.status == 1 and "came back for good" in stopped.err and len(mail.taken) == 20

    assert len(live.run("suppressions", "quarantined", "--json").json()) == 20
    assert "reader0@example.org   bounced  acme  2026-03-03" in live.run("suppressions", "quarantined").out
    assert live.run("suppressions", "accept").status == 1
    assert live.run("suppressions", "accept", names[0], "--yes").out == "1 reader gets nothing more.\n"
    assert live.run("suppressions", "discard", "--yes").out == (
        "What was told about 19 readers are forgotten; they get what is due.\n"
    )
    assert live.run("suppressions", "discard", "--yes").status == 2
    assert live.run("suppressions", "quarantined").out == "Nothing waits for your word.\n"
    assert live.run("resume", "--yes").status == 0
    assert live.run("send").status == 0
    assert len(mail.taken) == 39
