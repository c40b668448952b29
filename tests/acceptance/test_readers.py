"""`newsletter subscribers …`: the owner's list in every shape, and one reader at a time."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typist import Typed

HEADER = "email,name,timezone,tags,confirmed_at,had_through\n"
ANA, BO = "ana@example.org", "bo@example.org"


def listed(typed: Typed) -> dict[str, dict[str, Any]]:
    return {reader["email"]: reader for reader in typed("subscribers", "list", "--json").json()}


def write(path: Path, *rows: str) -> Path:
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def columns(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def mine(project: Path) -> Path:
    """The owner's own file."""
    return project / "subscribers.csv"


# add


def test_a_reader_is_added_on_the_owners_word(newsletter: Typed) -> None:
    added = newsletter(
        "subscribers", "add", "Ana@Example.org", "--name", "Ana L", "--timezone", "Europe/Berlin", "--tags", "a, B"
    )
    assert (added.status, added.err) == (0, "")
    assert added.out.startswith("Ana@example.org is a reader now.\nFirst post: #1, Tuesday ")
    assert added.out.endswith("09:00 (Europe/Berlin).\n")
    (reader,) = newsletter("subscribers", "list", "--json").json()
    assert reader.pop("confirmed_at")
    assert reader == {
        "email": "Ana@example.org",
        "name": "Ana L",
        "status": "active",
        "paused": [],
        "timezone": "Europe/Berlin",
        "tags": ["a", "b"],
        "had_through": None,
        "in_file": False,
    }
    assert newsletter("history", ANA, "--json").json()["consent"][0]["cause"] == "added"


def test_who_had_some_posts_goes_on_after_them(typed: Typed) -> None:
    assert "First post: #4," in typed("subscribers", "add", ANA, "--had-through", "3").out
    assert "First post: none in the next 60 days" in typed("subscribers", "add", BO, "--had-through", "6").out


def test_the_setting_start_counts_before_the_first_run(typed: Typed, project: Path) -> None:
    settings = project / "newsletter.toml"
    settings.write_text(settings.read_text().replace('start = "first"', 'start = "latest"'))
    assert "First post: #6," in typed("subscribers", "add", ANA).out
    assert (
        "Their first post: #6," in typed("subscribers", "import", "subscribers.example.csv", "--confirmed", "--yes").out
    )
    assert {r["had_through"] for r in listed(typed).values()} == {5, 2}, "2 is what the file says of one"


def test_at_once_is_for_the_added_alone(typed: Typed, project: Path) -> None:
    settings = project / "newsletter.toml"
    settings.write_text(
        settings.read_text().replace('# first = "slot"', 'first = "at once"  #').replace('days = ["tuesday"]', "")
    )
    typed("subscribers", "add", ANA)
    typed("subscribers", "import", str(write(project / "more.csv", BO)), "--confirmed", "--yes")
    typed("send")
    assert {e: r["had_through"] for e, r in listed(typed).items()} == {ANA: 1, BO: None}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["ana"], '"ana" is not an email address: it needs one @', id="no address"),
        pytest.param([""], "there is no address", id="an empty address"),
        pytest.param(
            ["yōko@example.org"], "letters before the @ that most mail servers refuse", id="a local part outside ASCII"
        ),
        pytest.param([f"{ANA}, {BO}"], "more than one address", id="two addresses"),
        pytest.param([ANA, "--timezone", "Europe/Berln"], 'did you mean "Europe/Berlin"?', id="an unknown zone"),
        pytest.param([ANA, "--had-through", "-1"], "--had-through", id="a position below none"),
        pytest.param([ANA, "--had-through", "x"], "--had-through", id="a position in words"),
        pytest.param([ANA, "--name", "=1+1"], "is a spreadsheet formula", id="a formula for a name"),
    ],
)
def test_who_cannot_be_added(typed: Typed, project: Path, words: list[str], sentence: str) -> None:
    answer = typed("subscribers", "add", *words)
    assert (answer.status, sentence in answer.err) == (2, True), answer.err
    assert not (project / "newsletter.db").exists()


