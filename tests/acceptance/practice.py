"""One newsletter of a small practice, and its owner's commands, each a process of its own.

`Practice.run` types a command at the instant `Practice.at`, where each process's clock begins and goes on from:
a command that must come after another is typed a moment later. No command may ever answer
with a traceback, so each run is looked at for one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import clock
from mailserver import MailServer
from warm import Warm

from newsletter.cli import answer

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)  #: an hour before the first slot
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANA, BO, CY, DEE = "ana@example.org", "bo@example.org", "cy@example.org", "dee@example.org"

T = TypeVar("T")

SETTINGS = """\
[newsletter]
name = "Letters from the Practice"
from = "Maya Thorne <maya@letters.example.org>"
postal_address = "12 Birch Lane, Portland, OR 97201"
timezone = "UTC"

[sequence]
every = "1 day"
at = "09:00"

[subscribers]
file = "subscribers.csv"

[delivery]
provider = "folder"

[provider.smtp]
host = "127.0.0.1"
port = 9
security = "none"
username = ""
timeout = "20 seconds"
"""


def each(addresses: Iterable[str], what: Iterable[T]) -> dict[str, list[T]]:
    """The same for each address."""
    return {address: [*what] for address in addresses}


@dataclass(frozen=True)
class Ran:
    """What became of a command."""

    words: tuple[str, ...]
    status: int
    out: str
    err: str
    raw: bytes = field(repr=False)  #: standard output, as it came

    @property
    def said(self) -> str:
        """Everything that the owner saw."""
        return self.out + self.err

    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


@dataclass
class Practice:
    """A project in *root*, and the instant at which its owner types."""

    root: Path
    shim: Path
    warm: Warm
    at: datetime = MONDAY
    environment: dict[str, str] = field(default_factory=dict)

    # Its files

    def settings(self, text: str = SETTINGS, **changes: str) -> None:
        """Write newsletter.toml: *text*, with the lines of these keys replaced; values are TOML."""
        for key, value in changes.items():
            text, found = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
            assert found, key
        (self.root / "newsletter.toml").write_text(text)

    def mail_through(self, server: MailServer, **changes: str) -> None:
        """Take *server* as the provider from now on."""
        text = (self.root / "newsletter.toml").read_text()
        self.settings(text, **{"provider": '"smtp"', "port": str(server.port), "security": '"none"'} | changes)

    def post(self, number: int, name: str, body: str = "Dear reader,\n\nBreathe.", **keys: str) -> Path:
        """Write a post; *name* is its title, unless *keys* of its front matter have another."""
        path = self.root / "posts" / f"{number:03d}-{name.lower().replace(' ', '-')}.md"
        path.parent.mkdir(exist_ok=True)
        front = {"title": name} | keys
        path.write_text("---\n" + "".join(f"{k}: {v}\n" for k, v in front.items()) + f"---\n\n{body}\n")
        return path

    def readers(self, *rows: str, header: str = "email,name,timezone") -> Path:
        """Write subscribers.csv."""
        path = self.root / "subscribers.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    # Its commands

    def run(
        self,
        *words: str,
        at: datetime | None = None,
        within: Iterable[str] = (),
        folder: Path | None = None,
        stdin: str = "",
    ) -> Ran:
        """Type ``newsletter *words*`` and wait; *within* is a command to run it in, *folder* where to stand."""
        if at is not None:
            self.at = at
        environment = self._environment()
        if not within and not any(name.startswith("PYTHON") for name in self.environment):
            return _looked_at(words, *self.warm.run(words, cwd=folder or self.root, env=environment))
        command = [*within, sys.executable, "-m", "newsletter", *words]
        done = subprocess.run(
            command, cwd=folder or self.root, env=environment, stdin=subprocess.DEVNULL, capture_output=True
        )
        return _looked_at(words, done.returncode, done.stdout, done.stderr)

    def ask(self, *words: str, folder: Path | None = None) -> Ran:
        """Type a question within this process, at the machine's own time: thirty times as quick, for tables."""
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with contextlib.chdir(folder or self.root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = answer(words)
        for stream in (out, err):
            stream.flush()
        return _looked_at(words, status, out.buffer.getvalue(), err.buffer.getvalue())  # type: ignore[attr-defined]

    def start(self, *words: str, at: datetime | None = None) -> subprocess.Popen[bytes]:
        """Type ``newsletter *words*`` and look elsewhere; `finish` waits for it."""
        if at is not None:
            self.at = at
        return subprocess.Popen(
            [sys.executable, "-m", "newsletter", *words], cwd=self.root, env=self._environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def finish(self, process: subprocess.Popen[bytes]) -> Ran:
        """Wait for what `start` started."""
        out, err = process.communicate()
        return _looked_at((), process.returncode, out, err)

    def tick_at(self, server: MailServer, *, days: float) -> None:
        """Make it five past nine, *days* after the first slot's day, here and on the *server*."""
        self.at = server.now = MONDAY.replace(hour=9, minute=5) + days * DAY

    def json(self, *words: str) -> Any:
        """The answer to a question that must be answered."""
        ran = self.run(*words, "--json")
        assert ran.status == 0, ran
        return ran.json()

    def accepted(self) -> dict[str, list[int]]:
        """From the ledger: each address with the numbers that it got, in order of time."""
        found: dict[str, list[tuple[str, int]]] = {}
        for post in self.json("report")["posts"]:
            for row in self.json("who-got", str(post["number"])):
                if row["state"] == "accepted":
                    found.setdefault(row["email"], []).append((row["at"], row["post"]))
        return {address: [number for _, number in sorted(rows)] for address, rows in found.items()}

    def tree(self) -> dict[str, bytes]:
        """Every file of the project with its bytes, to see whether a command changed anything."""
        return {str(p.relative_to(self.root)): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file()}

    def _environment(self) -> dict[str, str]:
        package = Path(__file__).parents[2]
        return os.environ | {"PYTHONPATH": str(package)} | clock.at(self.at, self.shim) | self.environment


def _looked_at(words: tuple[str, ...], status: int, out: bytes, err: bytes) -> Ran:
    ran = Ran(words, status, out.decode(), err.decode(), out)
    assert "Traceback" not in ran.said, ran.said
    assert "should not have happened" not in ran.said, ran.said
    return ran
