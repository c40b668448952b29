"""A project in a temporary folder, and two ways to type a command there: as a process of its own, or quickly."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import clock
import pytest
from mailserver import MailServer
from practice import Practice
from typist import CHECKOUT, Answer, Typed, looked_at
from warm import Warm

from newsletter.cli import answer
from newsletter.cli.start import make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `newsletter init` makes."""
    root = tmp_path / "letters"
    make_project(root)
    return root


@pytest.fixture
def newsletter(project: Path) -> Typed:
    """Type ``newsletter …`` in the project, as a real process."""

    def type_(*words: str, stdin: bytes = b"", cwd: Path = project, path: Path = CHECKOUT) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", *words],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(path), "PYTHONIOENCODING": "utf-8"},
            input=stdin,
            capture_output=True,
        )
        return looked_at(Answer(done.returncode, done.stdout.decode(), done.stderr.decode()))

    return type_


@pytest.fixture
def typed(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type ``newsletter …`` in the project, within this process: for long tables."""
    monkeypatch.chdir(project)

    def type_(*words: str, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        status = answer([str(word) for word in words])
        printed = capsys.readouterr()
        return looked_at(Answer(status, printed.out, printed.err))

    return type_


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What moves a process's clock; see clock.c."""
    return clock.compiled(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory, shim: Path) -> Iterator[Warm]:
    """What types commands quickly, with a clock that can be moved; see warm.py."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "LD_PRELOAD": str(shim)}
    with Warm(tmp_path_factory.mktemp("warm"), environment) as running:
        yield running


@pytest.fixture
def practice(tmp_path: Path, shim: Path, warm: Warm) -> Practice:
    """A project with three short posts and three readers, an hour before its first slot."""
    (tmp_path / "practice").mkdir()
    made = Practice(tmp_path / "practice", shim, warm)
    made.settings()
    made.readers("ana@example.org,Ana,UTC", "bo@example.org,Bo,UTC", "cy@example.org,Cy,UTC")
    for number, title in enumerate(("The first hour", "Worries", "The space between"), 1):
        made.post(number, title)
    return made


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server on loopback."""
    with MailServer().running() as server:
        yield server


@pytest.fixture
def live(practice: Practice, mail: MailServer) -> Practice:
    """`practice`, live through `mail`, five minutes after the first slot: three messages are due."""
    practice.mail_through(mail)
    assert practice.run("go-live", "--yes").status == 0
    practice.tick_at(mail, days=0)
    return practice


@pytest.fixture
def readonly() -> tuple[str, ...]:
    """What a command must be run within, so that a file's permissions hold for it, for root as well."""
    if os.geteuid() != 0:
        return ()
    within = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if shutil.which("setpriv") is None or subprocess.run([*within, "true"], capture_output=True).returncode:
        pytest.skip("root can write everything here, and setpriv can't take that right away")
    return within
