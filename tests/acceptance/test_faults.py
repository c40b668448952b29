"""What goes wrong, one trouble a test: nothing is lost, nothing is sent twice, and the owner is told what to do."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mailserver import HANG_UP, MailServer
from practice import ANA, BO, CY, DAY, HOUR, MONDAY, Practice, each

PASSWORD = "a-password-nobody-may-see"
MANY = [f"r{n:02}@example.org" for n in range(24)]


def only_planned(practice: Practice, count: int) -> None:
    """Nobody was marked for it: everything still waits, unattempted."""
    assert {k: n for k, n in practice.json("status")["deliveries"].items() if n} == {"planned": count}
    assert all(row["attempts"] == 0 for row in practice.json("who-got", "1"))


def everybody_once(practice: Practice, mail: MailServer, addresses: list[str]) -> None:
    """The server's record and the ledger say the same: #1, once, to each."""
    assert Counter(letter.address for letter in mail.taken) == dict.fromkeys(addresses, 1)
    assert practice.accepted() == each(addresses, [1])
    assert practice.run("verify").status == 0


@pytest.fixture
def crowd(practice: Practice, mail: MailServer) -> Practice:
    """As `live`, with more readers than connections."""
    practice.readers(*(f"{address},,UTC" for address in MANY))
    practice.mail_through(mail)
    practice.run("go-live", "--yes")
    practice.tick_at(mail, days=0)
    return practice


# The mail server


def test_a_server_that_is_away_marks_nobody_and_the_next_run_goes_on(live: Practice, mail: MailServer) -> None:
    live.settings((live.root / "newsletter.toml").read_text(), port="1")
    ran = live.run("send")
    assert ran.status == 1
    assert "the mail server 127.0.0.1, port 1, refused the connection" in ran.err
    assert "[provider.smtp] of newsletter.toml" in ran.err
    only_planned(live, 3)
    assert any("3 messages that should have left still wait" in s for s in live.json("status")["attention"])
    live.mail_through(mail)
    assert live.run("send", at=live.at + HOUR).status == 0
    everybody_once(live, mail, [ANA, BO, CY])


def test_a_refused_login_marks_nobody_and_shows_the_password_nowhere(live: Practice, mail: MailServer) -> None:
    mail.login = ("maya", "the right one")
    live.mail_through(mail, username='"maya"')
    live.environment = {"NEWSLETTER_SMTP_PASSWORD": PASSWORD}
    ran = live.run("send")
    assert ran.status == 1
    assert 'refused the login for "maya"' in ran.err and "check username in [provider.smtp]" in ran.err
    only_planned(live, 3)
    asked = [live.run(*words.split()) for words in ("status", "report", "status --json", f"history {ANA} --json")]
    assert not any(PASSWORD in answer.said for answer in (ran, *asked))
    assert not any(PASSWORD.encode() in content for content in live.tree().values())
    live.environment = {"NEWSLETTER_SMTP_PASSWORD": "the right one"}
    assert live.run("send").status == 0
    everybody_once(live, mail, [ANA, BO, CY])


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [
        pytest.param("mail.example.org", 30, "is for another name", id="a certificate for another name"),
        pytest.param("localhost", -1, "has expired", id="a certificate that has expired"),
    ],
)
def test_a_wrong_certificate_sends_nothing(practice: Practice, tmp_path: Path, name: str, days: int, said: str) -> None:
    pem, context = certificate(tmp_path, name, days)
    with MailServer().running(tls=context) as mail:
        practice.mail_through(
            mail,
            security='"starttls"',
            host='"localhost"',
            timeout=f'"20 seconds"\nca_file = "{pem}"',
            timezone='"UTC"',
        )
        practice.run("go-live", "--yes")
        practice.tick_at(mail, days=0)
        ran = practice.run("send")
        assert ran.status == 1
        assert f"showed a certificate that {said}" in ran.err and "Nothing was sent" in ran.err
        assert mail.taken == []
    only_planned(practice, 3)


