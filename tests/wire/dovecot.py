"""A real Dovecot on loopback, with one user and a maildir that tests look into.

Dovecot does not run as root here: root hands the folder to the user `nobody`.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

PROGRAM = "/usr/sbin/dovecot"
USER, PASSWORD = "maya@example.org", 'se"cr\\et 1'
_READY = 200  # waits of 50 ms for the port

#: Everything a server of this kind says it can, but MOVE and UIDPLUS.
BARE = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE NAMESPACE LIST-EXTENDED LITERAL+"


@dataclass
class Dovecot:
    """A running server."""

    folder: Path
    port: int  #: plain, and STARTTLS
    tls_port: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def put(self, *mails: bytes, at: float | None = None) -> None:
        """Deliver *mails* into INBOX, as having arrived at *at*."""
        inbox = self.folder / "mail" / "new"
        for mail in mails:
            path = self.folder / "mail" / "tmp" / f"{1_700_000_000 + next(self._numbers)}.m.host"
            path.write_bytes(mail)
            _hand_over(path)
            if at is not None:
                os.utime(path, (at, at))
            path.rename(inbox / path.name)

    def lies_in(self, name: str = "") -> list[bytes]:
        """The mails of a folder, INBOX or e.g. ``.Newsletter.Handled``, oldest first."""
        maildir = self.folder / "mail" / name
        paths = [path for part in ("new", "cur") if (maildir / part).is_dir() for path in (maildir / part).iterdir()]
        return [path.read_bytes() for path in sorted(paths, key=lambda path: path.name)]

    def flags(self) -> str:
        """The flags of all mails in INBOX together (S: seen, T: deleted)."""
        names = [path.name for path in (self.folder / "mail" / "cur").iterdir()]
        return "".join(sorted({flag for name in names for flag in name.partition(":2,")[2]}))


@contextmanager
def running(certificate: Path, *, capabilities: str = "", separator: str = "/") -> Iterator[Dovecot]:
    """A server that shows *certificate* (PEM, with its key)."""
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    ports = _free_ports(2)
    try:
        for name in ("run", "state", "mail/new", "mail/cur", "mail/tmp"):
            (folder / name).mkdir(parents=True)
        shutil.copy(certificate, folder / "server.pem")
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
        (folder / "conf").write_text(_configuration(folder, ports, capabilities, separator))
        for path in [folder, *folder.rglob("*")]:
            _hand_over(path)
        become = {"user": "nobody", "group": _group(), "extra_groups": []} if os.getuid() == 0 else {}
        process = subprocess.Popen([PROGRAM, "-F", "-c", str(folder / "conf")], cwd=folder, **become)  # type: ignore[call-overload]
        try:
            _wait(ports[0], process, folder / "log")
            yield Dovecot(folder, *ports)
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configuration(folder: Path, ports: list[int], capabilities: str, separator: str) -> str:
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    group = _group() if os.getuid() == 0 else grp.getgrgid(os.getgid()).gr_name
    return f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.pem
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{folder}/mail
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
{f"imap_capability = {capabilities}" if capabilities else ""}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = home={folder}
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {ports[0]}
  }}
  inet_listener imaps {{
    port = {ports[1]}
  }}
}}
"""


def _group() -> str:
    return grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name


def _hand_over(path: Path) -> None:
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(_READY):
        with socket.socket() as s:
            s.settimeout(0.05)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(log.read_text() if log.exists() else "dovecot said nothing")
