"""Mail systems of which no example was at hand: the rules are judged by letters that they were not made from."""

from __future__ import annotations

import pytest
from foreign import ANA, NOTICES, REPLIES
from returned import dsn, letter, prose

from newsletter.reports import Kind, Told, read

BELOW = "\n" + letter()


def judged(data: bytes) -> list[tuple[Kind, str, bool]]:
    return [(told.kind, told.recipient, told.suppress) for told in read(data)]


def by_a_machine_with_another_name(words: str) -> bytes:
    """No null reverse path, no daemon's name, no word of failure in the subject."""
    data = prose(words + BELOW, subject="About your letter", sender="admin@mx.example.net")
    return data.replace(b"Return-Path: <>\n", b"Auto-Submitted: auto-replied\n")


@pytest.mark.parametrize(("words", "gone"), [pytest.param(w, gone, id=name) for name, w, gone in NOTICES])
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
