"""When something went wrong: resend, settle, backup, restore, and a copy put back by hand."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections import Counter

import pytest
from mailserver import HANG_UP, MailServer
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, Practice, each


def copies(practice: Practice, number: int) -> set[tuple[str, int, str]]:
    """(address, copy, state) of what is on record for a post."""
    return {(row["email"], row["copy"], row["state"]) for row in practice.json("who-got", str(number))}


# resend


def test_resend_says_to_whom_first(live: Practice) -> None:
    ran = live.run("resend", "1")
    assert (ran.status, ran.out) == (2, "") and "--missing, --failed or --revised" in ran.err


def test_resend_missing_reaches_those_whose_sequence_went_by_without_it(live: Practice, mail: MailServer) -> None:
    second = live.root / "posts/002-worries.md"
    second.rename(live.root / "later")
    for days in (0, 1):
        live.tick_at(mail, days=days)
        live.run("send")
    (live.root / "later").rename(second)
    asked = live.run("resend", "2", "--missing", at=live.at + HOUR)
    assert asked.status == 1 and "Send #2 Worries again to 3 readers? (nobody is here" in asked.err
    told = live.run("resend", "2", "--missing", "--yes").out
    assert told.startswith("3 copies of #2 will leave with the next run that comes 20 hours after the last letter")
    assert live.run("resend", "2", "--missing", "--yes").out.startswith("Nobody:")
    live.tick_at(mail, days=2)
    live.run("send")
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "The space between", "Worries"])
    assert copies(live, 2) == {(a, c, s) for a in (ANA, BO, CY) for c, s in ((0, "skipped"), (1, "accepted"))}
    assert live.run("verify").status == 0


def test_resend_failed_reaches_those_for_whom_the_message_was_refused(live: Practice, mail: MailServer) -> None:
    mail.at_dot[BO] = "554 5.6.0 we do not like this letter"
    live.run("send")
    (attention,) = live.json("status")["attention"]
    assert BO in attention and "(554 5.6.0 we do not like this letter); mend it" in attention
    assert "`newsletter resend 1 --failed`" in attention
    mail.at_dot.clear()
    facts = live.run("resend", "1", "--failed", "--yes", "--json").json()
    assert facts == {"post": 1, "which": "failed", "count": 1}
    live.run("send", at=live.at + HOUR)
    assert live.json("status")["attention"] == []
    assert Counter(letter.address for letter in mail.taken) == {ANA: 1, BO: 1, CY: 1}
    assert copies(live, 1) == {(ANA, 0, "accepted"), (BO, 0, "rejected"), (BO, 1, "accepted"), (CY, 0, "accepted")}
    assert live.run("verify").status == 0


def test_resend_revised_reaches_those_who_have_the_older_text(live: Practice, mail: MailServer) -> None:
    live.readers(f"{ANA},Ana,UTC", f"{BO},Bo,UTC", f"{CY},Cy,Asia/Kolkata")
    live.run("send")  # CY is due tomorrow, at 03:30 UTC
    live.post(1, "The first hour", "Corrected.")
    assert live.run("send").out.startswith("Nothing is due"), "an edit alone sends nothing"
    live.run("send", at=MONDAY + 20 * HOUR)
    assert live.json("resend", "1", "--revised", "--yes")["count"] == 2
    live.tick_at(mail, days=2)
    live.run("send")
    bodies = [
        (letter.address, b"Corrected." in letter.data) for letter in mail.taken if letter.subject == "The first hour"
    ]
    assert Counter(bodies) == {(ANA, False): 1, (ANA, True): 1, (BO, False): 1, (BO, True): 1, (CY, True): 1}
    assert len({letter.message_id for letter in mail.taken}) == len(mail.taken), "a copy is a message of its own"
    assert live.run("verify").status == 0


# settle


@pytest.mark.parametrize("verdict", ["accepted", "resend"])
def test_settle_decides_what_became_of_a_doubt(live: Practice, mail: MailServer, verdict: str) -> None:
    live.mail_through(mail, provider='"smtp"\non_uncertain = "hold"')
    mail.at_dot[BO] = HANG_UP
    live.run("send")
    live.run("send", at=live.at + HOUR)
    mail.at_dot.clear()
    settled = live.run("settle", BO, "1", verdict)
    assert settled.status == 0 and settled.out.startswith(f"#1 to {BO} is settled: ")
    again = live.run("settle", BO, "1", verdict)
    assert (again.status, again.out) == (2, "") and f"newsletter history {BO}" in again.err
    assert ("20 hours after the last letter" in settled.out) is (verdict == "resend")
    for days in (1, 2):
        live.tick_at(mail, days=days)
        live.run("send")
    first, second = "The first hour", "Worries"
    assert mail.got()[BO] == ([second, "The space between"] if verdict == "accepted" else [first, second])
    assert live.accepted()[BO] == ([1, 2, 3] if verdict == "accepted" else [1, 2])
    assert live.accepted()[ANA] == [1, 2, 3]
    assert live.run("verify").status == 0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(
            "settle ana@example.org 1 accepted", "there is no doubt about #1 to ana@example.org", id="no doubt"
        ),
        pytest.param("settle zoe@example.org 1 accepted", "is not a subscriber", id="somebody unknown"),
        pytest.param("settle ana@example.org 1 maybe", "accepted", id="another verdict"),
        pytest.param("resend 9 --failed", "there is no post 9", id="a post that is not there"),
    ],
)
def test_what_cannot_be_repaired_says_why(live: Practice, command: str, said: str) -> None:
    live.run("send")
    ran = live.run(*command.split())
    assert (ran.status, ran.out) == (2, ""), ran
    assert said in ran.err


# backup and restore


def test_a_backup_while_a_run_is_under_way_is_whole(live: Practice, mail: MailServer) -> None:
    live.run("send", at=MONDAY)
    mail.hold(after=1)
    process = live.start("send", at=MONDAY + 1.1 * HOUR)
    assert mail.held.wait(120)
    made = live.run("backup", "copy.db")
    assert made.status == 0 and "Keep secret.key with it" in made.out
    mail.let_go()
    assert live.finish(process).status == 0
    copy = sqlite3.connect(live.root / "copy.db")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute("SELECT COUNT(*) FROM delivery").fetchone() == (3,)
    copy.close()
    assert (live.root / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_signing_key_that_is_lost_is_not_replaced_by_another(live: Practice, mail: MailServer) -> None:
    live.run("send", at=MONDAY)
    live.run("send", at=MONDAY + 1.1 * HOUR)
    sent, key = len(mail.taken), live.root / "secret.key"
    word = key.read_text()
    key.unlink()
    live.at = MONDAY + 8 * DAY
    ran = live.run("send")
    assert ran.status == 2 and "secret.key is missing" in ran.err and "backup" in ran.err
    assert (len(mail.taken), key.exists()) == (sent, False)
    key.write_text(word)
    assert live.run("send").status == 0
    assert len(mail.taken) > sent


def test_a_backup_never_overwrites(live: Practice) -> None:
    (live.root / "copy.db").write_text("precious")
    ran = live.run("backup", "copy.db")
    assert (ran.status, ran.err) == (2, "newsletter: copy.db exists already; name another file.\n")
    assert (live.root / "copy.db").read_text() == "precious"


def test_a_backup_of_nothing_makes_nothing(practice: Practice) -> None:
    before = practice.tree()
    ran = practice.run("backup", "copy.db")
    assert ran.status == 2 and "nothing to back up" in ran.err
    assert practice.tree() == before


def test_a_restored_database_waits_for_the_owner_and_keeps_the_other(live: Practice, mail: MailServer) -> None:
    live.run("send")
    live.run("backup", "copy.db")
    live.tick_at(mail, days=1)
    live.run("send")
    asked = live.run("restore", "copy.db")
    assert asked.status == 1 and "Nothing was changed" in asked.err
    restored = live.run("restore", "copy.db", "--yes")
    assert restored.status == 0 and "newsletter.db.before-restore-1" in restored.out
    held = live.run("send")
    assert held.status == 1 and "restored from copy.db" in held.err and "newsletter resume" in held.err
    assert "2 on" not in live.run("status").out and "restored from copy.db" in live.run("status").out
    assert live.json("plan")["next"]["count"] == 3, "plan says what would be sent again"
    assert live.run("resume").status == 1, "it asks, and nobody answers"
    live.run("restore", "newsletter.db.before-restore-1", "--yes")
    assert live.run("resume", "--yes").status == 0
    assert live.run("send").out.startswith("Nothing is due")
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "Worries"])
    assert live.run("verify").status == 0


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        pytest.param("nothing.db", None, 2, "there is no file nothing.db", id="a file that is not there"),
        pytest.param("posts", None, 2, "posts is no file", id="a folder"),
        pytest.param("letter.db", b"Dear Ana, " * 900, 1, "is not a backup of a newsletter", id="a letter"),
        pytest.param("empty.db", b"", 1, "is not a backup of a newsletter", id="an empty file"),
        pytest.param("half.db", b"SQLite format 3\0" + bytes(100), 1, "is not a backup", id="half a database"),
    ],
)
def test_what_is_no_backup_is_not_put_back(
    live: Practice, name: str, content: bytes | None, status: int, said: str
) -> None:
    if content is not None:
        (live.root / name).write_bytes(content)
    before = live.json("status")["deliveries"]
    ran = live.run("restore", name, "--yes")
    assert (ran.status, ran.out) == (status, "") and said in ran.err, ran
    assert live.json("status")["deliveries"] == before


def test_a_restored_rehearsal_goes_on_in_the_same_folder(practice: Practice) -> None:
    practice.run("send", at=MONDAY)
    practice.run("backup", "copy.db", at=MONDAY + 0.5 * HOUR)
    practice.run("send", at=MONDAY + 1.1 * HOUR)
    practice.run("restore", "copy.db", "--yes", at=practice.at + HOUR)
    practice.run("resume", "--yes")
    again = practice.run("send", at=practice.at + HOUR)
    assert (again.status, "3 accepted" in again.out) == (0, True), again
    assert len([*(practice.root / "outbox/new").iterdir()]) == 6, "she was told that they would be sent again"
    assert practice.run("verify").status == 0


def test_an_older_database_copied_over_by_hand_starts_paused(live: Practice, mail: MailServer) -> None:
    live.run("send")
    shutil.copy(live.root / "newsletter.db", live.root / "mine.db")
    live.tick_at(mail, days=1)
    live.run("send")
    for suffix in ("-wal", "-shm"):
        (live.root / f"newsletter.db{suffix}").unlink(missing_ok=True)
    shutil.copy(live.root / "mine.db", live.root / "newsletter.db")
    for _ in range(2):
        ran = live.run("send")
        assert (ran.status, ran.out) == (1, "")
        assert "this database is older than what was last written here" in ran.err and "newsletter resume" in ran.err
    assert len(mail.taken) == 6
    assert live.run("resume", "--yes").status == 0
    assert live.run("send").status == 0
    live.tick_at(mail, days=2)
    live.run("send")
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "Worries", "Worries", "The space between"]), (
        "what went out after the copy was made is sent again: she was told, and said so"
    )
    assert live.run("verify").status == 0


def test_a_new_machine_without_the_mark_is_no_alarm(live: Practice, mail: MailServer) -> None:
    live.run("send")
    live.environment = {"XDG_STATE_HOME": str(live.root / "another")}
    live.tick_at(mail, days=1)
    assert live.run("send").status == 0
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "Worries"])


def test_pruning_asks_keeps_an_archive_and_leaves_every_answer_as_it_was(live: Practice, mail: MailServer) -> None:
    mail.at_dot[BO] = "451 4.7.1 try later"
    live.run("send")
    mail.at_dot.clear()
    live.run("send", at=live.at + HOUR)
    years = live.at + 800 * DAY
    old = live.root / "old.jsonl.gz"
    asked = live.run("prune", "--archive", str(old), at=years)
    assert asked.status == 1 and "4 attempts" in asked.out and not old.exists()
    before = [live.run(*words, at=years).out for words in QUESTIONS]
    pruned = live.run("prune", "--archive", str(old), "--yes", "--json", at=years)
    assert json.loads(pruned.out)["removed"]["attempt"] == 4
    assert len(gzip.decompress(old.read_bytes()).splitlines()) == 4
    assert [live.run(*words, at=years).out for words in QUESTIONS] == before
    again = live.run("prune", "--archive", str(old), "--yes", "--json", at=years)
    assert again.status == 0 and json.loads(again.out) == {
        "removed": {"attempt": 0, "event": 0, "notice": 0}, "archive": None,
    }  # fmt: skip


QUESTIONS = (("who-got", "1"), ("history", ANA), ("verify",), ("report",), ("resend", "1", "--missing", "--yes"))
