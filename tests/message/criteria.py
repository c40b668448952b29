"""What every letter must be, on the bytes that are handed over: one function for each of the first 21 criteria.

Each takes a `Letter` and raises AssertionError; it keeps its number in the list of 25. The others need a browser
(tests/browser/test_letters.py: 13, 19, 20, 23), SpamAssassin (22), a verifier (tests/wire/test_dkim.py: 24) or more
than one message (16, 25).
"""

from __future__ import annotations

import re
from collections import Counter
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import urlsplit

import cssutils
from emitted import AT, BEN, FIELDS, Letter

from newsletter.checks import check
from newsletter.proof import Proof

# One word, or one character of a script that writes none.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def check_1_lines(letter: Letter) -> None:
    """CRLF alone, 7 bits, line lengths."""
    data = letter.data
    assert data.isascii() and b"\0" not in data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    header, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, header.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not [line for line in body.split(b"\r\n") if line.startswith((b".", b"From "))]
    assert data.endswith(b"--\r\n")


def check_2_fields(letter: Letter) -> None:
    """Each field once, nothing that a parser stumbles over."""
    identity, parsed = letter.identity, letter.parsed
    absent = ([] if identity.reply_to else ["Reply-To"]) + ([] if identity.url else ["List-Unsubscribe-Post"])
    fields = [name for name in FIELDS if name not in absent]
    assert parsed.keys() == fields
    assert not [part.defects for part in parsed.walk() if part.defects]
    assert not [name for name in fields if parsed[name].defects]
    for name in {"From", "To", "Reply-To"} & {*fields}:
        assert len(parsed[name].addresses) == 1
    assert parsed["From"].addresses[0].addr_spec == str(identity.sender.address)
    assert parsedate_to_datetime(str(parsed["Date"])) == AT
    assert re.fullmatch(r"<[0-9a-f]{40}@letters\.example\.org>", str(parsed["Message-ID"]))
    assert parsed["MIME-Version"] == "1.0"


def check_3_list_fields(letter: Letter) -> None:
    """List-* as raw octets: never encoded, never broken, and of this reader."""
    lines, reader = letter.header.decode().split("\r\n"), letter.personal
    if letter.identity.url:
        assert f"List-Unsubscribe: <{reader.unsubscribe_url}>, <{reader.unsubscribe_mailto}>" in lines
        assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
        token = reader.unsubscribe_url.rpartition("/")[2]
        assert set(re.findall(r"/u/([\w-]+)", "\n".join([*lines, letter.text, letter.html]))) == {token}
    else:
        assert f"List-Unsubscribe: <{reader.unsubscribe_mailto}>" in lines
    assert f"List-Id: <list.{letter.identity.sender.address.domain}>" in lines
    assert "Precedence: bulk" in lines
    assert any(re.fullmatch(r"Feedback-ID: [\w.-]+:newsletter:[0-9a-f]{12}", line) for line in lines)


def check_4_parts(letter: Letter) -> None:
    """Text before HTML, images beside the HTML, in encodings that every server passes on."""
    parts = list(letter.parsed.walk())
    kinds = [part.get_content_type() for part in parts]
    images = [part for part in parts if part.get_content_maintype() == "image"]
    html = (
        ["multipart/related", "text/html", *(part.get_content_type() for part in images)] if images else ["text/html"]
    )
    assert kinds == ["multipart/alternative", "text/plain", *html]
    octets = f"{letter.rendered.text}{letter.rendered.html}".encode()
    encoding = "base64" if sum(octet > 127 for octet in octets) * 3 > len(octets) else "quoted-printable"
    for part in parts:
        if part.get_content_maintype() == "text":
            assert part.get_content_charset() == "utf-8"
            assert part["Content-Transfer-Encoding"] == encoding
            # RFC 2045 section 6.8: text has its line ends as CR LF within base64 as well.
            assert not re.search(rb"(?<!\r)\n", bytes(part.get_payload(decode=True)))  # type: ignore[arg-type]
    for part in images:
        assert part["Content-Transfer-Encoding"] == "base64"
        assert part["Content-Disposition"].content_disposition == "inline"
        assert f"cid:{part['Content-ID'][1:-1]}" in letter.html


def check_5_sizes(letter: Letter) -> None:
    """Under what clients cut: the HTML, the style that is kept, and the HTML as it is on the wire."""
    assert len(letter.html.encode()) <= 90_000
    assert sum(len(style.encode()) for style in re.findall(r"<style.*?</style>", letter.html, re.DOTALL)) <= 8_192
    raw = re.search(rb"Content-Type: text/html.*?\r\n\r\n(.*?)\r\n--=_", letter.data, re.DOTALL)
    assert raw and len(raw[1]) <= 102_000


