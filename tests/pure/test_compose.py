"""Composition: names and header text that mean harm, identities, and templates that are kept (the bytes: tests/message)."""

import quopri
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr
from html import escape

import pytest
from emitted import AT, FIELDS, IDENTITY, SECRET
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.compose import (
    MessageTemplate,
    Personal,
    Slot,
    clean_header_text,
    compile_template,
    greeting,
    merge,
    message_id,
)
from newsletter.compose.quoted import encode, values
from newsletter.config import Identity, Palette
from newsletter.config.palette import DARK, LIGHT, ROLES, contrast
from newsletter.errors import NewsletterError
from newsletter.links import Links
from newsletter.mail import Address, Mailbox
from newsletter.render import Rendered, Token

LINKS = Links(SECRET, IDENTITY.url, IDENTITY.list_id)
RENDERED = Rendered("Subject", "", "<p>Hi<bdi>@@GREETING@@</bdi></p>\n", "Hi@@GREETING@@,\n", "en", "ltr", ())


def personal(name: str = "Ana Sousa", subscriber: bytes = b"\x11" * 16, identity: Identity = IDENTITY) -> Personal:
    links = replace(LINKS, url=identity.url)
    return Personal(
        recipient=Mailbox(name, Address.parse("ana+news@example.org")),
        date=AT,
        message_id=message_id(
            SECRET, epoch=0, post_id="p", subscriber=subscriber, copy=0, domain="letters.example.org"
        ),
        unsubscribe_url=links.unsubscribe_url(subscriber),
        unsubscribe_mailto=links.unsubscribe_mailto(identity.unsubscribe_address, subscriber),
    )


def content(data: bytes, kind: str) -> str:
    """One part of a message, decoded, with line feeds alone."""
    part = message_from_bytes(data, policy=policy.default).get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n")  # type: ignore[union-attr]


def header_of(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[0]


# Colours


def _inverted(colour: str) -> str:
    return f"#{0xFFFFFF - int(colour[1:], 16):06x}"


INVERTED = Palette(**{role: _inverted(getattr(LIGHT, role)) for role in ROLES})


@pytest.mark.parametrize("palette", [LIGHT, DARK, INVERTED], ids=["light", "dark", "inverted"])
def test_every_pair_of_colours_has_contrast(palette: Palette) -> None:
    for ground, least in (("card", 7), ("tint", 6), ("page", 6)):
        for ink in ("ink", "muted", "accent"):
            assert contrast(getattr(palette, ink), getattr(palette, ground)) >= least, (ink, ground)


# Names and header text


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        pytest.param("", "", id="no name"),
        pytest.param("Ana Sousa", "Ana Sousa", id="a plain name"),
        pytest.param("García, José", "García, José", id="accents and a comma"),
        pytest.param("Lin, Wei", "Lin, Wei", id="a comma"),
        pytest.param('Bob "The Ox" O\'Neil', 'Bob "The Ox" O\'Neil', id="quotation marks"),
        pytest.param("back\\slash", "back\\slash", id="a backslash"),
        pytest.param("(a comment) <x@y>", "(a comment) <x@y>", id="brackets"),
        pytest.param("Ana 🌻", "Ana 🌻", id="an emoji"),
        pytest.param("山田 太郎", "山田 太郎", id="Japanese"),
        pytest.param("\u202eanA\u2066", "anA", id="marks that turn the direction"),
        pytest.param("آنا\u200cمی", "آنا\u200cمی", id="a Persian non-joiner stays"),
        pytest.param("a" * 500, "a" * 500, id="five hundred letters"),
        pytest.param("ü" * 500, "ü" * 500, id="five hundred umlauts"),
        pytest.param("word " * 100, ("word " * 100).strip(), id="a hundred words"),
        pytest.param("Ana\r\nBcc: eve@example.org", "Ana Bcc: eve@example.org", id="a line break"),
        pytest.param("Ana\u2028\x85\x0bBcc: e", "Ana Bcc: e", id="other line breaks"),
        pytest.param("\x00A\x7fna\ud800", "Ana", id="controls and half a character"),
        pytest.param("=?utf-8?q?Bob=0D=0ABcc:_e?=", "= ?utf-8?q?Bob=0D=0ABcc:_e?=", id="an encoded word"),
        pytest.param("==??utf-8?q?x?=", "== ??utf-8?q?x?=", id="an encoded word after cleaning"),
        pytest.param("=\u202e?utf-8?q?x?=", "= ?utf-8?q?x?=", id="an encoded word behind an invisible mark"),
    ],
)
def test_a_name_comes_out_right_or_cleaned(name: str, reads: str) -> None:
    template = compile_template(RENDERED, IDENTITY, post_id="p")
    data = merge(template, personal(name))
    parsed = message_from_bytes(data, policy=policy.default)
    assert parsed.keys() == FIELDS
    assert [found.addr_spec for found in parsed["To"].addresses] == ["ana+news@example.org"]
    # Python's newer parser puts spaces between encoded words, against RFC 2047 section 6.2; the older one does not.
    shown, _ = parseaddr(re.sub(r"\r\n", "", str(message_from_bytes(data)["To"])))
    assert str(make_header(decode_header(shown))) == reads
    assert max(map(len, header_of(data).split(b"\r\n"))) < 300  # List-Unsubscribe, which may not be folded inside
    to = re.search(rb"^To: (.*(?:\r\n .*)*)", header_of(data), re.MULTILINE)
    assert to
    assert max(map(len, to[0].rstrip(b"\r").split(b"\r\n"))) <= 76


