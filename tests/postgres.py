"""A real PostgreSQL for the tests: a cluster of its own in a temporary folder, reachable by a socket in it alone, or at an
address as well.

Servers refuse to run as root, so root hands the folder to the user `postgres`, whom the packages create.
Nothing is synced: a test's database need not survive a power cut. One that is to survive the end of its server asks
for `durable`: then an answered commit is in the kernel's hands.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

USER = "postgres"
_FAST = "-c fsync=off -c full_page_writes=off -c max_connections=40 -c shared_buffers=16MB"


class NotInstalled(Exception):
    """PostgreSQL, or the user it runs as, is not on this machine."""


@dataclass(frozen=True)
class Server:
    """A running cluster; databases are made and dropped in it."""

    folder: Path
    _numbers: Iterator[int]
    _options: str = ""

    def url(self, database: str) -> str:
        """The URL of *database*, for `Store.open`."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    @contextmanager
    def database(self, *, template: str = "template0") -> Iterator[str]:
        """The name of a new database, a copy of *template*; dropped at the end."""
        name = f"test_{next(self._numbers)}"
        self.create(name, template=template)
        try:
            yield name
        finally:
            self.drop(name)

    def create(self, name: str, *, template: str = "template0") -> None:
        """A new database, a copy of *template*."""
        self._say(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))

    def drop(self, name: str) -> None:
        """Whoever still uses it."""
        self._say(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._control("-l", str(self.folder / "log"), "-o", self._options, "-w", "start")

    def halt(self) -> None:
        """End it at once, as a crash of the server does: the next start recovers from its log."""
        self._control("-m", "immediate", "-w", "stop")

    def _control(self, *words: str) -> None:
        run([_program("pg_ctl"), "-D", str(self.folder / "data"), *words], self.folder, _account())

    def _say(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(USER), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running(*, durable: bool = False, address: str = "") -> Iterator[Server]:
    """A server of one's own; at *address* everybody may come in who reaches it. Raises `NotInstalled`."""
    initdb, account = _program("initdb"), _account()
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has at most 107 characters
    try:
        if account:
            shutil.chown(folder, USER)
        run(
            [initdb, "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
            folder,
            account,
        )
        if address:
            with (folder / "data" / "pg_hba.conf").open("a") as file:
                file.write("host all all samenet trust\n")
        commit = "on" if durable else "off"
        options = (
            f"-c listen_addresses={address} -c unix_socket_directories={folder} -c synchronous_commit={commit} {_FAST}"
        )
        server = Server(folder, count(1), options)
        server.start()
        try:
            yield server
        finally:
            server.halt()
    finally:
        shutil.rmtree(folder)


def run(command: list[str], folder: Path, account: dict[str, Any]) -> None:
    """Run *command* in *folder*; what it said comes with the error."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    with tempfile.TemporaryFile() as said:  # a pipe would stay open in the server
        done = subprocess.run(command, cwd=folder, env=environment, stdout=said, stderr=said, check=False, **account)
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{command[0]} failed: {said.read().decode(errors='replace')}")


def require() -> None:
    """Raise `NotInstalled` unless a server can be run here."""
    _program("initdb")
    _account()


def _program(name: str) -> str:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    for folder in (None, *folders):
        found = shutil.which(name, path=str(folder) if folder else None)
        if found:
            return str(Path(found).resolve())  # it looks for its sister programs beside itself
    raise NotInstalled(name)


def _account() -> dict[str, Any]:
    """As whom the programs run, as arguments of `subprocess.run`."""
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise NotInstalled(f"the user {USER}") from None
    return {"user": USER, "group": USER, "extra_groups": []}
