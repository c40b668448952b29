"""`newsletter subscribers import`, its undoing, and records of one person, as the owner types them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typist import Typed

ANA, BO, CY = "ana@example.org", "bo@example.org", "cy@example.org"
MAILCHIMP = (
    "Email Address,First Name,CONFIRM_TIME,LEID,EUID,UNSUB_TIME\n"
    f"{ANA},Ana,2026-01-05 10:00:00,1,2,\n{BO},Bo,2026-01-06 10:00:00,3,4,2026-02-01 09:00:00\n"
)


def listed(typed: Typed) -> dict[str, dict[str, Any]]:
    return {reader["email"]: reader for reader in typed("subscribers", "list", "--json").json()}


def test_an_export_of_mailchimp_is_read_as_one(typed: Typed, project: Path) -> None:
    (project / "mc.csv").write_text(MAILCHIMP)
    looked = typed("subscribers", "import", "mc.csv", "--confirmed", "--dry-run")
    assert (looked.status, "Nothing was changed." in looked.err) == (0, True)
    assert (
        "mc.csv is an export of Mailchimp; read from it: Email Address as email, First Name as name,"
        " CONFIRM_TIME as confirmed_at." in looked.out
    )
    assert "mc.csv: 1 new, 1 had left there, and stays out." in looked.out
    assert "Their first post: #1, Tuesday" in looked.out and "they get #1 to #6: 6 letters." in looked.out
    assert not (project / "newsletter.db").exists()
    done = typed("subscribers", "import", "mc.csv", "--confirmed", "--yes", "--source", "my old list")
    assert "It was import 1; `newsletter subscribers undo-import 1` takes the whole of it back." in done.out
    assert listed(typed)[ANA]["confirmed_at"] == "2026-01-05T10:00:00Z"
    assert "had left where an imported list came from" in typed("suppressions", "lift", BO, "--yes").err
    assert "further address" in typed("suppressions", "list").out
    history = typed("history", ANA).out
    assert "imported, now active, on the owner's word, by import 1 (mc.csv)" in history
    assert "where they said so: my old list; entered by " in history


def test_columns_are_named_on_the_command_line(typed: Typed, project: Path) -> None:
    (project / "Liste.csv").write_text(f"E-Mail-Adresse;Vorname\n{ANA};Änne\n", encoding="utf-16")
    words = ["subscribers", "import", "Liste.csv", "--column", "email=E-Mail-Adresse", "--column", "name=Vorname"]
    done = typed(*words, "--yes")
    assert "Liste.csv: read from it: E-Mail-Adresse as email, Vorname as name." in done.out
    assert listed(typed)[ANA]["name"] == "Änne"
    for column, sentence in (("emial=Vorname", "there is no column 'emial'"), ("email", "names no header")):
        wrong = typed("subscribers", "import", "Liste.csv", "--column", column)
        assert (wrong.status, sentence in wrong.err) == (2, True), wrong.err
    missing = typed("subscribers", "import", "Liste.csv", "--column", "email=Mail")
    assert (missing.status, 'has no column "Mail"' in missing.err) == (2, True)


def test_an_import_is_taken_back_as_a_whole(typed: Typed, project: Path) -> None:
    typed("subscribers", "add", CY, "--name", "Cy")
    (project / "list.csv").write_text(f"email,name\n{ANA},Ana\n{BO},Bo\n{CY},Cyril\n")
    typed("subscribers", "import", "list.csv", "--confirmed", "--yes")
    assert "import 1 (list.csv) changed name" in typed("history", CY).out
    typed("subscribers", "unsubscribe", BO)
    listing = typed("subscribers", "imports").out
    assert listing.splitlines()[1].split()[3:] == ["list.csv", "2"]
    asked = typed("subscribers", "undo-import")
    assert (asked.status, "Take it back?" in asked.err) == (1, True)
    assert "1 person who joined by it: removed: nothing was sent to them." in asked.out
    assert "1 person who joined by it: left as they are" in asked.out
    assert "1 person whom it changed: given their former name" in asked.out
    assert ANA in listed(typed)
    done = typed("subscribers", "undo-import", "1", "--yes", "--json")
    assert done.json() == {
        "import": 1, "file": "list.csv", "removed": 1, "stopped": 0, "restored": 1, "kept": 1, "written": True,
    }  # fmt: skip
    found = listed(typed)
    assert (ANA in found, found[BO]["status"], found[CY]["name"]) == (False, "unsubscribed", "Cy")
    assert "taken back" in typed("history", CY).out and "taken back" in typed("subscribers", "imports").out
    for number, sentence in (("1", "was taken back already"), ("9", "there is no import 9")):
        again = typed("subscribers", "undo-import", number, "--yes")
        assert (again.status, sentence in again.err) == (2, True)
    assert ANA.encode() not in (project / "newsletter.db").read_bytes(), "nor in the file"


def test_an_export_tells_who_left_and_is_not_overwritten(typed: Typed, project: Path) -> None:
    typed("subscribers", "add", ANA, "--tags", "grief")
    typed("subscribers", "add", BO)
    typed("subscribers", "unsubscribe", BO)
    assert "out.csv holds 2 readers." in typed("subscribers", "export", "out.csv", "--status", "all").out
    kept = typed("subscribers", "export", "out.csv")
    assert (kept.status, "is kept; name another file, or say --overwrite" in kept.err) == (2, True)
    everybody = (project / "out.csv").read_bytes()
    assert (
        "out.csv holds 1 reader. 1 other left out (--status all)."
        in typed("subscribers", "export", "out.csv", "--overwrite").out
    )
    tagged = typed("subscribers", "export", "--tag", "GRIEF", "--status", "all", "--json").json()
    assert [r["email"] for r in tagged] == [ANA]
    assert [r["email"] for r in typed("subscribers", "list", "--tag", "grief", "--json").json()] == [ANA]
    # Into a new project: nobody who left comes back.
    (project / "newsletter.db").unlink()
    (project / "out.csv").write_bytes(everybody)
    done = typed("subscribers", "import", "out.csv", "--confirmed", "--yes")
    assert "out.csv: 1 new, 1 had left there, and stays out." in done.out
    assert {email: r["status"] for email, r in listed(typed).items()} == {ANA: "active"}


def test_her_own_file_with_a_status_in_it(typed: Typed, project: Path) -> None:
    (project / "subscribers.csv").write_text(f"email,status\n{ANA},active\n{BO},unsubscribed\n")
    done = typed("subscribers", "sync", "--yes")
    assert "subscribers.csv: 1 new." in done.out
    assert 'subscribers.csv, row 3: it says "unsubscribed", so nothing is sent there' in done.err
    assert list(listed(typed)) == [ANA]


def test_two_records_of_one_person_become_one(typed: Typed, project: Path) -> None:
    other = "ana+news@example.org"
    typed("subscribers", "add", ANA)
    typed("subscribers", "add", other, "--had-through", "2")
    found = typed("subscribers", "duplicates").out
    assert f"{ANA}, active, had nothing; {other}, active, had #2" in found
    assert f"newsletter subscribers merge {ANA} {other}" in found
    asked = typed("subscribers", "merge", ANA, other)
    assert (asked.status, "They have come to #2, and go on after it." in asked.out) == (1, True)
    done = typed("subscribers", "merge", ANA, other, "--yes")
    assert "Next post: #3," in done.out
    assert list(listed(typed)) == [ANA]
    assert f"merged into {ANA}" in typed("history", other).out
    assert f"also {other}: `newsletter history {other}`" in typed("history", ANA).out
    assert typed("history", other, "--json").json()["merged_into"] == ANA
    assert "No two readers look like one person." in typed("subscribers", "duplicates").out
    assert typed("subscribers", "unsubscribe", other).out == f"{ANA} is unsubscribed, and gets nothing more.\n"
    again = typed("subscribers", "merge", ANA, other, "--yes")
    assert (again.status, "one record already" in again.err) == (2, True)


def test_the_more_cautious_of_two_wins(typed: Typed) -> None:
    typed("subscribers", "add", ANA)
    typed("subscribers", "add", BO)
    typed("suppressions", "add", BO)
    done = typed("subscribers", "merge", ANA, BO, "--dry-run")
    assert (done.status, listed(typed)[ANA]["status"]) == (0, "active")
    assert f"{ANA} will be suppressed: {BO} was suppressed by you." in done.out
    assert f"newsletter suppressions lift {ANA}" in done.out
    facts = typed("subscribers", "merge", ANA, BO, "--yes", "--json").json()
    assert (facts["kept"]["status"], facts["because"], facts["written"]) == ("suppressed", "forbidden", True)
    assert "gets letters again" in typed("suppressions", "lift", BO, "--yes").out
    assert listed(typed)[ANA]["status"] == "active"


@pytest.mark.parametrize("spelling", ["ANA@EXAMPLE.ORG", "ana@Example.Org"])
def test_twins_in_her_own_file_are_found(typed: Typed, project: Path, spelling: str) -> None:
    (project / "subscribers.csv").write_text(f"email\n{ANA}\n{spelling}\n")
    assert (
        f'subscribers.csv, row 3: "{spelling.partition("@")[0]}@example.org" is already in row 2'
        in typed("subscribers", "duplicates").out
    )


def test_whoever_may_be_somebody_who_left_is_pointed_out(typed: Typed, project: Path) -> None:
    typed("subscribers", "add", "ana+news@example.org")
    typed("subscribers", "unsubscribe", "ana+news@example.org")
    (project / "list.csv").write_text(f"email\n{ANA}\n{BO}\n")
    looked = typed("subscribers", "import", "list.csv", "--confirmed", "--dry-run")
    assert f"{ANA} may be one person with ana+news@example.org (unsubscribed)" in looked.err
    assert BO not in looked.err


def test_erasing_minds_the_row_of_a_merged_record(typed: Typed, project: Path) -> None:
    (project / "subscribers.csv").write_text(f"email\n{BO}\n")
    typed("subscribers", "sync", "--yes")
    typed("subscribers", "add", ANA)
    typed("subscribers", "merge", ANA, BO, "--yes")
    done = typed("subscribers", "erase", ANA, "--yes")
    assert "subscribers.csv, row 2, still has this address" in done.out
    typed("subscribers", "sync", "--yes")
    assert listed(typed) == {}
