"""Names of posts' files: ``NUMBER-slug.md``.

The number is the decimal digits at the start and stands nowhere else (YAML reads ``010`` as 8). Files that begin with
a dot or an underscore are the owner's own business; a name that is nearly a post's gets a warning.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from newsletter.mail import printable

SLUG_LENGTH = 60  #: characters

# Letters that have no decomposition in Unicode, and that owners of blogs in these languages would miss.
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def slug(title: str) -> str:
    """*title* in lower-case ASCII letters, digits and dashes, at most 60 characters; empty when none is left."""
    plain = unicodedata.normalize("NFKD", title.casefold().translate(_LETTERS))
    plain = re.sub(r"['’‘ʼ]", "", plain).encode("ascii", "ignore").decode()
    whole = "-".join(re.findall(r"[a-z0-9]+", plain))
    if len(whole) <= SLUG_LENGTH:
        return whole
    return whole[: SLUG_LENGTH + 1].rpartition("-")[0] or whole[:SLUG_LENGTH]


def file_name(number: int, title: str) -> str:
    """``007-slug.md``: at least three digits, so that folders sort by number."""
    return f"{number:03d}-{slug(title) or 'post'}.md"


def named(path: Path) -> str:
    """The file as messages name it, ``posts/004-x.md``, also when its name isn't fit for a terminal."""
    name = f"{path.parent.name}/{path.name}".lstrip("/")
    return printable(name)


def digits(path: Path) -> str:
    """The digits at the start of the file's name; "" when it has none."""
    return re.match(r"[0-9]*", path.name)[0]  # type: ignore[index]  # it matches any name


def is_post(path: Path) -> bool:
    """Whether *path* has the name of a post and is no folder."""
    return bool(digits(path)) and path.suffix.lower() == ".md" and not path.is_dir()


def name_warning(path: Path) -> str:
    """What the owner may have overlooked in the file's name, or ""."""
    name, suffix = path.name, path.suffix.lower()
    if path.is_dir() or name.startswith((".", "_")) or name.lower() == "readme.md":
        return ""
    if suffix == ".md" and not digits(path):
        return f"{named(path)} has no number at the start of its name, so it is not a post"
    if suffix == ".md" and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", name):
        return f"{named(path)}: the name begins with a date, so the post's number is {name[:4]}"
    if suffix in {".txt", ".markdown", ".mdown", ".docx", ".rtf"} and digits(path):
        return f"{named(path)} begins with a number but does not end in .md, so it is not a post"
    return ""
