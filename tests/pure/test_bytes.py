"""The acceptance checks on a message's bytes, for every sample post; and each check failing on a message spoilt for it.

A check takes bytes and raises; it keeps its number in the list of 25.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, time
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.compose import MessageTemplate, Personal, compile_template, merge, message_id
from newsletter.config import Design, Identity
from newsletter.links import Links
from newsletter.mail import Address, Mailbox
from newsletter.posts import read_post
from newsletter.render import Rendered, render

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "posts").glob("[0-9]*.md"))
SECRET = b"a signing key of thirty-two octets"
IDENTITY = Identity(
    name="Letters from the Practice",
    sender=Mailbox.parse("Maya Thorne <maya@letters.example.org>"),
    reply_to=Mailbox.parse("maya@example.org"),
    postal_address="12 Birch Lane, Portland, OR 97201",
    url="https://letters.example.org",
)
LINKS = Links(SECRET, IDENTITY.url, IDENTITY.list_id)
AT = datetime(2026, 3, 3, 17, tzinfo=UTC)
FIELDS = ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe"]
FIELDS += ["List-Unsubscribe-Post", "Feedback-ID", "Precedence", "MIME-Version", "Content-Type"]


def personal(reader: Mailbox, subscriber: bytes) -> Personal:
    ident = message_id(SECRET, epoch=0, post_id="p", subscriber=subscriber, copy=0, domain="letters.example.org")
    return Personal(reader, AT, ident, *LINKS.unsubscribe(IDENTITY.unsubscribe_address, subscriber))


ANA = personal(Mailbox("Ana Sousa", Address.parse("ana+news@example.org")), b"\x11" * 16)
BEN = personal(Mailbox("Ben", Address.parse("ben@example.net")), b"\x22" * 16)


@cache
def made(path: Path) -> tuple[Rendered, MessageTemplate]:
    post = read_post(path, zone=ZoneInfo("UTC"), at=time(9))
    rendered = render(post, IDENTITY, Design())
    return rendered, compile_template(rendered, IDENTITY, post_id=post.id)


def read(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)  # type: ignore[return-value]


# -- the checks


def check_1_lines(data: bytes) -> None:
    """CRLF alone, 7 bits, line lengths."""
    assert data.isascii() and b"\0" not in data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    header, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, header.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not [line for line in body.split(b"\r\n") if line.startswith((b".", b"From "))]
    assert data.endswith(b"--\r\n")


def check_2_fields(data: bytes) -> None:
    """Each field once, nothing that a parser stumbles over."""
    parsed = read(data)
    assert parsed.keys() == FIELDS
    assert not [part.defects for part in parsed.walk() if part.defects]
    assert not [name for name in FIELDS if parsed[name].defects]
    for name in ("From", "To", "Reply-To"):
        assert len(parsed[name].addresses) == 1
    assert parsed["From"].addresses[0].addr_spec == "maya@letters.example.org"
    assert parsedate_to_datetime(str(parsed["Date"])) == AT
    assert re.fullmatch(r"<[0-9a-f]{40}@letters\.example\.org>", str(parsed["Message-ID"]))
    assert parsed["MIME-Version"] == "1.0"


def check_3_list_fields(data: bytes, reader: Personal = ANA) -> None:
    """List-* as raw octets: never encoded, never broken, and of this reader."""
    lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert f"List-Unsubscribe: <{reader.unsubscribe_url}>, <{reader.unsubscribe_mailto}>" in lines
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    assert "List-Id: <list.letters.example.org>" in lines
    assert "Precedence: bulk" in lines
    assert any(re.fullmatch(r"Feedback-ID: [\w.-]+:newsletter:[0-9a-f]{12}", line) for line in lines)
    token = reader.unsubscribe_url.rpartition("/")[2]
    assert set(re.findall(r"/u/([\w-]+)", data.replace(b"=\r\n", b"").decode())) == {token}


def check_4_parts(data: bytes) -> None:
    """Text before HTML, images beside the HTML, in encodings that every server passes on."""
    parts = list(read(data).walk())
    kinds = [part.get_content_type() for part in parts]
    images = [kind for kind in kinds if kind.startswith("image/")]
    html = ["multipart/related", "text/html", *images] if images else ["text/html"]
    assert kinds == ["multipart/alternative", "text/plain", *html]
    for part in parts:
        if part.get_content_maintype() == "text":
            assert part.get_content_charset() == "utf-8"
            assert part["Content-Transfer-Encoding"] == "quoted-printable"
            assert part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        elif part.get_content_maintype() == "image":
            assert part["Content-Transfer-Encoding"] == "base64"
            assert part["Content-Disposition"].content_disposition == "inline"
            assert f"cid:{part['Content-ID'][1:-1]}" in read(data).get_body(("html",)).get_content()  # type: ignore[union-attr]


def check_5_sizes(data: bytes) -> None:
    """Under what clients cut: the HTML, the style that is kept, and the HTML as it is on the wire."""
    html = read(data).get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert len(html.encode()) <= 90_000
    assert sum(len(style.encode()) for style in re.findall(r"<style.*?</style>", html, re.DOTALL)) <= 8_192
    raw = re.search(rb"Content-Type: text/html.*?\r\n\r\n(.*?)\r\n--=_", data, re.DOTALL)
    assert raw and len(raw[1]) <= 102_000


def check_16_only_hers(data: bytes, other: Personal = BEN) -> None:
    """Nothing unresolved, nothing of another reader."""
    for kind in ("plain", "html"):
        part = read(data).get_body((kind,)).get_content()  # type: ignore[union-attr]
        assert not re.findall(r"@@|{{|{%|Hello None|>None<|\bundefined\b|[\ufffd\ue000-\uf8ff]", part)
    bare = data.replace(b"=\r\n", b"").decode()
    traces = (other.unsubscribe_url, other.unsubscribe_mailto, other.message_id, str(other.recipient.address))
    assert not [trace for trace in traces if trace.replace("=", "=3D") in bare or trace in bare]
    assert f" {other.recipient.name}," not in bare


CHECKS = [check_1_lines, check_2_fields, check_3_list_fields, check_4_parts, check_5_sizes, check_16_only_hers]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_post_passes(path: Path, check: Callable[[bytes], None]) -> None:
    check(merge(made(path)[1], ANA))


def test_all_six_samples_are_there() -> None:
    assert len(SAMPLES) == 6


# -- and fails


def in_header(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        header, end, body = data.partition(b"\r\n\r\n")
        assert old in header
        return header.replace(old, new, 1) + end + body

    return change


def in_body(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        header, end, body = data.partition(b"\r\n\r\n")
        assert old in body
        return header + end + body.replace(old, new, 1)

    return change


def swapped(data: bytes) -> bytes:
    """HTML before text."""
    header, first, second, end = re.split(rb"--=_[0-9a-f]{24}-a(?:--)?\r\n", data)
    mark = re.search(rb"--=_[0-9a-f]{24}-a", data)[0]  # type: ignore[index]
    return header + mark + b"\r\n" + second + mark + b"\r\n" + first + mark + b"--\r\n" + end


LONG = b"x=\r\n" * 40_000

SPOILT = [
    (check_1_lines, in_body(b"\r\n", b"\n"), "a bare line feed"),
    (check_1_lines, in_body(b"\r\n", b"\r"), "a bare carriage return"),
    (check_1_lines, in_body(b"e", "é".encode()), "an 8-bit letter"),
    (check_1_lines, in_body(b"Hello", b"x" * 80), "a line of a body that is too long"),
    (check_1_lines, in_header(b"Subject: ", b"Subject: " + b"x" * 990), "a line of the header that is too long"),
    (check_1_lines, in_body(b"Hello", b"\r\n.\r\nHello"), "a line that is a dot"),
    (check_1_lines, in_body(b"Hello", b"\r\nFrom here"), "a line that begins with From"),
    (check_1_lines, lambda data: data + b"more", "no line end at the end"),
    (check_2_fields, in_header(b"From:", b"From: eve@example.org\r\nFrom:"), "two From"),
    (check_2_fields, in_header(b"Subject:", b"Bcc: eve@example.org\r\nSubject:"), "a field more"),
    (check_2_fields, in_header(b"Precedence: bulk\r\n", b""), "a field less"),
    (check_2_fields, in_header(b"To: ", b"To: eve@example.org, "), "two recipients"),
    (check_2_fields, in_header(b"17:00:00", b"18:00:00"), "another date"),
    (check_2_fields, in_header(b"Message-ID: <", b"Message-ID: <x"), "another Message-ID"),
    (check_2_fields, in_header(b'boundary="=_', b'boundary="=_x'), "a boundary that never comes"),
    (check_3_list_fields, in_header(b">, <mailto", b">,\r\n <mailto"), "a folded List-Unsubscribe"),
    (check_3_list_fields, in_header(b"<https://letters", b"=?utf-8?q?=3Chttps=3A//letters"), "an encoded one"),
    (check_3_list_fields, in_header(b"=One-Click", b"=one-click"), "another word for one-click"),
    (check_3_list_fields, in_header(b"Precedence: bulk", b"Precedence: list"), "no bulk"),
    (check_3_list_fields, lambda data: merge(made(SAMPLES[0])[1], BEN), "the token of another reader"),
    (check_4_parts, swapped, "HTML before text"),
    (check_4_parts, in_body(b"text/html", b"text/plain"), "no HTML"),
    (check_4_parts, in_body(b"utf-8", b"latin-1"), "another charset"),
    (check_4_parts, in_body(b"quoted-printable", b"8bit"), "another encoding"),
    (check_5_sizes, in_body(b"<body", LONG + b"<body"), "HTML that is too long on the wire"),
    (check_5_sizes, in_body(b"<style>", b"<style>" + b"p{}=\r\n" * 3000), "too much style"),
    (check_16_only_hers, in_body(b"Hello", b"@@GREETING@@"), "a token"),
    (check_16_only_hers, in_body(b"Hello", b"Hello None"), "None"),
    (check_16_only_hers, in_body(b"Hello", b"{{ name }}"), "a placeholder"),
    (check_16_only_hers, in_body(b"Hello", b"Hello Ben,"), "another reader's name"),
    (check_16_only_hers, in_body(b"Hello", BEN.unsubscribe_url.encode()), "another reader's way out"),
    (check_16_only_hers, in_header(b"To: ", b"X-Other: ben@example.net\r\nTo: "), "another reader's address"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "spoil"), [pytest.param(c, s, id=f"{c.__name__}: {i}") for c, s, i in SPOILT])
def test_a_spoilt_message_is_noticed(check: Callable[[bytes], None], spoil: Callable[[bytes], bytes]) -> None:
    good = merge(made(SAMPLES[0])[1], ANA)
    check(good)
    spoilt = spoil(good)
    assert spoilt != good
    with pytest.raises(AssertionError):
        check(spoilt)


# -- 16 and 25, which need more than one message


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_16_two_readers_differ_in_their_own_values_alone(path: Path) -> None:
    template = made(path)[1]
    messages = []
    for reader in (ANA, BEN):
        data = merge(template, reader)
        for value in template.values(reader):
            data = data.replace(value, b"*", 1) if value else data
        messages.append(data)
    assert messages[0] == messages[1]
    assert merge(template, ANA) != merge(template, BEN)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_25_the_same_delivery_has_the_same_bytes(path: Path) -> None:
    rendered, template = made(path)
    again = MessageTemplate.loads(template.dumps())
    assert again == template and again.revision == template.revision
    assert merge(again, ANA) == merge(template, ANA)
    values, others = template.values(ANA), template.values(BEN)
    assert template.fingerprint(values) == again.fingerprint(values) != template.fingerprint(others)
    assert compile_template(rendered, IDENTITY, post_id="other").fingerprint(values) != template.fingerprint(values)


PROGRAM = """
from test_bytes import ANA, SAMPLES, made, merge
import hashlib
print(*(hashlib.sha256(merge(made(path)[1], ANA)).hexdigest() for path in SAMPLES))
"""


def test_25_the_same_bytes_come_from_every_process() -> None:
    """Whatever the seed of Python's hashes, and so the order of its sets."""
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{Path(__file__).parent}:{ROOT}"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1 and len(said.pop().split()) == 6