def test_a_known_address_in_another_case_is_the_same_person(typed: Typed) -> None:
    typed("subscribers", "add", ANA)
    again = typed("subscribers", "add", "ANA@EXAMPLE.ORG")
    assert (again.status, "ANA@example.org is a subscriber already" in again.err) == (2, True)
    assert len(listed(typed)) == 1


def test_an_international_domain_is_one_reader_in_both_spellings(typed: Typed) -> None:
    assert typed("subscribers", "add", "jo@bücher.example").status == 0
    assert typed("subscribers", "add", "jo@xn--bcher-kva.example").status == 2
    assert list(listed(typed)) == ["jo@xn--bcher-kva.example"]


def test_adding_who_was_pending_confirms_them(typed: Typed, project: Path) -> None:
    typed("subscribers", "import", str(write(project / "list.csv", f"{ANA},Ana")), "--yes")
    assert listed(typed)[ANA]["status"] == "pending"
    assert typed("subscribers", "add", ANA).status == 0
    assert (listed(typed)[ANA]["status"], listed(typed)[ANA]["name"]) == ("active", "Ana")


# import


def test_an_import_says_what_it_will_do_and_asks(newsletter: Typed, project: Path) -> None:
    write(project / "list.csv", f"{ANA},Ana", "broken", f"{BO},Bo,Europe/Berln", "ANA@example.org,again")
    asked = newsletter("subscribers", "import", "list.csv", "--confirmed")
    assert asked.status == 1
    assert "list.csv: 1 new, 1 stands in it twice, 2 can't be taken." in asked.out
    assert "Their first post: #1, Tuesday" in asked.out
    assert 'list.csv, row 3: "broken" is not an email address' in asked.err
    assert 'list.csv, row 4: "Europe/Berln" is no time zone: did you mean "Europe/Berlin"?' in asked.err
    assert 'list.csv, row 5: "ANA@example.org" is already in row 2' in asked.err
    assert "Take the good rows?" in asked.err and "Nothing was changed." in asked.err
    assert not (project / "newsletter.db").exists(), "a question makes no database"
    taken = newsletter("subscribers", "import", "list.csv", "--confirmed", "--yes")
    assert (taken.status, "Done: 1 reader: 1 active." in taken.out) == (0, True)


def test_without_the_owners_word_rows_are_pending(typed: Typed, project: Path) -> None:
    write(project / "list.csv", ANA)
    done = typed("subscribers", "import", "list.csv", "--yes")
    assert "The new ones will be pending" in done.out and "--confirmed" in done.out
    assert listed(typed)[ANA]["status"] == "pending"
    assert "Nothing is due" in typed("plan").out
    vouched = typed("subscribers", "import", "list.csv", "--confirmed", "--yes")
    assert "1 person is confirmed on your word" in vouched.out and "Their first post: #1," in vouched.out
    assert listed(typed)[ANA]["status"] == "active"


def test_import_as_facts(typed: Typed, project: Path) -> None:
    write(project / "list.csv", ANA, "broken")
    looked = typed("subscribers", "import", "list.csv", "--confirmed", "--json")
    facts = looked.json()
    first = facts.pop("first")
    assert (first["post"], first["count"], first["at"][-1]) == (1, 1, "Z")
    assert facts["bad"][0]["row"] == 3
    assert facts | {"bad": []} == {
        "rows": 1,
        "added": 1,
        "known": 0,
        "updated": 0,
        "confirmed": 0,
        "kept_out": 0,
        "left_there": 0,
        "twins": 0,
        "bad_count": 1,
        "bad": [],
        "service": None,
        "columns": {name: name for name in HEADER.strip().split(",")},
        "posts": [1, 2, 3, 4, 5, 6],
        "alike": [],
        "written": False,
        "import": None,
    }
    assert looked.status == 1
    assert typed("subscribers", "import", "list.csv", "--confirmed", "--json", "--yes").json()["written"] is True


