"""Mail made to take time: of any size, each in one way."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Callable
from random import Random

DAEMON = b"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nTo: us@letters.example.org\nSubject: Undelivered\n"
#: What patterns look for, again and again, and never what would end it.
STEMS = (
    b"unknown ", b"unknown-", b"user ", b"domain ", b"sender ", b"exceed ", b"not found ", b"adresse ", b"delivery ",
    b"doesn't have ", b"contain ", b"550 ", b"5.1.", b"rcpt to ", b">>> RCPT TO\n", b"--> DATA\n<-- 250\n", b": ", b" ", b"\t \n",
    b"'", b"<", b"<a ", b"<style>", b"&#", b"=?utf-8?q?a?= ", b"\xe5\xae\x9b\xe5\x85\x88", b"confirm you ", b"unsubscribe ",
    b"Final-Recipient: x\n", b"Reporting-MTA: x\n\n", b"To: x\n\n", b"To: x\nFrom: x\nSubject: x\n\n", b"@", b"a@a.example ",
)  # fmt: skip
CHARSETS = (b"utf-7", b"idna", b"punycode", b"hz", b"iso-2022-jp", b"utf-16", b"utf-32", b"gb18030", b"rot13", b"none")


def _filled(size: int, what: bytes) -> bytes:
    return (what * (size // len(what) + 1))[:size]


def _each(size: int, line: bytes) -> bytes:
    """*line* with a number in it, each time another."""
    return b"".join(line % number for number in range(size // len(line)))


def mails() -> dict[str, Callable[[int], bytes]]:
    """How to make each for a size in octets."""
    mixed = b"Content-Type: multipart/mixed"
    made: dict[str, Callable[[int], bytes]] = {
        "multiparts within multiparts": lambda n: (
            DAEMON + mixed + b'; boundary="b0"\n\n'
            + b"".join(b'--b%d\n%s; boundary="b%d"\n\n' % (i, mixed, i + 1) for i in range(n // 56))
        ),
        "one boundary for all": lambda n: DAEMON + mixed + b'; boundary="b"\n\n' + _filled(n, b"--b\n" + mixed + b'; boundary="b"\n\n'),
        "no boundary": lambda n: DAEMON + mixed + b"\n\n" + _filled(n, b"--" + b"a" * 190 + b"\nX: y\nX: y\nX: y\n"),
        "letters within letters": lambda n: DAEMON + _filled(n, b"Content-Type: message/rfc822\n\n"),
        "parts": lambda n: DAEMON + mixed + b'; boundary="b"\n\n' + _filled(n, b"--b\nContent-Type: text/plain\n\nx@y.example\n"),
        "a header without end": lambda n: DAEMON + _filled(n, b"X-A: b\n"),
        "a field without end": lambda n: DAEMON + b"To: x" + _filled(n, b"\n a@b.c"),
        "a line without end": lambda n: DAEMON + b"\n" + _filled(n, b"a"),
        "recipients in words": lambda n: DAEMON + b"\n" + _each(n, b"<a%d@a.example>: 550 unknown user\n"),
        "recipients in fields": lambda n: (
            DAEMON + b'Content-Type: multipart/report; boundary="b"\n\n--b\n\n' + _each(n // 2, b"<a%d@a.example>: 550 unknown user\n")
            + b"\n--b\nContent-Type: message/delivery-status\n\n" + _each(n // 2, b"Final-Recipient: rfc822; a%d@a.example\nAction: failed\n\n")
        ),
        "recipients failed": lambda n: DAEMON + b"X-Failed-Recipients: " + _each(n, b"a%d@a.example, ") + b"\n\nx",
        "base64": lambda n: DAEMON + b"Content-Transfer-Encoding: base64\n\n" + encodebytes(Random(1).randbytes(n * 3 // 4)),
        "quoted-printable": lambda n: DAEMON + b"Content-Transfer-Encoding: quoted-printable\n\n" + _filled(n, b"=3D=\n"),
        "noise": lambda n: Random(1).randbytes(n),
        "nothing but ends of lines": lambda n: b"\n" * n,
    }  # fmt: skip
    for stem in STEMS:
        made[f"{stem!r}"[1:]] = lambda n, stem=stem: DAEMON + b"\n" + _filled(n, stem)  # type: ignore[misc]
        made[f"{stem!r} in HTML"[1:]] = lambda n, stem=stem: DAEMON + b"Content-Type: text/html\n\n" + _filled(n, stem)  # type: ignore[misc]
    for name in CHARSETS:
        made[f"as {name.decode()}"] = lambda n, name=name: (  # type: ignore[misc]
            DAEMON + b"Content-Type: text/plain; charset=" + name + b"\n\n" + _filled(n, b"\x1b$B+AG4-~{a\xff@ ")
        )
    return made
