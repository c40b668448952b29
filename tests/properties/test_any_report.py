"""Reports that nobody wrote on purpose: cut, changed, turned round. And reverse paths that nobody signed."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from returned import complaint, dsn, person, prose

from newsletter.links import Links
from newsletter.mail import Address
from newsletter.reports import Kind, Ours, events, read
from newsletter.reports.entity import Entity
from newsletter.reports.status import addresses, groups, reply
from newsletter.verp import ReversePaths

SECRET = b"a key for tests, thirty-two bytes"
PATHS = ReversePaths(SECRET, Address.parse("bounces@example.org"), "list.example.org")
OURS = Ours(Links(SECRET, "", "list.example.org"), PATHS, "maya@example.org", "letters.example.org")
AT = datetime(2026, 3, 3, tzinfo=UTC)
HONEST = (
    dsn(),
    dsn(action="delayed"),
    complaint(),
    prose("<ana@example.org>: 550 User unknown"),
    person("unsubscribe"),
)
PIECES = st.sampled_from(
    [
        b"\n", b"\n\n", b"--b\n", b"--b--\n", b"Content-Type: multipart/report; boundary=b\n", b"Content-Type: message/rfc822\n",
        b"Content-Type: message/delivery-status\n", b"Content-Type: message/feedback-report\n", b"Content-Type: text/html\n",
        b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"charset=utf-7\n",
        b"Final-Recipient: rfc822; ana@example.org\n", b"Action: failed\n", b"Status: 5.1.1\n", b"Subject: Undeliverable\n",
        b"From: MAILER-DAEMON\n", b"Return-Path: <>\n", b"To: maya@example.org\n", b"X-Failed-Recipients: a@example.org\n",
        b"=?utf-8?b?////?=", b"=?x?q?=zz?=", b"<ana@example.org>: 550 5.1.1 unknown\n", b" folded\n", b"\xff\xfe\0", b"\x1b$B", b"@", b"<",
    ]
)  # fmt: skip


@given(st.binary(max_size=2_000) | st.lists(PIECES, max_size=60).map(b"".join))
def test_any_octets_can_be_read(data: bytes) -> None:
    told = read(data, OURS)
    assert told
    for one in told:
        assert one.reply.text.isprintable()
        assert not one.suppress or one.kind in (Kind.BOUNCE, Kind.COMPLAINT)
    assert len({event.id for event in events(data, told, source="mailbox", at=AT)}) <= len(told)


@given(st.sampled_from(HONEST), st.data())
def test_damaged_reports_can_be_read(data: bytes, choice: st.DataObject) -> None:
    for _ in range(choice.draw(st.integers(1, 5))):
        at = choice.draw(st.integers(0, len(data)))
        length = choice.draw(st.integers(0, 40))
        data = data[:at] + choice.draw(st.binary(max_size=10)) + data[at + length :]
    assert read(data, OURS)


@given(st.sampled_from(HONEST), st.integers(0, 3_000))
def test_what_is_cut_off_removes_nobody_else(data: bytes, size: int) -> None:
    for one in read(data[:size], OURS):
        assert not one.suppress or one.recipient in ("", "ana@example.org")


@given(st.text(max_size=500))
def test_texts_of_strangers(text: str) -> None:
    for start, address in addresses(text):
        assert address.count("@") == 1
        assert 0 <= start < len(text)
    assert len(groups(text)) <= 200
    assert reply(text).text.isprintable()


def test_lines_without_end_and_nests_without_bottom() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5_000))
    for data in (b"a" * 1_000_000, b"@" * 1_000_000, b"a: b\n" + b" c\n" * 300_000, deep, b"From: x\n" * 100_000):
        assert read(data, OURS)
        assert list(Entity.parse(data).leaves())


@given(st.integers(0, 2**40 - 1))
def test_a_reverse_path_is_an_address_and_reads_back(delivery: int) -> None:
    path = str(PATHS.path(delivery))
    assert Address.parse(path) == PATHS.path(delivery)
    assert PATHS.read(path) == PATHS.read(path.upper()) == PATHS.read(f"<{path}>") == delivery
    assert len(path.partition("@")[0]) <= 64


@given(st.integers(0, 2**40 - 1), st.integers(0, 1_000), st.characters())
def test_a_reverse_path_with_another_letter_says_nothing(delivery: int, at: int, letter: str) -> None:
    path = str(PATHS.path(delivery))
    at %= len(path)
    changed = path[:at] + letter + path[at + 1 :]
    if changed.strip().strip("<>").lower() != path:
        assert PATHS.read(changed) is None


@given(st.text(max_size=80))
def test_no_other_address_is_a_reverse_path(text: str) -> None:
    assert PATHS.read(text) is None


def test_reverse_paths_of_another_list_or_key_say_nothing() -> None:
    path = str(PATHS.path(1))
    assert ReversePaths(SECRET, PATHS.address, "list.else.example").read(path) is None
    assert ReversePaths(SECRET[::-1], PATHS.address, PATHS.list_id).read(path) is None
