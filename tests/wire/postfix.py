"""A real Postfix in a folder of its own: it listens on loopback, and throws away what it takes.

The log in its folder has a line for each message and recipient. Ended by its process id.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
DAEMONS = Path("/usr/lib/postfix/sbin")

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
shlib_directory = /usr/lib/postfix
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.org
mydestination =
alias_maps =
relay_domains = example.org
relay_transport = discard
default_transport = discard
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
{settings}
"""
_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """One that runs."""

    port: int
    folder: Path

    def taken(self, at_least: int) -> list[str]:
        """The recipients of what it took, once there are *at_least* so many."""
        found: list[str] = []
        for _ in range(600):
            text = (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""
            found = [line.split("to=<")[1].split(">")[0] for line in text.splitlines() if "status=sent" in line]
            if len(found) >= at_least:
                break
            time.sleep(0.05)
        return found


def missing() -> str:
    """Why there can be none here, or nothing."""
    if PROGRAM is None or not (DAEMONS / "master").exists():
        return "Postfix is not installed"
    return "" if os.geteuid() == 0 else "only root may start Postfix"


@contextmanager
def postfix(settings: str = "") -> Iterator[Postfix]:
    """Started, with further *settings* of main.cf."""
    with tempfile.TemporaryDirectory(prefix="postfix") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("conf", "queue", "data"):
            (folder / part).mkdir()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        main = _MAIN.format(folder=folder, daemons=DAEMONS, settings=settings)
        (folder / "conf" / "main.cf").write_text(main)
        (folder / "conf" / "master.cf").write_text(_SERVICES.format(port=port))
        shutil.chown(folder / "data", "postfix")
        process = subprocess.Popen([str(PROGRAM), "-c", str(folder / "conf"), "start-fg"])
        try:
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            assert process.poll() is None
            yield Postfix(port, folder)
        finally:
            master = folder / "queue" / "pid" / "master.pid"
            if master.exists():
                os.kill(int(master.read_text()), signal.SIGTERM)
            process.wait()
