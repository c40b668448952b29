"""`newsletter demo`: six weeks in a scratch folder, told truthfully."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typist import CHECKOUT, Typed

from newsletter import demo
from newsletter.cli.start import make_project

ZONES = {
    "ana.lucero": "America/Los_Angeles",
    "jonas": "Europe/Berlin",
    "priya.nair": "Asia/Kolkata",
    "yoko.tanaka": "Asia/Tokyo",
    "okafor": "America/New_York",
    "zoe+letters": "Europe/Berlin",
    "bluejay": "America/Los_Angeles",
    "sam.begay": "America/Los_Angeles",
    "elif.demir": "Europe/Istanbul",
}
LATE, LEFT, BROUGHT = "elif.demir", "sam.begay", "okafor"


@dataclass(frozen=True)
class Shown:
    """One demo, run once for every test here, from within a project that it must not touch."""

    folder: Path
    out: str
    around_before: dict[Path, bytes]
    around_after: dict[Path, bytes]

    def got(self) -> dict[str, list[tuple[int, datetime]]]:
        """From the messages themselves: (post, local time) of each reader, in order of time."""
        found: dict[str, list[tuple[int, datetime]]] = {name: [] for name in ZONES}
        for path in (self.folder / "outbox" / "new").iterdir():
            parsed: Any = message_from_bytes(path.read_bytes(), policy=policy.default)
            name = parsed["To"].addresses[0].username
            text = parsed.get_body(("plain",)).get_content()
            number = int(re.match(r"Letters from the Practice · No\. (\d+)\s", text)[1])
            found[name].append((number, parsed["Date"].datetime.astimezone(ZoneInfo(ZONES[name]))))
        return {name: sorted(letters, key=lambda x: x[1]) for name, letters in found.items()}


def files(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    around = tmp_path_factory.mktemp("around")
    make_project(around)
    before = files(around)
    environment = os.environ | {
        "PYTHONPATH": str(CHECKOUT),
        "HOME": str(around),
        "XDG_STATE_HOME": str(around / "state"),
        "NEWSLETTER_STORE_URL": f"sqlite:///{around}/real.db",  # of a real newsletter: not the demo's business
    }
    folder = tmp_path_factory.mktemp("demo") / "a scratch"
    words = [sys.executable, "-m", "newsletter", "demo", str(folder), "--no-open"]
    done = subprocess.run(words, cwd=around, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Shown(folder, done.stdout, before, files(around))


def test_every_reader_gets_every_post_in_order_once(shown: Shown) -> None:
    got = {name: [number for number, _ in letters] for name, letters in shown.got().items()}
    assert got.pop(LATE) == [1, 2, 3, 4]
    assert got.pop(LEFT) == [1, 2, 3, 4]
    assert got.pop(BROUGHT) == [3, 4, 5, 6]
    assert got == {name: [1, 2, 3, 4, 5, 6] for name in got} and len(got) == 6


def test_every_letter_comes_on_a_tuesday_at_the_readers_own_hour(shown: Shown) -> None:
    for name, letters in shown.got().items():
        # An hourly run meets nine o'clock in Kolkata half an hour late.
        hour = "09:30" if name == "priya.nair" else "09:00"
        assert {f"{at:%a %H:%M}" for _, at in letters} == {f"Tue {hour}"}
        days = [at.date() for _, at in letters]
        assert {(b - a).days for a, b in pairwise(days)} == {7}


def test_says_so_in_a_calendar_that_fits_a_terminal(shown: Shown) -> None:
    table = shown.out.split("\n\n")[1].splitlines()
    assert max(len(line) for line in shown.out.splitlines() if str(shown.folder) not in line) <= 80
    assert re.fullmatch(r"Ana Lucero +#1 09:00  #2 09:00  #3 09:00  #4 09:00  #5 09:00  #6 09:00", table[1])
    assert re.fullmatch(r"Elif Demir +#1 09:00  #2 09:00  #3 09:00  #4 09:00", table[-1])
    assert "48 messages; every reader 1, 2, 3 … in order, once; the accounts balance." in shown.out
    assert "Sam Begay unsubscribed on 26 March" in shown.out
    for path in ("outbox/new", "index.html"):
        assert str(shown.folder / path) in shown.out


def test_leaves_a_project_that_answers_questions(shown: Shown, typed: Typed) -> None:
    root = f"--root={shown.folder}"
    assert typed(root, "verify", "--json").json() == {
        "balanced": True,
        "problems": [],
        "deliveries": 48,
        "accepted": 48,
    }
    assert len(typed(root, "who-got", "4", "--json").json()) == 9
    assert typed(root, "history", f"{LEFT}@example.org", "--json").json()["status"] == "unsubscribed"
    assert f"{LEFT}@example.org" in (shown.folder / "subscribers.csv").read_text()


def test_the_page_leads_to_every_letter(shown: Shown) -> None:
    page = (shown.folder / "index.html").read_text()
    links = re.findall(r'href="(letters/[^"]+)"', page)
    assert len(set(links)) == len(links) == 48
    for link in links:
        letter = (shown.folder / link).read_text()
        assert "cid:" not in letter and "Hello" in letter
    assert page.count("Hello") == 0 and page.count('scope="row"') == 9


def test_touches_no_project_around_it(shown: Shown) -> None:
    assert shown.around_after == shown.around_before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [pytest.param("full", "is not empty", id="a folder in use"), pytest.param("file", "can't be used", id="a file")],
)
def test_takes_nobodys_folder(name: str, sentence: str, tmp_path: Path, typed: Typed) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    done = typed("demo", str(tmp_path / name))
    assert (done.status, sentence in done.err) == (2, True)
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_facts_as_json(tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "RUNS", 48)  # two days have one letter for everybody
    found = typed("demo", str(tmp_path / "d"), "--json").json()
    assert (found["balanced"], found["messages"], len(found["readers"])) == (True, 8, 8)
    assert found["readers"][3]["email"] == "yoko.tanaka@example.org"
    assert found["readers"][3]["got"][0]["at"] == "2026-03-03T00:00:00Z"
    assert Path(found["readers"][3]["got"][0]["message"]).is_file()


def test_interrupted_it_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "newsletter", "demo", "--json"]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    process.stderr.readline()  # it has begun
    while not list(tmp_path.glob("*/newsletter.db")):
        assert process.poll() is None
        time.sleep(0.02)
    # A KeyboardInterrupt that arrives within somebody's finalizer is lost; then one presses again.
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            out, err = process.communicate(timeout=5)
            break
    assert (process.returncode, out, err.strip()) == (130, b"", b"newsletter: interrupted.")
    assert list(tmp_path.iterdir()) == []
