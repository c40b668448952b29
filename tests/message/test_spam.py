"""22: SpamAssassin, without network, on every letter as a server receives it.

One process judges them all; it takes two seconds to start and a quarter for each letter.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from email import message_from_string
from pathlib import Path

import pytest
from emitted import NAMES, letter

PROGRAM = shutil.which("spamassassin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs SpamAssassin")

# What the reader's server writes on top. Its peer has a public address that nobody asks: those for documents count as
# forged, and a private one as a friend's, which would earn a point.
RECEIVED = b"""Return-Path: <maya@letters.example.org>\r
Received: from letters.example.org (letters.example.org [8.8.8.8])\r
\tby mx.example.net (Postfix) with ESMTPS id 4Xy1\r
\tfor <ana@example.org>; Tue, 3 Mar 2026 17:00:09 +0000 (UTC)\r
"""
RULES_MOST, SUM_MOST = 0.5, 1.0
Scores = dict[str, float]


def judged(messages: list[bytes], home: Path) -> list[Scores]:
    """What each rule gives each of *messages*, as SpamAssassin is when it is installed."""
    (home / "prefs").write_text("add_header all Judged _TESTSSCORES(,)_\nreport_safe 0\nuse_bayes 0\n")
    # They come out in another order than they go in.
    box = b"".join(
        b"From maya@letters.example.org Tue Mar  3 17:00:09 2026\nX-Number: %d\n%b\n"
        % (number, (RECEIVED + data).replace(b"\r\n", b"\n"))
        for number, data in enumerate(messages)
    )
    assert PROGRAM
    said = subprocess.run(
        [PROGRAM, "--local", "--mbox", f"--prefs-file={home / 'prefs'}"],
        input=box,
        env=os.environ | {"HOME": str(home)},
        capture_output=True,
        check=True,
    ).stdout.decode("ascii", "replace")
    found = {
        int(parsed["X-Number"]): re.findall(r"(\w+)=(-?[\d.]+)", parsed["X-Spam-Judged"])
        for one in said.split("\nX-Spam-Checker-Version")[1:]
        for parsed in [message_from_string(f"X-Spam-Checker-Version{one}")]
    }
    assert sorted(found) == [*range(len(messages))], said[-500:]
    return [{rule: float(points) for rule, points in found[n]} for n in sorted(found)]


def complaints(scores: Scores) -> Scores:
    """What is too much: rules above the limit, or all that add up to more than theirs. Credits make up for nothing."""
    bad = {rule: points for rule, points in scores.items() if points > 0}
    return bad if sum(bad.values()) > SUM_MOST else {r: p for r, p in bad.items() if p > RULES_MOST}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Scores]:
    """The scores of each letter by its name, and of those that were spoilt."""
    names = [*NAMES, *SPOILT]
    scores = judged([*(letter(name).data for name in NAMES), *SPOILT.values()], tmp_path_factory.mktemp("spam"))
    return dict(zip(names, scores, strict=True)).__getitem__


_GOOD = letter("001-the-first-hour").data
SPOILT = {
    "a greeting to nobody": _GOOD.replace(b"Hello", b"Dear Friend"),
    "letters in the colour of the paper": _GOOD.replace(b"color:#2b2b2b", b"color:#fefefe"),
    "no date": _GOOD.replace(b"\r\nDate: ", b"\r\nX-Date: "),
}


@pytest.mark.parametrize("name", NAMES)
def test_22_a_letter_is_no_spam(name: str, verdicts: Callable[[str], Scores]) -> None:
    assert "HTML_MESSAGE" in verdicts(name), "the rules were not run"
    assert complaints(verdicts(name)) == {}


@pytest.mark.parametrize("name", SPOILT)
def test_22_a_spoilt_letter_is_noticed(name: str, verdicts: Callable[[str], Scores]) -> None:
    assert complaints(verdicts(name)) != {}
