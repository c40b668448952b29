"""What a mail that came back says: bounces of many makes, complaints, requests to leave, machines and people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from returned import LETTER, US, complaint, dsn, letter, person, prose

from newsletter.events import EventKind
from newsletter.links import Links, Purpose
from newsletter.mail import Address, Reply
from newsletter.replies import Phase, dead
from newsletter.reports import Kind, Ours, Told, events, read
from newsletter.reports.automatic import asks_to_leave
from newsletter.verp import ReversePaths

SECRET = b"a key for tests, thirty-two bytes"
LIST = "list.letters.example.org"
READER = bytes(range(16))
LINKS = Links(SECRET, "https://letters.example.org", LIST)
PATHS = ReversePaths(SECRET, Address.parse("bounces@example.org"), LIST)
OURS = Ours(LINKS, PATHS, "maya@example.org", "letters.example.org")
TOKEN = LINKS.token(Purpose.UNSUBSCRIBE, READER)
AT = datetime(2026, 3, 3, 9, tzinfo=UTC)


def one(data: bytes, ours: Ours = OURS) -> Told:
    (told,) = read(data, ours)
    return told


BELOW = "\n" + LETTER.replace("{message_id}", "m1@letters.example.org").replace("{listed}", "<mailto:maya@example.org>")


@pytest.mark.parametrize(
    ("words", "suppress"),
    [
        pytest.param(
            "This message was created automatically by mail delivery software.\n\nA message that you sent could not be\n"
            "delivered to one or more of its recipients. This is a permanent error.\nThe following address(es) failed:\n\n"
            "  ana@example.org\n    host mx.example.org [192.0.2.1]\n"
            "    SMTP error from remote mail server after RCPT TO:<ana@example.org>:\n    550 No such user here\n\n"
            f"------ This is a copy of the message, including all the headers. ------\n{BELOW}",
            True,
            id="Exim, refused at RCPT",
        ),
        pytest.param(
            "The following address(es) failed:\n\n  ana@example.org\n    host mx.example.org [192.0.2.1]\n"
            "    SMTP error from remote mail server after end of data:\n    550 No such user here\n\n"
            f"------ This is a copy of your message. ------\n{BELOW}",
            False,
            id="Exim, refused after the letter was there",
        ),
        pytest.param(
            f"The following address(es) failed:\n\n  ana@example.org\n    Unrouteable address\n\n------ copy ------\n{BELOW}",
            True,
            id="Exim, nowhere to send it",
        ),
        pytest.param(
            "The following address(es) failed:\n\n  ana@example.org\n    retry timeout exceeded\n"
            f"\n------ copy ------\n{BELOW}",
            False,
            id="Exim, given up",
        ),
        pytest.param(
            "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the"
            " following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
            "<ana@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
            f"--- Below this line is a copy of the message.\n{BELOW}",
            True,
            id="qmail, its own user",
        ),
        pytest.param(
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ana@example.org>:\n"
            "192.0.2.1 does not like recipient.\nRemote host said: 550 No such user\nGiving up on 192.0.2.1.\n\n"
            f"--- Below this line is a copy of the message.\n{BELOW}",
            True,
            id="qmail, does not like recipient",
        ),
        pytest.param(
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ana@example.org>:\n"
            "192.0.2.1 failed after I sent the message.\nRemote host said: 554 Transaction failed: unknown user\n\n"
            f"--- Below this line is a copy of the message.\n{BELOW}",
            False,
            id="qmail, failed after I sent the message",
        ),
        pytest.param(
            "Delivery to the following recipient failed permanently:\n\n     ana@example.org\n\nTechnical details of"
            " permanent failure: \nGoogle tried to deliver your message, but it was rejected by the server for the"
            " recipient domain example.org.\nThe error that the other server returned was:\n550 No such user (state 14).\n"
            f"\n----- Original message -----\n{BELOW}",
            True,
            id="Gmail of old, at RCPT",
        ),
        pytest.param(
            "Delivery to the following recipient failed permanently:\n\n     ana@example.org\n\nThe error that the other"
            " server returned was:\n552 5.2.2 This message is larger than the current system limit or the recipient's"
            f" mailbox is full. (state 18).\n\n----- Original message -----\n{BELOW}",
            False,
            id="Gmail of old, full",
        ),
        pytest.param(
            "Your message\n\n  To:      ana@example.org\n  Subject: No. 1\n\ndid not reach the following recipient(s):\n\n"
            "ana@example.org on Tue, 3 Mar 2026 09:00:00 +0000\n    The recipient name is not recognized\n",
            True,
            id="Exchange 5.5",
        ),
        pytest.param(
            f"Unknown user: ana@example.org\n\nOriginal message follows.\n{BELOW}", True, id="IMail, unknown user"
        ),
        pytest.param(
            f"User mailbox exceeds allowed size: ana@example.org\n\nOriginal message follows.\n{BELOW}",
            False,
            id="IMail, full",
        ),
        pytest.param(
            "The following recipients were affected:\n    ana@example.org: Recipient's mailbox is full, message returned\n"
            f"    to sender\n{BELOW}",
            False,
            id="full, in other words",
        ),
        pytest.param(
            "   ----- The following addresses had permanent fatal errors -----\n<ana@example.org>\n\n"
            "   ----- Transcript of session follows -----\n... while talking to mx.example.org.:\n>>> RCPT To:<ana@example.org>\n"
            f"<<< 550 User unknown\n550 <ana@example.org>... User unknown\n{BELOW}",
            True,
            id="sendmail of old",
        ),
        pytest.param(
            "Diese Nachricht konnte nicht zugestellt werden: unzustellbar.\n\nana@example.org\n"
            f"Empfänger unbekannt\n{BELOW}",
            True,
            id="in German",
        ),
        pytest.param(
            f"Le message n'a pas été remis (non remis).\n\n<ana@example.org>:\nAdresse inconnue\n{BELOW}",
            True,
            id="in French",
        ),
        pytest.param(
            f"The account ana@example.org is disabled.\n\n<ana@example.org>: 550 User unknown at RCPT\n{BELOW}",
            False,
            id="two reasons that don't agree",
        ),
    ],
)
def test_a_bounce_in_prose(words: str, suppress: bool) -> None:
    told = one(prose(words))
    assert (told.kind, told.recipient, told.suppress) == (Kind.BOUNCE, "ana@example.org", suppress)
    assert told.message_id == ("m1@letters.example.org" if BELOW in words else "")


@pytest.mark.parametrize(
    ("status", "said", "suppress"),
    [
        pytest.param("5.1.1", "smtp; 550 5.1.1 <ana@example.org>: User unknown", True, id="unknown"),
        pytest.param("5.1.10", "smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound", True, id="not in the directory"),
        pytest.param("5.2.2", "smtp; 552 5.2.2 over quota", False, id="full"),
        pytest.param("5.1.1", "smtp; 550 5.1.1 mailbox full", False, id="dead by status, full by words"),
        pytest.param("5.7.1", "smtp; 550 5.7.1 blocked by policy", False, id="a policy"),
        pytest.param("5.7.26", "smtp; 550 5.7.26 unauthenticated", False, id="about us"),
        pytest.param("5.0.0", "smtp; 550 5.1.1 unknown", True, id="the reply says it more exactly"),
        pytest.param("5.4.4", "X-Postfix; Host or domain name not found. Name service error", True, id="no such host"),
        pytest.param(
            "4.4.3", "X-Postfix; Host or domain name not found, try again", False, id="no answer from the DNS"
        ),
        pytest.param("4.4.7", "smtp; delivery time expired", False, id="given up"),
        pytest.param("5.1.2", "smtp; 550 Host unknown", True, id="5.1.2"),
        pytest.param("5.0.0", "smtp; 550 domain has null MX", True, id="takes no mail"),
        pytest.param("5.2.1", "smtp; 550 5.2.1 account disabled", False, id="a disabled account"),
        pytest.param("5.3.4", "smtp; 552 5.3.4 message too big", False, id="too big"),
        pytest.param("5.0.0", "", False, id="nothing said"),
    ],
)
def test_a_delivery_status(status: str, said: str, suppress: bool) -> None:
    told = one(dsn(status=status, said=said))
    assert (told.kind, told.recipient, told.suppress) == (Kind.BOUNCE, "ana@example.org", suppress)


def test_the_words_and_the_status_are_told() -> None:
    assert one(dsn()).reply == Reply(550, "5.1.1", "550 5.1.1 <ana@example.org>: User unknown")


def test_several_recipients_each_with_their_own() -> None:
    more = "\nFinal-Recipient: rfc822; ben@example.org\nAction: delayed\nStatus: 4.2.2\n\nFinal-Recipient: rfc822; <cleo@example.org>\nAction: relayed\nStatus: 2.1.5\n"
    told = read(dsn(more=more), OURS)
    assert [(t.kind, t.recipient, t.suppress) for t in told] == [
        (Kind.BOUNCE, "ana@example.org", True),
        (Kind.DELAYED, "ben@example.org", False),
        (Kind.DELIVERED, "cleo@example.org", False),
    ]


def test_the_original_recipient_is_whom_we_wrote_to() -> None:
    data = dsn("ana-new@elsewhere.example").replace(
        b"Final-Recipient:", b"Original-Recipient: rfc822; ana@example.org\nFinal-Recipient:"
    )
    assert one(data).recipient == "ana@example.org"


def test_a_delay_removes_nobody_whatever_it_says() -> None:
    assert one(dsn(action="delayed")).suppress is False
    words = f"Warning: could not send message for the past 4 hours.\n\n<ana@example.org>: 550 User unknown\n{BELOW}"
    told = one(prose(words, subject="Warning: message delayed"))
    assert (told.kind, told.recipient, told.suppress) == (Kind.DELAYED, "ana@example.org", False)


@pytest.mark.parametrize(
    ("refusal", "phase", "named", "is_dead"),
    [
        pytest.param(Reply(550, "", "User unknown"), Phase.RCPT, False, True, id="at RCPT"),
        pytest.param(
            Reply(550, "", "User unknown"), Phase.DATA, True, False, id="after DATA it is a filter that speaks"
        ),
        pytest.param(Reply(550, "", "User unknown"), Phase.MAIL, True, False, id="at MAIL it is about us"),
        pytest.param(Reply(550, "", "User unknown"), None, False, False, id="nobody says who or when"),
        pytest.param(Reply(550, "", "User unknown"), None, True, True, id="it names the address"),
        pytest.param(Reply(550, "5.2.1", "User unknown"), None, True, False, id="5.2.1 says that the mailbox is there"),
        pytest.param(Reply(550, "5.2.1", "User unknown"), Phase.RCPT, False, True, id="5.2.1, unknown at RCPT"),
        pytest.param(Reply(550, "5.7.1", "User unknown"), Phase.RCPT, True, False, id="a policy never suppresses"),
        pytest.param(Reply(550, "4.1.1", "User unknown"), Phase.RCPT, True, False, id="4.x is for now"),
        pytest.param(Reply(0, "5.1.8", "no such domain"), None, False, False, id="the sender's domain"),
        pytest.param(
            Reply(550, "", "Domain of sender address x does not exist"), None, True, False, id="sender's words"
        ),
    ],
)
def test_whether_an_address_is_dead(refusal: Reply, phase: Phase | None, named: bool, is_dead: bool) -> None:
    assert dead(refusal, phase, named=named) is is_dead


# --- our own marks


def test_the_reverse_path_says_which_delivery() -> None:
    told = one(dsn("forwarded@elsewhere.example", to=str(PATHS.path(7)).upper(), back=""))
    assert told.delivery == 7


def test_a_forged_reverse_path_says_nothing() -> None:
    path = str(PATHS.path(7))
    forged = path.replace("+", "+0", 1)[: len(path)]
    assert one(dsn(to=forged)).delivery is None
    assert one(dsn(to=str(PATHS.path(7))), Ours()).delivery is None


def test_the_letter_that_came_back_says_whose_it_was() -> None:
    url = f"<https://letters.example.org/u/{TOKEN}>, <mailto:maya@example.org?subject=unsubscribe%20{TOKEN}>"
    told = one(complaint(letter(listed=url).replace("ana@example.org", "redacted@example.org")))
    assert (told.kind, told.subscriber, told.suppress) == (Kind.COMPLAINT, READER, True)
    assert told.message_id == "m1@letters.example.org"


def test_a_message_id_of_somebody_elses_is_not_ours() -> None:
    assert one(dsn(back=letter("m1@elsewhere.example"))).message_id == ""


def test_marks_are_of_one_recipient() -> None:
    more = "\nFinal-Recipient: rfc822; ben@example.org\nAction: failed\nStatus: 5.1.1\n"
    assert [t.delivery for t in read(dsn(to=str(PATHS.path(7)), more=more), OURS)] == [None, None]


# --- complaints


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam", "virus"])
def test_reports_that_are_no_complaint_name_their_recipient_and_do_nothing(kind: str) -> None:
    told = one(complaint(kind=kind))
    assert (told.kind, told.recipient, told.suppress) == (Kind.UNKNOWN, "ana@example.org", False)
    assert events(complaint(kind=kind), [told], source="mailbox", at=AT) == []


def test_who_opts_out_at_their_mail_host_leaves() -> None:
    told = one(complaint(kind="opt-out"))
    assert (told.kind, told.recipient, told.suppress) == (Kind.UNSUBSCRIBE, "ana@example.org", False)


def test_outlook_returns_the_letter_alone() -> None:
    back = "X-HmXmrOriginalRecipient: ben@example.org\n" + letter()
    data = (
        "From: staff@hotmail.example\nTo: maya@letters.example.org\nSubject: complaint about message from 192.0.2.1\n"
        f'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: message/rfc822\n\n{back}\n--b--\n'
    )
    told = one(data.encode())
    assert (told.kind, told.recipient, told.suppress) == (Kind.COMPLAINT, "ben@example.org", True)


def test_a_complaint_names_the_recipient() -> None:
    told = one(complaint(more="Original-Rcpt-To: <ben@example.org>\n"))
    assert (told.recipient, told.reply.text) == ("ben@example.org", "feedback-type: abuse")


# --- requests to leave


def test_our_token_first() -> None:
    told = one(person("", subject=f"unsubscribe {TOKEN}", sender="Her New Address <new@elsewhere.example>"))
    assert (told.kind, told.subscriber) == (Kind.UNSUBSCRIBE, READER)


def test_a_token_that_is_not_ours_is_judged_by_who_wrote() -> None:
    told = one(person("", subject="unsubscribe " + "A" * 44))
    assert (told.kind, told.recipient, told.subscriber) == (Kind.REPLY, "", None)


@pytest.mark.parametrize(
    "text",
    [
        "unsubscribe", "UNSUBSCRIBE", "Please remove me", "remove me from this list", "Please unsubscribe me. Thanks!",
        "Hi, please take me off your mailing list. Thank you", "stop", "opt out", "Stop sending me emails",
        "Bitte abmelden", "désabonner", "Me désinscrire svp".replace("svp", "merci"), "baja", "please unsubscribe ana@example.org",
        "I would like to unsubscribe", "Bitte abmelden. Vielen Dank\nSent from my iPhone",
    ],
)  # fmt: skip
def test_a_clear_request(text: str) -> None:
    assert asks_to_leave(text)
    assert one(person(text, subject="Re: No. 1")).kind is Kind.UNSUBSCRIBE


@pytest.mark.parametrize(
    "text",
    [
        "I thought about whether to unsubscribe, but your letters help me.", "How do I unsubscribe?", "don't unsubscribe me",
        "Do not remove me from the list", "My mother would like to unsubscribe from another newsletter", "", "Stop it, you made me cry",
        "I can't stop thinking about it", "Please don't stop sending these", "leave me a message", "Why did you remove me?",
        "thank you", "Never unsubscribe me!",
    ],
)  # fmt: skip
def test_what_is_no_clear_request(text: str) -> None:
    assert not asks_to_leave(text)
    assert one(person(text, subject="Re: No. 1")).kind is Kind.REPLY


def test_a_request_below_which_the_letter_is_quoted() -> None:
    quoted = "Please unsubscribe me.\n\nOn Tue, 3 Mar 2026, Maya wrote:\n> Dear Ana\n> this week we look at anger"
    assert one(person(quoted)).kind is Kind.UNSUBSCRIBE


def test_a_request_that_went_elsewhere_is_the_owners() -> None:
    assert one(person("unsubscribe", to="someone@else.example")).kind is Kind.REPLY
    assert one(person("unsubscribe"), Ours()).kind is Kind.REPLY


def test_a_machine_asks_for_nothing() -> None:
    assert one(person("unsubscribe", more="Auto-Submitted: auto-replied\n")).kind is Kind.AUTO_REPLY


# --- machines and people


@pytest.mark.parametrize(
    ("mail", "kind"),
    [
        pytest.param(person("Back on Monday", more="Auto-Submitted: auto-replied\n"), Kind.AUTO_REPLY, id="RFC 3834"),
        pytest.param(person("Hello", more="Auto-Submitted: no\n"), Kind.REPLY, id="RFC 3834, a person"),
        pytest.param(person("Back on Monday", subject="Out of office: No. 1"), Kind.AUTO_REPLY, id="out of office"),
        pytest.param(
            person("Bin bald zurück", subject="Abwesenheitsnotiz: No. 1"),
            Kind.AUTO_REPLY,
            id="out of office, in German",
        ),
        pytest.param(person("x", more="X-Autoreply: yes\n"), Kind.AUTO_REPLY, id="X-Autoreply"),
        pytest.param(
            person("Click here", subject="Please confirm your message to Ana", sender="challenge@filter.example"),
            Kind.CHALLENGE,
            id="a challenge",
        ),
        pytest.param(
            person("To deliver your mail, verify that you are a person", more="Auto-Submitted: auto-replied\n"),
            Kind.CHALLENGE,
            id="a challenge that says it is a machine",
        ),
        pytest.param(person(), Kind.REPLY, id="a person"),
        pytest.param(
            person(
                "Hi Maya, your last letter was returned to me; mail delivery failed, it said: user unknown\n"
                "ben@example.org.\n\nFrom: Maya\nSent: Tuesday\nTo: Ana\nSubject: No. 1\n\nDear Ana",
                subject="Mail delivery failed",
            ),
            Kind.REPLY,
            id="a person who writes of bounces",
        ),
        pytest.param(
            person("> 550 5.1.1 <ben@example.org> User unknown\nWhat does this mean?", subject="Fwd: Undeliverable"),
            Kind.REPLY,
            id="a person who passes a bounce on",
        ),
        pytest.param(person(subject="Re: Please confirm your message"), Kind.REPLY, id="an answer to a challenge"),
        pytest.param(b"", Kind.UNKNOWN, id="nothing"),
        pytest.param(b"\0\xff" * 100, Kind.UNKNOWN, id="noise"),
    ],
)
def test_who_wrote(mail: bytes, kind: Kind) -> None:
    assert one(mail).kind is kind


# --- events


def test_the_same_mail_twice_is_the_same_event() -> None:
    once, again = (
        events(data, read(data, OURS), source="mailbox", at=AT) for data in (dsn(), b"Received: x\r\n" + dsn())
    )
    assert [e.id for e in once] == [e.id for e in again]
    assert [(e.kind, e.recipient, e.suppress) for e in once] == [(EventKind.BOUNCED, "ana@example.org", True)]


def test_two_recipients_are_two_events() -> None:
    data = dsn(more="\nFinal-Recipient: rfc822; ben@example.org\nAction: failed\nStatus: 5.1.1\n")
    assert len({e.id for e in events(data, read(data), source="mailbox", at=AT)}) == 2


def test_people_and_machines_in_their_place_are_no_event() -> None:
    for data in (person(), person("x", more="Auto-Submitted: auto-replied\n"), prose("hello", subject="hello")):
        assert events(data, read(data, OURS), source="mailbox", at=AT) == []


def test_our_own_address_is_nobody_who_bounced() -> None:
    assert one(prose(f"Your message to {US} could not be delivered")).recipient != "ana@example.org"
