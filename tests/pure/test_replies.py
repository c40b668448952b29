"""The reply table: what each answer makes of a message."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest

from newsletter.mail import About, Accepted, Deferred, Rejected, Reply
from newsletter.replies import Phase, outcome, parse, retry_after
from newsletter.wording import Said, words

DEFERRED = (Deferred,)
DEAD = (Rejected, About.ADDRESS, True)
KEPT = (Rejected, About.ADDRESS, False)
OURS = (Rejected, About.US, False)
MESSAGE = (Rejected, About.MESSAGE, False)


def reply(line: str) -> Reply:
    return parse(int(line[:3]), [line[4:].encode()])


def shape(phase: Literal[Phase.RCPT, Phase.DATA, Phase.DOT], line: str) -> tuple[object, ...]:
    result = outcome(phase, reply(line))
    return (Rejected, result.about, result.suppress) if isinstance(result, Rejected) else (type(result),)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("450 4.2.0 Greylisted, see you later", DEFERRED, id="greylisting is waited out"),
        pytest.param("451 try again", DEFERRED, id="4xx without a status is waited out"),
        pytest.param("421 4.3.2 closing", DEFERRED, id="421 is waited out"),
        pytest.param("421 5.1.1 closing", DEFERRED, id="421 with any status is waited out"),
        pytest.param("550 5.1.1 User unknown", DEAD, id="5.1.1 is a dead address"),
        pytest.param("550 5.1.1 Sorry", DEAD, id="5.1.1 in unknown words is a dead address"),
        pytest.param("550 5.1.2 Bad destination system", DEAD, id="5.1.2 is a dead address"),
        pytest.param("501 5.1.3 Bad address syntax", DEAD, id="5.1.3 is a dead address"),
        pytest.param("551 5.1.6 Mailbox has moved", DEAD, id="5.1.6 is a dead address"),
        pytest.param("556 5.1.10 Recipient has null MX", DEAD, id="5.1.10 is a dead address"),
        pytest.param("550 5.1.1 User unknown in relay recipient table", DEAD, id="Postfix speaks of a relay table"),
        pytest.param("550 5.1.1 <blocked@x.example> unknown user", DEAD, id="blocked@ is a person"),
        pytest.param("550 5.1.1 mailbox full", DEFERRED, id="5.1.1 that says full is a full mailbox"),
        pytest.param("550 5.1.1 over rate limit", DEFERRED, id="5.1.1 that says rate is a rate limit"),
        pytest.param("550 5.1.1 blocked by our filter", KEPT, id="5.1.1 that says blocked keeps the address"),
        pytest.param("550 5.1.1 blacklisted at rbl.example", KEPT, id="5.1.1 with a block list keeps the address"),
        pytest.param("551 5.1.6 mailbox is full", DEFERRED, id="5.1.6 that says full is a full mailbox"),
        pytest.param(
            "550 5.1.1 greylisted, try again in 5 minutes", DEFERRED, id="5.1.1 that says later is waited out"
        ),
        pytest.param("450 5.1.1 User unknown", KEPT, id="a code and a status that disagree never suppress"),
        pytest.param("550 4.2.1 not now", DEFERRED, id="the status beats the code"),
        pytest.param("553 5.1.7 Bad sender syntax", OURS, id="5.1.7 is about us"),
        pytest.param("550 5.1.8 Bad sender's system", OURS, id="5.1.8 is about us"),
        pytest.param("550 5.1.9 null MX of the sender", OURS, id="5.1.9 is about us"),
        pytest.param("550 5.1.8 user unknown", OURS, id="5.1.8 is about us whatever it says"),
        pytest.param("552 5.2.2 Over quota", DEFERRED, id="5.2.2 is soft"),
        pytest.param("550 5.2.2 no such user", DEFERRED, id="5.2.2 is soft whatever it says"),
        pytest.param("552 4.2.2 Over quota", DEFERRED, id="4.2.2 is soft"),
        pytest.param("552 5.2.0 sorry", DEFERRED, id="552 with a vague status is soft"),
        pytest.param("552 5.3.4 message size exceeds the limit", DEFERRED, id="a size that exceeds a limit is soft"),
        pytest.param("552 Requested action aborted", DEFERRED, id="552 without a status is soft"),
        pytest.param("552 5.1.1 User unknown", DEAD, id="552 with a status goes by the status"),
        pytest.param("550 5.2.1 account is disabled", DEAD, id="5.2.1 that says disabled is dead"),
        pytest.param("550 5.2.1 receiving mail at a rate that", DEFERRED, id="5.2.1 that says rate is a rate limit"),
        pytest.param("550 5.2.1 not available", KEPT, id="5.2.1 in unclear words keeps the address"),
        pytest.param("550 5.2.1 over quota", DEFERRED, id="5.2.1 that says full is soft"),
        pytest.param("550 5.2.1 your ip is on a list", OURS, id="5.2.1 that speaks of us is about us"),
        pytest.param("550 5.3.0 unknown user", DEAD, id="5.x.0 that says unknown is dead"),
        pytest.param("550 5.1.0 mailbox full", DEFERRED, id="5.x.0 that says full is soft"),
        pytest.param("550 5.3.0 throttled", DEFERRED, id="5.x.0 that says rate is soft"),
        pytest.param("550 spam is not welcome", KEPT, id="no status and a block keeps the address"),
        pytest.param("550 No such user here", DEAD, id="no status and no such user is dead"),
        pytest.param("554 This user doesn't have a mail.example account", DEAD, id="no status and no account is dead"),
        pytest.param("550 Mailbox is full", DEFERRED, id="no status and full is soft"),
        pytest.param("550 mailbox unavailable", KEPT, id="RFC 5321's own words for 550 say too little"),
        pytest.param("550 5.0.0 no", KEPT, id="5.0.0 without a reason keeps the address"),
        pytest.param("550 5.5.0 relaying denied", OURS, id="5.x.0 that says relaying denied is about us"),
        pytest.param("554 5.7.1 <x@y.example>: Relay access denied", OURS, id="relay access denied is about us"),
        pytest.param("550 relay not permitted", OURS, id="no status and no relay is about us"),
        pytest.param("550 5.7.1 Sender address rejected: not yours", OURS, id="a sender refused is about us"),
        pytest.param("550 5.7.1 listed at zen.spamhaus", OURS, id="a block list is about us"),
        pytest.param("550 5.7.26 Unauthenticated", OURS, id="a failed DMARC is about us"),
        pytest.param(
            "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", OURS, id="a banned network is about us"
        ),
        pytest.param("550 5.7.1 Client host rejected: no reverse hostname", OURS, id="a host refused is about us"),
        pytest.param("550 5.7.1 <x>: Helo command rejected", OURS, id="a name refused is about us"),
        pytest.param("550 5.7.9 weak login", OURS, id="5.7.9 is about us"),
        pytest.param("550 5.7.23 SPF", OURS, id="a failed SPF is about us"),
        pytest.param("535 authentication failed", OURS, id="535 is about us"),
        pytest.param("530 5.7.0 Must log in", OURS, id="530 is about us"),
        pytest.param("550 5.7.1 Refused by the recipient", KEPT, id="5.7.1 that isn't about us keeps the address"),
        pytest.param("550 5.4.1 Recipient address rejected: Access denied", KEPT, id="any other status keeps it"),
        pytest.param("550 5.4.1 unknown user", KEPT, id="no other status suppresses, whatever it says"),
        pytest.param("550 5.7.1 unknown user", KEPT, id="a policy never suppresses, whatever it says"),
    ],
)
def test_a_refused_recipient(line: str, expected: tuple[object, ...]) -> None:
    assert shape(Phase.RCPT, line) == expected


@pytest.mark.parametrize("phase", [Phase.DATA, Phase.DOT])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("451 4.7.1 later", DEFERRED, id="4xx is waited out"),
        pytest.param("421 4.3.0 closing", DEFERRED, id="421 is waited out"),
        pytest.param("550 4.7.0 later", DEFERRED, id="the status beats the code"),
        pytest.param("554 5.7.1 looks like spam", MESSAGE, id="5xx is about the message"),
        pytest.param("550 5.1.1 User unknown", MESSAGE, id="so late even 5.1.1 marks no address"),
        pytest.param("552 too big", MESSAGE, id="552 is about the message"),
        pytest.param("552 5.2.2 mailbox full", MESSAGE, id="so late even 5.2.2 is about the message"),
        pytest.param("450 5.7.1 spam", MESSAGE, id="a final status beats a code that is not"),
        pytest.param(
            "550 5.7.26 no DMARC", MESSAGE, id="what may be about us settles one; three in a row take it back"
        ),
    ],
)
def test_a_refused_message(phase: Literal[Phase.DATA, Phase.DOT], line: str, expected: tuple[object, ...]) -> None:
    assert shape(phase, line) == expected


def test_only_the_final_dot_is_accepted() -> None:
    said = reply("250 2.0.0 Ok: queued as 7")
    assert outcome(Phase.DOT, said) == Accepted(reply=said)


@pytest.mark.parametrize(
    ("line", "minutes"),
    [
        pytest.param("421 4.3.2 busy", 1, id="421 is tried again"),
        pytest.param("454 4.7.0 later", 1, id="4xx is tried again"),
        pytest.param("535 5.7.8 wrong", None, id="a wrong password waits for the owner"),
        pytest.param("554 5.7.1 go away", None, id="a refusal at the door waits for the owner"),
        pytest.param("550 4.7.1 slow down", 1, id="the status beats the code"),
    ],
)
def test_a_refusal_of_us(line: str, minutes: int | None) -> None:
    assert retry_after(reply(line)) == (minutes and timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([b"5.1.1 No such user"], Reply(550, "5.1.1", "No such user"), id="status and words"),
        pytest.param([b"No such user"], Reply(550, "", "No such user"), id="no status"),
        pytest.param([b"5.1.1 a", b"5.1.1 b"], Reply(550, "5.1.1", "a b"), id="the status of each line is taken out"),
        pytest.param([b"5.1.1"], Reply(550, "5.1.1", ""), id="a status alone"),
        pytest.param([b"5.1.1x a"], Reply(550, "", "5.1.1x a"), id="what only begins like a status is words"),
        pytest.param([b"3.1.1 a"], Reply(550, "", "3.1.1 a"), id="no class 3"),
        pytest.param([b"10.0.0.1 a"], Reply(550, "", "10.0.0.1 a"), id="an IP address is no status"),
        pytest.param([b"a\x1b[2Jb\x07"], Reply(550, "", "a�[2Jb�"), id="no control character reaches a terminal"),
        pytest.param([b"\xff caf\xc3\xa9"], Reply(550, "", "� café"), id="broken UTF-8 stays readable"),
    ],
)
def test_parsing(lines: list[bytes], expected: Reply) -> None:
    assert parse(550, lines) == expected


def test_a_reply_that_fills_books_is_cut() -> None:
    assert len(parse(550, [b"x" * 8_000] * 100).text) == 1_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("fuller@x.example is unknown: unknown user", Said.DEAD, id="an address is not part of the words"),
        pytest.param("quota exceeded for user, unknown user", Said.FULL, id="full goes before unknown"),
        pytest.param("thank you", None, id="nothing known"),
    ],
)
def test_words(text: str, said: Said | None) -> None:
    assert words(text) is said
