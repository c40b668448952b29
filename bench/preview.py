"""How long a saved change takes until the live preview shows it, in Chromium.

    .venv/bin/python bench/preview.py

A 900-word post is saved again and again, each time with another word in it. The time runs from the moment at which the
file is written until both frames of the page hold the word; every ten milliseconds the page is asked for it.
"""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from newsletter.cli.start import make_project
from newsletter.preview.chromium import Tab, found

ROUNDS = 20
SENTENCE = "The space between two letters is where most of the listening happens, and it is rarely silent. "
_SHOWN = """
[...document.querySelectorAll("iframe")].filter(f => f.contentDocument.body?.textContent.includes("{}")).length
"""


def main() -> None:
    """Measure and print."""
    program = found()
    if program is None:
        sys.exit("needs Chromium")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root)
        post = root / "posts/007-long.md"
        body = "---\ntitle: Nine hundred words\n---\n\n" + "\n\n".join([SENTENCE * 5] * 11)
        post.write_text(body)
        server = subprocess.Popen(
            [sys.executable, "-m", "newsletter", "preview", "7", "--serve", "--no-open"],
            cwd=root, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert server.stdout is not None
        url = re.findall(r"http://\S+", server.stdout.readline())[0]
        try:
            with Tab.running(program) as tab:
                tab.open(url)
                time.sleep(1)  # the stream is open
                taken = [_once(tab, post, body, f"word{n}") for n in range(ROUNDS)]
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate()
    print(f"{len(body.split())} words, {ROUNDS} saves: median {statistics.median(taken) * 1_000:.0f} ms,"
          f" slowest {max(taken) * 1_000:.0f} ms, quickest {min(taken) * 1_000:.0f} ms")  # fmt: skip


def _once(tab: Tab, post: Path, body: str, word: str) -> float:
    began = time.perf_counter()
    post.write_text(f"{body}\n\n{word}\n")
    while tab.call("Runtime.evaluate", expression=_SHOWN.format(word), returnByValue=True)["result"].get("value") != 2:
        time.sleep(0.01)
    shown = time.perf_counter() - began
    time.sleep(0.3)
    return shown


if __name__ == "__main__":
    main()
