"""DKIM as those see it who verify: dkimpy, and libopendkim, which shares no line with it. No DNS is asked."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import dkim
import opendkim
import pytest
from emitted import IDENTITY, NAMES, SECRET, letter
from hypothesis import given, settings
from hypothesis import strategies as st
from recorder import Recorder, listening

from newsletter.compose import MessageTemplate, Personal, Slot, compile_template, message_id
from newsletter.compose.dkim import OVERSIGNED, SIGNED, Signing
from newsletter.config import Security, SmtpSettings
from newsletter.errors import NewsletterError
from newsletter.keys import Algorithm, SigningKey, new_key, signing_key
from newsletter.links import Links
from newsletter.mail import Accepted, Address, Envelope, Mailbox, Message
from newsletter.providers.smtp import Smtp
from newsletter.render import Rendered

AT = datetime(2026, 3, 3, 17, 0, 7, 250_000, tzinfo=UTC)
RENDERED = Rendered("Subject", "", "<p>Hi<bdi>@@GREETING@@</bdi></p>\n", "Hi@@GREETING@@,\n", "en", "ltr", ())
ANA = Mailbox("Ana Sousa", Address.parse("ana+news@example.org"))


@cache
def keys() -> dict[str, tuple[SigningKey, ...]]:
    rsa, ed25519 = (
        signing_key(new_key(kind), domain="letters.example.org", selector=kind.kind, where="a test")
        for kind in (Algorithm.RSA, Algorithm.ED25519)
    )
    return {"RSA": (rsa,), "Ed25519": (ed25519,), "both": (rsa, ed25519)}


def dns(*others: SigningKey) -> dict[str, str]:
    return {key.place: key.record for key in (*keys()["both"], *others)}


def by_dkimpy(message: bytes) -> list[bool]:
    """Whether each signature of *message* is good."""
    logger = logging.getLogger("silent")
    logger.disabled = True
    records = dns()
    verifier = dkim.DKIM(message, logger=logger)
    count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        record = records.get(name.decode().rstrip("."))
        return record.encode() if record else None

    def good(n: int) -> bool:
        try:
            return bool(verifier.verify(n, look_up))
        except dkim.DKIMException:
            return False

    return [good(n) for n in range(count)]


def by_libopendkim(message: bytes) -> list[bool]:
    return [verdict.passed for verdict in opendkim.verdicts(message, dns())]


Verify = Callable[[bytes], list[bool]]
needs_library = pytest.mark.skipif(opendkim.LIBRARY is None, reason="libopendkim is not installed")
each_verifier = pytest.mark.parametrize(
    "verify",
    [pytest.param(by_dkimpy, id="dkimpy"), pytest.param(by_libopendkim, id="libopendkim", marks=needs_library)],
)
each_key = pytest.mark.parametrize("which", ["RSA", "Ed25519", "both"])


@cache
def template() -> MessageTemplate:
    return compile_template(RENDERED, IDENTITY, post_id="p")


def signed(which: str = "both", reader: Mailbox = ANA, at: MessageTemplate | None = None) -> bytes:
    return sealed(at or template(), personal(reader), which)


def sealed(made: MessageTemplate, to: Personal, which: str) -> bytes:
    values = made.values(to)
    return Signing(made, keys()[which]).signed(b"".join(made.pieces(values)), values, AT)


def of(name: str, which: str = "both") -> bytes:
    """One of the letters that are judged, signed."""
    made = letter(name)
    return sealed(made.template, made.personal, which)


def personal(reader: Mailbox, subscriber: bytes = b"\x11" * 16) -> Personal:
    ident = message_id(SECRET, epoch=0, post_id="p", subscriber=subscriber, copy=0, domain="letters.example.org")
    links = Links(SECRET, IDENTITY.url, IDENTITY.list_id)
    return Personal(reader, AT, ident, *links.unsubscribe(IDENTITY.unsubscribe_address, subscriber))


def tags(message: bytes) -> list[dict[str, str]]:
    """The tags of each signature, white space taken out."""
    found = re.findall(rb"^DKIM-Signature:(.*?)\r\n(?! )", message, re.MULTILINE | re.DOTALL)
    return [dict(tag.split("=", 1) for tag in re.sub(r"\s", "", text.decode()).split(";")) for text in found]


# -- what verifies


@each_verifier
@each_key
@pytest.mark.parametrize("name", NAMES)
def test_24_every_letter_verifies(name: str, which: str, verify: Verify) -> None:
    assert verify(of(name, which)) == [True] * len(keys()[which])


@each_verifier
@pytest.mark.parametrize(
    ("name", "address"),
    [
        pytest.param("", "ana@example.org", id="no name"),
        pytest.param("García, José “Pepe”", "ana@example.org", id="accents, a comma, quotation marks"),
        pytest.param('back\\slash "quoted"', "ana@example.org", id="what needs a backslash"),
        pytest.param("🌻", "ana@example.org", id="an emoji alone"),
        pytest.param("\u202eanA 山田 太郎 آنا", "ana@example.org", id="other scripts"),
        pytest.param("ü" * 500, "ana@example.org", id="five hundred umlauts, folded"),
        pytest.param("(a comment), " * 40, "ana@example.org", id="a long quoted string, folded"),
        pytest.param("  two   spaces\tand a tab ", "ana@example.org", id="white space"),
        pytest.param("=?utf-8?q?Bob=0D=0ABcc:_eve?=\r\nBcc: x", "ana@example.org", id="an injection"),
        pytest.param("Ana", "a+b=c/d%e&f'g@bücher.example", id="an odd address"),
    ],
)  # fmt: skip
def test_awkward_readers_verify(name: str, address: str, verify: Verify) -> None:
    assert verify(signed(reader=Mailbox(name, Address.parse(address)))) == [True, True]


@each_verifier
def test_a_message_in_base64_verifies(verify: Verify) -> None:
    text = "古い池のほとりで、蛙が一匹、水に飛び込みました。@@GREETING@@\n" * 9
    made = compile_template(replace(RENDERED, subject="間", text=text, html=text), IDENTITY, post_id="p")
    message = signed(reader=replace(ANA, name="山田 太郎"), at=made)
    assert b"Content-Transfer-Encoding: base64" in message and verify(message) == [True, True]


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_name_and_any_subject_verifies(text: str) -> None:
    made = compile_template(replace(RENDERED, subject=text, text=f"{text}\n@@GREETING@@"), IDENTITY, post_id=text)
    assert by_dkimpy(signed("Ed25519", reader=Mailbox(text, ANA.address), at=made)) == [True]


@each_verifier
def test_what_servers_do_on_the_way_is_survived(verify: Verify) -> None:
    message = signed()
    on_top = b"Return-Path: <x@example.org>\r\nReceived: from a by b;\r\n\tTue, 3 Mar 2026 17:00:09 +0000\r\n"
    on_top += (
        b"Authentication-Results: example.org; none\r\nFeedback-ID: 1:2:server\r\nList-Id: <other.example.org>\r\n"
    )
    assert verify(on_top + message) == [True, True]
    assert verify(message + b"\r\n\r\n") == [True, True], "empty lines at the end"
    assert verify(message.replace(b"Subject: ", b"SUBJECT:  ")) == [True, True], "another way to write a field"
    assert verify(message.replace(b"multipart/alternative;\r\n ", b"multipart/alternative;\t")) == [True, True]
    assert verify(message.replace(b"Hi=\r\n", b"Hi= \t\r\n")) == [True, True], "white space at the end of a line"


def test_24_and_25_a_transaction_changes_no_byte() -> None:
    handler = Recorder()
    with listening(handler) as port:
        provider = Smtp(SmtpSettings(port=port, security=Security.NONE), helo="letters.example.org")
        messages = [
            Message(n, f"{n}@letters.example.org", Envelope(IDENTITY.sender.address, ANA.address), of(name))
            for n, name in enumerate(NAMES)
        ]
        assert [type(outcome) for _, outcome in provider.submit(messages)] == [Accepted] * len(NAMES)
    arrived = [data for _, data in handler.took]
    assert sorted(arrived) == sorted(message.data for message in messages)
    assert all(by_dkimpy(data) == [True, True] for data in arrived)


# -- what must not


@each_verifier
@pytest.mark.parametrize("name", OVERSIGNED)
def test_24_a_field_put_in_front_breaks_it(name: str, verify: Verify) -> None:
    message = signed()
    assert not any(verify(name.encode() + b": <https://eve.example/u/x>\r\n" + message))
    assert not any(verify(message.replace(b"From: ", name.encode() + b": eve@example.org\r\nFrom: ", 1)))


@each_verifier
@pytest.mark.parametrize("name", sorted({*OVERSIGNED, *SIGNED} - {"Cc"}))
def test_a_field_that_was_changed_or_taken_out_breaks_it(name: str, verify: Verify) -> None:
    message = signed()
    field = re.search(rb"^%b: .*?\r\n(?! )" % name.encode(), message, re.MULTILINE | re.DOTALL)
    assert field
    assert not any(verify(message.replace(field[0], field[0][:-3] + b"x\r\n", 1)))
    assert not any(verify(message.replace(field[0], b"", 1)))


@each_verifier
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body.replace(b"Hi", b"Ho", 1), id="a letter"),
        pytest.param(lambda body: body + b"<p>Buy this</p>\r\n", id="something behind it"),
        pytest.param(lambda body: b"Buy this\r\n" + body, id="something in front"),
        pytest.param(lambda body: body[: len(body) // 2], id="half of it"),
        pytest.param(lambda body: body.replace(b"/p", b"/ p", 1), id="a space where none was"),
    ],
)
def test_another_body_breaks_it(change: Callable[[bytes], bytes], verify: Verify) -> None:
    header, end, body = signed().partition(b"\r\n\r\n")
    assert not any(verify(header + end + change(body)))


@each_verifier
def test_another_key_in_the_dns_breaks_it(verify: Verify) -> None:
    stranger = signing_key(new_key(Algorithm.RSA), domain="letters.example.org", selector="rsa", where="a test")
    made = template()
    values = made.values(personal(ANA))
    assert not any(verify(Signing(made, [stranger]).signed(b"".join(made.pieces(values)), values, AT)))


# -- how it is written


def test_the_tags_are_those_that_were_meant() -> None:
    rsa, ed25519 = tags(signed())
    assert (rsa["a"], ed25519["a"]) == ("rsa-sha256", "ed25519-sha256")
    assert rsa["bh"] == ed25519["bh"] and rsa["b"] != ed25519["b"]
    for found in (rsa, ed25519):
        assert (found["v"], found["c"], found["d"]) == ("1", "relaxed/relaxed", "letters.example.org")
        assert found["t"] == str(int(AT.timestamp()))
        assert found.keys() == {"v", "a", "c", "d", "s", "t", "h", "bh", "b"}  # no l=
        names = found["h"].split(":")
        present = [n for n in OVERSIGNED if n != "Cc"]
        assert sorted(names) == sorted([*present, *present, "Cc", *SIGNED])
    assert len(base64.b64decode(rsa["b"])) == 256 and len(base64.b64decode(ed25519["b"])) == 64


def test_fields_that_a_newsletter_lacks_are_sealed_off_as_well() -> None:
    identity = replace(IDENTITY, reply_to=None, url="")
    made = compile_template(RENDERED, identity, post_id="p")
    names = tags(signed("RSA", at=made))[0]["h"].split(":")
    assert [names.count(n) for n in ("From", "Reply-To", "List-Unsubscribe-Post", "List-Unsubscribe")] == [2, 1, 1, 2]
    message = signed("RSA", at=made)
    assert by_dkimpy(message) == [True]
    assert by_dkimpy(b"Reply-To: eve@example.org\r\n" + message) == [False]


def test_the_signature_is_in_front_its_lines_are_short_and_the_message_behind_it_is_whole() -> None:
    message = signed()
    made = template()
    assert message.endswith(b"".join(made.pieces(made.values(personal(ANA)))))
    front = message[: message.index(b"From: ")]
    assert front.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;") and front.isascii()
    assert max(map(len, front.split(b"\r\n"))) <= 76
    assert re.sub(rb"\r\n ", b" ", front).count(b"\r\n") == 2


@each_key
def test_the_same_delivery_is_signed_with_the_same_bytes(which: str) -> None:
    assert signed(which) == signed(which)
    assert signed(which) != signed(which, reader=replace(ANA, name="Ben"))


@given(st.lists(st.sampled_from(["  ", " ", "\t", "\n", "a", "é", "=", ".", "@@GREETING@@", "\n\n"])).map("".join))
@settings(deadline=None)
def test_a_body_is_its_own_canonical_form(text: str) -> None:
    """RFC 6376 section 3.4.4, by its words: what `Signing` relies on."""
    made = compile_template(replace(RENDERED, text=text, html=text), IDENTITY, post_id="p")
    body = b"".join(made.pieces(made.values(personal(Mailbox("A  b", ANA.address))))).partition(b"\r\n\r\n")[2]
    lines = [re.sub(rb"[ \t]+", b" ", line.rstrip(b" \t")) for line in body.split(b"\r\n")]
    assert b"\r\n".join(lines).rstrip(b"\r\n") + b"\r\n" == body


def test_a_template_that_is_not_its_own_canonical_form_is_not_signed() -> None:
    parts: Sequence[bytes | Slot] = [b"From: a\r\n\r\ntwo  spaces\r\n"]
    with pytest.raises(NewsletterError, match="white space"):
        Signing(MessageTemplate(tuple(parts)), keys()["RSA"])
