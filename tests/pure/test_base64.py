"""Bodies that are mostly not ASCII: base64 with values in it, decoded by somebody else."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.compose import MessageTemplate, Personal, Slot, compile_template, merge
from newsletter.compose.base64 import Piece
from newsletter.config import Identity
from newsletter.mail import Address, Mailbox
from newsletter.render import Rendered, Token

IDENTITY = Identity(
    "手紙", Mailbox.parse("maya@letters.example.org"), "12 Birch Lane", url="https://letters.example.org"
)
JAPANESE = "古い池のほとりで、蛙が一匹、水に飛び込みました。\n"
IN_POSTS = [token for token in Token if token is not Token.LINK]
TOKENS = "".join(f"{token}\n" for token in IN_POSTS)


def reader(name: str = "山田") -> Personal:
    return Personal(
        Mailbox(name, Address("a", "example.org")),
        datetime(2026, 3, 3, 17, tzinfo=UTC),
        "a@letters.example.org",
        "https://letters.example.org/u/x?a=b&c",
        "mailto:maya@example.org?subject=unsubscribe%20x",
    )


def rendered(text: str, html: str) -> Rendered:
    return Rendered("間", "", html, text, "ja", "ltr", ())


def parts(data: bytes) -> dict[str, tuple[str, str]]:
    """Encoding and decoded text of each part."""
    found = {}
    for part in message_from_bytes(data, policy=policy.default).walk():
        if part.get_content_maintype() == "text":
            assert not part.defects
            octets = part.get_payload(decode=True)
            assert isinstance(octets, bytes)
            found[part.get_content_subtype()] = (str(part["Content-Transfer-Encoding"]), octets.decode())
    return found


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param("An English letter.\n" * 20, "quoted-printable", id="English"),
        pytest.param("Überraschend schöne Grüße aus Köln.\n" * 20, "quoted-printable", id="German"),
        pytest.param(JAPANESE * 20, "base64", id="Japanese"),
        pytest.param("Начните с того, что ближе всего.\n" * 20, "base64", id="Russian"),
        pytest.param("abcdef" * 10 + "ü" * 15, "quoted-printable", id="just a third"),
        pytest.param("abcdef" * 10 + "ü" * 16, "base64", id="just above a third"),
    ],
)
def test_the_shorter_encoding_is_taken(text: str, encoding: str) -> None:
    found = parts(merge(compile_template(rendered(text, text), IDENTITY, post_id="p"), reader()))
    assert {kind: said for kind, (said, _) in found.items()} == {"plain": encoding, "html": encoding}


def test_a_message_of_base64_is_whole() -> None:
    template = compile_template(
        rendered(JAPANESE * 40 + TOKENS + JAPANESE, f"<p>{JAPANESE * 40}</p>{TOKENS}"), IDENTITY, post_id="p"
    )
    data = merge(template, reader("山田 <b>"))
    assert data.isascii() and not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    body = data.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert max(map(len, body)) == 76
    values = ["", "https://letters.example.org/u/x?a=b&c", "mailto:maya@example.org?subject=unsubscribe%20x"]
    expected = {"plain": JAPANESE * 40 + TOKENS + JAPANESE, "html": f"<p>{JAPANESE * 40}</p>{TOKENS}"}
    for token, value in zip(IN_POSTS, values, strict=True):
        expected["plain"] = expected["plain"].replace(token, value)
        expected["html"] = expected["html"].replace(token, value.replace("&", "&amp;"))
    assert {kind: text.replace("\r\n", "\n") for kind, (_, text) in parts(data).items()} == expected
    assert all("\n" not in text.replace("\r\n", "") for _, text in parts(data).values())


@given(
    st.lists(st.text("aé心\n", max_size=70) | st.sampled_from(IN_POSTS), max_size=12).map("".join),
    st.text("Aé心🌻 ", max_size=12),
)
@settings(max_examples=500, deadline=None)
def test_any_pieces_and_any_name_fit_together(text: str, name: str) -> None:
    text = f"{text}{JAPANESE * 3}" if len(text.encode()) % 2 else f"{JAPANESE * 3}{text}"
    template = compile_template(rendered(text, text), IDENTITY, post_id="p")
    data = merge(template, reader(name))
    said = parts(data)
    if said["plain"][0] != "base64":
        return
    clean = " ".join(name.split())
    greeting = f" {clean}" if any(map(str.isalpha, clean)) else ""
    meant = text
    for token, value in zip(IN_POSTS, (greeting, reader().unsubscribe_url, reader().unsubscribe_mailto), strict=True):
        meant = meant.replace(token, value)
    assert said["plain"][1].replace("\r\n", "\n") == meant
    assert max(map(len, data.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
    again = MessageTemplate.loads(template.dumps())
    assert again == template and merge(again, reader(name)) == data


@given(st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5)), max_size=6), st.binary(max_size=5))
def test_pieces_of_a_few_octets_fit_together(pairs: list[tuple[bytes, bytes]], end: bytes) -> None:
    """Pieces shorter than what a group lacks: the corner where an encoder that looks one piece ahead fails."""
    coded, pending = b"", b""
    for literal, value in pairs:
        lines, pending = Piece(literal, last=False).after(pending)
        coded, pending = coded + lines, pending + value
    lines, pending = Piece(end, last=True).after(pending)
    from base64 import b64decode

    assert pending == b""
    assert b64decode(coded + lines, validate=False) == b"".join(a + b for a, b in pairs) + end
    assert (coded + lines).count(b"=") == (-len(b"".join(a + b for a, b in pairs) + end)) % 3


def test_a_greeting_in_japanese_is_escaped_in_html() -> None:
    template = compile_template(rendered(JAPANESE + TOKENS, JAPANESE + TOKENS), IDENTITY, post_id="p")
    said = parts(merge(template, replace(reader(), recipient=Mailbox("山田 & 'Co'", Address("a", "example.org")))))
    assert " 山田 & 'Co'\r\n" in said["plain"][1] and " 山田 &amp; &#x27;Co&#x27;\r\n" in said["html"][1]
    assert Slot.GREETING_HTML in template.parts
