"""The sheet: one file while it is being read, its keys turned into values, everything wrong with it noted.

A key whose value can't be taken becomes a fault with its line and remedy, and reads as if it were absent, so that one
reading finds all that is wrong with a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.mail import shown
from newsletter.posts.dates import instant
from newsletter.posts.fields import Field
from newsletter.posts.names import named, slug
from newsletter.posts.post import Fault, Post, PostStatus
from newsletter.posts.remedies import cause, clipped, in_quotes, no_key

KEYS = frozenset(
    {"title", "subject", "preheader", "publish_at", "date", "status", "tags", "language", "image", "image_alt"}
    | {"id", "catch_up", "text", "number", "allow", "url"}
)
#: What no value holds on purpose; YAML refuses most of it, and takes NEL, LS and PS for ends of lines.
CONTROL = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]"

#: keys whose words may hold a # that is not meant as the beginning of a remark
_PROSE = frozenset({"title", "subject", "preheader", "image_alt", "text"})
_READ_AS = {"int": "a number", "float": "a number", "bool": "yes or no", "timestamp": "a date", "null": "nothing"}
_ID = r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?"
_LANGUAGE = (  # RFC 5646 section 2.1, the common shapes: language, script, region, variants
    r"(?i)[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*"
)
_LIKE_STATUS = {"published": "live", "public": "live", "ready": "live", "hidden": "draft", "withdrawn": "retracted"}
_LIKE_KEY = {"lang": "language", "send_at": "publish_at", "published_at": "publish_at", "alt": "image_alt"}
_LIKE_KEY |= {"description": "preheader", "summary": "preheader", "excerpt": "preheader", "slug": "id"}
_LIKE_KEY |= {"canonical": "url", "canonical_url": "url", "permalink": "url", "link": "url"}
_ADDRESS = r"https?://[^\s/?#@\"'<>]+\.[^\s/?#@\"'<>]+(?:[/?#][^\s\"'<>]*)?"


@dataclass(slots=True)
class Sheet:
    """What is known of one file so far."""

    path: Path
    zone: ZoneInfo  #: of times without an offset
    at: time  #: of dates without a time
    number: int | None = None
    id: str = ""
    lines: list[str] = field(default_factory=list)
    fields: dict[str, Field] = field(default_factory=dict)
    problems: list[tuple[int | None, str]] = field(default_factory=list)  #: line, and words
    remarks: list[tuple[int, str]] = field(default_factory=list)  #: line, and words: what does no harm
    post: Post | None = None  #: when nothing is wrong

    @property
    def faults(self) -> list[Fault]:
        """The problems by line, with what is known of the file by now."""
        by_line = sorted(self.problems, key=lambda problem: problem[0] or 0)
        return [Fault(self.path, words, line, self.number, self.id) for line, words in by_line]

    @property
    def warnings(self) -> list[str]:
        """The remarks as sentences."""
        return [f"{named(self.path)}, line {line}: {words}" for line, words in self.remarks]

    def wrong(self, key: str, problem: str) -> None:
        """Note a fault in the value of *key*."""
        self.problems.append((self.fields[key].line if key in self.fields else None, problem))

    def warn(self, line: int, problem: str) -> None:
        """Note what does no harm."""
        self.remarks.append((line, problem))

    def raw(self, key: str) -> str:
        """The rest of the line behind ``key:``, as typed."""
        return self.lines[self.fields[key].line - 1].partition(":")[2].strip()

    def take(self, key: str, found: Field) -> None:
        """Add one key as it stands in the file."""
        name = re.sub(r"[ -]", "_", key.strip().lower())
        if name in self.fields:
            given = f"in lines {self.fields[name].line} and {found.line}"
            self.problems.append((found.line, f"{name} is given twice, {given}; keep one of them"))
        elif name in KEYS:
            self.fields[name] = found
        elif name in {"draft", "published"}:
            status = "draft" if (found.value.lower() in {"true", "yes", "on"}) == (name == "draft") else "live"
            self.problems.append((found.line, f"{name} is not a key here; write status: {status} instead"))
        elif " " in key.strip():
            self.problems.append((found.line, no_key(self.lines[found.line - 1])))
        else:
            known = sorted(KEYS - {"number"})
            hint = _near(name, known, _LIKE_KEY) or f"known are {', '.join(known)}"
            self.warn(found.line, f"{shown(key)} is not a key that newsletter knows, so it has no effect; {hint}")

    def text(self, key: str, *, lines: bool = False) -> str:
        """The text of *key*, "" when absent; one line unless *lines*. YAML's surprises become faults."""
        found = self.fields.get(key)
        if found is None or (found.kind == "null" and not self.raw(key)):
            return ""
        if trap := self._trap(key, found):
            self.wrong(key, trap)
            return ""
        return found.value.strip() if lines else " ".join(found.value.split())

    def _trap(self, key: str, found: Field) -> str:
        """What YAML would silently make of the value, and the remedy; "" when the value is what was typed."""
        raw = self.raw(key)
        last, column = found.end or (found.line - 1, None)
        remark = "" if column is None else self.lines[last][column:].strip()
        fix = in_quotes(key, raw if last == found.line - 1 else "")
        if raw.startswith(("&", "*", "!")):
            return cause(f"{key}: {raw}")
        if key in _PROSE and remark.startswith("#"):
            return f'everything from "{remark[:20]}" on would be cut off, as # begins a remark; {fix}'
        if found.kind in {"seq", "map"} and not raw.startswith(("[", "{")):
            return f"{key} must be a text, not a list; write {key}: and the words on one line"
        if found.kind != "str":
            return f"{key}: {clipped(raw)} would be read as {_READ_AS.get(found.kind, 'a list')}, not as text; {fix}"
        return (
            f"{key} has an invisible control character; type the line anew" if re.search(CONTROL, found.value) else ""
        )

    def date(self, key: str) -> datetime | None:
        """The instant in *key*, in UTC."""
        found = self.fields.get(key)
        try:
            return instant(found.value or self.raw(key), self.zone, self.at) if found else None
        except ValueError as error:
            self.wrong(key, f"{error}; write it as {key}: 2026-03-01 or {key}: 2026-03-01 09:00")
            return None

    def status(self) -> PostStatus:
        """The status; a misspelt one is a fault, as a draft must never leave by mistake."""
        word = self.fields["status"].value.lower() if "status" in self.fields else "live"
        if word in set(PostStatus):
            return PostStatus(word)
        hint = _near(word, list(PostStatus), _LIKE_STATUS) or "write draft, live or retracted"
        self.wrong("status", f"{shown(self.raw('status'))} is not a status; {hint}")
        return PostStatus.DRAFT

    def tags(self) -> frozenset[str]:
        """The tags, from a list or from words with commas between."""
        return self.words("tags", "couples, families")

    def words(self, key: str, example: str) -> frozenset[str]:
        """The words in *key*, from a list or with commas between."""
        found = self.fields.get(key)
        if found is None or found.kind == "null":
            return frozenset()
        if found.kind in {"map", "alias"}:
            self.wrong(key, f"{key} must be words with commas between: {key}: {example}")
        words = found.items or re.split(r"[,|]", found.value)
        return frozenset(filter(None, (" ".join(word.split()) for word in words)))

    def language(self) -> str:
        """A language tag of RFC 5646, or ""."""
        tag = self.text("language")
        if tag and not re.fullmatch(_LANGUAGE, tag):
            other = tag.replace("_", "-")
            hint = f"write {other}" if re.fullmatch(_LANGUAGE, other) else "write a short code such as en, de or pt-BR"
            self.wrong("language", f"{shown(tag)} is not a language code; {hint}")
        return tag

    def url(self) -> str:
        """A whole web address, or ""."""
        given = self.text("url")
        if given and not re.fullmatch(_ADDRESS, given):
            self.wrong(
                "url", f"{shown(given)} is no web address; write all of it, such as url: https://example.org/blog/4"
            )
        return given

    def given_id(self) -> str:
        """The id in the front matter, or ""."""
        given = self.text("id")
        if given and not re.fullmatch(_ID, given):
            fit = f"for example id: {slug(given) or 'on-losses'}"
            self.wrong("id", f"the id {shown(given)} must be lower-case letters, digits and dashes; {fit}")
        return given


def _near(word: str, known: Iterable[str], alike: Mapping[str, str]) -> str:
    """The question whether a known word was meant, or ""."""
    near = alike.get(word) or next(iter(get_close_matches(word, list(known), 1)), "")
    return f"did you mean {near}?" if near else ""
