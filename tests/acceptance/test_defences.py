"""`newsletter serve` against machines: bots at two servers, connections that trickle, heads beyond measure."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.client import HTTPConnection
from pathlib import Path

from served import Served, free_port, links_of, serving, settings
from typist import Typed

from newsletter.cli.project import Project
from newsletter.links import Purpose
from newsletter.mail import Address
from newsletter.store.requests import mailbox_key
from newsletter.web.forms import new_nonce

SIGN_UPS, VICTIMS, CAP = 10_000, 10, 60


def spelt(n: int) -> str:
    """Victim *n* modulo VICTIMS, spelt in a new way each time."""
    name, turn = f"victim{n % VICTIMS}", n // VICTIMS
    match turn % 4:
        case 0:
            return f"{name}+{turn}@example.org"
        case 1:
            return f"{name.upper()}@Example.ORG"
        case 2:
            return f"{'.'.join(name[: turn % 5 + 2])}{name[turn % 5 + 2 :]}@gmail.com"
        case _:
            return f"{name}+{turn}@googlemail.com"


def test_ten_thousand_sign_ups_at_two_servers_meet_the_caps_and_nobody_gets_two(project: Path) -> None:
    one, two = free_port(), free_port()
    url = settings(project, one, f'sign_ups = "{CAP} per day"\nsign_ups_per_network = "1000000 per hour"\n')
    opened = Project.at(project)
    secret = opened.secret
    opened.close()
    nonces = [new_nonce(secret, at=datetime.now(UTC) - timedelta(minutes=1)) for _ in range(SIGN_UPS)]
    statuses: Counter[int] = Counter()
    welcome: set[str] = set()  # who was told that a letter comes

    def bot(server: Served, mine: range) -> None:
        connection = HTTPConnection("127.0.0.1", server.port)
        for n in mine:
            status, *_ = server.ask(
                "POST", "/subscribe", {"email": spelt(n), "nonce": nonces[n]}, connection=connection
            )
            statuses[status] += 1
            if status == 200:
                welcome.add(mailbox_key(Address.parse(spelt(n))))
        connection.close()

    with serving(project, one, url) as first, serving(project, two, url) as second:
        # Each begins with all victims: whichever is quickest uses up the caps for every one of them.
        bots = [
            threading.Thread(target=bot, args=(server, range(k * SIGN_UPS // 4, (k + 1) * SIGN_UPS // 4)))
            for k, server in enumerate((first, second, first, second))
        ]
        for thread in bots:
            thread.start()
        for thread in bots:
            thread.join()
        waits = [1, 1]
        for _ in range(3_000):
            waits = [json.loads(s.ask("GET", "/healthz")[1])["letters_waiting"] for s in (first, second)]
            if waits == [0, 0] and list((project / "outbox/new").glob("*.eml")):
                break
            time.sleep(0.02)
        assert waits == [0, 0]
        time.sleep(2.5)  # one more look of each keeper: what it would still write, it has
    # A day may end in between: then there are two days' worth.
    assert set(statuses) == {200, 429} and CAP <= statuses[200] <= 2 * CAP and statuses.total() == SIGN_UPS
    letters = [
        message_from_bytes(p.read_bytes(), policy=policy.default) for p in (project / "outbox/new").glob("*.eml")
    ]
    mailboxes = Counter(mailbox_key(Address.parse(str(letter["To"]))) for letter in letters)
    assert mailboxes == dict.fromkeys(welcome, 1) and VICTIMS < len(welcome) <= 2 * VICTIMS


def raw(port: int, octets: bytes) -> bytes:
    """What the server answers to *octets* before it ends the connection."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        answer = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(octets)
            while more := sock.recv(65_536):
                answer += more
        return answer


def test_what_comes_in_drops_or_is_beyond_measure_is_not_waited_for(project: Path, newsletter: Typed) -> None:
    port = free_port()
    newsletter("subscribers", "add", "ana@example.org")
    url = settings(project, port)
    leave = links_of(project, Purpose.UNSUBSCRIBE)["ana@example.org"]
    head = f"Host: 127.0.0.1:{port}\r\n".encode()
    with serving(project, port, url) as server:
        hanging = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for sock in hanging[:25]:
            sock.sendall(b"GET /list/ HTTP/1.1\r\nHo")
        # Others are answered meanwhile, and each of these is let go by the server without an answer.
        assert server.ask("GET", "/subscribe")[0] == 200
        for sock in hanging:
            assert sock.recv(100) == b""
            sock.close()
        assert raw(port, b"GET /list/ HTTP/1.1\r\n" + head + b"X: " + b"a" * 40_000 + b"\r\n\r\n")[9:12] == b"400"
        assert raw(port, b"GET /list/ HTTP/1.1\r\n" + head + b"X: " + b"a" * 4_000_000)[9:12] in (b"400", b"")
        assert raw(port, b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n" + head + b"\r\n")[9:12] == b"400"
        two = b"POST /list" + leave.encode() + b" HTTP/1.1\r\n" + head + head + b"Connection: close\r\n\r\n"
        assert raw(port, two)[9:12] == b"421", "two names are one too many"
        smuggled = head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        assert raw(port, b"POST /list" + leave.encode() + b" HTTP/1.1\r\n" + smuggled)[9:12] == b"400"
        endless = head + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 999999999\r\n"
        assert raw(
            port, b"POST /list/subscribe HTTP/1.1\r\n" + endless + b"Connection: close\r\n\r\n" + b"x" * 200_000
        )[9:12] in (b"413", b"")
        assert re.search(r"\bactive\b", newsletter("history", "ana@example.org").out), "none of it unsubscribed her"
        assert json.loads(server.ask("GET", "/healthz")[1])["faults"] == 0