def test_an_import_brings_nobody_back_and_spoils_nothing(typed: Typed, project: Path) -> None:
    typed("subscribers", "add", ANA, "--name", "Ana", "--timezone", "Europe/Berlin", "--tags", "x")
    typed("subscribers", "add", BO)
    typed("subscribers", "add", "cy@example.org")
    typed("subscribers", "unsubscribe", BO)
    typed("subscribers", "erase", "cy@example.org", "--keep-suppressed", "--yes")
    (project / "bare.csv").write_text(f"email\n{ANA}\n{BO}\ncy@example.org\n")
    done = typed("subscribers", "import", "bare.csv", "--confirmed", "--yes")
    assert "bare.csv: 1 known already, 2 have left, and stay out." in done.out
    found = listed(typed)
    assert (found[ANA]["name"], found[ANA]["timezone"], found[ANA]["tags"]) == ("Ana", "Europe/Berlin", ["x"])
    assert found[BO]["status"] == "unsubscribed" and len(found) == 2
    (project / "full.csv").write_text(f"email,name\n{ANA},Ana Lucero\n")
    assert "1 known reader gets a new name" in typed("subscribers", "import", "full.csv", "--yes").out
    assert listed(typed)[ANA]["name"] == "Ana Lucero"


def test_had_through_is_a_default_for_the_column(typed: Typed, project: Path) -> None:
    write(project / "list.csv", f"{ANA},,,,,5", BO)
    typed("subscribers", "import", "list.csv", "--confirmed", "--had-through", "2", "--yes")
    assert {email: r["had_through"] for email, r in listed(typed).items()} == {ANA: 5, BO: 2}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "list.csv is empty; its first row has to name the columns", id="an empty file"),
        pytest.param(b"email,name\n", "has a header and no rows below it", id="a header alone"),
        pytest.param(
            b"name,phone\nAna,1\n", 'has no column "email"; its columns are "name", "phone"', id="no address column"
        ),
        pytest.param(
            b"e-mial,name\na@example.org,1\n",
            'is it "e-mial"? Then rename that column to "email"',
            id="a misspelt column",
        ),
        pytest.param(b"ana@example.org\n", "the first row has to name the columns", id="no header"),
        pytest.param(
            b"email,Email\na@example.org,b@example.org\n", 'two columns that both mean "email"', id="a column twice"
        ),
        pytest.param(b"PK\x03\x04 a workbook", "is a spreadsheet or an archive, not text", id="a workbook"),
        pytest.param(b"email\n\x00\x01\x02\x81\x8d", "list.csv", id="a binary file"),
        pytest.param(None, "there is no file list.csv", id="no file"),
    ],
)
def test_a_list_that_cannot_be_used(typed: Typed, project: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (project / "list.csv").write_bytes(content)
    answer = typed("subscribers", "import", "list.csv", "--confirmed", "--yes")
    assert (answer.status, sentence in answer.err) == (2, True), answer.err
    assert not (project / "newsletter.db").exists()


def test_a_list_without_one_good_row_changes_nothing(typed: Typed, project: Path) -> None:
    write(project / "list.csv", "broken", "too")
    answer = typed("subscribers", "import", "list.csv", "--yes")
    assert (answer.status, "list.csv: 2 can't be taken." in answer.out) == (1, True)


def test_a_long_list_of_bad_rows_is_cut_and_counted(typed: Typed, project: Path) -> None:
    write(project / "list.csv", *[f"bad{n}" for n in range(70)])
    answer = typed("subscribers", "import", "list.csv", "--yes")
    assert "row 51:" in answer.err and "row 52:" not in answer.err
    assert "list.csv: 20 more rows can't be taken." in answer.err


# the owner's own file


def test_sync_takes_the_file_and_lists_its_bad_rows(newsletter: Typed, mine: Path) -> None:
    write(mine, f"{ANA},Ana", "broken")
    asked = newsletter("subscribers", "sync")
    assert (asked.status, "subscribers.csv: 1 new." in asked.out) == (1, True)
    assert 'subscribers.csv, row 3: "broken" is not an email address' in asked.err
    assert not (mine.parent / "newsletter.db").exists()
    assert "Done: 1 reader: 1 active." in newsletter("subscribers", "sync", "--yes").out
    again = newsletter("subscribers", "sync")
    assert (again.status, "nothing has changed" in again.out) == (0, True)


def test_a_large_departure_waits_for_the_owners_word(typed: Typed, mine: Path) -> None:
    people = [f"r{n}@example.org" for n in range(20)]
    write(mine, *people)
    typed("send")
    write(mine, *people[:8])
    held = typed("send")
    assert "12 of the 20 people who stood in it are missing" in held.err and "subscribers sync" in held.err
    assert not any(reader["paused"] for reader in listed(typed).values())
    asked = typed("subscribers", "sync")
    assert (asked.status, "subscribers.csv: 12 gone." in asked.out) == (1, True)
    assert [line.split()[0] for line in asked.out.splitlines()[1:]] == people[8:]
    facts = typed("subscribers", "sync", "--yes", "--json").json()
    assert (facts["departed"], facts["leaving"], facts["written"]) == (12, people[8:], True)
    assert [e for e, reader in listed(typed).items() if reader["paused"] == ["file"]] == people[8:]
    assert typed("send").err == ""


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("", "is empty", id="an empty file"),
        pytest.param(HEADER, "has a header and no rows below it; the readers stay as they were", id="a header alone"),
        pytest.param("name\nAna\n", 'subscribers.csv has no column "email"', id="no address column"),
        pytest.param(None, "subscribers.csv can't be read (No such file or directory)", id="no file"),
    ],
)
def test_a_file_that_cannot_be_taken_leaves_the_readers(
    typed: Typed, mine: Path, content: str | None, sentence: str
) -> None:
    write(mine, ANA)
    typed("subscribers", "sync", "--yes")
    mine.unlink()
    if content is not None:
        mine.write_text(content)
    answer = typed("subscribers", "sync", "--yes")
    assert (answer.status, sentence in answer.err) == (2, True), answer.err
    assert listed(typed)[ANA]["paused"] == []
    sent = typed("send")
    assert "subscribers.csv" in sent.err and "readers stay as they were" in sent.err