def test_a_server_of_her_own_is_trusted_by_its_certificate(practice: Practice, tmp_path: Path) -> None:
    pem, context = certificate(tmp_path, "localhost", 30)
    with MailServer().running(tls=context) as mail:
        practice.mail_through(
            mail,
            security='"starttls"',
            host='"localhost"',
            timeout=f'"20 seconds"\nca_file = "{pem}"',
            timezone='"UTC"',
        )
        practice.run("go-live", "--yes")
        practice.tick_at(mail, days=0)
        assert practice.run("send").status == 0
        everybody_once(practice, mail, [ANA, BO, CY])


def test_no_answer_after_the_last_dot_is_doubt_and_is_sent_once_more(live: Practice, mail: MailServer) -> None:
    mail.at_dot[BO] = HANG_UP
    assert live.run("send").out.endswith("2 accepted, 1 uncertain.\n")
    assert [s for s in live.json("status")["attention"] if BO in s and "never answered" in s]
    assert live.run("send", at=live.at + timedelta(minutes=5)).out.startswith("Nothing is due")
    mail.at_dot.clear()
    assert live.run("send", at=live.at + timedelta(minutes=10)).out == "1 message to smtp: 1 accepted.\n"
    everybody_once(live, mail, [ANA, BO, CY])
    assert f"#1 to {BO} was sent once more after doubt, so it may have arrived twice." in live.run("report").out


def test_doubt_is_held_when_the_owner_says_so(live: Practice, mail: MailServer) -> None:
    live.mail_through(mail, provider='"smtp"\non_uncertain = "hold"')
    mail.at_dot[BO], mail.keeps_before_hanging_up = HANG_UP, True
    live.run("send")
    for hours in (1, 2):
        live.run("send", at=live.at + hours * HOUR)
    assert Counter(letter.address for letter in mail.taken) == dict.fromkeys([ANA, BO, CY], 1)
    assert [s for s in live.json("status")["attention"] if "not sent again by itself" in s and "settle" in s]


def test_doubt_twice_over_is_not_sent_a_third_time(live: Practice, mail: MailServer) -> None:
    mail.at_dot[BO] = HANG_UP
    for hours in range(6):
        live.run("send", at=MONDAY + (2 + hours) * HOUR)
    (row,) = [row for row in live.json("who-got", "1") if row["email"] == BO]
    assert (row["state"], row["attempts"]) == ("uncertain", 2)
    assert [s for s in live.json("status")["attention"] if "handed over twice" in s]


# Interruptions


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_finishes_what_is_under_way_and_keeps_the_rest(
    crowd: Practice, mail: MailServer, stop: signal.Signals
) -> None:
    mail.hold(after=5)
    process = crowd.start("send")
    assert mail.held.wait(120)
    process.send_signal(stop)
    seen(process, b"stopping")
    mail.let_go()
    ran = crowd.finish(process)
    assert ran.status == 130
    states = crowd.json("status")["deliveries"]
    assert 5 < len(mail.taken) < len(MANY)
    assert {k: n for k, n in states.items() if n} == {
        "accepted": len(mail.taken),
        "planned": len(MANY) - len(mail.taken),
    }
    assert crowd.run("send").status == 0
    everybody_once(crowd, mail, MANY)
    assert crowd.run("report").out.count("may have arrived twice") == 0


def test_a_second_ctrl_c_stops_at_once_and_leaves_doubt_that_is_settled(crowd: Practice, mail: MailServer) -> None:
    mail.hold(after=5)
    process = crowd.start("send")
    assert mail.held.wait(120)
    process.send_signal(signal.SIGINT)
    seen(process, b"stopping")
    process.send_signal(signal.SIGINT)
    ran = crowd.finish(process)
    assert ran.status == 130
    mail.let_go()
    for hours in (1, 2):  # a lease of twenty minutes, ten minutes of doubt
        crowd.run("send", at=crowd.at + hours * HOUR)
    counted = Counter(letter.address for letter in mail.taken)
    assert set(counted) == set(MANY)
    said = crowd.run("report").out
    assert all(f"{address} was sent once more after doubt" in said for address, n in counted.items() if n > 1)
    assert crowd.accepted() == each(MANY, [1])
    assert crowd.run("verify").status == 0


