"""Posts: numbered Markdown files with front matter, read into values.

A post is a file ``NUMBER-slug.md``; its number comes from the file name and from nowhere else (YAML reads ``010`` as
8). Between two lines ``---`` at its top stand its front-matter keys: title (required), subject, preheader, publish_at
or date, status, tags, language, image, image_alt, id, catch_up, text.

Guarantees
    What YAML would silently change is refused with file, line and the fix: a title cut at " #", ``no`` read as False,
    a key given twice. A file whose front matter isn't closed is never read as text.
    `read_folder` raises nothing for a single file: every post is usable, in conflict, or a `Fault`.

What goes wrong
    `PostError` from `read_post` (the first fault of the file), and from `read_folder` when there is no folder to read.
    Files are read whole, once; above 10 MB they are refused unread.
"""

from __future__ import annotations

import hashlib
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from frontmatter.default_handlers import YAMLHandler

from newsletter.errors import PostError
from newsletter.mail import shown

try:  # libyaml is about ten times faster; not every build of PyYAML has it
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

LARGEST = 10_000_000  #: bytes
SLUG_LENGTH = 60  #: characters

KEYS = frozenset(
    {"title", "subject", "preheader", "publish_at", "date", "status", "tags", "language", "image", "image_alt"}
    | {"id", "catch_up", "text", "number"}
)

#: keys whose words may hold a # that is not meant as the beginning of a remark
_PROSE = frozenset({"title", "subject", "preheader", "image_alt", "text"})

_DEEPEST = 10  #: lists within lists; libyaml's time grows with the square of it
_YAML = YAMLHandler()
_TAG = "tag:yaml.org,2002:"
_READ_AS = {"int": "a number", "float": "a number", "bool": "yes or no", "timestamp": "a date", "null": "nothing"}
_NUMBER = re.compile(r"[0-9]+")
_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")
_ID_LINE = re.compile(r"^id: *[\"']?([a-z0-9._-]+)[\"']? *(?:#.*)?$", re.MULTILINE)
_GLUED = re.compile(rf"({'|'.join(sorted(KEYS))}):([^ \t].*)")
_KEY_LINE = re.compile(r"([A-Za-z_][\w -]*?) *:(?:\s+(.*))?")
# What no title holds on purpose; YAML refuses the most of it, and takes NEL, LS and PS for ends of lines.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z\d]{5,8}|\d[a-z\d]{3}))*", re.IGNORECASE
)
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:([Zz])|([+-])(\d{1,2}):?(\d{2})?)?)?"
)
_LIKE_STATUS = {"published": "live", "public": "live", "ready": "live", "hidden": "draft", "withdrawn": "retracted"}
_LIKE_KEY = {"lang": "language", "send_at": "publish_at", "published_at": "publish_at", "alt": "image_alt"}
_LIKE_KEY |= {"description": "preheader", "summary": "preheader", "excerpt": "preheader", "slug": "id"}
# Letters that have no decomposition in Unicode, and that owners of blogs in these languages would miss.
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
# Beginnings of files that people save as .md by mistake.
_SIGNATURES = ((b"PK\x03\x04", "a Word or Pages document"), (b"%PDF", "a PDF"), (b"{\\rtf", "an RTF document"))


class PostStatus(StrEnum):
    """What may happen to a post; absent in the front matter means live."""

    DRAFT = "draft"  #: being written; never leaves
    LIVE = "live"  #: leaves when it is due
    RETRACTED = "retracted"  #: passed over for ever


@dataclass(frozen=True, slots=True)
class Post:
    """One usable post, as its file has it."""

    id: str  #: identity across renames: front matter `id`, else the slug in the file name, else "post-NUMBER"
    explicit_id: bool  #: front matter has the id
    number: int  #: from the file name, base 10, 1 or more
    path: Path  #: as given: folder / name
    title: str
    subject: str  #: the title unless given
    preheader: str
    publish_at: datetime | None  #: aware, UTC
    status: PostStatus
    tags: frozenset[str]  #: whom it is for; empty = everyone
    language: str  #: BCP 47; empty = the newsletter's
    image: str
    image_alt: str
    late: bool  #: `catch_up: late`: readers who are past it get it too
    text: str  #: replaces the plain-text part; empty = made from the body
    body: str  #: Markdown, line ends LF
    body_line: int  #: the line of the file on which the body begins, from 1
    digest: str  #: SHA-256 of the file's bytes, hex


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a file can't be used. A file may have several."""

    path: Path
    problem: str  #: what is wrong and what to do
    line: int | None
    number: int | None
    id: str  #: as far as the file could be read, else ""

    def __str__(self) -> str:
        return f"{_name(self.path)}{f', line {self.line}' if self.line else ''}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of posts at one instant."""

    posts: tuple[Post, ...]  #: usable, by number
    faults: tuple[Fault, ...]  #: broken files, and one for each file whose number or id is taken twice
    held: tuple[Post, ...]  #: they could be read, but their number or id is taken twice
    warnings: tuple[str, ...]


