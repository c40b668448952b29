"""Against a server that isn't ours: Postfix's smtp-sink."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsletter.config import Security, SmtpSettings
from newsletter.mail import Accepted, Message
from newsletter.providers.smtp import Smtp

SINK = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.fixture
def sink() -> Iterator[tuple[int, Path]]:
    """Its port, and the folder in which it leaves each transaction as a file."""
    if SINK is None:
        pytest.skip("smtp-sink (Postfix) is not installed")
    with tempfile.TemporaryDirectory() as name:  # not tmp_path: nobody may not look into that
        folder = Path(name)
        folder.chmod(0o777)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [SINK, *user, "-d", f"{folder}/%M.", f"127.0.0.1:{port}", "20"]
        process = subprocess.Popen(command)
        try:
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)
            assert process.poll() is None
            yield port, folder
        finally:
            process.terminate()
            process.wait()


def test_every_message_arrives_once_with_its_dots(sink: tuple[int, Path], message: Callable[..., Message]) -> None:
    port, folder = sink
    letters = [message(n, b"Subject: %d\r\n\r\n.a dot\r\n..two\r\n.\r\nend\r\n" % n) for n in range(50)]
    outcomes = list(Smtp(SmtpSettings(port=port, security=Security.NONE)).submit(letters))
    assert {type(outcome) for _, outcome in outcomes} == {Accepted} and len(outcomes) == 50
    dumps = [file.read_bytes() for file in folder.iterdir()]
    dumps = [dump for dump in dumps if b"X-Rcpt-Args" in dump]  # the probing connection left one without
    assert len(dumps) == 50
    assert {dump.split(b"Subject: ")[1].split()[0] for dump in dumps} == {b"%d" % n for n in range(50)}
    assert all(dump.rstrip(b"\n").endswith(b"\n\n.a dot\n..two\n.\nend") for dump in dumps)
    assert all(dump.count(b"X-Rcpt-Args:") == 1 for dump in dumps)
