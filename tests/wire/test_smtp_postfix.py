"""Against a real Postfix: what is meant arrives, and nothing else can be smuggled in with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from postfix import Postfix, missing, postfix

from newsletter.config import Security, SmtpSettings
from newsletter.mail import Accepted, Message, Rejected
from newsletter.providers.smtp import Smtp

Make = Callable[..., Message]

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "it can")

SECOND = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n.\r\n"


#: What it offers; the oldest way is the most dangerous, so Postfix must not guard against it by itself.
OFFERS = {
    "step by step": "smtpd_discard_ehlo_keywords = pipelining, chunking",
    "pipelined": "smtpd_discard_ehlo_keywords = chunking",
    "chunked": "",
}


@pytest.fixture(scope="module", params=OFFERS.values(), ids=OFFERS)
def server(request: pytest.FixtureRequest) -> Iterator[Postfix]:
    with postfix(request.param) as started:
        yield started


def smtp(server: Postfix) -> Smtp:
    settings = SmtpSettings(port=server.port, security=Security.NONE, timeout=timedelta(seconds=60))
    return Smtp(settings, helo="letters.example.org")


ENDS = {
    "LF . LF": b"\n.\n",
    "LF . CRLF": b"\n.\r\n",
    "CRLF . LF": b"\r\n.\n",
    "CRLF . CRLF": b"\r\n.\r\n",
    "CR . CR": b"\r.\r",
    "LF . CR": b"\n.\r",
    "CR . CRLF": b"\r.\r\n",
    "CRLF . NUL CRLF": b"\r\n.\0\r\n",
    "NUL": b"\0",
}


def test_no_second_message_is_smuggled_in(server: Postfix, message: Make) -> None:
    letters = [
        message(n, b"Subject: %d\r\n\r\nDear reader%b%b" % (n, end, SECOND))
        for n, end in enumerate(ENDS.values())
    ]  # fmt: skip
    # The same in pieces, as a press hands messages over: an end may fall between two of them.
    for end in (b"\n.\n", b"\r\n.\r\n", b"\r.\r\n"):
        for cut in range(len(end)):
            data = b"Subject: pieces\r\n\r\nDear reader"
            pieces = [data, end[:cut], end[cut:], SECOND, b"x" * 600 + b"\r\n"]
            plain = message(len(letters))
            letters.append(Message(plain.delivery, plain.message_id, plain.envelope, b"".join(pieces), pieces))
    before = _delivered(server)
    outcomes = {m.delivery: o for m, o in smtp(server).submit(letters)}
    nul = {m.delivery for m in letters if b"\0" in m.data}
    assert {type(outcome) for n, outcome in outcomes.items() if n in nul} == {Rejected}
    good = [n for n in outcomes if n not in nul]
    assert {type(outcomes[n]) for n in good} == {Accepted}
    taken = server.taken(before + len(good))[before:]
    assert sorted(taken) == sorted(f"r{n}@example.org" for n in good)
    assert "victim" not in (server.folder / "log").read_text(errors="replace")


def _delivered(server: Postfix) -> int:
    """How many letters came through, once what an earlier test left in the queue is among them."""
    before = -1
    while before != (before := len(server.taken(0))):
        time.sleep(1)
    return before


def test_many_letters_arrive_once_each_also_around_refused_ones(server: Postfix, message: Make) -> None:
    from newsletter.mail import Address, Envelope

    letters = [message(n, b"Subject: x\r\n\r\n" + b"a line of a letter\r\n" * 500) for n in range(1000, 1060)]
    for at in (3, 4, 30, 59):  # not relayed: another domain, from this machine only
        n = letters[at].delivery
        envelope = Envelope(letters[at].envelope.sender, Address(f"r{n}", "nowhere.invalid-domain..test"))
        letters[at] = Message(n, letters[at].message_id, envelope, letters[at].data)
    before = _delivered(server)
    outcomes = {m.delivery: o for m, o in smtp(server).submit(letters)}
    refused = {n for n, outcome in outcomes.items() if isinstance(outcome, Rejected)}
    assert refused == {1003, 1004, 1030, 1059}
    good = set(outcomes) - refused
    assert {type(outcomes[n]) for n in good} == {Accepted}
    assert sorted(server.taken(before + len(good))[before:]) == sorted(f"r{n}@example.org" for n in good)


def test_a_session_survives_its_limits(server: Postfix, message: Make) -> None:
    settings = SmtpSettings(port=server.port, security=Security.NONE, connections=2, messages_per_connection=9)
    outcomes = [o for _, o in Smtp(settings).submit([message(n) for n in range(2000, 2080)])]
    assert [type(o) for o in outcomes] == [Accepted] * 80
