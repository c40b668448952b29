"""Header text that means harm: twenty thousand names and subjects, made of what has broken mail programs before."""

import random
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from emitted import AT, FIELDS, IDENTITY

from newsletter.compose import Personal, clean_header_text, compile_template, merge
from newsletter.mail import Address, Mailbox
from newsletter.render import Rendered

RENDERED = Rendered("Subject", "", "<p>Hi<bdi>@@GREETING@@</bdi></p>\n", "Hi@@GREETING@@,\n", "en", "ltr", ())
ANA = Address.parse("ana+news@example.org")


def personal(reader: Mailbox) -> Personal:
    return Personal(reader, AT, "1@letters.example.org", "https://letters.example.org/u/x", "mailto:maya@example.org")


PIECES = [
    *("\r", "\n", "\r\n", "\r\n ", "\r\n\t", "\n\n", "\0", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"),
    *("\ud800", "\udfff", "\ufeff", "\u200b", "\u200d", "\u202e", "\u2066", "\xa0", "\u3000", "\xad"),
    *(
        "=?utf-8?q?Bob=0D=0ABcc:_eve@example.org?=",
        "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLm9yZw==?=",
        "=?",
        "?=",
        "=",
        "?",
    ),
    *(
        "Bcc: eve@example.org",
        "From:",
        "Subject: x",
        "Content-Type: text/html",
        ":",
        ";",
        ",",
        "<",
        ">",
        "@",
        '"',
        "\\",
    ),
    *("(", ")", "[", "]", ".", "..", "'", "`", "%0d%0a", "&#13;&#10;", "{{ 7 * 7 }}", "@@GREETING@@", "=0D=0A", "=\n"),
    *("Ana", "Zoë", "山田", "آنا", "🌻", "👩\u200d👧", "e\u0301", " ", "  ", "\t", "word " * 20, "x" * 80, "ü" * 60),
]
FIELD = re.compile(rb"([A-Z][A-Za-z-]*):(?: [!-~][ -~]*| ?)")


def text_of(chance: random.Random) -> str:
    return "".join(chance.choices(PIECES, k=chance.randint(1, 7)))


def field_names(data: bytes) -> list[str]:
    """The names in a header, by RFC 5322's own words and nobody's parser."""
    header = re.sub(rb"\r\n[ \t]", b" ", data.partition(b"\r\n\r\n")[0])
    found = [FIELD.fullmatch(line) for line in header.split(b"\r\n")]
    assert all(found), header
    return [match[1].decode() for match in found if match]


@pytest.mark.parametrize("seed", range(10))
def test_no_name_makes_another_field(seed: int) -> None:
    """Eighteen hundred names each, and what becomes of them in both bodies."""
    chance = random.Random(seed)
    template = compile_template(RENDERED, IDENTITY, post_id="p")
    for _ in range(1_800):
        name = text_of(chance)
        data = merge(template, personal(Mailbox(name, ANA)))
        assert data.isascii() and b"\0" not in data and not re.search(rb"(?<!\r)\n|\r(?!\n)", data), repr(name)
        assert field_names(data) == FIELDS, repr(name)
        to = re.search(rb"^To: [^\r]*(?:\r\n [^\r]*)*", data, re.MULTILINE)
        assert to and to[0].endswith(b"<ana+news@example.org>" if clean_header_text(name) else b"org")
        assert max(map(len, to[0].split(b"\r\n"))) <= 78, repr(name)
        assert not re.search(rb"^ *\r?$", to[0], re.MULTILINE), "a line of nothing but space"
        body = data.partition(b"\r\n\r\n")[2]
        assert body.count(b"\r\n--=_") == 2, "the parts are as many as they were"


@pytest.mark.parametrize("seed", range(10))
def test_no_subject_sender_or_id_makes_another_field(seed: int) -> None:
    chance = random.Random(1000 + seed)
    for _ in range(200):
        subject, sender, ident, name = (text_of(chance) for _ in range(4))
        identity = replace(IDENTITY, sender=Mailbox(sender, IDENTITY.sender.address), name="N")
        template = compile_template(replace(RENDERED, subject=subject), identity, post_id=ident)
        data = merge(template, personal(Mailbox(name, ANA)))
        assert field_names(data) == FIELDS
        parsed = message_from_bytes(data, policy=policy.default)
        assert parsed.keys() == FIELDS
        assert [a.addr_spec for a in parsed["To"].addresses] == ["ana+news@example.org"]
        assert [a.addr_spec for a in parsed["From"].addresses] == ["maya@letters.example.org"]
        folded = message_from_bytes(data)["Subject"]
        assert str(make_header(decode_header(folded.replace("\r\n", "")))) == clean_header_text(subject)


def test_a_field_slipped_in_is_noticed() -> None:
    data = merge(compile_template(RENDERED, IDENTITY, post_id="p"), personal(Mailbox("Ana", ANA)))
    assert field_names(data) == FIELDS
    assert field_names(data.replace(b"To: Ana", b"To: Ana\r\nBcc: eve@example.org", 1)) != FIELDS
    with pytest.raises(AssertionError):
        field_names(data.replace(b"To: Ana", b"To: Ana\nBcc: eve@example.org", 1))