def test_sync_without_a_file_in_the_settings(typed: Typed, project: Path) -> None:
    settings = project / "newsletter.toml"
    settings.write_text(settings.read_text().replace('file = "subscribers.csv"', ""))
    answer = typed("subscribers", "sync")
    assert (answer.status, 'file = "subscribers.csv"' in answer.err) == (2, True)
    assert typed("subscribers", "list").err == ""


# looking


def test_a_name_without_end_or_turned_round_leaves_the_list_in_order(typed: Typed, mine: Path) -> None:
    write(mine, f"yoko@example.org,{'Y' * 500},Asia/Tokyo,,,2", "bo@example.org,\u202eoB 👩\u200d👧,,,,")
    typed("subscribers", "sync", "--yes")
    out = typed("subscribers", "list").out
    assert max(map(len, out.splitlines())) < 120 and f"{'Y' * 39}…  active" in out
    assert "\u202e" not in out and "oB 👩\u200d👧" in out
    assert listed(typed)["yoko@example.org"]["name"] == "Y" * 500


def test_the_list_as_people_read_it(typed: Typed, mine: Path) -> None:
    assert typed("subscribers", "list").out == "There are no readers on record yet.\n"
    write(mine, "yoko@example.org,Yōko 田中,Asia/Tokyo,,,2", BO)
    assert "`newsletter subscribers sync` reads it" in typed("subscribers", "list").err
    typed("subscribers", "sync", "--yes")
    typed("subscribers", "pause", BO)
    seen = typed("subscribers", "list")
    assert seen.out.splitlines() == [
        "Address           Name       Status           Had  Time zone",
        "yoko@example.org  Yōko 田中  active           #2   Asia/Tokyo",
        "bo@example.org               paused (by you)",
        "",
        "2 readers: 2 active (1 paused).",
    ]
    assert seen.err == ""
    assert "yoko@" not in typed("subscribers", "list", "--status", "unsubscribed").out
    assert typed("subscribers", "list", "--status", "gone").status == 2


