"""Debian's Chromium, driven over its DevTools pipe: no package, no port, no network.

    found     the program, where there is one
    running   a tab of a new Chromium with a profile of its own
    camera    photographs pages that lie on the disk

Guarantees
    A page that is photographed reaches nobody: its own policy forbids it, and names resolve to nothing.

Diagnostics
    `BrowserGone` when Chromium ends before it has answered.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from newsletter.errors import NewsletterError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",  # it shows our own pages, and as root it would not start otherwise
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-pipe",
)
_HEIGHT = 900


class BrowserGone(NewsletterError):
    """Chromium ended, or never began."""


def found() -> Path | None:
    """Chromium's program."""
    return next((Path(path) for name in _NAMES if (path := shutil.which(name))), None)


def _at_home_in(folder: str) -> dict[str, str]:
    """Our environment, with *folder* as home: whatever Chromium keeps besides its profile goes with it."""
    return {k: v for k, v in os.environ.items() if not k.startswith("XDG_")} | {"HOME": folder}


class Tab:
    """One tab, by the DevTools protocol."""

    domains: tuple[str, ...] = ("Page",)

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._buffer, self._count, self._session = b"", 0, ""
        self._loaded = False
        #: DevTools event → what is done when it comes
        self.told: dict[str, Callable[[dict[str, Any]], None]] = {
            "Page.loadEventFired": lambda _: setattr(self, "_loaded", True)
        }
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in self.domains:
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise BrowserGone(f"Chromium refused {method}: {answer['error'].get('message', '')}")
                return dict(answer["result"])

    def open(self, url: str, *, width: int = 1280, height: int = _HEIGHT, scheme: str = "light") -> None:
        """Show *url*, and wait until it and its frames are there."""
        self._stretch(width, height)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._loaded = False
        self.call("Page.navigate", url=url)
        while not self._loaded:
            self._read()

    def _stretch(self, width: int, height: int) -> None:
        """Make the window so large."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """The *whole* page, or what its window shows, as a PNG."""
        if whole:  # what lies beyond the window comes out pushed aside where a page runs from right to left
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            self._stretch(size["width"], max(size["height"], _HEIGHT))
        shot = self.call("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(shot["data"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._answers, 65_536)
            if not more:
                raise BrowserGone("Chromium ended before it had shown the page")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        tell = self.told.get(message.get("method", ""))
        if tell:
            tell(message["params"])
        return message

    @classmethod
    @contextlib.contextmanager
    def running(cls, program: Path) -> Iterator[Self]:
        """A tab of a new Chromium with a profile of its own."""
        (their_in, ours_out), (ours_in, their_out) = os.pipe(), os.pipe()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            # The pipe's ends are descriptors 3 and 4 by definition.
            line = f'exec "$@" 3<&{their_in} 4>&{their_out}'
            process = subprocess.Popen(  # noqa: S603
                ["/bin/bash", "-c", line, "sh", program, *_FLAGS, f"--user-data-dir={profile}"],
                pass_fds=(their_in, their_out),
                env=_at_home_in(profile),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            os.close(their_in)
            os.close(their_out)
            try:
                yield cls(ours_out, ours_in)
            finally:
                os.close(ours_out)  # Chromium ends with its pipe
                process.wait()
                os.close(ours_in)


@contextlib.contextmanager
def camera(program: Path) -> Iterator[Callable[[Path, Path, int], None]]:
    """What photographs a page on the disk into a file, so many pixels wide and as high as it is."""
    with Tab.running(program) as tab:

        def photograph(page: Path, picture: Path, width: int) -> None:
            tab.open(page.resolve().as_uri(), width=width)
            tab.screenshot(picture)

        yield photograph
