"""Remedies: front matter that YAML refuses or would misread, in plain words, with the line to type instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from newsletter.mail import shown


def quoted(text: str) -> str:
    """*text*, which is one line, as a YAML scalar in quotes, in the simplest form that holds it."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def clipped(text: str) -> str:
    """*text*, at most 60 characters of it."""
    return text if len(text) <= 60 else f"{text[:59]}…"


def in_quotes(key: str, value: str) -> str:
    """The advice to quote *value*, with the line to type when it is short."""
    return "put the whole value in quotes" + (f": {key}: {quoted(value)}" if 0 < len(value) <= 100 else "")


def explained(error: yaml.YAMLError, lines: Sequence[str]) -> tuple[str, int]:
    """What is wrong with front matter that YAML can't read, in plain words, and the line (from 1)."""
    marks = [getattr(error, "context_mark", None), getattr(error, "problem_mark", None)]
    if "block mapping" in (getattr(error, "context", None) or ""):  # its context is the front matter as a whole
        del marks[0]
    places = [min(mark.line, len(lines) - 1) for mark in marks if mark]
    for place in places:
        if problem := cause(lines[place]):
            return problem, place + 1
    words = getattr(error, "problem", None) or "it is not front matter"
    advice = 'write each line as key: value, and put a value with special characters in quotes, as in title: "Q&A: 1"'
    return f"this line can't be understood ({words}); {advice}", (places or [1])[-1] + 1


def cause(line: str) -> str:
    """Why YAML stumbles over *line*, or "" when the line looks innocent."""
    if line.strip() in {"", "---"}:
        return ""
    if line.startswith((" ", "\t")):
        return "this line begins with a space or tab; let every key begin at the start of its line"
    match = re.fullmatch(r"([A-Za-z_][\w -]*?) *:(?:\s+(.*))?", line)
    if not match:
        return no_key(line)
    key, value = match[1], (match[2] or "").strip()
    if value.startswith(('"', "'")):
        inner = value[1:].removesuffix(value[0])
        return f"the quotes around this value don't match; {in_quotes(key, inner)}"
    if re.match(r"[@`%&*!|>{}\[\],?#-]", value):
        return f"a value that begins with {value[0]} means something else in front matter; {in_quotes(key, value)}"
    if ": " in value or value.endswith(":"):
        return f"a colon inside a value means something else in front matter; {in_quotes(key, value)}"
    return ""


def no_key(line: str) -> str:
    """That *line* is prose where a key should be."""
    advice = "if the post's text begins here, the closing --- is missing above it"
    return f"{shown(line, limit=40)} is not of the form key: value; {advice}"
