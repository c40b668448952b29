"""`newsletter mailbox` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

from returned import dsn, person
from typist import Typed


def test_parse_says_what_a_file_tells_and_needs_no_project(newsletter: Typed, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "bounce.eml").write_bytes(
        dsn(
            more="\nFinal-Recipient: rfc822; ben@example.org\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 full\n"
        )
    )
    (folder / "hers.eml").write_bytes(person())
    told = newsletter("mailbox", "--parse", "bounce.eml", "hers.eml", "--json", cwd=folder)
    assert told.status == 0
    assert json.loads(told.out) == [
        {
            "file": "bounce.eml",
            "recipient": "ana@example.org",
            "kind": "bounce",
            "status": "5.1.1",
            "diagnostic": "550 5.1.1 <ana@example.org>: User unknown",
            "suppress": True,
        },
        {
            "file": "bounce.eml",
            "recipient": "ben@example.org",
            "kind": "bounce",
            "status": "5.2.2",
            "diagnostic": "552 5.2.2 full",
            "suppress": False,
        },
        {
            "file": "hers.eml",
            "recipient": None,
            "kind": "reply",
            "status": "",
            "diagnostic": "",
            "suppress": False,
        },
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["bounce.eml", "hers.eml"]


def test_parse_as_a_table(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "bounce.eml").write_bytes(dsn())
    lines = typed("mailbox", "--parse", str(tmp_path / "bounce.eml")).out.splitlines()
    assert lines[0].split() == ["file", "recipient", "kind", "status", "suppress", "what", "was", "said"]
    assert lines[1].split()[1:5] == ["ana@example.org", "bounce", "5.1.1", "yes"]


def test_what_is_missing_is_said(typed: Typed, tmp_path: Path) -> None:
    assert "[mailbox] of newsletter.toml" in typed("mailbox").err
    assert "--parse" in typed("mailbox", "bounce.eml").err
    assert "name the files" in typed("mailbox", "--parse").err
    gone = typed("mailbox", "--parse", str(tmp_path / "gone.eml"))
    assert gone.status == 2
    assert "gone.eml can't be read" in gone.err
    (tmp_path / "bounce.eml").write_bytes(dsn())
    folder = typed("mailbox", "--parse", str(tmp_path / "bounce.eml"), str(tmp_path), "--json")
    assert (folder.status, folder.out) == (2, "")
    assert "name the files" in folder.err and "Traceback" not in folder.err


def test_a_mailbox_that_is_not_there_is_said_and_letters_leave(typed: Typed, project: Path) -> None:
    settings = project / "newsletter.toml"
    settings.write_text(
        settings.read_text()
        + '\n[mailbox]\nhost = "127.0.0.1"\nport = 1\nsecurity = "none"\nusername = "maya"\npassword_file = "p"\n'
    )
    (project / "p").write_text("secret")
    (project / "p").chmod(0o600)
    told = typed("mailbox")
    assert told.status == 1
    assert "nothing listens there" in told.err
    sent = typed("send")
    assert sent.status == 0
    assert "What came back could not be read" in sent.err
