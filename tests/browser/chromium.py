"""A tab for tests: the one that `newsletter.preview` photographs with, and what a test asks of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from newsletter.preview.chromium import Tab, found

BINARY = found()
needs_chromium = pytest.mark.skipif(BINARY is None, reason="needs Chromium")

_PAUSE = 0.01  # seconds between two looks
_LOOKS = 3_000


class Page(Tab):
    """One tab. Everything that it asks for over the network, and every error it reports, is kept."""

    domains = ("Page", "Network", "Log", "Runtime", "Accessibility")

    def __init__(self, commands: int, answers: int) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        super().__init__(commands, answers)
        self.told["Network.requestWillBeSent"] = lambda p: self.requests.append(p["request"]["url"])
        self.told["Log.entryAdded"] = lambda p: self._note(p["entry"])
        self.told["Runtime.exceptionThrown"] = lambda p: self.errors.append(p["exceptionDetails"]["text"])

    def _note(self, entry: dict[str, Any]) -> None:
        # A browser asks for its icon by itself, and may have had its answer before we hear that it asked.
        if not entry.get("url", "").endswith("/favicon.ico"):
            self.errors.append(entry["text"])

    def open(self, url: str | Path, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Show a file or an address, and wait until it and its frames are there."""
        super().open(url.as_uri() if isinstance(url, Path) else url, width=width, height=height, scheme=scheme)

    def ask(self, expression: str) -> Any:
        """The value of *expression* in the page, waited for when it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """The first value of *expression* that is true."""
        for _ in range(_LOOKS):
            if value := self.ask(expression):
                return value
            time.sleep(_PAUSE)
        raise AssertionError(f"never came true: {expression}")

    def names(self, role: str) -> list[str]:
        """The accessible names of everything with *role*, as a screen reader hears them."""
        tree = self.call("Accessibility.getFullAXTree")["nodes"]
        found = (n for n in tree if not n["ignored"] and n["role"]["value"] == role)
        return [n.get("name", {}).get("value", "") for n in found]

    def press(self, key: str) -> None:
        """One key, by its name or letter."""
        code = {"Tab": 9, "Enter": 13}.get(key, ord(key[0].upper()))
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    @contextlib.contextmanager
    def without_script(self) -> Iterator[None]:
        """As in a browser whose owner has switched scripts off; pages opened meanwhile heed it."""
        self.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            yield
        finally:
            self.call("Emulation.setScriptExecutionDisabled", value=False)

    def violations(self, *impacts: str) -> list[str]:
        """What axe-core finds against the page: each rule (of these *impacts*, if any) and the first that breaks it."""
        self.ask(files("axe_core_python").joinpath("axe.min.js").read_text() + "; true")
        found = self.ask(
            "axe.run(document, {iframes: false}).then(r => r.violations.map(v => [v.id, v.nodes[0].html, v.impact]))"
        )
        return [f"{rule}: {html[:200]}" for rule, html, impact in found if not impacts or impact in impacts]


def running() -> contextlib.AbstractContextManager[Page]:
    """A tab of a new Chromium with a profile of its own."""
    assert BINARY is not None
    return Page.running(BINARY)
