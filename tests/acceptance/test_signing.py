"""Signing one's letters, as an owner comes to it: a key, a record for the DNS, signed letters; then another key."""

from __future__ import annotations

import re
import stat
from datetime import timedelta

import dkim
import pytest
from mailserver import HANG_UP, MailServer
from practice import ANA, BO, CY, DAY, Practice

PLACE = "newsletter._domainkey.letters.example.org"


def good(message: bytes, records: dict[str, str]) -> list[bool]:
    """Whether each signature of *message* fits *records*."""

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        return records[name.decode().rstrip(".")].encode()

    count = len(re.findall(rb"^DKIM-Signature:", message, re.MULTILINE))
    return [bool(dkim.DKIM(message).verify(n, look_up)) for n in range(count)]


def record(practice: Practice, *words: str) -> dict[str, str]:
    """What the command says that the DNS must have."""
    return {key["name"]: key["value"] for key in practice.json("dkim", *words)["keys"]}


def configure(practice: Practice, told: str) -> None:
    """Write into newsletter.toml what *told* says, as an owner would: in place of what is there."""
    lines = told[told.index("[dkim]") :].replace("\n  ", "\n")
    path = practice.root / "newsletter.toml"
    path.write_text(path.read_text().partition("[dkim]")[0].rstrip() + f"\n\n{lines}")


def test_what_the_command_says_is_all_it_takes(live: Practice, mail: MailServer) -> None:
    made = live.run("dkim")
    assert made.status == 0 and "keep it to yourself" in made.err
    assert stat.S_IMODE((live.root / "dkim.key").stat().st_mode) == 0o600
    name, value = re.search(r"Name   (\S+)\n  Value  (.+)\n", made.out).groups()  # type: ignore[union-attr]
    first, second = re.search(r'^  "(.+)" "(.+)"$', made.out, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert first + second == value and max(len(first), len(second)) <= 255
    configure(live, made.out)
    assert live.run("send").out.endswith("3 accepted.\n")
    assert [good(letter.data, {name: value}) for letter in mail.taken] == [[True]] * 3
    assert live.run("history", ANA, "1", "--raw").raw in [letter.data for letter in mail.taken]


def test_two_keys_sign_a_rehearsal_as_well(practice: Practice) -> None:
    configure(practice, practice.run("dkim", "--ed25519").out)
    records = record(practice)
    assert len(records) == 2
    practice.run("send")
    practice.run("send", at=practice.at + timedelta(hours=2))
    letters = [path.read_bytes() for path in (practice.root / "outbox/new").iterdir()]
    assert [good(letter, records) for letter in letters] == [[True, True]] * 3


def test_a_key_that_is_there_is_never_replaced(practice: Practice) -> None:
    practice.run("dkim")
    octets = (practice.root / "dkim.key").read_bytes()
    again = practice.run("dkim")
    assert again.err == "" and f"Name   {PLACE}\n" in again.out
    configure(practice, again.out)
    told = practice.run("dkim")
    assert "[dkim]" not in told.out and record(practice)[PLACE] in told.out
    assert practice.run("dkim", "--selector", "newsletter").status == 2
    assert practice.run("dkim", "--selector", "2027").status == 0
    assert (practice.root / "dkim.key").read_bytes() == octets
    (practice.root / "dkim-x.key").write_text("something else")
    assert practice.run("dkim", "--selector", "x").status == 2
    assert (practice.root / "dkim-x.key").read_text() == "something else"


@pytest.mark.parametrize("name", ["../x", "a b", "", "-", "ü", "a" * 100])
def test_a_name_that_can_be_none_is_refused(practice: Practice, name: str) -> None:
    before = sorted(practice.root.iterdir())
    refused = practice.ask("dkim", "--selector", name)
    assert refused.status == 2 and "--selector" in refused.err
    assert sorted(practice.root.iterdir()) == before


def test_a_message_in_doubt_leaves_again_under_another_key(live: Practice, mail: MailServer) -> None:
    configure(live, live.run("dkim").out)
    mail.at_dot[BO], mail.keeps_before_hanging_up = HANG_UP, True
    assert live.run("send").out.endswith("2 accepted, 1 uncertain.\n")
    told = live.run("dkim", "--selector", "2027").out
    both = record(live) | record(live, "--selector", "2027")
    configure(live, told)
    mail.at_dot.clear()
    assert live.run("send", at=live.at + timedelta(minutes=15)).out == "1 message to smtp: 1 accepted.\n"
    first, second = (letter.data for letter in mail.taken if letter.address == BO)
    assert good(first, both) == good(second, both) == [True]
    assert b"s=newsletter;" in first and b"s=2027;" in second
    assert first[first.index(b"\r\nFrom: ") :] == second[second.index(b"\r\nFrom: ") :]
    assert live.run("history", ANA, "1", "--raw").status == 0


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n"])
def test_with_a_key_that_can_not_sign_nothing_leaves_and_questions_are_answered(
    live: Practice, mail: MailServer, content: str
) -> None:
    configure(live, live.run("dkim").out)
    (live.root / "dkim.key").write_text(content)
    ran = live.run("send")
    assert ran.status == 2 and re.search(r"newsletter.toml, line \d+: \[dkim\] key_file: ", ran.err)
    assert "`newsletter dkim`" in ran.err and mail.taken == []
    assert live.run("status").status == 0
    (live.root / "dkim.key").unlink()
    assert live.run("dkim").status == 0
    assert live.run("send").out.endswith("3 accepted.\n")


def test_a_key_that_others_can_read_is_remarked_upon_once_a_day(live: Practice, mail: MailServer) -> None:
    configure(live, live.run("dkim").out)
    (live.root / "dkim.key").chmod(0o644)
    ran = live.run("send", "--quiet")
    assert "chmod 600" in ran.err and {letter.address for letter in mail.taken} == {ANA, BO, CY}
    assert live.run("send", "--quiet", at=live.at + timedelta(hours=1)).err == ""
    assert "chmod 600" in live.run("send", "--quiet", at=live.at + DAY).err


def test_a_test_and_the_preview_are_signed_as_letters_are(live: Practice, mail: MailServer) -> None:
    configure(live, live.run("dkim", "--ed25519").out)
    records = record(live)
    assert live.run("test", "1", "--to", ANA).status == 0
    assert [good(letter.data, records) for letter in mail.taken] == [[True, True]]
    assert live.run("preview", "1", "--output", "look", "--no-open").status == 0
    assert good((live.root / "look/post.eml").read_bytes(), records) == [True, True]
    assert "DKIM-Signature" in (live.root / "look/views/fields.html").read_text()


def test_without_its_key_a_letter_can_be_looked_at_and_not_be_sent(live: Practice, mail: MailServer) -> None:
    configure(live, live.run("dkim").out)
    (live.root / "dkim.key").unlink()
    assert live.run("preview", "1", "--output", "look", "--no-open").status == 0
    assert b"DKIM-Signature" not in (live.root / "look/post.eml").read_bytes()
    ran = live.run("test", "1", "--to", ANA)
    assert ran.status == 2 and "key_file: " in ran.err and "`newsletter dkim`" in ran.err and mail.taken == []
