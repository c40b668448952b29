"""Letting mail leave, or keeping it: send, go-live, pause, resume, as their owner types them and as cron does."""

from __future__ import annotations

import fcntl

import pytest
from mailserver import MailServer
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, Practice, each

EVERYBODY = {ANA, BO, CY}


# go-live


def test_nothing_leaves_through_a_real_provider_before_go_live(practice: Practice, mail: MailServer) -> None:
    practice.mail_through(mail)
    practice.at = MONDAY + 2 * HOUR
    ran = practice.run("send")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "! nothing leaves through smtp before you have said so once: `newsletter go-live`.\n"
    assert mail.taken == []


def test_go_live_asks_and_without_an_answer_changes_nothing(practice: Practice, mail: MailServer) -> None:
    practice.mail_through(mail)
    asked = practice.run("go-live")
    assert asked.status == 1
    assert "First mail: #1 to 3 readers, Monday 2 March 2026, 09:00 (UTC)." in asked.out, "before it asks"
    assert "Go live? (nobody is here to answer; --yes says yes)" in asked.err
    assert practice.run("send", at=MONDAY + 2 * HOUR).status == 1
    assert mail.taken == []


def test_go_live_says_to_how_many_and_when_and_sends_nothing(practice: Practice, mail: MailServer) -> None:
    practice.mail_through(mail)
    ran = practice.run("go-live", "--yes")
    assert (ran.status, ran.err) == (0, "")
    assert f"3 readers will get mail through smtp (127.0.0.1:{mail.port}), from Maya Thorne <maya@" in ran.out
    assert "First mail: #1 to 3 readers, Monday 2 March 2026, 09:00 (UTC)." in ran.out
    assert "at most 50 letters are in doubt: each is sent once more" in ran.out
    again = practice.run("go-live")
    assert again.status == 0 and "smtp has been live since Monday 2 March 2026, 08:00" in again.out
    assert mail.taken == []


def test_go_live_says_that_nothing_answers_unsubscribe_links(practice: Practice, mail: MailServer) -> None:
    practice.mail_through(mail, timezone='"UTC"\nurl = "https://letters.example.org"')
    told = practice.run("go-live").out
    assert "https://letters.example.org/u/" in told and "dead" in told and "maya@letters.example.org works" in told


def test_a_folder_needs_no_go_live(practice: Practice) -> None:
    ran = practice.run("go-live")
    assert ran.status == 0 and "needs no go-live" in ran.out
    practice.run("send")
    assert practice.run("send", at=MONDAY + 2 * HOUR).out.endswith("3 messages to folder: 3 accepted.\n")
    assert len(list((practice.root / "outbox/new").glob("*.eml"))) == 3


def test_a_list_that_is_taken_and_nothing_due_are_two_sentences(practice: Practice) -> None:
    nothing = "Nothing is due now; `newsletter plan` shows what comes.\n"
    assert practice.run("send").out == f"subscribers.csv: 3 new.\n{nothing}"
    assert practice.run("send").out == nothing
    assert "Nothing is due" not in practice.run("send", at=MONDAY + 2 * HOUR).out


def test_after_a_rehearsal_readers_go_on_where_it_ended(practice: Practice, mail: MailServer) -> None:
    practice.run("send")
    practice.run("send", at=MONDAY + 2 * HOUR)
    practice.mail_through(mail)
    told = practice.run("go-live", "--yes").out
    assert "3 messages went to the rehearsal folder; the readers go on after them" in told
    practice.tick_at(mail, days=1)
    practice.run("send")
    assert mail.got() == each(EVERYBODY, ["Worries"])


def test_after_a_rehearsal_readers_may_start_over(practice: Practice, mail: MailServer) -> None:
    practice.run("send")
    practice.run("send", at=MONDAY + 2 * HOUR)
    practice.mail_through(mail)
    told = practice.run("go-live", "--start-over", "--yes")
    assert told.status == 0 and "First mail: #1 to 3 readers, Tuesday 3 March" in told.out
    for days in (1, 2):
        practice.tick_at(mail, days=days)
        assert practice.run("send").status == 0
    assert mail.got() == each(EVERYBODY, ["The first hour", "Worries"])
    assert practice.run("verify").status == 0


# send


def test_everybody_gets_each_post_once_and_in_order(live: Practice, mail: MailServer) -> None:
    early = live.run("send", at=MONDAY + HOUR / 2)
    assert (early.status, early.out) == (0, "Nothing is due now; `newsletter plan` shows what comes.\n")
    for days, title in enumerate(("The first hour", "Worries", "The space between")):
        live.tick_at(mail, days=days)
        ran = live.run("send")
        assert (ran.status, ran.err) == (0, "")
        assert ran.out == f"#{days + 1} {title}: due for 3 readers.\n3 messages to smtp: 3 accepted.\n"
        assert live.run("send").out.startswith("Nothing is due now")
    live.readers("ana@example.org,Anna,UTC", "bo@example.org,Bo,UTC", "cy@example.org,Cy,UTC")
    changed = live.run("send", at=live.at + HOUR).out
    assert changed == "subscribers.csv: 1 changed.\nNothing is due now; `newsletter plan` shows what comes.\n"
    assert mail.got() == each(EVERYBODY, ["The first hour", "Worries", "The space between"])
    assert live.accepted() == each(EVERYBODY, [1, 2, 3])
    assert live.run("verify").status == 0