def read_post(path: Path, *, zone: ZoneInfo, at: time) -> Post:
    """The post in *path*; a date without a time means *at* in *zone*, a time without an offset is in *zone*.

    Raises `PostError` with file, line and remedy.
    """
    post, sheet = _read(path, zone, at)
    if post is None:
        first = sheet.faults[0]
        raise PostError(_name(path), first.problem, line=first.line)
    return post


def read_folder(folder: Path, *, zone: ZoneInfo, at: time) -> Folder:
    """Every post in *folder*, sub-folders left alone; raises `PostError` only when the folder can't be read."""
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        raise PostError(folder, "there is no such folder; make it, and put your posts there as 001-title.md") from None
    except OSError as error:
        raise PostError(folder, f"this folder can't be read ({error.strerror}); check its permissions") from None
    posts: list[Post] = []
    sheets: list[_Sheet] = []
    warnings: list[str] = []
    for path in paths:
        if not _is_post(path, warnings):
            continue
        post, sheet = _read(path, zone, at)
        sheets.append(sheet)
        warnings += sheet.warnings
        if post:
            posts.append(post)
    conflicts = _conflicts(sheets)
    taken = {fault.path for fault in conflicts}
    posts.sort(key=lambda post: (post.number, post.path.name))
    return Folder(
        posts=tuple(post for post in posts if post.path not in taken),
        faults=(*(fault for sheet in sheets for fault in sheet.faults), *conflicts),
        held=tuple(post for post in posts if post.path in taken),
        warnings=tuple(warnings),
    )


def new_post_text(
    title: str,
    *,
    post_id: str,
    body: str = "Dear reader,\n\nBegin here.",
    status: PostStatus = PostStatus.DRAFT,
) -> str:
    """The content of a new post's file, with its front matter filled in. *title* may hold any character."""
    title = _CONTROL.sub("", " ".join(title.split()))
    return f"""---
title: {_quoted(title)}
id: {_quoted(post_id)}
# What an inbox shows after the subject: 40 to 130 characters.
preheader: ""
# draft: stays here. live: readers get it when their turn comes.
status: {status}
---

{body.strip()}
"""


def plain_text(source: Path | bytes, name: str) -> str:
    """The text of a file that is not a post yet, line ends LF; *name* is how messages call it. Raises `PostError`."""
    try:
        return _text(source if isinstance(source, bytes) else _bytes(source))
    except _FileError as error:
        raise PostError(name, error.problem, line=error.line) from None


def file_name(number: int, title: str) -> str:
    """``007-slug.md``: at least three digits, so that folders sort by number."""
    return f"{number:03d}-{slug(title) or 'post'}.md"


def slug(title: str) -> str:
    """*title* in lower-case ASCII letters, digits and dashes, at most 60 characters; empty when none is left."""
    plain = unicodedata.normalize("NFKD", title.casefold().translate(_LETTERS))
    plain = re.sub(r"['’‘ʼ]", "", plain).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)
    whole = "-".join(words)
    if len(whole) <= SLUG_LENGTH:
        return whole
    cut = whole[: SLUG_LENGTH + 1].rpartition("-")[0]
    return cut or whole[:SLUG_LENGTH]


# --- files and names


def _name(path: Path) -> str:
    """The file as messages name it, ``posts/004-x.md``, also when its name isn't fit for a terminal."""
    name = f"{path.parent.name}/{path.name}".lstrip("/")
    return "".join(c if c.isprintable() else "�" for c in name)


