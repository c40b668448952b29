"""How many visitors `newsletter serve` answers: python bench/web.py [seconds]

One process with SQLite on loopback, a client of its own on 32 connections that stay open. Prints for each kind of
request how many a second, and how long the slowest of a hundred took; then memory over 100,000 requests of all kinds.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from urllib.parse import quote
from urllib.request import urlopen

from machine import machine

from newsletter.cli.project import Project
from newsletter.cli.start import make_project
from newsletter.intake import fingerprint, take_posts
from newsletter.links import Links, Purpose
from newsletter.mail import Address
from newsletter.subscribers import Row
from newsletter.web.forms import new_nonce

READERS = 20_000
CONNECTIONS = 32


def main(seconds: float) -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        port = free_port()
        make_project(root)
        settings = root / "newsletter.toml"
        text = settings.read_text().replace('"https://letters.example.org"', f'"http://127.0.0.1:{port}"', 1)
        open_web = '[web]\nsign_ups = "1,000,000 per hour"\nsign_ups_per_network = "1,000,000 per hour"\n'
        settings.write_text(re.sub(r"(?m)^\[web\]\n", open_web, text))
        links, tokens, secret = filled(root)
        process, started = serving(root, port)
        try:
            print(f"start until the first answer: {started * 1000:,.0f} ms")
            everyone = [f"/u/{links.token(Purpose.UNSUBSCRIBE, token)}" for token in tokens]
            paths = iter(everyone)
            figures(
                "unsubscribe (POST /u/TOKEN)", port, lambda: post(next(paths), "List-Unsubscribe=One-Click"), seconds
            )
            numbers = count()
            nonces = [late(secret) for _ in range(int(3_000 * seconds))]
            fresh = iter(nonces)
            figures(
                "subscribe (POST /subscribe)", port,
                lambda: post("/subscribe", f"email=v{next(numbers)}%40example.org&nonce={quote(next(fresh))}"),
                seconds,
            )  # fmt: skip
            figures("the form (GET /subscribe)", port, lambda: get("/subscribe"), seconds)
            forged = f"/u/{'A' * 44}"
            figures("a wrong token (GET)", port, lambda: get(forged), seconds)
            for name, path in (
                ("a letter", "/p/the-space-between"),
                ("all letters", "/archive"),
                ("a feed", "/atom.xml"),
            ):
                figures(f"{name} (GET {path})", port, partial(get, path), seconds)
            figures(
                "a letter that one has (GET, 304)",
                port,
                partial(get, "/p/the-space-between", "If-None-Match: *"),
                seconds,
            )
            figures("health (GET /healthz)", port, lambda: get("/healthz"), seconds)
            kinds = cycle([
                lambda: get("/subscribe"), lambda: get(forged), lambda: get(next(pages)),
                lambda: post(next(pages), "List-Unsubscribe=One-Click"), lambda: get("/healthz"),
                lambda: post("/subscribe", f"email=m{next(numbers)}%40example.org&nonce={quote(late(secret))}"),
            ])  # fmt: skip
            pages = cycle(everyone)
            taken = [memory(process)]
            for _ in range(5):
                measured(port, partial(asked, islice(kinds, 20_000)), 600)
                taken.append(memory(process))
            print(f"memory, before and after each 20,000 of 100,000 requests: {', '.join(map(str, taken))} MB")
        finally:
            process.terminate()
            process.wait()


def asked(requests: Iterator[Callable[[], bytes]]) -> bytes:
    """The next of *requests*."""
    return next(requests)()


def late(secret: bytes) -> str:
    """A nonce that somebody has looked at for a while."""
    return new_nonce(secret, at=_ago(5))


def _ago(seconds: int) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def filled(root: Path) -> tuple[Links, list[bytes], bytes]:
    """Readers to unsubscribe."""
    project = Project.at(root)
    rows = [Row(n, Address(f"r{n:07d}", "example.org")) for n in range(READERS)]
    hashed = fingerprint(project.secret)
    project.store.audience.import_rows(rows, confirmed=True, floor=-1, fingerprint=hashed, at=_ago(100))
    tokens = [reader.token for reader in project.store.audience.readers()]
    take_posts(project.config, project.store, at=_ago(100))
    identity = project.config.identity
    project.close()
    return Links(project.secret, identity.url, identity.list_id), tokens, project.secret


def serving(root: Path, port: int) -> tuple[subprocess.Popen[bytes], float]:
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", "--port", str(port)], cwd=root,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/healthz").close()
            return process, time.perf_counter() - begun
        except OSError:
            time.sleep(0.005)


def memory(process: subprocess.Popen[bytes]) -> int:
    """Resident, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) // 1024


def post(path: str, body: str) -> bytes:
    kind = "application/x-www-form-urlencoded"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def get(path: str, field: str = "") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *filter(None, [field]), "", ""]).encode()


def figures(name: str, port: int, request: Callable[[], bytes], seconds: float) -> None:
    taken, statuses, span = measured(port, request, seconds)
    taken.sort()
    told = ", ".join(f"{n:,} × {status}" for status, n in sorted(statuses.items()))
    p50, p99 = (taken[int(len(taken) * share)] * 1000 for share in (0.5, 0.99))
    print(
        f"{name}: {len(taken) / span:,.0f} a second; half within {p50:.1f} ms, 99 of 100 within {p99:.1f} ms ({told})"
    )


def measured(port: int, request: Callable[[], bytes], seconds: float) -> tuple[list[float], dict[int, int], float]:
    """How long each answer took, and how many there were of each status."""
    selector, taken, statuses = DefaultSelector(), [], dict[int, int]()
    for _ in range(CONNECTIONS):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        steps = talk(sock, request, taken, statuses)
        next(steps)
        selector.register(sock, EVENT_READ, steps)
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for key, _ in selector.select(0.1):
            try:
                next(key.data)
            except StopIteration:
                selector.unregister(key.fileobj)
        if not selector.get_map():
            break
    span = time.perf_counter() - begun
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return taken, statuses, span


def talk(
    sock: socket.socket, request: Callable[[], bytes], taken: list[float], statuses: dict[int, int]
) -> Iterator[None]:
    """One connection: ask, wait for the answer, ask again; until there is nothing more to ask for."""
    while True:
        try:
            sock.sendall(request())
        except StopIteration:
            return
        begun, answer = time.perf_counter(), b""
        while True:
            yield
            answer += sock.recv(65_536)
            head, end, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if end and len(body) >= int(length[1] if length else 0):
                break
        taken.append(time.perf_counter() - begun)
        status = int(answer[9:12])
        statuses[status] = statuses.get(status, 0) + 1


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
