"""The folder: every post in it, and what no single file can know, which is that a number or an id is taken twice.

Of two files with one number or id neither is used, broken ones included: any choice could send the wrong letter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.errors import PostError
from newsletter.mail import shown
from newsletter.posts.names import is_post, name_warning, named
from newsletter.posts.post import Fault, Folder
from newsletter.posts.reading import read
from newsletter.posts.sheet import Sheet


def read_folder(folder: Path, *, zone: ZoneInfo, at: time) -> Folder:
    """Every post in *folder*, sub-folders left alone; raises `PostError` only when the folder can't be read."""
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        raise PostError(folder, "there is no such folder; make it, and put your posts there as 001-title.md") from None
    except NotADirectoryError:
        raise PostError(folder, "this is a file where the folder of your posts should be; move it away") from None
    except OSError as error:
        raise PostError(folder, f"this folder can't be read ({error.strerror}); check its permissions") from None
    sheets: list[Sheet] = []
    warnings: list[str] = []
    for path in paths:
        warnings.append(name_warning(path))
        if is_post(path):
            sheets.append(read(path, zone=zone, at=at))
            warnings += sheets[-1].warnings
    conflicts = _conflicts(sheets)
    taken = {fault.path for fault in conflicts}
    posts = sorted((sheet.post for sheet in sheets if sheet.post), key=lambda post: post.number)
    return Folder(
        posts=tuple(post for post in posts if post.path not in taken),
        faults=(*(fault for sheet in sheets for fault in sheet.faults), *conflicts),
        held=tuple(post for post in posts if post.path in taken),
        warnings=tuple(filter(None, warnings)),
    )


def _conflicts(sheets: Sequence[Sheet]) -> list[Fault]:
    """One fault for each file whose number or id another file has too, broken files included."""
    numbers: dict[int | None, list[Path]] = defaultdict(list)
    ids: dict[str, list[Path]] = defaultdict(list)
    for sheet in sheets:
        numbers[sheet.number].append(sheet.path)
        ids[sheet.id].append(sheet.path)
    faults = []
    for sheet in sheets:
        problems = []
        if sheet.number and (others := _others(sheet.path, numbers[sheet.number])):
            problems.append(f"number {sheet.number} is also the number of {others}; rename one of them")
        if sheet.id and (others := _others(sheet.path, ids[sheet.id])):
            advice = "give one of them another id in its front matter"
            problems.append(f"the id {shown(sheet.id)} is also the id of {others}; {advice}")
        if problems:
            faults.append(Fault(sheet.path, "; ".join(problems), None, sheet.number, sheet.id))
    return faults


def _others(path: Path, group: Sequence[Path]) -> str:
    return " and ".join(named(other) for other in group if other != path)
