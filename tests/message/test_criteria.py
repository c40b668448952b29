"""Every letter by every criterion; and each criterion failing on a message that was spoilt for it."""

from __future__ import annotations

import quopri
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import criteria as c
import pytest
from emitted import AWKWARD, BEN, NAMES, SAMPLES, Letter, letter

from newsletter.compose import MessageTemplate, compile_template, merge
from newsletter.compose.quoted import encode

Check = Callable[[Letter], None]
Spoil = Callable[[bytes], bytes]


@pytest.mark.parametrize("check", c.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_every_letter_passes(name: str, check: Check) -> None:
    check(letter(name))


def test_none_is_missing() -> None:
    numbers = [int(check.__name__.split("_")[1]) for check in c.CHECKS]
    assert numbers == [*range(1, 19), 21]
    assert len(SAMPLES) == 6 and len(AWKWARD) == 9


def test_the_awkward_are_as_awkward_as_they_say() -> None:
    assert len(letter("910-four-thousand-words").post.body.split()) >= 4_000
    assert len(letter("911-as-long-as-gmail-shows").html.encode()) > 85_000
    assert (
        b"base64" in letter("913-japanese-for-an-evening").data
        and letter("901-right-to-left").rendered.direction == "rtl"
    )
    assert len(letter("907-lists-in-lists").page.xpath("//li[ancestor::li[ancestor::li]]")) == 10
    greeting, image = letter("906-only-an-image").page.xpath("//div[@class='letter']/*")
    assert greeting.text.startswith("Hello") and image.xpath("img") and not image.text_content().strip()


# -- and fails


def in_header(old: bytes, new: bytes) -> Spoil:
    def change(data: bytes) -> bytes:
        header, end, body = data.partition(b"\r\n\r\n")
        assert old in header
        return header.replace(old, new, 1) + end + body

    return change


def in_body(old: bytes, new: bytes) -> Spoil:
    def change(data: bytes) -> bytes:
        header, end, body = data.partition(b"\r\n\r\n")
        assert old in body
        return header + end + body.replace(old, new, 1)

    return change


def _in_part(kind: bytes, old: str, new: str) -> Spoil:
    """*new* in the place of the first of *old* (a pattern) in a part, as if it had been rendered so."""

    def change(data: bytes) -> bytes:
        start = data.index(b"\r\n\r\n", data.index(b"Content-Type: text/" + kind)) + 4
        end = data.index(b"\r\n--=_", start)
        part = quopri.decodestring(data[start:end]).decode().replace("\r\n", "\n")
        changed, count = re.subn(old, lambda found: found.expand(new), part, count=1)
        assert count, old
        return data[:start] + encode(changed) + data[end:]

    return change


def html(old: str, new: str) -> Spoil:
    return _in_part(b"html", old, new)


def text(old: str, new: str) -> Spoil:
    return _in_part(b"plain", old, new)


def swapped(data: bytes) -> bytes:
    """HTML before text."""
    header, first, second, end = re.split(rb"--=_[0-9a-f]{24}-a(?:--)?\r\n", data)
    mark = re.search(rb"--=_[0-9a-f]{24}-a", data)[0]  # type: ignore[index]
    return header + mark + b"\r\n" + second + mark + b"\r\n" + first + mark + b"--\r\n" + end


URL = letter("909-everything").to(BEN).personal.unsubscribe_url
SPOILT: list[tuple[Check, Spoil, str]] = [
    (c.check_1_lines, in_body(b"\r\n", b"\n"), "a bare line feed"),
    (c.check_1_lines, in_body(b"\r\n", b"\r"), "a bare carriage return"),
    (c.check_1_lines, in_body(b"e", "é".encode()), "an 8-bit letter"),
    (c.check_1_lines, in_body(b"Hello", b"x" * 80), "a line of a body that is too long"),
    (c.check_1_lines, in_header(b"Subject: ", b"Subject: " + b"x" * 990), "a line of the header that is too long"),
    (c.check_1_lines, in_body(b"Hello", b"\r\n.\r\nHello"), "a line that is a dot"),
    (c.check_1_lines, in_body(b"Hello", b"\r\nFrom here"), "a line that begins with From"),
    (c.check_1_lines, lambda data: data + b"more", "no line end at the end"),
    (c.check_2_fields, in_header(b"From:", b"From: eve@example.org\r\nFrom:"), "two From"),
    (c.check_2_fields, in_header(b"Subject:", b"Bcc: eve@example.org\r\nSubject:"), "a field more"),
    (c.check_2_fields, in_header(b"Precedence: bulk\r\n", b""), "a field less"),
    (c.check_2_fields, in_header(b"To: ", b"To: eve@example.org, "), "two recipients"),
    (c.check_2_fields, in_header(b"17:00:00", b"18:00:00"), "another date"),
    (c.check_2_fields, in_header(b"Message-ID: <", b"Message-ID: <x"), "another Message-ID"),
    (c.check_2_fields, in_header(b'boundary="=_', b'boundary="=_x'), "a boundary that never comes"),
    (c.check_3_list_fields, in_header(b">, <mailto", b">,\r\n <mailto"), "a folded List-Unsubscribe"),
    (c.check_3_list_fields, in_header(b"<https://letters", b"=?utf-8?q?=3Chttps=3A//letters"), "an encoded one"),
    (c.check_3_list_fields, in_header(b"=One-Click", b"=one-click"), "another word for one-click"),
    (c.check_3_list_fields, in_header(b"Precedence: bulk", b"Precedence: list"), "no bulk"),
    (c.check_3_list_fields, lambda _: letter("909-everything").to(BEN).data, "the token of another reader"),
    (c.check_3_list_fields, html(r'href="https://letters\.example\.org/u/[\w-]+', f'href="{URL}'), "another's, in HTML alone"),
    (c.check_4_parts, swapped, "HTML before text"),
    (c.check_4_parts, in_body(b"Content-Type: text/html", b"Content-Type: text/plain"), "no HTML"),
    (c.check_4_parts, in_body(b"utf-8", b"latin-1"), "another charset"),
    (c.check_4_parts, in_body(b"quoted-printable", b"8bit"), "another encoding"),
    (c.check_4_parts, in_body(b"\r\n</head>", b"=0A</head>"), "a line feed that was encoded"),
    (c.check_4_parts, in_body(b"Content-ID: <", b"Content-ID: <x"), "an image that nothing shows"),
    (c.check_4_parts, in_body(b"Disposition: inline", b"Disposition: attachment"), "an image beside the letter"),
    (c.check_5_sizes, html("<body", f"<!--{'x' * 80_000}--><body"), "HTML that Gmail would clip"),
    (c.check_5_sizes, in_body(b"<body", b"x=\r\n" * 40_000 + b"<body"), "HTML that is too long on the wire"),
    (c.check_5_sizes, html("<style>", f"<style>{'p{}' * 3000}"), "too much style"),
    (c.check_6_page, html("<!DOCTYPE html>", "<!doctype html>"), "a small doctype, which premailer drops"),
    (c.check_6_page, html(' lang="en"', ""), "no language"),
    (c.check_6_page, html('(role="article".*?) dir="ltr"', r"\1"), "no direction beside the article's"),
    (c.check_6_page, html('dir="ltr"', 'dir="rtl"'), "another direction"),
    (c.check_6_page, html("<title>.*?</title>", "<title>Email</title>"), "another title"),
    (c.check_6_page, html('<meta charset="utf-8">', ""), "no character set"),
    (c.check_6_page, in_header(b"Subject: ", b"Subject: Re: "), "another subject"),
    (c.check_7_tables, html('<table role="presentation"', "<table"), "a layout table read out as one"),
    (c.check_7_tables, html(' scope="col"', ""), "a header cell of nothing"),
    (c.check_7_tables, html('<table([^>]*class="facts")', r'<table role="presentation"\1'), "data that isn't read out"),
    (c.check_8_images, html(' alt="[^"]*"', ""), "no description"),
    (c.check_8_images, html(' width="552"', ' width="100%"'), "premailer's width"),
    (c.check_8_images, html('height="368"', 'height="auto"'), "premailer's height"),
    (c.check_8_images, html(r"(<img[^>]*)max-width: ?\d+px", r"\1max-width:100%"), "too wide while it is blocked"),
    (c.check_8_images, html('src="cid:', 'src="https://example.org/'), "an image from elsewhere"),
    (c.check_9_headings, html("<h1", "<h1>Letters</h1><h1"), "two titles"),
    (c.check_9_headings, html("<h2(.*?)</h2>", r"<h3\1</h3>"), "a step of two"),
    (c.check_9_headings, html("</h1>", " by mail</h1>"), "another title"),
    (c.check_10_links, html('href="https://example.org/a"', 'href="/a"'), "an address without its beginning"),
    (c.check_10_links, html('href="https://example.org/a"', 'href="http://example.org/a"'), "an address without its s"),
    (c.check_10_links, html('href="https://example.org/a"', 'href="https://b%C3%BCcher.example"'), "an encoded host"),
    (c.check_10_links, html('href="https://example.org/a"', 'href="https://example.org/%7B%7Bx%7D%7D"'), "a token"),
    (c.check_10_links, html(">link</a>", "></a>"), "a link without words"),
    (c.check_10_links, html(r"(<a class=.leave. href=.)[^\"]+", r"\1https://example.org/"), "no way out"),
    (c.check_11_banned, html("</body>", "<script>1</script></body>"), "a script"),
    (c.check_11_banned, html("<body", '<body onload="x()"'), "a handler"),
    (c.check_11_banned, html("#f5f1e8", "#fff"), "a colour of three digits"),
    (c.check_11_banned, html("#f5f1e8", "rgb(0 0 0 / .5)"), "a colour that Gmail drops everything for"),
    (c.check_11_banned, html("margin:0", "position:fixed"), "a position"),
    (c.check_11_banned, html("margin:0", "margin:0 !important"), "!important on an element"),
    (c.check_11_banned, html("18px", "1.2rem"), "a rem"),
    (c.check_12_kept_style, html("prefers-color-scheme: dark", "color-scheme: dark"), "no dark rules"),
    (c.check_12_kept_style, html(" !important;", ";"), "a rule that loses"),
    (c.check_12_kept_style, html("}\n}", "}"), "a brace that is open"),
    (c.check_12_kept_style, html(r"max-width: 420px", "min-width: 420px"), "no rules for small screens"),
    (c.check_12_kept_style, html("(?s)<style>.*?</style>", ""), "no style"),
    (c.check_13_underlines, html("text-decoration:underline", "text-decoration:none"), "a link like its text"),
    (c.check_13_underlines, html("(class=.button. .*?background-color:)#[0-9a-f]{6}", r"\1transparent"), "a bare button"),
    (c.check_14_preheader, html("display:none", "display:block"), "a preheader that shows"),
    (c.check_14_preheader, html("(<div class=.preheader)", r"<p>View this online</p>\1"), "something before it"),
    (c.check_14_preheader, html("All that a post may hold", "Everything"), "another one"),
    (c.check_14_preheader, text("Hello", "\u034fHello"), "filler in the text"),
    (c.check_14_preheader, html("(?:&#847;&zwnj;&nbsp;)+", ""), "no filler"),
    (c.check_15_text, text("(?s)Hello.*?Deep", "Deep"), "half of the words"),
    (c.check_15_text, text("https://example.org/b\n", "\n"), "an address less"),
    (c.check_15_text, text("12 Birch Lane", ""), "no postal address"),
    (c.check_15_text, text("-- \n", "--\n"), "no signature mark"),
    (c.check_15_text, text(r"https://letters.example.org/u/\S+", ""), "no way out"),
    (c.check_15_text, text("A band of light", ""), "a picture without its description"),
    (c.check_15_text, text("Note\n", f"Note {'and so on ' * 12}\n"), "a line that is not wrapped"),
    (c.check_16_only_hers, in_body(b"Hello", b"@@GREETING@@"), "a token"),
    (c.check_16_only_hers, in_body(b"Hello", b"Hello None"), "None"),
    (c.check_16_only_hers, in_body(b"Hello", b"Hello Ben,"), "another reader's name"),
    (c.check_16_only_hers, html("</body>", f"{URL}</body>"), "another reader's way out"),
    (c.check_16_only_hers, in_header(b"To: ", b"X-Other: ben@example.net\r\nTo: "), "another reader's address"),
    (c.check_16_only_hers, html("</body>", "\ufffd</body>"), "a character that was lost"),
    (c.check_17_as_before_inlining, html('width="48"', 'width="auto"'), "a width that premailer overwrote"),
    (c.check_17_as_before_inlining, html("(<a [^>]*>link</a>)", r"<b>\1</b>"), "an element more"),
    (c.check_17_as_before_inlining, html("<hr", "<br"), "another element"),
    (c.check_17_as_before_inlining, html("A quotation in", "A quotation  in"), "other white space"),
    (c.check_17_as_before_inlining, html("<!--.*?-->", ""), "a comment less"),
    (c.check_17_as_before_inlining, html(' class="letter"', ""), "a class less"),
    (c.check_18_outlook, html(r"</td></tr></table><!\[endif\]", "</td></table><![endif]"), "a row left open"),
    (c.check_18_outlook, html(r"</td></tr></table><!\[endif\]", "</tr></td></table><![endif]"), "closed in another order"),
    (c.check_18_outlook, html(r"<!--\[if mso\]><table", "<!--[if gte mso 9]><table"), "for some Outlooks only"),
    (c.check_18_outlook, html(r"mso\]><table role=.presentation.", "mso]><table"), "a ghost that is read out"),
    (c.check_21_mail_programs, html("display:inline-block", "display:flex"), "flex"),
    (c.check_21_mail_programs, html("</style>", "p::before { content: 'x' !important }</style>"), "a pseudo-element"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "spoil"), [pytest.param(k, s, id=f"{k.__name__}: {i}") for k, s, i in SPOILT])
def test_a_spoilt_message_is_noticed(check: Check, spoil: Spoil) -> None:
    good = letter("909-everything")
    check(good)
    spoilt = spoil(good.data)
    assert spoilt != good.data
    with pytest.raises(AssertionError):
        check(replace(good, data=spoilt))


def test_every_criterion_was_seen_to_fail() -> None:
    assert {check for check, _, _ in SPOILT} == {*c.CHECKS}


# -- 16 and 25, which need more than one message


@pytest.mark.parametrize("name", NAMES)
def test_16_two_readers_differ_in_their_own_values_alone(name: str) -> None:
    hers = letter(name)
    his = hers.to(BEN)
    assert hers.data != his.data
    mine, others = (one.template.pieces(one.template.values(one.personal)) for one in (hers, his))
    own = {value for one in (hers, his) for value in one.template.values(one.personal)}
    if b"base64" not in hers.data.partition(b"text/plain")[2][:200]:
        assert [a for a, b in zip(mine, others, strict=True) if a != b and a not in own] == []
    for kind in ("text", "html"):
        said = [getattr(one, kind) for one in (hers, his)]
        for n, one in enumerate((hers, his)):
            for value in (
                one.personal.unsubscribe_url,
                one.personal.unsubscribe_mailto,
                f" {one.personal.recipient.name}",
            ):
                said[n] = said[n].replace(value, "*") if value else said[n]
        assert said[0] == said[1]


@pytest.mark.parametrize("name", NAMES)
def test_25_the_same_delivery_has_the_same_bytes(name: str) -> None:
    made = letter(name)
    template = MessageTemplate.loads(made.template.dumps())
    assert template == made.template and template.revision == made.template.revision
    assert merge(template, made.personal) == made.data
    values, others = template.values(made.personal), template.values(made.to(BEN).personal)
    assert made.template.fingerprint(values) == template.fingerprint(values) != template.fingerprint(others)
    other = compile_template(made.rendered, made.identity, post_id="other")
    assert other.fingerprint(values) != template.fingerprint(values)


PROGRAM = """
from emitted import NAMES, letter
import hashlib
print(*(hashlib.sha256(letter(name).data).hexdigest() for name in NAMES))
"""


def test_25_the_same_bytes_come_from_every_process() -> None:
    """Whatever the seed of Python's hashes, and so the order of its sets."""
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1 and len(said.pop().split()) == len(NAMES)