def test_a_run_that_is_killed_loses_nothing_and_says_where_it_is_in_doubt(crowd: Practice, mail: MailServer) -> None:
    mail.hold(after=5)
    process = crowd.start("send")
    assert mail.held.wait(120)
    process.kill()
    assert crowd.finish(process).status == -signal.SIGKILL
    mail.let_go()
    assert crowd.run("send").status == 0
    # The one that waited had come whole: the server may take it although nobody is there any more to be told.
    assert len(mail.taken) in (5, 6), "the dead run's lease still stands"
    crowd.run("send", at=crowd.at + HOUR)
    counted = Counter(letter.address for letter in mail.taken)
    assert set(counted) == set(MANY)
    said = crowd.run("report").out
    # Of those that were accepted some were not yet recorded: the doubt of RFC 1047, and each of them is named.
    assert sum(n > 1 for n in counted.values()) <= 6
    assert all(f"{address} was sent once more after doubt" in said for address, n in counted.items() if n > 1)
    assert crowd.accepted() == each(MANY, [1])
    assert crowd.run("verify").status == 0


def test_of_two_runs_at_once_one_sends_and_the_other_leaves(crowd: Practice, mail: MailServer) -> None:
    mail.hold()
    first = crowd.start("send")
    assert mail.held.wait(120)
    second = crowd.run("send")
    assert (second.status, second.out) == (75, "")
    mail.let_go()
    assert crowd.finish(first).status == 0
    everybody_once(crowd, mail, MANY)


def test_whoever_leaves_while_a_run_is_under_way_gets_nothing_more(crowd: Practice, mail: MailServer) -> None:
    """What has begun is heard out (a window of 50 messages); consent is read again before the next window."""
    many = [f"r{n:02}@example.org" for n in range(60)]
    crowd.readers(*(f"{address},,UTC" for address in many))
    crowd.run("send", at=MONDAY)
    mail.hold()
    process = crowd.start("send", at=MONDAY + 1.1 * HOUR)
    assert mail.held.wait(120)
    assert crowd.run("subscribers", "unsubscribe", many[-1], at=crowd.at + HOUR / 60).status == 0
    mail.let_go()
    assert crowd.finish(process).status == 0
    crowd.run("send", at=crowd.at + HOUR)
    everybody_once(crowd, mail, many[:-1])


# The database


@pytest.mark.slow
def test_a_locked_database_is_waited_for_and_then_left(live: Practice, mail: MailServer) -> None:
    holder = sqlite3.connect(live.root / "newsletter.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    ran = live.run("send")
    holder.close()
    assert (ran.status, ran.out) == (75, "")
    assert "newsletter.db: another program keeps the database locked" in ran.err
    assert mail.taken == []
    assert live.run("send").status == 0
    everybody_once(live, mail, [ANA, BO, CY])


@pytest.mark.parametrize("what", ["the file", "the folder"])
def test_a_database_that_can_only_be_read_sends_nothing(
    live: Practice, mail: MailServer, readonly: tuple[str, ...], what: str
) -> None:
    live.run("send", at=MONDAY)
    place = live.root / "newsletter.db" if what == "the file" else live.root
    mode = place.stat().st_mode
    place.chmod(0o444 if what == "the file" else 0o555)
    live.tick_at(mail, days=0)
    ran = live.run("send", within=readonly)
    place.chmod(mode)
    assert ran.status == 1, ran
    assert "newsletter.db: the database can't be written; check who owns the file and its folder" in ran.err
    assert mail.taken == []
    assert live.run("send").status == 0
    everybody_once(live, mail, [ANA, BO, CY])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one small project."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here, so no disk can be filled")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_sends_nothing_until_there_is_room(practice: Practice, disk: Path) -> None:
    shutil.copytree(practice.root, disk, dirs_exist_ok=True)
    practice.root = disk
    practice.run("send", at=MONDAY)
    with pytest.raises(OSError, match="No space left"), (disk / "films").open("wb", buffering=0) as films:
        while True:
            films.write(bytes(512))
    for command in ("send", "status", "subscribers add dee@example.org"):
        ran = practice.run(*command.split(), at=MONDAY + 1.1 * HOUR)
        assert (ran.status, ran.out) == (1, ""), ran
        assert ran.err == "newsletter: newsletter.db: the disk is full; make room and run it again. Nothing is lost.\n"
    (disk / "films").unlink()
    assert practice.run("send").status == 0
    assert practice.accepted() == each([ANA, BO, CY], [1])
    assert practice.run("verify").status == 0


