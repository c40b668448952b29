"""Judging posts: the command, and what it keeps from leaving."""

from __future__ import annotations

import re
from pathlib import Path

from mailserver import MailServer
from practice import ANA, BO, CY, DAY, DEE, HOUR, MONDAY, Practice, each
from typist import Typed

KEYS = ["post", "file", "rule", "severity", "problem", "remedy", "part", "line", "quote"]
LONG = "Why the last session deserves as much care as the first."
BODY = "Dear reader,\n\nBreathe in, and out again, and let the rest wait."


def mended(practice: Practice) -> None:
    """Three posts without anything to say about."""
    for number, title in enumerate(("The first hour", "Worries", "The space between"), 1):
        practice.post(number, title, BODY, preheader=LONG)


# The command


def test_a_folder_in_order_has_nothing_to_say(practice: Practice) -> None:
    mended(practice)
    before = practice.tree()
    ran = practice.run("check")
    assert (ran.status, ran.out, ran.err) == (0, "3 posts looked at: nothing was found.\n", "")
    assert practice.run("check", "--json").json() == []
    assert practice.tree() == before, "looking changes nothing"


def test_an_error_says_where_it_is_and_what_to_do(practice: Practice) -> None:
    mended(practice)
    practice.post(2, "Worries", f"{BODY}\n\nSee you at TK.", preheader=LONG)
    ran = practice.run("check")
    assert ran.status == 1
    assert ran.out == (
        "#2 Worries  posts/002-worries.md\n"
        "  error    line 10   “TK” looks like a mark from drafting, and readers would see it.\n"
        "                     Write what belongs there, or take the mark out. [drafting-mark]\n"
        "                     > See you at TK.\n"
        "\n"
        "3 posts looked at: 1 error. 1 post does not leave before that is mended.\n"
    )
    assert practice.run("check", "1").status == 0
    asked = practice.run("check", "2", "--json")
    assert asked.status == 1
    (found,) = asked.json()
    assert list(found) == KEYS
    assert (found["post"], found["rule"], found["severity"], found["part"], found["line"]) == (
        2, "drafting-mark", "error", "post", 10,
    )  # fmt: skip


def test_pictures_and_links_that_can_not_work_are_told_all_at_once(practice: Practice) -> None:
    mended(practice)
    practice.post(2, "Worries", f"{BODY}\n\n![a hat](images/hat.jpg)\n\n[there](there.html)", preheader=LONG)
    found = practice.run("check", "--json").json()
    assert [(f["rule"], f["line"]) for f in found] == [("content", 10), ("content", 12)]


def test_what_else_there_is_is_told_beside_a_picture_that_can_not_work(practice: Practice) -> None:
    mended(practice)
    body = f"{BODY}\n\n![a hat](images/hat.jpg)\n\nTK the end, [here](https://example.org/a) and [there](#jump)."
    practice.post(2, "Worries", body, preheader=LONG)
    found = practice.run("check", "2", "--json").json()
    assert {(f["rule"], f["line"]) for f in found} == {
        ("content", 10), ("content", 12), ("drafting-mark", 12), ("link-name", 12),
    }  # fmt: skip


def test_a_warning_counts_only_when_strict(practice: Practice) -> None:
    mended(practice)
    practice.post(2, "Worries", BODY)
    assert practice.run("check").status == 0
    assert "warning  line 2    There is no preheader" in practice.run("check").out
    assert practice.run("check", "--strict").status == 1
    practice.settings((practice.root / "newsletter.toml").read_text() + "\n[checks]\nstrict = true\n")
    assert practice.run("check").status == 1


def test_a_draft_may_be_unfinished_unless_it_is_asked_for(practice: Practice) -> None:
    mended(practice)
    practice.post(4, "Unfinished", f"{BODY}\n\nTK", preheader=LONG, status="draft")
    practice.post(5, "Regretted", "TK", status="retracted")
    ran = practice.run("check")
    assert ran.status == 0
    assert "#4 Unfinished (a draft)  posts/004-unfinished.md" in ran.out and "Regretted" not in ran.out
    assert practice.run("check", "4").status == 1


def test_files_that_are_no_posts_are_errors_too(practice: Practice) -> None:
    mended(practice)
    (practice.root / "posts/004-cut.md").write_text("---\ntitle: Blog #4\nstatus: lvie\n---\n\nWords.\n")
    (practice.root / "posts/005-gone.md").write_text(
        f"---\ntitle: T\npreheader: {LONG}\n---\n\n{BODY}\n\n![a](no.jpg)\n"
    )
    (practice.root / "posts/notes.md").write_text("Words.\n")
    ran = practice.run("check", "--json")
    assert ran.status == 1
    assert [(f["post"], f["file"], f["line"], f["severity"]) for f in ran.json()] == [
        (4, "posts/004-cut.md", 2, "error"),
        (4, "posts/004-cut.md", 3, "error"),
        (5, "posts/005-gone.md", 10, "error"),
    ]
    assert "notes.md has no number" in practice.run("check").err
    assert practice.run("check", "4").status == 1
    missing = practice.run("check", "9")
    assert missing.status == 2 and "there is no post 9" in missing.err


