"""Mail systems of which no example was at hand: the rules are judged by letters that they were not made from."""

from __future__ import annotations

import pytest
from foreign import ANA, NOTICES
from returned import dsn, letter, person, prose
from tongues import AWAY, DELAYS, REPLIES
from tongues import NOTICES as ELSEWHERE

from newsletter.reports import Kind, Told, read

BELOW = "\n" + letter()


def judged(data: bytes) -> list[tuple[Kind, str, bool]]:
    return [(told.kind, told.recipient, told.suppress) for told in read(data)]


def by_a_machine_with_another_name(words: str) -> bytes:
    """No null reverse path, no daemon's name, no word of failure in the subject."""
    data = prose(words + BELOW, subject="About your letter", sender="admin@mx.example.net")
    return data.replace(b"Return-Path: <>\n", b"Auto-Submitted: auto-replied\n")


@pytest.mark.parametrize(("words", "gone"), [pytest.param(w, gone, id=name) for name, w, gone in NOTICES + ELSEWHERE])
def test_a_notice(words: str, gone: bool) -> None:
    expected = [(Kind.BOUNCE, ANA, gone)]
    assert judged(prose(words)) == expected
    assert judged(prose(words, subject="No. 1")) == expected
    assert judged(prose(words + BELOW)) == expected
    assert judged(by_a_machine_with_another_name(words)) == expected


@pytest.mark.parametrize(("said", "gone"), [pytest.param(said, gone, id=said or "nothing") for said, gone in REPLIES])
def test_a_reply_at_rcpt(said: str, gone: bool) -> None:
    expected = [(Kind.BOUNCE, ANA, gone)]
    assert judged(dsn(status="5.0.0", said=f"smtp; {said} (in reply to RCPT TO command)" if said else "")) == expected
    assert judged(
        prose(
            "A message that you sent could not be delivered. The following address(es) failed:\n\n  ana@example.org\n"
            f"    SMTP error from remote mail server after RCPT TO:<ana@example.org>:\n    {said}\n{BELOW}"
        )
    ) == expected  # fmt: skip


def test_a_person_who_quotes_a_notice_is_a_person() -> None:
    for _, words, _ in NOTICES:
        quoted = "> " + words.replace("\n", "\n> ")
        data = prose(
            f"This came when I wrote to Ana:\n\n{quoted}\n\nWhat now?",
            subject="What is this?",
            sender="Ben <ben@example.org>",
        )
        told: tuple[Told, ...] = read(data.replace(b"Return-Path: <>\n", b"Return-Path: <ben@example.org>\n"))
        assert [one.kind for one in told] == [Kind.REPLY]


@pytest.mark.parametrize(("subject", "words"), DELAYS)
def test_whoever_still_tries_removes_nobody(subject: str, words: str) -> None:
    assert judged(prose(words, subject=subject)) == [(Kind.DELAYED, ANA, False)]
    assert judged(prose(words + BELOW, subject=subject)) == [(Kind.DELAYED, ANA, False)]


@pytest.mark.parametrize("subject", AWAY)
def test_who_is_away_is_no_failure(subject: str) -> None:
    words = "I am away. My user account at the old address was not found any more: 550 5.1.1 ben@example.org."
    assert judged(person(words, subject=subject)) == [(Kind.AUTO_REPLY, ANA, False)]


@pytest.mark.parametrize("more", ["Auto-Submitted: auto-replied\n", ""])
def test_an_answer_with_a_null_reverse_path_is_a_machine_in_a_persons_place(more: str) -> None:
    words = "I am away. Write to ben@example.org: my user account there is not found."
    data = person(words, subject="Re: No. 1", more=more).replace(b"Return-Path: <ana@example.org>", b"Return-Path: <>")
    assert judged(data) == [(Kind.AUTO_REPLY, ANA, False)]


def test_a_letter_about_holidays_that_comes_back_is_a_failure() -> None:
    data = prose("<ana@example.org>: no such user\n" + BELOW, subject="Undeliverable: Away from home, on vacation")
    assert judged(data) == [(Kind.BOUNCE, ANA, True)]