def test_a_database_of_a_newer_version_is_left_alone(live: Practice, mail: MailServer) -> None:
    change(live, "UPDATE alembic_version SET version_num = '9999'")
    before = live.tree()
    for command in ("send", "status", "plan", "verify", "pause", "backup x.db"):
        ran = live.run(*command.split())
        assert (ran.status, ran.out) == (2, ""), ran
        assert "was written by a newer version of newsletter" in ran.err and "Nothing was changed" in ran.err
    assert live.tree() == before and mail.taken == []


def test_a_file_that_is_no_database_is_left_alone(practice: Practice) -> None:
    (practice.root / "newsletter.db").write_text("Dear diary,\n" * 100)
    before = practice.tree()
    for command in ("send", "status", "plan", "verify", "pause"):
        ran = practice.run(*command.split())
        assert (ran.status, ran.out) == (1, ""), ran
        assert "newsletter.db: this file is not a newsletter database; check [store] url" in ran.err
    assert {k: v for k, v in practice.tree().items() if k != ".newsletter.lock"} == before


def test_verify_finds_what_was_tampered_with(live: Practice) -> None:
    live.run("send")
    change(live, "DELETE FROM attempt WHERE delivery_id = 1", "DELETE FROM delivery WHERE id = 2")
    ran = live.run("verify")
    assert (ran.status, ran.err) == (1, "")
    assert "post 1 (The first hour): 3 deliveries were promised, 2 are on record." in ran.out
    facts = live.run("verify", "--json")
    assert facts.status == 1 and facts.json()["balanced"] is False and len(facts.json()["problems"]) >= 2
    assert live.json("status")["balanced"] is False
    assert "DO NOT BALANCE" in live.run("status").out


# The folder of messages


def test_a_file_where_the_outbox_should_be(practice: Practice) -> None:
    practice.run("send", at=MONDAY)
    (practice.root / "outbox").write_text("in the way")
    ran = practice.run("send", at=MONDAY + 2 * HOUR)
    assert ran.status == 1
    assert "outbox, has a file where a folder should be" in ran.err and "[provider.folder]" in ran.err
    only_planned(practice, 3)
    (practice.root / "outbox").unlink()
    assert practice.run("send").out == "3 messages to folder: 3 accepted.\n"


def test_an_outbox_that_may_not_be_written(practice: Practice, readonly: tuple[str, ...]) -> None:
    practice.run("send", at=MONDAY)
    (practice.root / "outbox").mkdir(mode=0o555)
    ran = practice.run("send", at=MONDAY + 2 * HOUR, within=readonly)
    assert ran.status == 1
    assert "outbox, can't be written to by this user" in ran.err
    only_planned(practice, 3)


# Posts and templates


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("{{ title | }}", "template post.html, line 2: ", id="a template that can't be read"),
        pytest.param(
            "{{ tittle }}",
            'template post.html, line 2: there is no variable "tittle"',
            id="a variable that is not there",
        ),
    ],
)
def test_a_broken_template_sends_nothing_until_it_is_mended(
    live: Practice, mail: MailServer, line: str, said: str
) -> None:
    template = live.root / "templates/email/post.html"
    template.parent.mkdir(parents=True)
    template.write_text(f"<p>\n{line}\n</p>\n")
    ran = live.run("send")
    assert ran.status == 1
    assert ran.err.startswith(f"! {said}"), ran.err
    only_planned(live, 3)
    template.unlink()
    assert live.run("send").status == 0
    everybody_once(live, mail, [ANA, BO, CY])