def test_export_has_no_formulas_and_reads_back(typed: Typed, project: Path, mine: Path) -> None:
    write(mine, f'{ANA},"\'=1+1, the cell",Europe/Berlin,a|b,2026-03-01,4', f"{BO},Bö")
    typed("subscribers", "sync", "--yes")
    typed("subscribers", "unsubscribe", BO)
    (row,) = columns(typed("subscribers", "export").out)
    assert row == {
        "email": ANA,
        "name": "'=1+1, the cell",
        "timezone": "Europe/Berlin",
        "tags": "a|b",
        "confirmed_at": "2026-03-01T00:00:00Z",
        "had_through": "4",
        "status": "active",
    }
    assert [r["email"] for r in columns(typed("subscribers", "export", "--status", "all").out)] == [ANA, BO]
    done = typed("subscribers", "export", "out.csv")
    assert "out.csv holds 1 reader. 1 other left out (--status all)." in done.out
    assert (project / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfemail,"), "Excel needs the mark"
    again = typed("subscribers", "export", "subscribers.csv")
    assert (again.status, "is there already, and is kept" in again.err) == (2, True)
    assert "out.csv: 1 known already." in typed("subscribers", "import", "out.csv").out
    nowhere = typed("subscribers", "export", "no/where/x.csv")
    assert (nowhere.status, "no/where/x.csv can't be written (No such file or directory)" in nowhere.err) == (2, True)


# one reader


@pytest.mark.parametrize("command", ["pause", "resume", "unsubscribe", "erase", "correct"])
def test_an_address_that_is_not_known(typed: Typed, mine: Path, command: str) -> None:
    more = ["new@example.org"] if command == "correct" else []
    write(mine, ANA)
    none = typed("subscribers", command, ANA, *more)
    assert (none.status, "there are no readers on record yet" in none.err) == (2, True)
    assert "subscribers.csv was not read since it changed; `newsletter subscribers sync` reads it" in none.err
    typed("subscribers", "sync", "--yes")
    near = typed("subscribers", command, "anna@exmaple.org", *more)
    assert (near.status, near.err) == (
        2,
        'newsletter: "anna@exmaple.org" is not a subscriber; did you mean ana@example.org?\n',
    )
    assert "`newsletter subscribers list` shows who is" in typed("subscribers", command, "zq@elsewhere.test", *more).err
    assert '"ana" is not an email address' in typed("subscribers", command, "ana", *more).err
    write(mine, ANA, BO)
    news = typed("subscribers", command, BO, *more)
    assert "subscribers.csv was not read since it changed" in news.err


def test_pause_and_resume(typed: Typed) -> None:
    typed("subscribers", "add", ANA)
    assert "is paused" in typed("subscribers", "pause", "ANA@example.org").out
    assert listed(typed)[ANA]["paused"] == ["owner"]
    assert "Nothing is due" in typed("plan").out
    resumed = typed("subscribers", "resume", ANA)
    assert resumed.out.startswith("ana@example.org goes on.\nNext post: #1, Tuesday")
    assert typed("subscribers", "resume", ANA).out.startswith("ana@example.org was not paused.")


def test_resume_does_not_lift_what_it_cannot(typed: Typed, mine: Path) -> None:
    write(mine, ANA, BO)
    typed("subscribers", "sync", "--yes")
    write(mine, BO)
    typed("subscribers", "sync", "--yes")
    assert "is still paused: the row is gone from subscribers.csv" in typed("subscribers", "resume", ANA).out
    typed("subscribers", "unsubscribe", BO)
    assert "is unsubscribed, so there is nothing to resume" in typed("subscribers", "resume", BO).out
    assert "is unsubscribed and gets nothing anyway" in typed("subscribers", "pause", BO).out


def test_who_unsubscribed_stays_so_whatever_anybody_types(typed: Typed, project: Path, mine: Path) -> None:
    write(mine, ANA)
    typed("subscribers", "sync", "--yes")
    assert "is unsubscribed" in typed("subscribers", "unsubscribe", ANA).out
    assert "has unsubscribed before" in typed("subscribers", "unsubscribe", ANA).out
    refused = typed("subscribers", "add", ANA)
    assert (refused.status, "only their own word brings them back" in refused.err) == (2, True)
    typed("subscribers", "import", "subscribers.csv", "--confirmed", "--yes")
    typed("subscribers", "resume", ANA)
    write(mine, f"{ANA},changed")
    typed("subscribers", "sync", "--yes")
    typed("send")
    assert listed(typed)[ANA]["status"] == "unsubscribed"
    assert typed("history", ANA, "--json").json()["consent"][-1]["detail"] == "entered by the owner"
    typed("subscribers", "add", BO)
    onto = typed("subscribers", "correct", BO, ANA)
    assert (onto.status, "has unsubscribed" in onto.err) == (2, True), "a correction is no way round either"
    assert listed(typed).keys() == {ANA, BO}


def test_a_corrected_address(typed: Typed, mine: Path) -> None:
    write(mine, "ana@exmaple.org,Ana", BO)
    typed("subscribers", "sync", "--yes")
    done = typed("subscribers", "correct", "ana@exmaple.org", ANA)
    assert done.out == "ana@exmaple.org is ana@example.org now.\n"
    assert "subscribers.csv, row 2, still has ana@exmaple.org" in done.err
    joined = typed("subscribers", "correct", ANA, BO)
    assert "the two are one now" in joined.out
    assert list(listed(typed)) == [BO]
    wrong = typed("subscribers", "correct", BO, "nobody")
    assert (wrong.status, '"nobody" is not an email address' in wrong.err) == (2, True)


# erase


def traces(project: Path) -> int:
    with sqlite3.connect(project / "newsletter.db") as database:
        (count,) = database.execute("SELECT COUNT(*) FROM suppression").fetchone()
    database.close()
    return int(count)


def test_erasing_asks_and_leaves_nothing(newsletter: Typed, project: Path) -> None:
    newsletter("subscribers", "add", ANA, "--name", "Ana Lucero")
    asked = newsletter("subscribers", "erase", ANA)
    assert asked.status == 1
    assert (
        "Ana Lucero <ana@example.org>, active, will be deleted,\nwith 0 deliveries and 1 record of consent."
        in asked.out
    )
    assert newsletter("subscribers", "erase", ANA, "--yes").status == 0
    assert newsletter("subscribers", "list", "--json").json() == []
    assert not any(
        b"ana@example" in p.read_bytes() or b"Lucero" in p.read_bytes() for p in project.glob("newsletter.db*")
    )
    assert traces(project) == 0
    assert newsletter("subscribers", "add", ANA).status == 0, "nothing is known of them, so they may join"


def test_a_row_in_the_owners_file_does_not_bring_an_erased_person_back(typed: Typed, project: Path, mine: Path) -> None:
    write(mine, BO, "Ana@Example.org,Ana")
    typed("subscribers", "sync", "--yes")
    done = typed("subscribers", "erase", ANA, "--yes")
    assert "subscribers.csv, row 3, still has this address: delete the row there." in done.out
    assert "A coded trace of the address stays" in done.out
    write(mine, BO, "Ana@Example.org,Ana", "cy@example.org")
    assert "1 unsubscribed or suppressed, and they stay so" in typed("subscribers", "sync", "--yes").out
    assert list(listed(typed)) == [BO, "cy@example.org"]
    assert traces(project) == 1


@pytest.mark.parametrize(
    ("before", "words", "kept"),
    [
        pytest.param([], [], 0, id="an active reader leaves nothing"),
        pytest.param([], ["--keep-suppressed"], 1, id="unless the owner asks for it"),
        pytest.param(
            ["unsubscribe"], [], 1, id="who had unsubscribed leaves a trace, so that no import brings them back"
        ),
        pytest.param(["pause"], [], 0, id="a paused reader leaves nothing"),
    ],
)
def test_what_stays_of_an_erased_person(
    typed: Typed, project: Path, before: list[str], words: list[str], kept: int
) -> None:
    typed("subscribers", "add", ANA)
    for command in before:
        typed("subscribers", command, ANA)
    done = typed("subscribers", "erase", ANA, "--yes", *words)
    assert ("coded trace" in done.out) == bool(kept)
    assert traces(project) == kept
    assert (typed("subscribers", "add", ANA).status == 0) == (not kept)


def test_erasing_while_the_file_cannot_be_read_keeps_the_trace(typed: Typed, project: Path, mine: Path) -> None:
    write(mine, ANA)
    typed("subscribers", "sync", "--yes")
    mine.write_bytes(b"PK\x03\x04")
    assert "which can't be read now, still has this address" in typed("subscribers", "erase", ANA, "--yes").out
    assert traces(project) == 1
