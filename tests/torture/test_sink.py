"""The server whose record is the truth: it takes what a strict server takes, however it comes, and tells it whole."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest
from sink import Play, Record, Sink, took
from stage import fork

HEAD = b"Subject: No. 7: hello\r\nMessage-ID: <one@example.org>\r\n\r\n"
ENVELOPE = b"EHLO me\r\nMAIL FROM:<maya@example.org>\r\nRCPT TO:<ana@example.org>\r\n"


def said(sink: Sink, *parts: bytes) -> tuple[list[str], Record]:
    """Say it in these pieces, hear what is answered until the server hangs up, and the record."""
    with socket.create_connection(("127.0.0.1", sink.port)) as sock:
        for part in parts:
            sock.sendall(part)
            time.sleep(0.02)
        answers = b"".join(iter(lambda: sock.recv(4096), b"")).decode().splitlines()
    return [line[:3] for line in answers if line[3] == " "], sink.record()


@pytest.mark.parametrize(
    ("parts", "answers", "size"),
    [
        pytest.param([ENVELOPE, b"DATA\r\n", HEAD + b"Hi\r\n.\r\n", b"QUIT\r\n"],
                     "220 250 250 250 354 250 221", 4, id="step by step"),
        pytest.param([ENVELOPE + b"DATA\r\n", HEAD + b"Hi\r\n.\r\nQUIT\r\n"],
                     "220 250 250 250 354 250 221", 4, id="pipelined, the next command behind the dot"),
        pytest.param([ENVELOPE + b"DATA\r\n", HEAD + b"..\r\n.", b"\r\nQUIT\r\n"],
                     "220 250 250 250 354 250 221", 3, id="a doubled dot, and the final one in two pieces"),
        pytest.param([ENVELOPE + b"BDAT %d\r\n" % len(HEAD) + HEAD + b"BDAT 2 LAST\r\n.\r", b"QUIT\r\n"],
                     "220 250 250 250 250 250 221", 2, id="in chunks, dots and all"),
        pytest.param([ENVELOPE + b"BDAT 0 LAST\r\nQUIT\r\n"], "220 250 250 250 250 221", None, id="an empty chunk"),
    ],
)  # fmt: skip
def test_a_message_is_taken_however_it_comes(sink: Sink, parts: list[bytes], answers: str, size: int | None) -> None:
    sink.play(Play(extensions=["PIPELINING", "CHUNKING"]))
    heard, record = said(sink, *parts)
    assert heard == answers.split()
    (taken,) = record.taken
    assert (taken.recipient, taken.run) == ("ana@example.org", 1)
    if size is not None:
        assert (taken.message_id, taken.number) == ("one@example.org", 7)
        assert took(sink.port, "one@example.org") and not took(sink.port, "two@example.org")


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([ENVELOPE, b"DATA\r\n", HEAD + b"Hi\r\n.\r"], id="half a final dot"),
        pytest.param([ENVELOPE, b"DATA\r\n", HEAD + b"Hi\n.\n"], id="a dot between bare line feeds"),
        pytest.param([ENVELOPE, b"BDAT 9 LAST\r\n12345678"], id="a chunk that lacks an octet"),
    ],
)
def test_without_its_end_nothing_is_taken(sink: Sink, parts: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", sink.port)) as sock:
        for part in parts:
            sock.sendall(part)
    assert sink.record().taken == []


def test_after_a_refused_recipient_data_is_refused_too(sink: Sink) -> None:
    sink.play(Play(acts={"RCPT": ["550 5.1.1 User unknown"]}))
    heard, record = said(sink, ENVELOPE + b"DATA\r\nBDAT 2 LAST\r\nhiQUIT\r\n")
    assert heard == ["220", "250", "250", "550", "503", "503", "221"]
    assert (record.taken, record.refused) == ([], {"ana@example.org"})


@pytest.mark.parametrize(("step", "taken"), [("DATA", 0), ("body", 0), ("lost", 0), ("dot", 1), ("answer", 1)])
def test_it_kills_at_the_moment_that_was_named(sink: Sink, step: str, taken: int) -> None:
    def client() -> None:
        with socket.create_connection(("127.0.0.1", sink.port)) as sock:
            sock.sendall(ENVELOPE + b"DATA\r\n")
            time.sleep(0.1)
            sock.sendall(HEAD + b"Hi\r\n.\r\n")
            time.sleep(60)

    sink.play(Play(fate=(step, 1)))
    pid = fork(client)
    sink.client(pid)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert len(sink.record().taken) == taken