@given(st.text(st.characters(codec=None), max_size=120) | st.text('=?utf-8qbQB_\r\n :<>@",\\()', max_size=120))
@settings(max_examples=2000, deadline=None)
def test_no_text_makes_another_header_field(text: str) -> None:
    identity = replace(IDENTITY, sender=Mailbox(text, IDENTITY.sender.address), name="N")
    template = compile_template(replace(RENDERED, subject=text), identity, post_id=text)
    data = merge(template, personal(text))
    parsed = message_from_bytes(data, policy=policy.default)
    assert parsed.keys() == FIELDS
    assert data.isascii()
    header = header_of(data).split(b"\r\n")
    assert [line for line in header if not re.match(rb"[A-Z][A-Za-z-]+: \S| \S|Subject:", line)] == []
    assert parsed["To"].addresses[0].addr_spec == "ana+news@example.org"
    assert str(make_header(decode_header(message_from_bytes(data)["Subject"]))) == clean_header_text(text)
    assert clean_header_text(clean_header_text(text)) == clean_header_text(text)


@given(st.text(max_size=400))
@settings(max_examples=500, deadline=None)
def test_any_text_survives_quoted_printable_between_soft_breaks(text: str) -> None:
    text = text.replace("\r", "")
    plain, in_html = values(text)
    for encoded, meant in ((plain, text), (encode(text), text), (in_html, escape(text))):
        wire = b"before=\r\n" + encoded + b"=\r\nafter"
        assert max(map(len, wire.split(b"\r\n"))) <= 76
        assert [line for line in wire.split(b"\r\n") if line.startswith((b".", b"From "))] == []
        decoded = quopri.decodestring(wire).decode().replace("\r\n", "\n")
        assert decoded == f"before{meant}after"
        assert not re.search(rb"[ \t]{2}|[ \t]\r\n", wire)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("Ana", " Ana", id="a name"),
        pytest.param("  Ana  Sousa ", " Ana Sousa", id="spaces are put right"),
        pytest.param("", "", id="none"),
        pytest.param("Sousa, Ana", "", id="a name turned round"),
        pytest.param("ana@example.org", "", id="an address"),
        pytest.param("Win at www.example.org", "", id="a link"),
        pytest.param("https://example.org", "", id="an URL"),
        pytest.param("Prizes at example.org", "", id="what mail programs make a link of"),
        pytest.param("Dr. J.R. Okafor", " Dr. J.R. Okafor", id="a title and initials"),
        pytest.param("None", "", id="what a database writes for nothing"),
        pytest.param("Nonette Null", " Nonette Null", id="names that begin like it"),
        pytest.param("x" * 61, "", id="too long to be said"),
        pytest.param("🌻", "", id="an emoji alone"),
        pytest.param("Ana 🌻", " Ana 🌻", id="an emoji beside a name"),
        pytest.param("{{ 7 * 7 }}", "", id="template syntax"),
        pytest.param("<b>Ana</b>", "", id="HTML"),
    ],
)
def test_the_greeting_is_a_name_or_nothing(name: str, said: str) -> None:
    assert greeting(name) == said


