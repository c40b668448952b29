"""`newsletter schedule`, which stays running, and `newsletter cron`, which prints what else can."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from typist import CHECKOUT, Typed

from newsletter.config import load
from newsletter.intake import fingerprint
from newsletter.mail import Address
from newsletter.scheduler import rings, run_daemon
from newsletter.store import Store
from newsletter.subscribers import Row

DAEMON = """
import os, sys
from datetime import timedelta
from pathlib import Path
from newsletter.cli.daemon import keep_running
from newsletter.config import load
sys.exit(keep_running(load(Path.cwd(), os.environ), every=timedelta(seconds=0.2)))
"""


class Running:
    """A daemon that looks five times a second; what it says is kept."""

    def __init__(self, root: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", DAEMON], cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.said: list[str] = []
        self._reader = Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.decode())

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for *condition*; the daemon must live meanwhile."""
        while not condition():
            assert self.process.poll() is None, self.said
            time.sleep(0.02)

    def until_said(self, words: str) -> None:
        self.until(lambda: any(words in line for line in self.said))

    def ended_by(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait()
        self._reader.join()
        assert not any("Traceback" in line for line in self.said), self.said
        return status


@contextmanager
def daemon(root: Path) -> Iterator[Running]:
    running = Running(root)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        running._reader.join()
        assert running.process.stdout is not None
        running.process.stdout.close()


def due_now(project: Path, readers: int) -> None:
    """Readers of two days' standing, whose slot began a minute ago."""
    slot = datetime.now(UTC) - timedelta(minutes=1)
    path = project / "newsletter.toml"
    settings = path.read_text().replace('days = ["tuesday"]', "").replace('at = "09:00"', f'at = "{slot:%H:%M}"')
    path.write_text(settings.replace('timezone = "America/Los_Angeles"', 'timezone = "UTC"'))
    store = Store.open(load(project, {}).store_url)
    rows = (Row(n, Address(f"reader{n}", "example.org")) for n in range(1, readers + 1))
    joined = datetime.now(UTC) - timedelta(days=2)
    store.audience.import_rows(rows, confirmed=True, floor=-1, fingerprint=fingerprint(bytes(32)), at=joined)
    store.close()


def arrived(project: Path) -> int:
    folder = project / "outbox" / "new"
    return len(list(folder.iterdir())) if folder.exists() else 0


class TestTheDaemon:
    @pytest.mark.parametrize(
        ("number", "status"),
        [pytest.param(signal.SIGTERM, 0, id="SIGTERM"), pytest.param(signal.SIGINT, 130, id="Ctrl-C")],
    )
    def test_sends_what_is_due_and_ends_when_told(self, number: int, status: int, project: Path, typed: Typed) -> None:
        due_now(project, 3)
        with daemon(project) as running:
            running.until(lambda: arrived(project) == 3)
            assert running.ended_by(number) == status
        assert any("3 messages to folder: 3 accepted." in line for line in running.said)
        assert typed("verify").status == 0

    def test_told_to_end_midway_it_leaves_no_doubt(self, project: Path, typed: Typed) -> None:
        due_now(project, 1_000)
        with daemon(project) as running:
            running.until(lambda: arrived(project) > 5)
            assert running.ended_by(signal.SIGTERM) == 0
        states = typed("status", "--json").json()["deliveries"]
        assert states["accepted"] == arrived(project) < 1_000  # not the whole run was awaited
        assert states["accepted"] + states["planned"] == 1_000
        assert typed("verify").status == 0
        assert typed("send").status == 0
        assert arrived(project) == 1_000

    def test_wakes_up_again_and_again(self, project: Path, typed: Typed) -> None:
        with daemon(project) as running:
            running.until(lambda: (project / "secret.key").exists())
            due_now(project, 2)
            running.until(lambda: arrived(project) == 2)
            running.ended_by(signal.SIGTERM)

    def test_keeps_the_last_good_settings(self, project: Path) -> None:
        path = project / "newsletter.toml"
        good = path.read_text()
        with daemon(project) as running:
            running.until(lambda: (project / "secret.key").exists())
            path.write_text(good.replace('days = ["tuesday"]', 'days = ["tusday"]'))
            running.until_said("Until that is mended, the settings from before are used.")
            assert any('did you mean "tuesday"?' in line for line in running.said)
            time.sleep(1)  # some five runs
            path.write_text(good)
            due_now(project, 1)
            running.until(lambda: arrived(project) == 1)
            running.ended_by(signal.SIGTERM)
        assert sum("tusday" in line for line in running.said) == 1  # said once, not five times a second

    def test_outlives_runs_that_fail(self, project: Path) -> None:
        with daemon(project) as running:
            running.until(lambda: (project / "secret.key").exists())
            (project / "posts").rename(project / "elsewhere")
            running.until_said("posts: there is no such folder")
            (project / "elsewhere").rename(project / "posts")
            due_now(project, 1)
            running.until(lambda: arrived(project) == 1)
            assert running.ended_by(signal.SIGTERM) == 0

    def test_lets_another_run_finish_first(self, project: Path) -> None:
        due_now(project, 1)
        with (project / ".newsletter.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with daemon(project) as running:
                running.until_said("another run is at work")
                assert arrived(project) == 0
                fcntl.flock(lock, fcntl.LOCK_UN)
                running.until(lambda: arrived(project) == 1)
                running.ended_by(signal.SIGTERM)

    def test_does_not_begin_with_broken_settings(self, project: Path, typed: Typed) -> None:
        (project / "newsletter.toml").write_text("[newsletter]\n")
        done = typed("schedule")
        assert (done.status, "newsletter.toml" in done.err) == (2, True)

    @pytest.mark.parametrize(
        ("minute", "now", "next_"),
        [
            pytest.param(0, "09:00:01", "09:15", id="quarters of the hour"),
            pytest.param(40, "09:00:00", "09:10", id="the minute of the settings, and quarters from it"),
            pytest.param(40, "09:39:59", "09:40", id="never before its minute"),
        ],
    )
    def test_keeps_to_the_minute_of_the_settings(self, minute: int, now: str, next_: str) -> None:
        at = datetime.fromisoformat(f"2026-03-29T{now}+00:00")
        assert rings(minute).get_next_fire_time(None, at) == datetime.fromisoformat(f"2026-03-29T{next_}:00+00:00")

    def test_goes_on_when_the_minute_changes(self) -> None:
        minutes = [0, 0, 20, 20, 0]
        woken: list[int] = []

        def wake() -> int:
            woken.append(minutes[len(woken)])
            return woken[-1]

        run_daemon(wake, stop=lambda: len(woken) == len(minutes), every=timedelta(seconds=0.05))
        assert woken == minutes


class TestCron:
    def line(self, typed: Typed) -> str:
        done = typed("cron", "--crontab")
        assert done.status == 0
        *comments, line = done.out.splitlines()
        assert all(comment.startswith("#") for comment in comments)
        return line

    @pytest.mark.parametrize("name", ["letters", "my letters", "50% off", 'it\'s "mine"', "$HOME `x` \\n", "ümläut"])
    def test_the_line_does_what_it_says_whatever_the_folder_is_called(
        self, name: str, project: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = project.rename(tmp_path / name)
        monkeypatch.chdir(root)
        when, _, command = self.line(typed).partition(" * * * * ")
        assert when == "0"
        # crontab(5): a bare % would end the command; cron takes the backslash away.
        assert not re.search(r"(?<!\\)%", command)
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT), "LC_ALL": "C"}
        done = subprocess.run(
            ["/bin/sh", "-c", command.replace("\\%", "%")], env=environment, cwd="/", capture_output=True
        )
        assert (done.returncode, done.stdout) == (0, b""), done.stderr
        assert (root / "newsletter.db").exists()

    @pytest.mark.parametrize(
        ("name", "written"),
        [
            pytest.param("letters", "{}/letters", id="plain"),
            pytest.param('50% "off" $HOME it\'s', '"{}/50%% \\"off\\" $$HOME it\'s"', id="signs that mean something"),
            pytest.param("back\\slash", '"{}/back\\\\slash"', id="a backslash"),
        ],
    )
    def test_the_units_are_taken_by_systemd(
        self, name: str, written: str, project: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if shutil.which("systemd-analyze") is None:
            pytest.skip("systemd-analyze is not installed")
        monkeypatch.chdir(project.rename(tmp_path / name))
        units = re.split(r"^# /etc/systemd/system/(\S+)$", typed("cron", "--systemd").out, flags=re.MULTILINE)[1:]
        paths = []
        for unit, text in zip(units[::2], units[1::2], strict=True):
            paths.append(tmp_path / unit)
            paths[-1].write_text(text)
        assert [p.name for p in paths] == ["newsletter.service", "newsletter.timer"]
        done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        assert f" --root {written.format(tmp_path)} send --quiet\n" in paths[0].read_text()
        for mistake in ("ExecStart=/no/such/program", "Typ=oneshot"):  # it does look
            paths[0].write_text(f"[Service]\n{mistake}\n")
            done = subprocess.run(["systemd-analyze", "verify", paths[0]], capture_output=True, text=True)
            assert done.stdout + done.stderr

    @pytest.mark.parametrize(
        ("at", "home", "zones", "machine", "minutes"),
        [
            pytest.param("09:00", "UTC", [], "UTC", "0", id="on the hour"),
            pytest.param("07:40", "Europe/Berlin", ["Asia/Tokyo"], "America/New_York", "40", id="the minute of at"),
            pytest.param("09:00", "UTC", ["Asia/Kolkata"], "UTC", "0,15,30,45", id="a reader half an hour off"),
            pytest.param("07:40", "UTC", ["Asia/Kathmandu"], "UTC", "10,25,40,55", id="a reader a quarter off"),
            pytest.param("09:00", "Asia/Kolkata", [], "UTC", "30", id="a newsletter half an hour off the machine"),
            pytest.param("09:00", "Asia/Kolkata", [], "Asia/Kolkata", "0", id="a newsletter and its machine in India"),
            pytest.param(
                "09:00", "UTC", ["Australia/Lord_Howe"], "UTC", "0,15,30,45", id="summer time of half an hour"
            ),
        ],
    )
    def test_the_minutes_are_those_at_which_somebody_is_due(
        self, at: str, home: str, zones: list[str], machine: str, minutes: str, project: Path, newsletter: Typed,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        path = project / "newsletter.toml"
        settings = path.read_text().replace('at = "09:00"', f'at = "{at}"')
        path.write_text(settings.replace('timezone = "America/Los_Angeles"', f'timezone = "{home}"'))
        rows = [f"reader{n}@example.org,{zone}" for n, zone in enumerate(zones)]
        (project / "subscribers.csv").write_text("\n".join(["email,timezone", *rows, ""]))
        monkeypatch.setenv("TZ", machine)
        done = newsletter("cron")
        assert re.search(r"(?m)^([\d,]+) \* \* \* \* ", done.out)[1] == minutes  # type: ignore[index]
        padded = ",".join(f"{int(m):02d}" for m in minutes.split(","))
        assert f"\nOnCalendar=*-*-* *:{padded}:00\n" in done.out
        assert ("Every 15 minutes" in done.err) == ("," in minutes)

    def test_nothing_is_written(self, project: Path, newsletter: Typed) -> None:
        before = sorted(project.rglob("*"))
        assert newsletter("cron").status == 0
        assert sorted(project.rglob("*")) == before

    def test_secrets_of_this_shell_are_named_but_never_shown(
        self, typed: Typed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NEWSLETTER_SMTP_PASSWORD", "correct horse")
        done = typed("cron")
        assert "neither cron nor systemd sees NEWSLETTER_SMTP_PASSWORD" in done.err
        assert "EnvironmentFile=" in done.out and "correct horse" not in done.said

    def test_an_installed_command_is_called_by_its_own_path(
        self, project: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = tmp_path / "bin" / "newsletter"
        installed.parent.mkdir()
        installed.write_text("#!/bin/sh\n")
        installed.chmod(0o755)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["bin/newsletter", "cron"])
        assert f" * * * * {installed} --root {project} send --quiet" in typed("--root", str(project), "cron").out
