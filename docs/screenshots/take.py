"""The pictures in this folder, taken anew: the live preview, two letters as `preview --output` photographs them, the
public pages of `serve`, and letters on the web.

make screenshots
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from newsletter.cli.project import Project
from newsletter.cli.start import make_project
from newsletter.links import Links, Purpose
from newsletter.preview.chromium import Tab, found

HERE = Path(__file__).parent
READER = "ana.lucero@example.org"
#: name → address, width and height of the window, colours of the screen
PAGES = {
    "preview.png": (f"/4?as={READER}", 1440, 1060, "light"),
    "preview-dark.png": (f"/3?show=dark&as={READER}", 1440, 1060, "dark"),
    "preview-phone.png": (f"/4?as={READER}", 375, 900, "light"),
    "preview-file.png": ("/7?show=markdown", 1440, 1060, "light"),
}
#: name → whose link is opened, and the window as above; a page is shown whole
PUBLIC = {
    "serve-subscribe.png": (None, 1000, 720, "light"),
    "serve-leave.png": (Purpose.UNSUBSCRIBE, 375, 720, "dark"),
    "serve-own.png": (Purpose.PREFERENCES, 375, 720, "light"),
}
#: name → path of a page of letters, and the window as above
ON_THE_WEB = {
    "archive-letter.png": ("/p/the-space-between", 1000, 1240, "light"),
    "archive-index.png": ("/archive", 375, 1240, "dark"),
}
LETTERS = (3, 4)
UNFINISHED = """\
---
title: On beginning again
preheader: Why the second first session is often the better one
subjct: Beginning again
---

Dear readers, TK the opening.

People who come back often apologise. They need not: read [here](http://example.org/again) why.
"""


def main() -> None:
    """Take them all."""
    program = found()
    if program is None:
        sys.exit("needs Chromium")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "letters")
        make_project(root)
        shutil.copyfile(root / "subscribers.example.csv", root / "subscribers.csv")
        for number in LETTERS:
            _run(root, "preview", str(number), "--no-open", "--output", str(root / "out"))
            for name in ("desktop", "phone", "dark"):
                _keep(root / "out" / f"{name}.png", HERE / f"letter-{number}-{name}.png")
        (root / "posts/007-on-beginning-again.md").write_text(UNFINISHED)
        _live(root, program)
        _public(root, program)


def _live(root: Path, program: Path) -> None:
    command = [sys.executable, "-m", "newsletter", "preview", "4", "--serve", "--no-open"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    site = re.findall(r"http://[^/]+", server.stdout.readline())[0]
    try:
        with Tab.running(program) as tab:
            for name, (address, width, height, scheme) in PAGES.items():
                tab.open(site + address, width=width, height=height, scheme=scheme)
                time.sleep(0.5)  # the stream of events has said its first word
                tab.screenshot(root / name, whole=False)
                _keep(root / name, HERE / name)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _public(root: Path, program: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = root / "newsletter.toml"
    settings.write_text(
        re.sub(r'(?m)^url = "https.*$', f'url = "http://127.0.0.1:{port}"', settings.read_text(), count=1)
    )
    _run(root, "subscribers", "add", READER)
    _run(root, "send")
    with contextlib.closing(Project.at(root)) as project:
        identity = project.config.identity
        token = project.store.audience.find(READER).token
        links = Links(project.secret, identity.url, identity.list_id)
    command = [sys.executable, "-m", "newsletter", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        _answers(port)
        with Tab.running(program) as tab:
            for name, (purpose, width, height, scheme) in PUBLIC.items():
                url = links.address(purpose, token) if purpose else f"{identity.url}/"
                tab.open(url, width=width, height=height, scheme=scheme)
                tab.screenshot(root / name, whole=True)
                _keep(root / name, HERE / name)
            for name, (path, width, height, scheme) in ON_THE_WEB.items():
                tab.open(identity.url + path, width=width, height=height, scheme=scheme)
                tab.screenshot(root / name, whole=False)
                _keep(root / name, HERE / name)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _answers(port: int) -> None:
    """Wait until somebody does at *port*."""
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    sys.exit("`newsletter serve` does not answer")


def _keep(picture: Path, place: Path) -> None:
    """In 200 colours, which nobody tells from all of them, at a quarter of the size."""
    with Image.open(picture) as whole:
        whole.convert("RGB").quantize(200).save(place, optimize=True)


def _run(root: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "newsletter", *words], cwd=root, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
