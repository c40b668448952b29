"""`newsletter serve` as a process of its own, and what a browser-less visitor sends it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from newsletter.cli.project import Project
from newsletter.links import Links, Purpose

CHECKOUT = Path(__file__).parents[1]
ENVIRONMENT = {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def settings(root: Path, port: int, web: str = "", *, url: str = "", **lines: str) -> str:
    """Let the project's pages be at *url*, if none is given at *port* below /list; *web* are lines of [web], *lines* what else is
    set of what newsletter.toml shows behind a #. The url."""
    path, url = root / "newsletter.toml", url or f"http://127.0.0.1:{port}/list"
    text = re.sub(r'(?m)^url = "https.*$', f'url = "{url}"', path.read_text(), count=1)
    text = re.sub(r"(?m)^\[web\]$", lambda _: f"[web]\n{web}", text, count=1)
    for name, value in lines.items():
        text, found = re.subn(rf"(?m)^# {name} = .*$", f"{name} = {value}", text, count=1)
        assert found, f"newsletter.toml shows no default of {name}"
    path.write_text(text)
    return url


@dataclass
class Served:
    """One running server of the project in *root*."""

    root: Path
    port: int
    url: str
    process: subprocess.Popen[str]

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        *,
        connection: HTTPConnection | None = None,
    ) -> tuple[int, str]:
        """Status and body."""
        made = connection or HTTPConnection("127.0.0.1", self.port)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if fields is not None else {}
        made.request(method, path, urlencode(fields) if fields is not None else None, headers)
        answer = made.getresponse()
        found = answer.status, answer.read().decode()
        if connection is None:
            made.close()
        return found

    def letters(self, address: str) -> list[str]:
        """The plain text of each letter in the outbox to *address*, oldest first."""
        files = (self.root / "outbox/new").glob("*.eml")
        found = sorted((p.stat().st_mtime_ns, p.read_bytes()) for p in files)
        parsed = [message_from_bytes(octets, policy=policy.default) for _, octets in found]
        return [m.get_body(("plain",)).get_content() for m in parsed if address in str(m["To"])]

    def link(self, address: str, *, count: int = 1) -> str:
        """The link in letter number *count* to *address*, as soon as that is there."""
        for _ in range(6_000):
            if len(letters := self.letters(address)) >= count:
                (url,) = re.findall(rf"{re.escape(self.url)}/[a-z]/\S+", letters[count - 1])
                return str(url)
            time.sleep(0.01)
        raise AssertionError(f"no letter to {address}")

    def end(self, number: int = signal.SIGTERM) -> str:
        """Stop it, and what it said."""
        self.process.send_signal(number)
        said, _ = self.process.communicate()
        return said


@contextlib.contextmanager
def serving(root: Path, port: int, url: str, *options: str) -> Iterator[Served]:
    """A server that answers, until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", "--port", str(port), *options],
        cwd=root, env=os.environ | ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    served = Served(root, port, url, process)
    try:
        assert process.stdout is not None and "is answered at" in (first := process.stdout.readline()), first
        for _ in range(3_000):
            with contextlib.suppress(OSError):
                served.ask("GET", "/healthz")
                break
            time.sleep(0.01)
        yield served
    finally:
        if process.poll() is None:
            served.end()


def links_of(root: Path, purpose: Purpose) -> dict[str, str]:
    """Address → path of the link that each reader has for *purpose*."""
    project = Project.at(root)
    try:
        identity = project.config.identity
        links = Links(project.secret, identity.url, identity.list_id)
        readers = project.store.audience.readers()
        return {str(r.address): f"/{purpose.value}/{links.token(purpose, r.token)}" for r in readers}
    finally:
        project.close()