def _is_post(path: Path, warnings: list[str]) -> bool:
    """Whether the name says that this is a post; near misses get a warning."""
    name, suffix = path.name, path.suffix.lower()
    if name.startswith((".", "_")):
        return False
    numbered = bool(_NUMBER.match(name))
    if suffix == ".md":
        if re.match(r"\d{4}-\d\d-\d\d", name, re.ASCII):
            warnings.append(f"{_name(path)}: the name begins with a date, so the post's number is {name[:4]}")
        if not numbered and path.stem.lower() != "readme" and not path.is_dir():
            warnings.append(f"{_name(path)} has no number at the start of its name, so it is not a post")
        return numbered and (not path.is_dir() or path.is_symlink())
    if numbered and suffix in {".txt", ".markdown", ".mdown", ".docx", ".rtf"}:
        warnings.append(f"{_name(path)} begins with a number but does not end in .md, so it is not a post")
    return False


def _bytes(path: Path) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise _FileError("this is a folder, not a file; move it out or rename it")
        if not stat.S_ISREG(found.st_mode):
            raise _FileError("this is not an ordinary file; replace it by a text file")
        if found.st_size > LARGEST:
            raise _FileError(f"the file has {found.st_size / 1e6:.0f} MB, a post may have 10; move pictures to files")
        return path.read_bytes()
    except FileNotFoundError:
        raise _FileError("there is no such file; check the name") from None
    except PermissionError:
        raise _FileError("you have no permission to read this file; change its permissions") from None
    except OSError as error:
        raise _FileError(f"this file can't be read ({error.strerror}); copy it anew or check the disk") from None


