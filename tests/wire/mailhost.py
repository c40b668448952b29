"""A real Postfix in a folder of its own, on loopback, that throws away what it delivers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.org
mydestination =
alias_maps =
default_transport = discard
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


def installed() -> bool:
    """Only root may start it."""
    return os.geteuid() == 0 and shutil.which("postfix", path=_PATH) is not None


@contextmanager
def postfix(folder: Path, log: bytes = b"") -> Iterator[int]:
    """Its port; it writes to *folder*/log, which begins with *log*."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    for part in (folder, *folder.parents):  # its daemons are another user
        if part.stat().st_uid == os.geteuid() and len(part.parts) > 2:
            part.chmod(part.stat().st_mode | 0o011)
    for part in ("conf", "queue", "data"):
        (folder / part).mkdir()
    (folder / "conf" / "main.cf").write_text(_MAIN.format(folder=folder))
    (folder / "conf" / "master.cf").write_text(_MASTER.format(port=port))
    shutil.chown(folder / "data", "postfix")
    (folder / "log").write_bytes(log)
    command = [str(shutil.which("postfix", path=_PATH)), "-c", str(folder / "conf"), "start-fg"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield port
    finally:
        os.kill(int((folder / "queue" / "pid" / "master.pid").read_text()), 15)
        process.wait()