def test_broken_posts_are_named_and_the_others_leave(live: Practice, mail: MailServer) -> None:
    posts = live.root / "posts"
    (posts / "004-twice.md").write_text("---\ntitle: One\n---\n\nA.\n")
    (posts / "004-again.md").write_text("---\ntitle: Other\n---\n\nB.\n")
    (posts / "005-picture.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (posts / "006-open.md").write_text("---\ntitle: Open\n\nText.\n")
    (posts / "007-trap.md").write_text("---\ntitle: Blog #7\n---\n\nText.\n")
    for command, status in (("send", 0), ("plan", 0), ("status", 0)):
        ran = live.run(command)
        assert ran.status == status
        assert "posts/004-again.md: number 4 is also the number of posts/004-twice.md" in ran.said
        for place in ("posts/005-picture.md, line", "posts/006-open.md, line 3: ", "posts/007-trap.md, line 2: "):
            assert place in ran.said, (command, place)
    everybody_once(live, mail, [ANA, BO, CY])


def test_a_post_that_breaks_while_readers_wait_for_it_is_waited_for(live: Practice, mail: MailServer) -> None:
    live.run("send")
    live.tick_at(mail, days=1)
    good = (live.root / "posts/002-worries.md").read_text()
    (live.root / "posts/002-worries.md").write_text(good.replace("title: Worries\n---", "title: Worries\n"))
    ran = live.run("send")
    assert ran.status == 0 and "readers who come to #2 wait" in ran.err
    (live.root / "posts/002-worries.md").write_text(good)
    live.tick_at(mail, days=2)
    live.run("send")
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "Worries"])


def test_a_post_that_is_mended_on_its_day_still_leaves_on_it(live: Practice, mail: MailServer) -> None:
    path = live.root / "posts/001-the-first-hour.md"
    good = path.read_text()
    live.run("send", at=MONDAY)
    path.write_text(good.replace("title: ", "title:"))
    live.run("send", at=MONDAY + 1.1 * HOUR)
    path.write_text(good)
    live.run("send", at=live.at + HOUR)
    everybody_once(live, mail, [ANA, BO, CY])


@pytest.mark.parametrize("gone", ["its posts", "the folder"])
def test_an_empty_folder_of_posts_loses_nothing(live: Practice, mail: MailServer, gone: str) -> None:
    live.run("send")
    live.tick_at(mail, days=1)
    (live.root / "posts").rename(live.root / "elsewhere")
    if gone == "its posts":
        (live.root / "posts").mkdir()
    ran = live.run("send")
    assert ran.status == (0 if gone == "its posts" else 2)
    assert ("put the files back" if gone == "its posts" else "there is no such folder") in ran.err
    assert live.run("status").status == 0
    if gone == "its posts":
        (live.root / "posts").rmdir()
    (live.root / "elsewhere").rename(live.root / "posts")
    live.tick_at(mail, days=2)
    assert live.run("send").status == 0
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "Worries"])


# Her list


def test_broken_rows_are_listed_and_the_good_ones_taken(live: Practice, mail: MailServer) -> None:
    live.readers(
        f"{ANA},Ana,UTC", f"{BO},Bo,UTC", f"{CY},Cy,UTC", "no address,,", "dee@example.org,Dee,Mars/Olympus",
        "ANA@example.org,,", "Eva@EXAMPLE.org,Eva,Europe/Berlinn",
        '"fay@example.org,Fay,UTC', "gus@bücher.example,Gus,UTC",
    )  # fmt: skip
    ran = live.run("send")
    assert ran.status == 0
    listed = [line for line in ran.err.splitlines() if "subscribers.csv" in line]
    assert [n for n in range(2, 11) if any(f"row {n}:" in line for line in listed)] == [5, 6, 7, 8, 9], ran.err
    assert 'did you mean "Europe/Berlin"' in ran.err and "already in row 2" in ran.err
    assert live.json("status")["subscribers"]["active"] == 4
    live.tick_at(mail, days=1)
    live.run("send")
    assert "gus@xn--bcher-kva.example" in mail.got()


