"""Commands that answer and change nothing: status, report, plan, who-got, history, verify, posts."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from mailserver import HANG_UP, MailServer
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, Practice

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
QUESTIONS = ("status", "report", "plan", "who-got 1", f"history {ANA}", "verify", "posts")


def words(question: str) -> list[str]:
    return question.split()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("json", [pytest.param((), id="in words"), pytest.param(("--json",), id="as JSON")])
def test_a_question_is_answered_before_there_is_a_database_and_makes_none(
    practice: Practice, question: str, json: tuple[str, ...]
) -> None:
    before = practice.tree()
    ran = practice.ask(*words(question), *json)
    assert (ran.status, ran.err) == (0, ""), ran
    assert ran.json() is not None if json else ran.out.strip()
    assert practice.tree() == before


def test_no_question_changes_anything_in_a_project_that_runs(live: Practice) -> None:
    live.run("send")
    live.post(4, "A new one")  # which the next run will find
    live.readers(f"{ANA},Ana,UTC", "eve@example.org,Eve,UTC")
    live.at += DAY
    before = live.tree()
    for question in (*QUESTIONS, "send --dry-run", "preview 1 --no-open", "resume"):
        ran = live.run(*words(question))
        assert ran.status == 0, ran
        assert live.tree() == before, question


@pytest.mark.parametrize("question", [q for q in QUESTIONS if not q.startswith("who-got")])
def test_a_question_is_answered_when_there_is_no_post(practice: Practice, question: str) -> None:
    shutil.rmtree(practice.root / "posts")
    (practice.root / "posts").mkdir()
    before = practice.tree()
    assert practice.ask(*words(question)).status == 0
    assert practice.tree() == before


def test_questions_are_answered_from_a_database_that_can_only_be_read(
    live: Practice, readonly: tuple[str, ...]
) -> None:
    live.run("send")
    live.at += DAY
    for file in live.root.glob("newsletter.db*"):
        file.chmod(0o444)
    for question in QUESTIONS:
        if question != "plan":
            assert live.run(*words(question), within=readonly).status == 0, question
    told = live.run("status", within=readonly).out
    assert "3 accepted" in told and "cannot be told now" in told and "check who owns the file" in told
    plan = live.run("plan", within=readonly)  # it rehearses the next run, and says so instead of guessing
    assert (plan.status, plan.out) == (1, "")
    assert "newsletter.db: the database can't be written" in plan.err


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        pytest.param("who-got 9", "there is no post 9 in posts/; there are: 1, 2, 3", id="a post that is not there"),
        pytest.param("history zoe@example.org", "is not a subscriber", id="somebody unknown"),
        pytest.param("history ana", "needs one @", id="half an address"),
        pytest.param(f"history {ANA} 1 --raw", "preview 1", id="the bytes of what was not sent"),
        pytest.param(f"history {ANA} --raw", "needs the post's number", id="the bytes of no post"),
        pytest.param("plan --as zoe@example.org", "is not a subscriber", id="the plan of somebody unknown"),
        pytest.param("plan --days 0", "--days", id="no days"),
        pytest.param("who-got four", "four", id="a number in words"),
        pytest.param("who-got", "NUMBER", id="no number"),
    ],
)
@pytest.mark.parametrize("json", [(), ("--json",)], ids=["in words", "as JSON"])
def test_what_cannot_be_answered_says_why(practice: Practice, command: str, remedy: str, json: tuple[str, ...]) -> None:
    before = practice.tree()
    ran = practice.ask(*words(command), *json)
    assert (ran.status, ran.out) == (2, ""), ran
    assert remedy in ran.err
    assert practice.tree() == before


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        pytest.param("newsletter.toml", None, "newsletter init", id="no project here"),
        pytest.param("newsletter.toml", "[newsletter\n", "newsletter.toml, line 1", id="settings that are no TOML"),
        pytest.param("newsletter.toml", "[sequense]\nat = 1\n", "did you mean [sequence]", id="a misspelt section"),
    ],
)
@pytest.mark.parametrize("command", ["status", "plan", "send", "who-got 1", "verify", "go-live", "pause", "resume"])
def test_wrong_settings_are_a_usage_error_everywhere(
    practice: Practice, command: str, file: str, text: str | None, said: str
) -> None:
    path = practice.root / file
    path.unlink() if text is None else path.write_text(text)
    before = practice.tree()
    ran = practice.ask(*words(command))
    assert (ran.status, ran.out) == (2, ""), ran
    assert said in ran.err
    assert practice.tree() == before


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda root: ["--root", root, "status", "--json"], id="before the command"),
        pytest.param(lambda root: ["status", "--root", root, "--json"], id="after the command"),
        pytest.param(lambda root: ["status", "--json", "--root", root], id="at the end"),
        pytest.param(lambda root: ["status", "--json", f"--root={root}"], id="with an equals sign"),
    ],
)
def test_root_may_stand_anywhere(practice: Practice, tmp_path: Path, place) -> None:  # type: ignore[no-untyped-def]
    ran = practice.ask(*place(str(practice.root)), folder=tmp_path)
    assert ran.status == 0, ran
    assert ran.json()["subscribers"]["active"] == 3


def test_a_project_is_found_from_a_folder_within_it(practice: Practice) -> None:
    assert practice.ask("status", folder=practice.root / "posts").status == 0


# Shapes of JSON


def test_status_as_json(live: Practice, mail: MailServer) -> None:
    mail.at_rcpt[BO] = "550 5.1.1 no such user"
    mail.at_rcpt[CY] = "451 4.7.1 try again later"
    live.run("send")
    status = live.json("status")
    assert {k: n for k, n in status["deliveries"].items() if n} == {"accepted": 1, "deferred": 1, "rejected": 1}
    assert set(status["deliveries"]) >= {
        "planned",
        "claimed",
        "submitting",
        "uncertain",
        "withdrawn",
        "skipped",
        "quarantined",
    }
    assert status["balanced"] is True
    assert status["subscribers"] == {"active": 2, "pending": 0, "suppressed": 1, "unsubscribed": 0}
    assert UTC_TIME.fullmatch(status["next"]["at"]) and status["next"]["count"] == 1
    assert [s for s in status["attention"] if BO in s and "no such user" in s]
    assert all(s.endswith((".", "`")) for s in status["attention"]), "sentences"


def test_who_got_as_json(live: Practice, mail: MailServer) -> None:
    mail.at_dot[BO] = HANG_UP
    live.run("send")
    rows = {row["email"]: row for row in live.json("who-got", "1")}
    assert set(rows) == {ANA, BO, CY}
    assert {(r["post"], r["attempts"]) for r in rows.values()} == {(1, 1)}
    assert [rows[a]["state"] for a in (ANA, BO, CY)] == ["accepted", "uncertain", "accepted"]
    assert all(UTC_TIME.fullmatch(r["at"]) for r in rows.values())
    assert {letter.message_id for letter in mail.taken} == {rows[ANA]["message_id"], rows[CY]["message_id"]}
    assert live.json("who-got", "2") == []


def test_plan_as_json_says_what_the_next_runs_do(live: Practice, mail: MailServer) -> None:
    live.readers(f"{ANA},Ana,UTC", f"{BO},Bo,Asia/Kolkata", f"{CY},,Europe/Berlin")
    plan = live.json("plan", "--days", "4")
    assert all(UTC_TIME.fullmatch(day["at"]) for day in plan["days"])
    assert plan["next"]["at"] == plan["days"][0]["at"]
    promised = Counter[tuple[int, str]]()
    for day in plan["days"]:
        promised[day["post"], day["at"][:10]] += day["count"]
    start = live.at
    for n, hour in ((n, hour) for n in range(5) for hour in (3.5, 4.5, 8, 9)):
        live.at = mail.now = start.replace(hour=0) + n * DAY + hour * HOUR
        if start <= live.at <= start + 4 * DAY:
            live.run("send")
    numbers = {"The first hour": 1, "Worries": 2, "The space between": 3}
    assert Counter((numbers[letter.subject], f"{letter.at:%Y-%m-%d}") for letter in mail.taken) == promised


def test_plan_and_a_dry_run_know_what_the_next_run_will_hold_back(practice: Practice) -> None:
    practice.readers(*(f"r{n:02}@example.org,,UTC" for n in range(60)))
    practice.run("send")
    text = (first := practice.root / "posts/001-the-first-hour.md").read_text()
    first.write_text("---\ntitle: a: trap\n---\n\nBreathe.\n")
    for hours in (1.1, 2.1):
        practice.run("send", at=MONDAY + hours * HOUR)
    first.write_text(text)
    practice.at += HOUR
    plan, held = practice.json("plan"), practice.json("status")["attention"]
    assert plan["next"] == {"at": "2026-03-03T09:00:00Z", "count": 60}
    (why,) = plan["held"]
    assert why.startswith("60 readers would get a post at once that was due before the last run") and held == [why]
    for words in (["--dry-run"], []):
        ran = practice.run("send", *words)
        assert (ran.status, ran.out, ran.err) == (1, "", f"! {why}\n")


def test_plan_for_one_reader(live: Practice) -> None:
    live.run("send")
    answer = live.run("plan", "--as", ANA, "--days", "9")
    assert answer.status == 0
    assert "#2 Worries" in answer.out and "#3 The space between" in answer.out and "#1" not in answer.out


def test_plan_says_why_nothing_comes(live: Practice) -> None:
    live.run("send")
    live.run("subscribers", "pause", ANA)
    live.run("subscribers", "unsubscribe", BO)
    assert live.json("plan", "--as", ANA)["notes"] == [
        f"{ANA} is paused, so nothing is sent to them: `newsletter subscribers list` says by whom."
    ]
    assert live.json("plan", "--as", BO)["notes"] == [f"{BO} is unsubscribed, so nothing is sent to them."]
    assert live.json("plan", "--as", CY)["notes"] == []
    live.run("subscribers", "pause", CY)
    assert live.json("plan")["notes"] == ["Nobody would get anything: no reader is confirmed and not paused."]


def test_plan_says_what_a_change_in_the_folder_does(live: Practice) -> None:
    (live.root / "posts/002-worries.md").unlink()
    live.run("send")
    live.at += DAY
    live.run("send")
    live.post(1, "The first hour", "Edited.")
    live.post(2, "A word between")
    live.post(4, "Good company")
    (live.root / "posts/003-the-space-between.md").rename(live.root / "posts/005-the-space-between.md")
    assert live.json("plan")["changes"] == [
        "posts/001-the-first-hour.md was edited: nobody is still to come to it;"
        " `newsletter resend 1 --revised` sends the new text to those who have the old one.",
        "posts/002-a-word-between.md is new: 0 readers come to it in order; 3 readers are past it and will not get it.",
        "posts/004-good-company.md is new: 0 readers come to it in order; 3 readers are past it and will not get it.",
        "posts/005-the-space-between.md was #3 and is #5: it is the same post, nobody gets it twice; "
        "3 readers stand at it, and the posts before it pass them by.",
    ]


def test_plan_says_who_is_past_a_post_and_who_gets_it_late(live: Practice) -> None:
    live.run("send")
    live.at += DAY
    live.run("send")
    third = live.root / "posts/003-the-space-between.md"
    third.rename(live.root / "posts/001-the-space-between.md")
    (live.root / "posts/001-the-first-hour.md").rename(live.root / "posts/004-the-first-hour.md")
    past = "posts/001-the-space-between.md was #3 and is #1: it is the same post, nobody gets it twice; "
    assert past + "3 readers are past it and will not get it." in live.json("plan")["changes"]
    moved = "posts/004-the-first-hour.md was #1 and is #4: it is the same post, nobody gets it twice."
    assert moved in live.json("plan")["changes"], "they stand at #2"
    live.run("send", at=live.at + HOUR)
    live.post(1, "The space between", catch_up="late")
    late = "posts/001-the-space-between.md catches up now: 3 readers who are past it get it as the next post."
    assert live.json("plan")["changes"] == [late]
    live.at += DAY
    assert live.run("send").out.startswith("#1 The space between: due for 3 readers.")


def test_plan_says_whom_a_draft_misses(practice: Practice) -> None:
    practice.post(2, "Worries", status="draft")
    practice.post(4, "For later", status="draft")
    told = "posts/002-worries.md is a draft: 3 readers go on without it, unless it is live by then."
    assert practice.json("plan")["changes"] == [told], "nobody comes past #4"
    for days in range(3):
        practice.run("send", at=MONDAY + 2 * HOUR + days * DAY)
    assert practice.json("plan")["changes"] == [], "everybody is past it"


def test_plan_says_whom_a_post_that_moved_on_takes_with_it(live: Practice) -> None:
    live.run("send")
    (live.root / "posts/001-the-first-hour.md").rename(live.root / "posts/009-the-first-hour.md")
    assert live.json("plan")["changes"] == [
        "posts/009-the-first-hour.md was #1 and is #9: it is the same post, nobody gets it twice; "
        "3 readers stand at it, and the posts before it pass them by."
    ]


def test_history_tells_everything_in_the_order_of_time(live: Practice, mail: MailServer) -> None:
    live.run("send")
    live.tick_at(mail, days=1)
    mail.at_rcpt[BO] = "550 5.1.1 no such user"
    live.run("send")
    told = live.run("history", BO).out
    places = [
        told.index(words) for words in ("imported", "The first hour: accepted", "Worries: rejected", "suppressed\n")
    ]
    assert places[:3] == sorted(places[:3])
    assert "550 5.1.1 no such user" in told
    facts = live.json("history", BO)
    assert facts["status"] == "suppressed"
    assert facts["confirmed_at"] == facts["consent"][0]["at"]
    assert (facts["consent"][0]["cause"], facts["consent"][0]["detail"]) == ("imported", "on the owner's word")
    assert [(d["post"], d["state"]) for d in facts["deliveries"]] == [(1, "accepted"), (2, "rejected")]
    assert [(t["n"], t["outcome"], t["provider"]) for t in facts["deliveries"][1]["tries"]] == [(1, "rejected", "smtp")]


def test_raw_gives_exactly_the_bytes_that_the_server_took(live: Practice, mail: MailServer) -> None:
    live.post(
        1, "The first hour", "Zoë — “quoted” 心\n\n.a line that begins with a dot\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    live.run("send")
    (taken,) = [letter.data for letter in mail.taken if letter.address == ANA]
    live.post(1, "The first hour", "Edited since.")
    live.readers(f"{ANA},Renamed since,UTC", f"{BO},Bo,UTC", f"{CY},Cy,UTC")
    live.at += DAY
    live.run("send")
    assert live.run("history", ANA, "1", "--raw").raw == taken


def test_raw_says_so_when_the_bytes_can_no_longer_be_had(live: Practice) -> None:
    live.run("send")
    (live.root / "secret.key").write_text("another key, as long as a key has to be")
    ran = live.run("history", ANA, "1", "--raw")
    assert (ran.status, ran.raw) == (1, b"")
    assert "secret.key" in ran.err