def test_what_the_template_does_to_every_letter_is_said_once(practice: Practice) -> None:
    mended(practice)
    folder = practice.root / "templates/email/parts"
    folder.mkdir(parents=True)
    from newsletter.starter import builtin_templates

    theme = (builtin_templates() / "parts/theme.html").read_text()
    (folder / "theme.html").write_text(theme.replace("ink = light.ink", 'ink = "#9a9a9a"'))
    ran = practice.run("check")
    assert ran.status == 0 and ran.out.startswith("Every letter\n") and ran.out.count("#9a9a9a on #ffffff") == 1
    assert len({f["post"] for f in practice.run("check", "--json").json()}) == 3


# The hold


def test_an_error_holds_the_post_and_nobody_else(live: Practice, mail: MailServer) -> None:
    live.post(1, "The first hour", f"{BODY}\n\nSee you at TK.")
    ran = live.run("send")
    assert ran.status == 1 and mail.taken == []
    assert "posts/001-the-first-hour.md, line 9: “TK” looks like a mark" in ran.err
    assert "Readers wait at #1 until it is mended; `newsletter check 1` shows what to do." in ran.err
    asked = live.json("status")
    assert [s for s in asked["attention"] if "TK" in s] and asked["deliveries"]["planned"] == 3
    assert not any("still wait" in s for s in asked["attention"]), "it is said once why they wait"
    assert any("TK" in s for s in live.json("plan")["held"])
    # Mended, it leaves; nobody has lost anything.
    live.post(1, "The first hour", BODY)
    assert not any("TK" in s for s in live.json("status")["attention"])
    assert live.run("send", at=live.at + HOUR).status == 0
    assert live.accepted() == each([ANA, BO, CY], [1])
    assert live.run("verify").status == 0


def test_others_go_on_while_one_post_is_held(live: Practice, mail: MailServer) -> None:
    assert live.run("send").status == 0
    live.readers(*(f"{address},,UTC" for address in (ANA, BO, CY, DEE)))
    assert live.run("send", at=live.at + HOUR).status == 0, "Dee is in, and waits for the next slot"
    live.post(2, "Worries", "Dear reader, {{ name }}, breathe.")
    live.tick_at(mail, days=1)
    ran = live.run("send")
    assert ran.status == 1 and "posts/002-worries.md, line 5: “{{ name }}”" in ran.err
    assert live.accepted() == each([ANA, BO, CY, DEE], [1])


def test_a_warning_holds_only_when_strict(live: Practice, mail: MailServer) -> None:
    ran = live.run("send", "--strict")
    assert ran.status == 1 and mail.taken == [] and "There is no preheader" in ran.err
    assert live.run("send", at=live.at + HOUR).status == 0
    assert live.accepted() == each([ANA, BO, CY], [1])


def test_an_owner_may_answer_an_error(live: Practice) -> None:
    live.post(1, "The first hour", f"{BODY}\n\nMy friend TK says so.", allow="drafting-mark")
    assert live.run("send").status == 0
    assert live.accepted() == each([ANA, BO, CY], [1])


def test_what_has_left_once_is_not_judged_again(live: Practice, mail: MailServer) -> None:
    live.post(1, "The first hour", f"{BODY}\n\nTK", allow="drafting-mark")
    live.readers("ana@example.org,Ana,UTC")
    assert live.run("send").status == 0
    # With the setting alone changed, the bytes are those that Ana got: Bo gets them too.
    live.settings((live.root / "newsletter.toml").read_text() + "\n[checks]\nstrict = true\n")
    live.readers("ana@example.org,Ana,UTC", "bo@example.org,Bo,UTC")
    assert live.run("send", at=live.at + HOUR).status == 0
    live.tick_at(mail, days=1)
    live.post(2, "Worries", BODY, status="draft")
    assert live.run("send").status == 0
    assert live.accepted() == each([ANA, BO], [1])


def test_a_dry_run_says_what_would_be_held(live: Practice) -> None:
    live.post(1, "The first hour", f"{BODY}\n\nSee you at TK.")
    before = live.tree()
    ran = live.run("send", "--dry-run")
    assert ran.status == 1 and "“TK” looks like a mark" in ran.err
    assert live.tree() == before


def test_a_post_that_is_held_stays_so_in_status_through_an_idle_run(practice: Practice, mail: MailServer) -> None:
    practice.mail_through(mail, at='"09:00"\nquiet_hours = "12:00-14:00"')
    practice.run("go-live", "--yes")
    practice.post(1, "The first hour", f"{BODY}\n\nSee you at TK.")
    practice.tick_at(mail, days=0)
    assert practice.run("send").status == 1
    practice.run("send", at=MONDAY.replace(hour=12, minute=30))
    assert any("TK" in s for s in practice.json("status")["attention"])
    (practice.root / "posts/001-the-first-hour.md").write_text(f"---\ntitle: The first hour\n---\n\n{BODY}\n")
    assert not any("TK" in s for s in practice.json("status")["attention"])
    assert practice.run("send", at=MONDAY + DAY).status == 0


def test_where_warnings_hold_a_post_it_says_so(project: Path, newsletter: Typed) -> None:
    (project / "posts/009-x.md").write_text("---\ntitle: A quiet note\n---\n\nA few words, for you to read.\n")
    assert "does not leave" not in newsletter("check", "9", "--strict").out, "nor does it, without [checks] strict"
    settings = project / "newsletter.toml"
    settings.write_text(re.sub(r"(?m)^# strict = false", "strict = true", settings.read_text()))
    assert newsletter("check", "9").out.endswith("1 post does not leave before that is mended.\n")