def test_warnings_do_not_fail_a_run_in_which_everything_left(live: Practice, mail: MailServer) -> None:
    live.readers(f"{ANA},Ana,UTC", f"{BO},Bo,UTC", "nobody,,")
    live.post(4, "Four").write_text("---\ntitle: [\n---\n")
    ran = live.run("send")
    assert ran.status == 0, ran
    assert "subscribers.csv: 1 gone, so paused." in ran.out
    assert "subscribers.csv, row 4" in ran.err and "posts/004-four.md, line 3" in ran.err
    assert set(mail.got()) == {ANA, BO}


def test_a_list_without_a_reader_is_no_alarm(practice: Practice) -> None:
    practice.readers()
    ran = practice.run("send", at=MONDAY + 2 * HOUR)
    assert ran.status == 0
    assert ran.err.count("\n") == 1 and "nobody in it yet" in ran.err


def test_another_run_holds_the_lock(live: Practice, mail: MailServer) -> None:
    with (live.root / ".newsletter.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (("send",), ("resend", "1", "--missing", "--yes"), ("go-live",), ("restore", "x.db")):
            ran = live.run(*command)
            assert (ran.status, ran.out) == (75, ""), ran
            assert "another run is at work" in ran.err
        assert live.run("status").status == 0, "questions wait for nobody"
    assert mail.taken == []
    assert live.run("send").status == 0


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["in words", "as JSON"])
def test_a_dry_run_says_what_would_leave_and_changes_nothing(practice: Practice, json: tuple[str, ...]) -> None:
    practice.run("send")
    for at, count in ((MONDAY + HOUR / 2, 0), (MONDAY + 2 * HOUR, 3)):
        practice.at = at
        before = practice.tree()
        ran = practice.run("send", "--dry-run", *json)
        assert ran.status == 0
        assert practice.tree() == before
        if json:
            assert ran.json()["planned"] == ([{"post": 1, "count": count}] if count else [])
        else:
            assert ("#1 The first hour: would leave for 3 readers." in ran.out) is bool(count)


def test_a_dry_run_counts_what_still_waits(live: Practice) -> None:
    mended = (live.root / "newsletter.toml").read_text()
    live.settings(mended, port="9")
    assert live.run("send").status == 1, "nobody listens there"
    live.settings(mended)
    ran = live.run("send", "--dry-run", at=live.at + HOUR)
    assert (ran.status, ran.out) == (0, "#1 The first hour: would leave for 3 readers.\n")


def test_a_dry_run_makes_no_database(practice: Practice) -> None:
    before = practice.tree()
    ran = practice.run("send", "--dry-run")
    assert ran.status == 0 and "3 new" in ran.out
    assert practice.tree() == before


def test_a_run_as_json(live: Practice, mail: MailServer) -> None:
    mail.at_rcpt[BO] = "550 5.1.1 no such user"
    mail.at_rcpt[CY] = "451 4.7.1 try again later"
    facts = live.run("send", "--json").json()
    assert facts["at"].startswith("2026-03-02T09:05:") and facts["at"].endswith("Z")
    assert facts["planned"] == [{"post": 1, "count": 3}]
    assert [facts[k] for k in ("accepted", "deferred", "rejected", "uncertain", "withdrawn")] == [1, 1, 1, 0, 0]
    assert facts["notes"] == facts["stopped"] == []


def test_cron_is_told_each_thing_once_a_day_and_otherwise_nothing(live: Practice, mail: MailServer) -> None:
    assert live.run("send", "--quiet").said == ""
    assert len(mail.taken) == 3
    live.post(4, "Four").write_text("---\ntitle: [\n---\n")
    first = live.run("send", "--quiet")
    assert first.out == "" and "posts/004-four.md, line 3" in first.err
    assert live.run("send", "--quiet", at=live.at + HOUR).said == ""
    assert live.run("send", "--quiet", at=live.at + 23 * HOUR).err == first.err


def test_a_terminal_that_has_no_letters_for_a_title_still_shows_the_rest(practice: Practice) -> None:
    practice.post(1, "The first hour", title="“心” and Zoë")
    practice.environment = {"PYTHONIOENCODING": "ascii"}
    practice.run("send")
    ran = practice.run("send", at=MONDAY + 2 * HOUR)
    assert ran.status == 0 and "due for 3 readers" in ran.out


# pause, resume


def test_pause_keeps_everything_and_resume_gives_one_post_to_each(live: Practice, mail: MailServer) -> None:
    live.run("send")
    assert live.run("pause").status == 0
    for days in (1, 2, 3):
        live.tick_at(mail, days=days)
        held = live.run("send")
        assert (held.status, held.out) == (1, "")
        assert held.err == "! paused by you on Monday 2 March 2026, 09:05; `newsletter resume` goes on.\n"
    again = live.run("pause")
    assert (again.status, again.out) == (
        0, "Already paused by you on Monday 2 March 2026, 09:05; `newsletter resume` goes on.\n"
    )  # fmt: skip
    assert "nothing while it is held" in live.run("status").out
    assert live.run("resume").status == 0
    assert live.run("resume").out == "Nothing is paused or held.\n"
    live.run("send")
    live.tick_at(mail, days=4)
    live.run("send")
    assert mail.got() == each(EVERYBODY, ["The first hour", "Worries"])
    assert live.run("verify").status == 0


def test_resume_makes_no_database(practice: Practice) -> None:
    before = practice.tree()
    assert practice.run("resume").status == 0
    assert practice.tree() == before


def test_a_long_absence_gives_each_reader_one_post_and_not_nine(live: Practice, mail: MailServer) -> None:
    live.run("send")
    live.tick_at(mail, days=9)
    live.run("send")
    live.run("send", at=live.at + DAY / 24)
    assert mail.got() == each(EVERYBODY, ["The first hour", "Worries"])