def test_a_list_that_lost_most_of_its_rows_changes_nothing(crowd: Practice, mail: MailServer) -> None:
    crowd.readers(*(f"{address},,UTC" for address in MANY[:5]))
    ran = crowd.run("send")
    assert ran.status == 0
    assert "subscribers.csv was not taken: 19 of the 24 people who stood in it are missing" in ran.err
    assert "newsletter subscribers sync" in ran.err
    everybody_once(crowd, mail, MANY)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "subscribers.csv can't be read", id="the list is gone"),
        pytest.param(b"", "subscribers.csv is empty", id="the list is empty"),
        pytest.param(b"email\n", "no rows below it", id="the list has a header alone"),
        pytest.param(b"PK\x03\x04" + bytes(400), 'save it as "CSV UTF-8"', id="the list is a workbook"),
        pytest.param(b"name;street\nAna;Elm\n", 'no column "email"', id="the list has no addresses"),
    ],
)
def test_a_list_that_cannot_be_used_leaves_the_readers_as_they_were(
    live: Practice, mail: MailServer, content: bytes | None, said: str
) -> None:
    path = live.root / "subscribers.csv"
    path.unlink() if content is None else path.write_bytes(content)
    ran = live.run("send")
    assert ran.status == 0
    assert said in ran.err and "The readers stay as they were." in ran.err
    everybody_once(live, mail, [ANA, BO, CY])


# The clock


def test_a_clock_that_went_back_a_day_plans_nothing(live: Practice, mail: MailServer) -> None:
    live.run("send")
    live.at -= DAY
    ran = live.run("send")
    assert (ran.status, ran.out) == (1, "")
    assert "the clock went back: the last run was at 2026-03-02 09:05 UTC, now it says 2026-03-01 09:05" in ran.err
    assert "newsletter resume" in ran.err
    live.tick_at(mail, days=1)
    assert live.run("send").status == 0, "set right, it goes on by itself"
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "Worries"])


def test_a_clock_that_is_right_after_having_been_wrong(live: Practice, mail: MailServer) -> None:
    live.run("send", at=MONDAY + HOUR / 2 + 300 * DAY)  # nobody's slot, but a tick
    mail.taken.clear()
    live.tick_at(mail, days=0)
    assert live.run("send").status == 1
    assert live.run("resume").status == 1, "it asks, and nobody answers"
    assert live.run("resume", "--yes").status == 0
    assert live.run("send").status == 0
    assert live.run("verify").status == 0


def test_a_small_step_back_is_nobodys_business(live: Practice, mail: MailServer) -> None:
    live.run("send")
    ran = live.run("send", at=live.at - timedelta(minutes=4))
    assert (ran.status, ran.err) == (0, "")
    everybody_once(live, mail, [ANA, BO, CY])


def test_a_clock_that_leaps_forward_gives_each_reader_one_post(live: Practice, mail: MailServer) -> None:
    live.run("send")
    live.tick_at(mail, days=40)
    live.run("send")
    live.run("send")
    assert mail.got() == each([ANA, BO, CY], ["The first hour", "Worries"])


# Help


def encrypted(practice: Practice, mail: MailServer, pem: Path) -> None:
    """Go live through *mail* with STARTTLS, trusting *pem*; three messages are due."""
    trust = f'"20 seconds"\nca_file = "{pem}"'
    practice.mail_through(mail, security='"starttls"', host='"localhost"', timeout=trust)
    practice.run("go-live", "--yes")
    practice.tick_at(mail, days=0)


def change(practice: Practice, *statements: str) -> None:
    connection = sqlite3.connect(practice.root / "newsletter.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def seen(process: subprocess.Popen[bytes], words: bytes) -> None:
    """Read the standard error of *process* until it says *words*."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"it never said {words!r}")


def certificate(folder: Path, name: str, days: int) -> tuple[Path, ssl.SSLContext]:
    """A certificate signed by itself for *name*, valid until *days* after the first slot, and a server's use of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(MONDAY - 60 * DAY)
        .not_valid_after(MONDAY + days * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "server.pem", folder / "server.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return pem, context