def test_a_greeting_is_escaped_where_it_stands_in_html() -> None:
    data = merge(compile_template(RENDERED, IDENTITY, post_id="p"), personal("Ana & .Bö O'Neil"))
    assert content(data, "html") == "<p>Hi<bdi> Ana &amp; .Bö O&#x27;Neil</bdi></p>\n"
    assert content(data, "plain") == "Hi Ana & .Bö O'Neil,\n"


# Identities


def test_without_a_url_there_is_a_mailto_and_no_one_click() -> None:
    identity = replace(IDENTITY, url="", reply_to=None)
    data = merge(compile_template(RENDERED, identity, post_id="p"), personal(identity=identity))
    fields = message_from_bytes(data)
    assert fields.keys() == [name for name in FIELDS if name not in ("Reply-To", "List-Unsubscribe-Post")]
    assert re.fullmatch(r"<mailto:maya@letters\.example\.org\?subject=unsubscribe%20\S+>", fields["List-Unsubscribe"])


def test_a_missing_or_broken_unsubscribe_address_is_refused() -> None:
    template = compile_template(RENDERED, IDENTITY, post_id="p")
    for wrong in ("", "https://example.org/a b", "https://example.org/>,\r\nBcc: x"):
        with pytest.raises(NewsletterError, match="unsubscribe"):
            merge(template, replace(personal(), unsubscribe_url=wrong))
    with pytest.raises(NewsletterError, match="Message-ID"):
        merge(template, replace(personal(), message_id="a>\r\nBcc: x"))


def test_a_sender_without_a_name_is_the_newsletter() -> None:
    identity = replace(IDENTITY, sender=Mailbox("", IDENTITY.sender.address))
    data = merge(compile_template(RENDERED, identity, post_id="p"), personal())
    assert data.startswith(b"From: Letters from the Practice <maya@letters.example.org>\r\n")


def test_an_unsubscribe_address_that_fits_no_line_is_refused_when_the_post_is_compiled() -> None:
    fits, too_long = ("https://letters.example.org/" + "x" * n for n in (750, 850))
    data = merge(
        compile_template(RENDERED, replace(IDENTITY, url=fits), post_id="p"),
        personal(identity=replace(IDENTITY, url=fits)),
    )
    (line,) = [line for line in data.split(b"\r\n") if line.startswith(b"List-Unsubscribe:")]
    assert 900 < len(line) <= 998 and b"=?" not in line
    with pytest.raises(NewsletterError, match=r"take 10\d\d characters.*make url \(or unsubscribe_to\)"):
        compile_template(RENDERED, replace(IDENTITY, url=too_long), post_id="p")


def test_domains_outside_ascii_go_out_as_a_labels() -> None:
    identity = replace(IDENTITY, sender=Mailbox("Zoë", Address.parse("post@bücher.example")), reply_to=None)
    reader = replace(personal(), recipient=Mailbox("Jörg", Address.parse("j+o@straße.example")))
    data = merge(compile_template(RENDERED, identity, post_id="p"), reader)
    assert b"From: =?utf-8?b?Wm/Dqw==?= <post@xn--bcher-kva.example>\r\n" in data
    assert b"To: =?utf-8?b?SsO2cmc=?= <j+o@xn--strae-oqa.example>\r\n" in data
    assert b"List-Id: <list.xn--bcher-kva.example>\r\n" in data


@pytest.mark.parametrize(
    ("subject", "raw"),
    [
        pytest.param("🌻🌻", rb"=\?utf-8\?b\?8J\+Mu/CfjLs=\?=", id="emoji alone"),
        pytest.param("x" * 300, rb"(=\?utf-8\?q\?x+\?= ?){6}", id="one long word"),
        pytest.param("word " * 60, rb"(word ?){60}", id="many words"),
        pytest.param("Ärger " * 60, rb"(=\?utf-8\?b\?[A-Za-z0-9+/=]+\?= ?)+", id="many words outside ASCII"),
        pytest.param("a\r\nBcc: eve@example.org", rb"a Bcc: eve@example\.org", id="a line break"),
    ],
)
def test_a_subject_is_one_field_on_short_lines(subject: str, raw: bytes) -> None:
    data = merge(compile_template(replace(RENDERED, subject=subject), IDENTITY, post_id="p"), personal())
    field = re.search(rb"^Subject: ([^\r]*(?:\r\n [^\r]*)*)", data, re.MULTILINE)
    assert field and max(map(len, field[0].split(b"\r\n"))) <= 76
    assert re.fullmatch(raw, field[1].replace(b"\r\n", b""))