def check_6_page(letter: Letter) -> None:
    """Doctype, language, direction, character set, and the subject as its title."""
    language = letter.post.language or letter.identity.language
    begins = f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">'
    assert letter.html.startswith(f'<!DOCTYPE html>\n{begins}\n<head>\n<meta charset="utf-8">')
    (article,) = letter.page.xpath("/html/body/*")
    assert (article.get("role"), article.get("aria-roledescription")) == ("article", "email")
    assert [article.get(name) for name in ("lang", "dir")] == [letter.page.get(name) for name in ("lang", "dir")]
    subject = str(make_header(decode_header(letter.parsed["Subject"])))
    assert letter.page.findtext("head/title") == article.get("aria-label") == subject == letter.post.subject


def check_7_tables(letter: Letter) -> None:
    """Each layout table has its role, each other one its header cells."""
    for table in letter.page.xpath("//table"):
        cells = table.xpath("thead/tr/*")
        assert table.get("role") == "presentation" or {(c.tag, c.get("scope")) for c in cells} == {("th", "col")}
    assert not letter.page.xpath("//table[@role='presentation']/*/tr/th")


def check_8_images(letter: Letter) -> None:
    """Images travel along, have whole sizes, a style that holds while they are blocked, and a description."""
    for image in letter.page.xpath("//img"):
        assert image.get("alt")
        assert image.get("src").startswith("cid:")
        assert image.get("width").isdecimal() and 0 < int(image.get("width")) <= 552
        assert image.get("height").isdecimal() and int(image.get("height")) > 0
        styles = declarations(image.get("style"))
        assert {"display": "block", "width": "100%", "height": "auto"}.items() <= styles.items()
        assert styles["max-width"] == f"{image.get('width')}px"


def check_9_headings(letter: Letter) -> None:
    """One h1, the title, first; steps of one."""
    headings = letter.page.xpath("//h1|//h2|//h3|//h4|//h5|//h6")
    levels = [int(heading.tag[1]) for heading in headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert headings[0].text_content() == letter.post.title
    assert all(after - before <= 1 for before, after in pairwise(levels))


def check_10_links(letter: Letter) -> None:
    """Absolute and named; no token and no percent-encoded host left; the last one is the way out."""
    links = letter.page.xpath("//a")
    for link in links:
        parts = urlsplit(link.get("href"))
        assert parts.scheme in ("https", "mailto")
        assert parts.scheme == "mailto" or re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc)
        assert not re.search(r"@@|%40%40|%7B|[{}]", link.get("href"))
        assert link.text_content().strip()
    assert links[-1].get("href") == (letter.personal.unsubscribe_url or letter.personal.unsubscribe_mailto)


def check_11_banned(letter: Letter) -> None:
    """Nothing that mail programs drop, or that spies."""
    page = letter.page
    assert page.xpath("//script|//form|//input|//link|//iframe|//svg|//video|//button|//object|//base") == []
    assert [name for name in page.xpath("//@*") if name.attrname.startswith("on")] == []
    styles = " ".join([*page.xpath("//@style"), *page.xpath("//style/text()")])
    assert re.findall(r"\b(?:var|url|rgba?|hsla?|calc)\(|flex|grid|position:|\drem\b|@font-face|@import", styles) == []
    assert "!important" not in " ".join(page.xpath("//@style"))
    assert [colour for colour in re.findall(r"#[0-9a-fA-F]+\b", styles) if len(colour) != 7] == []


def check_12_kept_style(letter: Letter) -> None:
    """It parses, is for small and for dark screens, and wins over what stands on the elements."""
    style = "".join(letter.page.xpath("//style/text()"))
    sheet = cssutils.CSSParser(raiseExceptions=True, validate=False).parseString(style)
    media = [rule.media.mediaText for rule in sheet]
    assert "(prefers-color-scheme: dark)" in media and any("max-width" in query for query in media)
    assert style.count("{") == style.count("}")
    kept = [text for block in re.findall(r"{([^{}]*)}", style) for text in block.split(";") if text.strip()]
    assert kept and [text for text in kept if not text.endswith(" !important")] == []


def check_13_underlines(letter: Letter) -> None:
    """Links are underlined, unless they are buttons; the colours and sizes are looked at in a browser."""
    for link in letter.page.xpath("//a"):
        styles = declarations(link.get("style"))
        filled = re.fullmatch(r"#[0-9a-f]{6}", styles.get("background-color", ""))
        assert styles["text-decoration"] == "underline" or (link.get("class") == "button" and filled)


def check_14_preheader(letter: Letter) -> None:
    """First, hidden, of the length that inboxes show, and its filler stays out of the text part."""
    preheader, identity = letter.rendered.preheader, letter.identity
    all_there_is = preheader.endswith((identity.name, f"{identity.name}, {identity.sender.name}"))
    assert (len(preheader) >= 40 or all_there_is) and len(preheader) <= 130
    hidden = letter.page.xpath("/html/body/div/*")[0]
    assert hidden.tag == "div" and declarations(hidden.get("style"))["display"] == "none"
    assert hidden.text.startswith(preheader) and len(hidden.text) >= 150
    assert set(hidden.text.removeprefix(preheader)) == {"\u034f", "\u200c", "\u00a0"}
    assert "\u034f" not in letter.text