def _text(data: bytes) -> str:
    """*data* as text, line ends LF, without a byte-order mark."""
    save = "save it as plain text in UTF-8"
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            raise _FileError(f"this is {kind} with the name of a text file; {save}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or 0.2 < data[:1000].count(0) / (len(data[:1000]) or 1) <= 0.5:
        raise _FileError(f"this looks like UTF-16, not UTF-8; {save}", 1)
    if (zero := data.find(0)) >= 0:
        raise _FileError(f"this is not a text file (it has a zero byte); {save}", data.count(b"\n", 0, zero) + 1)
    try:
        text = data.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise _FileError(_encoding(data, error, save), data.count(b"\n", 0, error.start) + 1) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise _FileError('the file is empty; write at least a title and a text, or begin with `newsletter new "Title"`')
    return text


def _encoding(data: bytes, error: UnicodeDecodeError, save: str) -> str:
    foreign = [byte for byte in data if byte >= 0x80]
    if len(foreign) > len(data) * 0.3 or any(byte < 9 for byte in data):
        return f"this is not a text file, or not in UTF-8; {save}"
    word = re.split(rb"\s", data[: error.start])[-1] + re.split(rb"\s", data[error.start :], maxsplit=1)[0]
    return f"this looks like Windows-1252, not UTF-8 (at {shown(word.decode('cp1252', 'replace'))}); {save}"


# --- front matter


class _FileError(Exception):
    """Nothing more can be read from this file."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        self.problem, self.line = problem, line
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class _Field:
    """One key of the front matter, before YAML guesses what its value is. Lines count from 0, in the file."""

    line: int
    kind: str  #: "str", "int", "null", ..., "seq", "map", "alias"
    value: str = ""
    items: tuple[str, ...] = ()
    end: tuple[int, int] | None = None  #: line and column where a bare (unquoted) value ends


class _FieldLoader(SafeLoader):
    """Gives the top-level keys in order, each with its `_Field`.

    Works on libyaml's events: composing deeply nested brackets overflows the C stack.
    """

    def get_single_data(self) -> list[tuple[str, _Field]]:
        fields: list[tuple[str, _Field]] = []
        while not self.check_event(yaml.MappingStartEvent):
            if self.check_event(yaml.StreamEndEvent):
                return fields
            bare = self.check_event(yaml.ScalarEvent, yaml.SequenceStartEvent)
            event = self._next()
            if bare:
                raise yaml.MarkedYAMLError(problem="no key here", problem_mark=event.start_mark)
        self._next()
        while not self.check_event(yaml.MappingEndEvent):
            named = self.check_event(yaml.ScalarEvent)
            key = self._next()
            if not named:
                raise yaml.MarkedYAMLError(problem="this key is not text", problem_mark=key.start_mark)
            fields.append((key.value, self._field(key.start_mark.line, self._next())))
        for ends in (yaml.MappingEndEvent, yaml.DocumentEndEvent, yaml.StreamEndEvent):
            ended = self.check_event(ends)
            event = self._next()
            if not ended:
                raise yaml.MarkedYAMLError(problem="a second group of keys", problem_mark=event.start_mark)
        return fields

    def _next(self) -> Any:
        return self.get_event()  # typed as if marks could be absent and the stream end early

    def _field(self, line: int, event: Any) -> _Field:
        if isinstance(event, yaml.ScalarEvent):
            kind = event.tag or self.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
            mark: Any = event.end_mark
            end = (mark.line, mark.column) if event.style in (None, "") else None
            return _Field(line, str(kind).removeprefix(_TAG), event.value, end=end)
        if isinstance(event, yaml.AliasEvent):
            return _Field(line, "alias")
        kind, items, depth = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map", [], 1
        while depth:
            event = self._next()
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            kind = "map" if depth > 1 else kind  # a list of lists is no list of words
            if depth > _DEEPEST:
                raise yaml.MarkedYAMLError(problem="too many brackets", problem_mark=event.start_mark)
            if isinstance(event, yaml.ScalarEvent):
                items.append(event.value)
        return _Field(line, kind, items=tuple(items))


@dataclass(slots=True)
class _Sheet:
    """One file while it is being read: what is known, and everything wrong with it so far."""

    path: Path
    number: int | None
    id: str = ""
    lines: list[str] = field(default_factory=list)
    fields: dict[str, _Field] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def fault(self, problem: str, line: int | None = None) -> None:
        """Note a fault; *line* counts from 1."""
        self.faults.append(Fault(self.path, problem, line, self.number, self.id))

    def wrong(self, key: str, problem: str) -> None:
        """Note a fault in the value of *key*."""
        self.fault(problem, self.fields[key].line + 1)

    def warn(self, line: int, problem: str) -> None:
        self.warnings.append(f"{_name(self.path)}, line {line + 1}: {problem}")

    def raw(self, key: str) -> str:
        """The rest of the line behind ``key:``, as typed."""
        return self.lines[self.fields[key].line].partition(":")[2].strip()

    def take(self, key: str, found: _Field) -> None:
        """Add one key as it stands in the file."""
        name = re.sub(r"[ -]", "_", key.strip().lower())
        if name in self.fields:
            first = self.fields[name].line + 1
            self.fault(
                f"{name} is given twice, in lines {first} and {found.line + 1}; keep one of them", found.line + 1
            )
        elif name in KEYS:
            self.fields[name] = found
        elif name in {"draft", "published"}:
            status = "draft" if (found.value.lower() in {"true", "yes", "on"}) == (name == "draft") else "live"
            self.fault(f"{name} is not a key here; write status: {status} instead", found.line + 1)
        elif " " in key.strip():
            self.fault(_not_a_key(self.lines[found.line]), found.line + 1)
        else:
            near = _LIKE_KEY.get(name) or next(iter(get_close_matches(name, sorted(KEYS - {"number"}), 1)), "")
            hint = f"did you mean {near}?" if near else f"known are {', '.join(sorted(KEYS - {'number'}))}"
            self.warn(found.line, f"{shown(key)} is not a key that newsletter knows, so it has no effect; {hint}")

    def text(self, key: str, *, lines: bool = False) -> str:
        """The text of *key*, "" when absent; one line unless *lines*. YAML's surprises become faults."""
        found = self.fields.get(key)
        if found is None:
            return ""
        raw = self.raw(key)
        one_line = not found.end or found.end[0] == found.line
        fix = _in_quotes(key, raw if one_line else "")
        comment = self.lines[found.end[0]][found.end[1] :].strip() if found.end else ""
        if raw[:1] in {"&", "*", "!"}:
            self.wrong(key, f"a value that begins with {raw[0]} means something else in front matter; {fix}")
        elif key in _PROSE and comment.startswith("#"):
            self.wrong(key, f'everything from "{comment[:20]}" on would be cut off, as # begins a remark; {fix}')
        elif found.kind == "null" and not raw:
            return ""
        elif found.kind in {"seq", "map"} and not raw.startswith(("[", "{")):
            self.wrong(key, f"{key} must be a text, not a list; write {key}: and the words on one line")
        elif found.kind != "str":
            kind = _READ_AS.get(found.kind, "a list")
            self.wrong(key, f"{key}: {_clipped(raw)} would be read as {kind}, not as text; {fix}")
        elif _CONTROL.search(found.value):
            self.wrong(key, f"{key} has an invisible control character; type the line anew")
        else:
            return found.value.strip() if lines else " ".join(found.value.split())
        return ""

    def date(self, key: str, zone: ZoneInfo, at: time) -> datetime | None:
        """The instant in *key*, in UTC."""
        found = self.fields.get(key)
        if found is None:
            return None
        example = f"write it as {key}: 2026-03-01 or {key}: 2026-03-01 09:00"
        match = _DATE.fullmatch(found.value.strip())
        try:
            if match:
                return _instant(match, zone, at)
            if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", found.value):
                self.wrong(key, f"{key}: {found.value} is a time without a day; {example}")
            else:
                self.wrong(key, f"{shown(found.value or self.raw(key))} is not a date; {example}")
        except ValueError as error:
            self.wrong(key, f"{found.value.strip()} is not a date: {error}; {example}")
        return None

    def status(self) -> PostStatus:
        """The status; a misspelt one is a fault, as a draft must never leave by mistake."""
        found = self.fields.get("status")
        word = found.value.lower() if found else "live"
        if word in set(PostStatus):
            return PostStatus(word)
        near = _LIKE_STATUS.get(word) or next(iter(get_close_matches(word, list(PostStatus), 1)), "")
        hint = f"did you mean {near}?" if near else "write draft, live or retracted"
        self.wrong("status", f"{shown(self.raw('status'))} is not a status; {hint}")
        return PostStatus.DRAFT

    def tags(self) -> frozenset[str]:
        """The tags, from a list or from words with commas between."""
        found = self.fields.get("tags")
        if found is None or found.kind == "null":
            return frozenset()
        if found.kind in {"map", "alias"}:
            self.wrong("tags", "tags must be words with commas between: tags: couples, families")
        words = found.items or re.split(r"[,|]", found.value)
        return frozenset(filter(None, (" ".join(word.split()) for word in words)))

    def language(self) -> str:
        """A BCP 47 tag, or ""."""
        tag = self.text("language")
        if not tag or _LANGUAGE.fullmatch(tag):
            return tag
        other = tag.replace("_", "-")
        hint = f"write {other}" if _LANGUAGE.fullmatch(other) else "write a short code such as en, de or pt-BR"
        self.wrong("language", f"{shown(tag)} is not a language code; {hint}")
        return ""

    def identity(self, default: str) -> bool:
        """Set the id; True when the front matter has one."""
        self.id = "" if "id" in self.fields and self.raw("id") else default
        given = self.text("id")
        if _ID.fullmatch(given):
            self.id = given
        elif given:
            fit = f"for example id: {slug(given)}" if slug(given) else "for example id: on-losses"
            self.wrong("id", f"the id {shown(given)} must be lower-case letters, digits and dashes; {fit}")
        return bool(given)


def _read(path: Path, zone: ZoneInfo, at: time) -> tuple[Post | None, _Sheet]:
    """The post, or None and at least one fault."""
    digits = _NUMBER.match(path.name)
    sheet = _Sheet(path, int(digits[0][:18]) if digits else None)
    try:
        if not digits:
            raise _FileError("there is no number at the start of its name, so it is not a post; name it 007-title.md")
        if not 0 < int(digits[0][:18]) < 1_000_000_000:
            raise _FileError("posts are numbered from 1 to 999999999; rename it")
        data = _bytes(path)
        text = _text(data)
        sheet.lines = text.split("\n")
        default = slug(path.stem[digits.end() :]) or f"post-{sheet.number}"
        likely = _ID_LINE.search(text[:4000])  # good enough to name a file whose front matter can't be read
        sheet.id = likely[1] if likely else default
        start = _front_matter(sheet)
        explicit = sheet.identity(default)
        post = _post(sheet, start, hashlib.sha256(data).hexdigest(), zone, at, explicit=explicit)
    except _FileError as error:
        sheet.fault(error.problem, error.line)
        return None, sheet
    sheet.faults.sort(key=lambda fault: fault.line or 0)
    return (None if sheet.faults else post), sheet


def _front_matter(sheet: _Sheet) -> int:
    """Fill in the fields; gives the index of the line behind the closing ``---``."""
    lines = sheet.lines
    top = next(index for index, line in enumerate(lines) if line.strip())
    if lines[top].rstrip() != "---":
        heading = next((line.lstrip("# ").rstrip() for line in lines if line.startswith("# ")), "Your title")
        raise _FileError(
            f"there is no front matter, so the title is missing; begin the file with three lines: ---, "
            f"title: {_quoted(_clipped(heading))}, ---",
            top + 1,
        )
    end = next((index for index in range(top + 1, len(lines)) if lines[index].rstrip() == "---"), None)
    if end is None:
        text = (n for n in range(top + 1, len(lines)) if not re.match(r"[\w -]+:(\s|$)|\s+\S|- |# ?\S", lines[n]))
        end = next(text, len(lines) - 1)
        raise _FileError("the front matter is never closed; put a line --- between its last key and the text", end + 1)
    glued = False
    for index in range(top + 1, end):
        if _CONTROL.search(lines[index]):
            raise _FileError("this line has an invisible control character; type it anew", index + 1)
        if match := _GLUED.match(lines[index]):
            glued = True
            sheet.fault(f"leave a space after the colon: {match[1]}: {_clipped(match[2].strip())}", index + 1)
    try:
        # Blank lines in place of what stands above keep YAML's line numbers those of the file.
        for key, found in _YAML.load("\n" * (top + 1) + "\n".join(lines[top + 1 : end]) + "\n", Loader=_FieldLoader):
            sheet.take(key, found)
    except yaml.YAMLError as error:
        if not glued:
            raise _FileError(*_explained(error, lines[: end + 1])) from None
    return end + 1


def _post(sheet: _Sheet, start: int, digest: str, zone: ZoneInfo, at: time, *, explicit: bool) -> Post | None:
    """The post from its fields and the lines from *start* on; what is wrong goes to *sheet*."""
    if sheet.number is None or (sheet.faults and not sheet.fields):
        return None
    before = len(sheet.faults)
    title = sheet.text("title")
    if not title and len(sheet.faults) == before:
        advice = 'add a line such as title: "On endings" below the first ---'
        line = sheet.fields["title"].line + 1 if "title" in sheet.fields else None
        sheet.fault(f"the title is missing; {advice}", line)
    _check_number(sheet)
    if "catch_up" in sheet.fields and sheet.fields["catch_up"].value != "late":
        sheet.wrong("catch_up", "catch_up knows one word, late; write catch_up: late or delete the line")
    lines = sheet.lines[start:]
    while lines and not lines[0].strip():
        del lines[0]
    body = "\n".join(lines).rstrip()
    if not body:
        sheet.fault("there is no text below the front matter; write the post there", start + 1)
    publish_at, day = sheet.date("publish_at", zone, at), sheet.date("date", zone, at)
    return Post(
        id=sheet.id,
        explicit_id=explicit,
        number=sheet.number,
        path=sheet.path,
        title=title,
        subject=sheet.text("subject") or title,
        preheader=sheet.text("preheader"),
        publish_at=publish_at or day,
        status=sheet.status(),
        tags=sheet.tags(),
        language=sheet.language(),
        image=sheet.text("image"),
        image_alt=sheet.text("image_alt"),
        late="catch_up" in sheet.fields,
        text=sheet.text("text", lines=True),
        body=body + "\n",
        body_line=len(sheet.lines) - len(lines) + 1,
        digest=digest,
    )


def _check_number(sheet: _Sheet) -> None:
    found = sheet.fields.get("number")
    if found and found.value.isascii() and found.value.isdigit() and int(found.value[:18]) == sheet.number:
        sheet.warn(found.line, "the number comes from the file name; delete this line")
    elif found:
        advice = f"is {sheet.number} by its file name; delete this line, or rename the file"
        sheet.wrong("number", f"number: {_clipped(sheet.raw('number'))} disagrees: the post {advice}")


def _instant(match: re.Match[str], zone: ZoneInfo, at: time) -> datetime:
    """A matched `_DATE` in UTC; raises ValueError with the calendar's reason."""
    year, month, day, hour, minute, second, _, sign, ahead, ahead_minutes = match.groups()
    if not 1970 <= int(year) <= 2199:
        raise ValueError(f"the year {year} can't be right")
    clock = time(int(hour), int(minute), int(second or 0)) if hour else at
    local = datetime.combine(datetime(int(year), int(month), int(day), tzinfo=UTC).date(), clock)
    if match[7]:
        return local.replace(tzinfo=UTC)
    if sign:
        shift = timedelta(hours=int(ahead), minutes=int(ahead_minutes or 0))
        return local.replace(tzinfo=timezone(shift if sign == "+" else -shift)).astimezone(UTC)
    moment = local.replace(tzinfo=zone)  # where clocks go back, fold=0 is the first of the two
    while moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
        moment = moment.replace(second=0) + timedelta(minutes=1)  # clocks go forward: the first instant after the gap
    return moment.astimezone(UTC)


def _explained(error: yaml.YAMLError, lines: list[str]) -> tuple[str, int]:
    """What is wrong with front matter that YAML can't read, in plain words, and the line (from 1)."""
    marks = [error.problem_mark] if isinstance(error, yaml.MarkedYAMLError) else []
    if isinstance(error, yaml.MarkedYAMLError) and "block mapping" not in (error.context or ""):
        marks.insert(0, error.context_mark)
    places = [min(mark.line, len(lines) - 1) for mark in marks if mark]
    for place in places:
        if cause := _cause(lines[place]):
            return cause, place + 1
    words = getattr(error, "problem", None) or "it is not front matter"
    advice = 'write each line as key: value, and put a value with special characters in quotes, as in title: "Q&A: 1"'
    return f"this line can't be understood ({words}); {advice}", (places or [1])[-1] + 1


def _cause(line: str) -> str:
    """Why YAML stumbles over *line*, or "" when the line looks innocent."""
    if line.strip() in {"", "---"}:
        return ""
    if line.startswith((" ", "\t")):
        return "this line begins with a space or tab; let every key begin at the start of its line"
    match = _KEY_LINE.fullmatch(line)
    if not match:
        return _not_a_key(line)
    key, value = match[1], (match[2] or "").strip()
    fix = _in_quotes(key, value)
    if value.startswith(('"', "'")):
        inner = value[1:].removesuffix(value[0])
        return f"the quotes around this value don't match; {_in_quotes(key, inner)}"
    if re.match(r"[@`%&*!|>{}\[\],?#-]", value):
        return f"a value that begins with {value[0]} means something else in front matter; {fix}"
    if ": " in value or value.endswith(":"):
        return f"a colon inside a value means something else in front matter; {fix}"
    return ""


def _not_a_key(line: str) -> str:
    advice = "if the post's text begins here, the closing --- is missing above it"
    return f"{shown(line, limit=40)} is not of the form key: value; {advice}"


def _in_quotes(key: str, value: str) -> str:
    """The advice to quote *value*, with the line to type when it is short."""
    return "put the whole value in quotes" + (f": {key}: {_quoted(value)}" if 0 < len(value) <= 100 else "")


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _quoted(text: str) -> str:
    """*text* as a YAML scalar in quotes, in the simplest form that holds it."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- the folder as a whole


def _conflicts(sheets: Iterable[_Sheet]) -> list[Fault]:
    """One fault for each file whose number or id another file has too, broken files included."""
    numbers: dict[int, list[_Sheet]] = defaultdict(list)
    ids: dict[str, list[_Sheet]] = defaultdict(list)
    sheets = list(sheets)
    for sheet in sheets:
        if sheet.number is not None:
            numbers[sheet.number].append(sheet)
        if sheet.id:
            ids[sheet.id].append(sheet)
    faults = []
    for sheet in sheets:
        problems = []
        if others := _others(sheet, numbers.get(sheet.number or 0, [])):
            problems.append(f"number {sheet.number} is also the number of {others}; rename one of them")
        if others := _others(sheet, ids.get(sheet.id, [])):
            advice = "give one of them another id in its front matter"
            problems.append(f"the id {shown(sheet.id)} is also the id of {others}; {advice}")
        if problems:
            faults.append(Fault(sheet.path, "; ".join(problems), None, sheet.number, sheet.id))
    return faults


def _others(sheet: _Sheet, group: list[_Sheet]) -> str:
    return " and ".join(_name(other.path) for other in group if other is not sheet)
