"""Real reports, each family of mail systems judged without the words that only it uses.

    python bench/families.py

Rules that were made by looking at examples are no proof that they hold elsewhere. So for every family each alternative
of each table is taken out that matches in no other family's mails, as though nobody had ever seen this family; what is
left judges it. That is harsher than the truth: "insufficient storage" goes too where only one family says it. What is
read by structure (fields, transcripts, where an address stands) stays. The mails are in ../shared/data/bounces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from newsletter import wording
from newsletter.reports import Kind, mails, phrases, read, status
from newsletter.reports.opened import Opened

HERE = Path(__file__).parent
PLACES = [HERE.parent / up / "shared" / "data" / "bounces" for up in ("..", "../..")]
REPORTS = (Kind.BOUNCE, Kind.DELAYED, Kind.DELIVERED, Kind.COMPLAINT)
TABLES = [(phrases, name) for name in ("DAEMON", "FAILURE", "DELAY", "GAVE_UP", "AWAY", "CHALLENGE")]
TABLES += [(status, "_PHASE"), (wording, "_NO_ACCOUNT")]


def split(pattern: str) -> list[tuple[int, str]]:
    """The alternatives of *pattern* that stand in no group, and where each begins."""
    found, depth, begun, at, listed = [], 0, 0, 0, False
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\":
            at += 1
        elif listed or sign == "[":
            listed = sign != "]"
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "|" and not depth:
            found.append((begun, pattern[begun:at]))
            begun = at + 1
        at += 1
    return [*found, (begun, pattern[begun:])]


def alternatives(pattern: str) -> Iterator[str]:
    """Every alternative of *pattern*, that of its longest group too."""
    for _, whole in split(pattern):
        groups = [found for found in re.finditer(r"\(\?:((?:[^()\\]|\\.){1,900})\)(?![?*{])", whole) if "|" in found[1]]
        longest = max(groups, key=lambda found: len(found[1]), default=None)
        outer = whole.count("(", 0, longest.start()) - whole.count(")", 0, longest.start()) if longest else 1
        if longest is None or outer:
            yield whole
            continue
        for _, part in split(longest[1]):
            yield f"{whole[: longest.start()]}(?:{part}){whole[longest.end() :]}"


def score(folder: Path, key: dict[str, list[dict[str, object]]], names: list[str]) -> list[int]:
    """Recipients, those found, right removals, wrong ones, missed ones."""
    counts = [0] * 5
    for name in names:
        octets = (folder / f"{name}.eml").read_bytes()
        told = [one for mail in mails(octets) for one in read(mail) if one.recipient and one.kind in REPORTS]
        for at in range(max(len(told), len(key[name]))):
            removed = at < len(told) and told[at].suppress
            hard = at < len(key[name]) and bool(key[name][at]["hard"])
            here = at < len(key[name])
            right = (here, here and at < len(told), removed and hard, removed and not hard, hard and not removed)
            counts = [count + one for count, one in zip(counts, right, strict=True)]
    return counts


def line(what: str, counts: list[int]) -> None:
    recipients, found, right, wrong, missed = counts
    shares = (found / recipients, right / (right + wrong), right / (right + missed))
    print(f"| {what} | {recipients} | {' | '.join(f'{share:.1%}' for share in shares)} |")


def main() -> None:
    folder = next((place for place in PLACES if (place / "key.json").is_file()), None)
    if folder is None:
        raise SystemExit("../shared/data/bounces is not here")
    key = json.loads((folder / "key.json").read_text())
    texts: dict[str, str] = {}  # of each family
    for name in key:
        opened = Opened.of((folder / f"{name}.eml").read_bytes())
        said = [opened.subject, opened.mail.words("from"), opened.words, *(group.reply.text for group in opened.groups)]
        texts[name.rpartition("-")[0]] = "\n".join([texts.get(name.rpartition("-")[0], ""), *said])
    kept = {(module, name): getattr(module, name) for module, name in TABLES}
    words = wording._WORDS
    users: dict[str, set[str]] = {}

    def without(family: str, pattern: re.Pattern[str]) -> re.Pattern[str]:
        left = []
        for one in alternatives(pattern.pattern):
            if one not in users:
                search = re.compile(one, re.IGNORECASE).search
                users[one] = {other for other, text in texts.items() if search(text)}
            if users[one] != {family}:
                left.append(one)
        return re.compile("|".join(left) or "(?!)", re.IGNORECASE)

    print("| judged | recipients | found | removals right | removals found |\n|---|---:|---:|---:|---:|")
    line("with all rules", score(folder, key, list(key)))
    total = [0] * 5
    for family in sorted(texts):
        wording._WORDS = tuple((said, without(family, pattern)) for said, pattern in words)
        for (module, name), pattern in kept.items():
            setattr(module, name, without(family, pattern))
        own = [name for name in key if name.rpartition("-")[0] == family]
        total = [count + one for count, one in zip(total, score(folder, key, own), strict=True)]
    line(f"each of {len(texts)} families without its own words", total)


if __name__ == "__main__":
    main()