# Determinism and storage


def test_dates_are_in_utc_and_need_a_zone() -> None:
    template = compile_template(RENDERED, IDENTITY, post_id="p")
    at = datetime(2026, 3, 1, 0, 5, 7, tzinfo=timezone(timedelta(hours=9)))
    assert b"\r\nDate: Sat, 28 Feb 2026 15:05:07 +0000\r\n" in merge(template, replace(personal(), date=at))
    with pytest.raises(ValueError, match="time zone"):
        merge(template, replace(personal(), date=datetime(2026, 3, 1)))


def test_a_message_id_is_its_deliverys_alone_and_tells_nothing() -> None:
    one = {"epoch": 0, "post_id": "endings", "subscriber": b"\x11" * 16, "copy": 0, "domain": "example.org"}
    others = [{"epoch": 1}, {"post_id": "ending"}, {"subscriber": b"\x12" * 16}, {"copy": 1}]
    ids = [message_id(SECRET, **(one | other)) for other in [{}, *others]]  # type: ignore[arg-type]
    assert len(set(ids)) == 5
    assert ids[0] == message_id(SECRET, **one)  # type: ignore[arg-type]
    assert re.fullmatch(r"[0-9a-f]{40}@example\.org", ids[0])
    assert message_id(SECRET[::-1], **one) != ids[0]  # type: ignore[arg-type]


def test_the_revision_changes_with_anything_that_a_reader_could_get() -> None:
    base = compile_template(RENDERED, IDENTITY, post_id="p")
    changed = [
        compile_template(replace(RENDERED, subject="x"), IDENTITY, post_id="p"),
        compile_template(replace(RENDERED, text="x"), IDENTITY, post_id="p"),
        compile_template(replace(RENDERED, html="x"), IDENTITY, post_id="p"),
        compile_template(RENDERED, replace(IDENTITY, url="https://example.net"), post_id="p"),
    ]
    assert compile_template(RENDERED, IDENTITY, post_id="p").revision == base.revision
    assert len({base.revision, *(one.revision for one in changed)}) == 4  # the address of a url comes from each reader


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"newsletter message template 2\n[]\n", id="another version"),
        pytest.param(b"newsletter message template 1\n[1,", id="cut off"),
        pytest.param(b"newsletter message template 1\n[5]\nabc", id="octets missing"),
        pytest.param(b"newsletter message template 1\n[1]\nabc", id="octets left over"),
        pytest.param(b'newsletter message template 1\n["bcc"]\n', id="an unknown slot"),
        pytest.param(b"newsletter message template 1\n[null]\n", id="not a length"),
        pytest.param(b"newsletter message template 1\n7\n", id="not a list"),
    ],
)
def test_stored_bytes_that_are_no_template_are_refused(data: bytes) -> None:
    with pytest.raises(NewsletterError, match="can't be read"):
        MessageTemplate.loads(data)


def test_every_token_has_a_slot_in_both_parts() -> None:
    body = "".join(Token)
    template = compile_template(replace(RENDERED, text=body, html=body), IDENTITY, post_id="p")
    slots = [part for part in template.parts if isinstance(part, Slot)]
    assert len(slots) == 4 + 2 * len(Token)
    assert b"@@" not in merge(template, personal())


def test_values_longer_than_a_line_are_wrapped() -> None:
    long = "https://letters.example.org/" + "x" * 200 + "?a=b"
    data = merge(
        compile_template(replace(RENDERED, text="to @@UNSUBSCRIBE_URL@@ it\n"), IDENTITY, post_id="p"),
        replace(personal(), unsubscribe_url=long),
    )
    assert content(data, "plain") == f"to {long} it\n"
    assert max(map(len, data.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76
