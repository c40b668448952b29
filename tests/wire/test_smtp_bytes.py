"""The bytes of a message on the wire: line ends, dots, sizes. What went in comes out, and only once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Scripted

from newsletter.config import Security, SmtpSettings
from newsletter.mail import About, Accepted, Message, Rejected
from newsletter.providers.smtp import Smtp
from newsletter.providers.wire import canonical, stuffed

Make = Callable[..., Message]


def provider(server: Scripted) -> Smtp:
    return Smtp(SmtpSettings(port=server.port, security=Security.NONE), helo="letters.example.org")


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\r\n.\r\n"])).map(b"".join))
def test_no_bytes_end_a_message_early(data: bytes) -> None:
    clean = canonical(data)
    wire = stuffed(clean)
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
    lines = wire.split(b"\r\n")
    assert b"." not in lines and lines[-1] == b""
    assert b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == clean
    assert clean.replace(b"\r\n", b"\n").rstrip(b"\n") == re.sub(rb"\r\n|\r", b"\n", data).rstrip(b"\n")


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\n", b"\r.\r", b"\n.\r"])
def test_no_second_message_is_smuggled_in(end: bytes, message: Make) -> None:
    second = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nhi\r\n.\r\n"
    with Scripted() as server:
        outcomes = list(provider(server).submit([message(1, b"Subject: a\r\n\r\nb" + end + second)]))
        assert [type(o) for _, o in outcomes] == [Accepted] and len(server.took) == 1
        assert [c.split(" ")[0] for c in server.commands] == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


@pytest.mark.parametrize(
    ("data", "extensions", "words"),
    [
        pytest.param(b"a\0b\r\n", [], "NUL", id="a NUL byte"),
        pytest.param("é\r\n".encode(), [], "8BITMIME", id="8-bit bytes for a 7-bit server"),
        pytest.param(b"x" * 100 + b"\r\n", ["SIZE 50"], "at most", id="larger than the server takes"),
    ],
)
def test_what_the_server_cannot_take_is_refused_here(
    data: bytes, extensions: list[str], words: str, message: Make
) -> None:
    with Scripted(extensions=extensions) as server:
        ((_, outcome),) = provider(server).submit([message(1, data)])
        assert isinstance(outcome, Rejected) and outcome.about is About.MESSAGE and words in outcome.reply.text
        assert not any(c.startswith("MAIL") for c in server.commands)


@pytest.mark.parametrize(
    ("data", "extensions", "mail"),
    [
        pytest.param("é\r\n".encode(), ["8BITMIME"], " BODY=8BITMIME", id="8-bit bytes are announced"),
        pytest.param(b"x" * 100 + b"\r\n", ["SIZE 0"], "", id="SIZE 0 is no limit"),
        pytest.param(b"x" * 98 + b"\r\n", ["SIZE 100"], "", id="just as large as the server takes"),
        pytest.param(b"x\r\n", ["SIZE"], "", id="SIZE without a figure"),
    ],
)
def test_what_the_server_can_take_is_sent(data: bytes, extensions: list[str], mail: str, message: Make) -> None:
    with Scripted(extensions=extensions) as server:
        ((_, outcome),) = provider(server).submit([message(1, data)])
        assert isinstance(outcome, Accepted) and server.took == [("r1@example.org", data)]
        assert server.commands[:2] == ["EHLO letters.example.org", f"MAIL FROM:<maya@letters.example.org>{mail}"]


def test_without_a_name_we_greet_with_our_address(message: Make) -> None:
    with Scripted() as server:
        list(Smtp(SmtpSettings(port=server.port, security=Security.NONE)).submit([message()]))
        assert server.commands[0] == "EHLO [127.0.0.1]"
