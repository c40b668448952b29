"""Reading one post: from the file's name and bytes to a `Post`, or to all that is wrong with it.

The front matter stands between two lines ``---`` at the top; a file in which it isn't closed is never read as text.
What makes the rest of the file unreadable ends the reading; any other fault is noted, and the reading goes on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from newsletter.errors import PostError
from newsletter.posts.fields import read_fields
from newsletter.posts.names import digits, named, slug
from newsletter.posts.post import Post
from newsletter.posts.remedies import clipped, explained, quoted
from newsletter.posts.sheet import CONTROL, KEYS, Sheet
from newsletter.posts.source import FileError, decoded, read_bytes


def read_post(path: Path, *, zone: ZoneInfo, at: time) -> Post:
    """The post in *path*; a date without a time means *at* in *zone*, a time without an offset is in *zone*.

    Raises `PostError` with file, line and remedy.
    """
    sheet = read(path, zone=zone, at=at)
    if sheet.post is None:
        first = sheet.faults[0]
        raise PostError(named(path), first.problem, line=first.line)
    return sheet.post


def read(path: Path, *, zone: ZoneInfo, at: time) -> Sheet:
    """The file's sheet, with a post or with at least one fault."""
    sheet = Sheet(path, zone, at)
    try:
        sheet.number = _number(digits(path))
        data = read_bytes(path)
        text = decoded(data)
        sheet.lines = text.split("\n")
        default = slug(path.stem.removeprefix(digits(path))) or f"post-{sheet.number}"
        # Good enough to name a file whose front matter can't be read.
        likely = re.search(r"^id: *[\"']?([a-z0-9._-]+)[\"']? *(?:#.*)?$", text[:4000], re.MULTILINE)
        sheet.id = likely[1] if likely else default
        below = _take_front_matter(sheet)
        given = sheet.given_id()
        sheet.id = given or default
        post = _post(sheet, below, hashlib.sha256(data).hexdigest(), explicit_id=bool(given))
        sheet.post = None if sheet.problems else post
    except FileError as error:
        sheet.problems.append((error.line, error.problem))
    return sheet


def _number(digits: str) -> int:
    if not digits:
        raise FileError("there is no number at the start of its name, so it is not a post; name it 007-title.md")
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", digits):
        raise FileError("posts are numbered from 1 to 999999999; rename it")
    return int(digits)


def _take_front_matter(sheet: Sheet) -> int:
    """Fill in the fields; gives the index of the line below the closing ``---``."""
    lines = sheet.lines
    top = next(index for index, line in enumerate(lines) if line.strip())
    if lines[top].rstrip() != "---":
        heading = next((line.lstrip("# ").rstrip() for line in lines if line.startswith("# ")), "Your title")
        example = f"begin the file with three lines: ---, title: {quoted(clipped(heading))}, ---"
        raise FileError(f"there is no front matter, so the title is missing; {example}", top + 1)
    end = _closing(lines, top + 1)
    for index in range(top + 1, end):
        if re.search(CONTROL, lines[index]):
            raise FileError("this line has an invisible control character; type it anew", index + 1)
        key, _, value = lines[index].partition(":")
        if key in KEYS and value and value[0] not in " \t":
            raise FileError(f"leave a space after the colon: {key}: {clipped(value.strip())}", index + 1)
    try:
        for key, found in read_fields(lines[top + 1 : end], above=top + 1):
            sheet.take(key, found)
    except yaml.YAMLError as error:
        raise FileError(*explained(error, lines[: end + 1])) from None
    return end + 1


def _closing(lines: Sequence[str], start: int) -> int:
    """The index of the closing ``---``; the error names the first line that no front matter would have."""
    for index in range(start, len(lines)):
        if lines[index].rstrip() == "---":
            return index
    text = (at for at in range(start, len(lines)) if not re.match(r"[\w -]+:(\s|$)|\s+\S|- |# ?\S", lines[at]))
    problem = "the front matter is never closed; put a line --- between its last key and the text"
    raise FileError(problem, next(text, len(lines) - 1) + 1)


def _post(sheet: Sheet, below: int, digest: str, *, explicit_id: bool) -> Post:
    """The post from its fields and the lines from index *below* on; what is wrong goes to *sheet*."""
    title = _title(sheet)
    _check_number(sheet)
    if "catch_up" in sheet.fields and sheet.fields["catch_up"].value != "late":
        sheet.wrong("catch_up", "catch_up knows one word, late; write catch_up: late or delete the line")
    start = next((at for at in range(below, len(sheet.lines)) if sheet.lines[at].strip()), len(sheet.lines))
    if start == len(sheet.lines):
        sheet.problems.append((below + 1, "there is no text below the front matter; write the post there"))
    publish_at, day = sheet.date("publish_at"), sheet.date("date")
    return Post(
        id=sheet.id,
        explicit_id=explicit_id,
        number=sheet.number or 0,
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
        body="\n".join(sheet.lines[start:]).rstrip() + "\n",
        body_line=start + 1,
        digest=digest,
        url=sheet.url(),
        allow=frozenset(word.lower() for word in sheet.words("allow", "image-alt")),
        places={key: found.line for key, found in sheet.fields.items()},
        remarks=tuple(sheet.remarks),
    )


def _title(sheet: Sheet) -> str:
    before = len(sheet.problems)
    title = sheet.text("title")
    if not title and len(sheet.problems) == before:
        sheet.wrong("title", 'the title is missing; add a line such as title: "On endings" below the first ---')
    return title


def _check_number(sheet: Sheet) -> None:
    """Front matter may repeat the number that the file name has, and no other."""
    found = sheet.fields.get("number")
    if found and re.fullmatch(f"0*{sheet.number}", found.value):
        sheet.warn(found.line, "the number comes from the file name; delete this line")
    elif found:
        advice = f"is {sheet.number} by its file name; delete this line, or rename the file"
        sheet.wrong("number", f"number: {clipped(sheet.raw('number'))} disagrees: the post {advice}")