def check_15_text(letter: Letter) -> None:
    """The text part has the words of the HTML and every address, keeps to its lines, and ends as mail does."""
    tree = letter.page.xpath("/html/body/div/table")[0]
    seen, said = (Counter(_WORD.findall(text)) for text in (" ".join(tree.itertext()), letter.text))
    assert (seen & said).total() / seen.total() >= 0.95
    hrefs = [re.escape(href.removeprefix("mailto:")) for href in tree.xpath("//a/@href")]
    assert [href for href in hrefs if not re.search(rf"{href}(?![\w/-])", letter.text)] == []
    assert [alt for alt in tree.xpath("//img/@alt") if f": {alt}]" not in re.sub(r"\s+", " ", letter.text)] == []
    front, mark, end = letter.text.partition("\n-- \n")
    assert mark and letter.identity.postal_address in end
    assert (letter.personal.unsubscribe_url or letter.personal.unsubscribe_mailto) in end
    # Code keeps its lines; an address and a script without spaces are left whole.
    wide = [line for line in letter.text.split("\n") if len(line) > 72 and not line.startswith("    ")]
    assert [line for line in wide if not re.search(r"(?:https?://|mailto:)\S+$|[\u3040-\u9fff]", line)] == []


def check_16_only_hers(letter: Letter) -> None:
    """Nothing unresolved, nothing of another reader."""
    for part in (letter.text, letter.html):
        assert not re.findall(r"@@[A-Z_]+@@|Hello None|>None<|\bundefined\b|[\ufffd\ue000-\uf8ff]", part)
    other = letter.to(BEN).personal
    said = f"{letter.header.decode()} {letter.text} {letter.html}"
    traces = (other.unsubscribe_url, other.unsubscribe_mailto, other.message_id, str(other.recipient.address))
    assert not [trace for trace in traces if trace and (trace in said or escape(trace) in said)]
    assert f" {other.recipient.name}," not in said


def check_17_as_before_inlining(letter: Letter) -> None:
    """Putting styles on elements changed nothing else: not an element, not an attribute, not a word.

    Read as it is written: a tree would be mended by its parser on either side alike.
    """
    source = re.sub(r"<style>.*?</style>\n?", "", letter.filled, count=1, flags=re.DOTALL)
    source = source.replace(' data-premailer="ignore"', "", 1)
    before, after = _Events(source).found, _Events(letter.html).found
    assert [what for what, _ in before] == [what for what, _ in after]
    for (what, had), (_, has) in zip(before, after, strict=True):
        kept = {name: value for name, value in had.items() if name != "style"}
        assert kept.items() <= has.items() and has.keys() - kept.keys() <= {"style", "align", "valign", "bgcolor"}, what


def check_18_outlook(letter: Letter) -> None:
    """What is written for Outlook alone is closed in the order in which it was opened."""
    comments = re.findall(r"<!--(.*?)-->", letter.html, re.DOTALL)
    assert comments and all(text.startswith("[if mso]>") and text.endswith("<![endif]") for text in comments)
    opened: list[str] = []
    for close, tag, empty in re.findall(r"<(/?)([\w:]+)[^>]*?(/?)>", "".join(comments).replace("<![endif]", "")):
        if close:
            assert opened and opened.pop() == tag
        elif not empty:
            opened.append(tag)
    assert opened == []
    ghosts = re.findall(r"<table[^>]*>", "".join(comments))
    assert ghosts and all('role="presentation"' in ghost for ghost in ghosts)


def check_21_mail_programs(letter: Letter) -> None:
    """No mail program lacks what the letter uses, but for what the table of features explains."""
    made = Proof(letter.post, letter.identity, letter.personal.recipient, letter.rendered, letter.data, "")
    assert [finding.problem for finding in check(made) if finding.rule == "client-support"] == []


CHECKS = [value for name, value in list(globals().items()) if re.match(r"check_\d", name)]


def declarations(style: str) -> dict[str, str]:
    """A style attribute as a mapping."""
    pairs = (part.partition(":") for part in style.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


class _Events(HTMLParser):
    """HTML in the order in which it is written: what each tag and text is, and the attributes of tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((f"<{tag}>", dict(attrs)))

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"</{tag}>", {}))

    def handle_data(self, data: str) -> None:
        if self.found and not self.found[-1][0].startswith("<"):
            data = self.found.pop()[0] + data
        self.found.append((data, {}))

    def handle_comment(self, data: str) -> None:
        self.found.append((f"<!--{data}-->", {}))
