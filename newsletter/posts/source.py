"""The source of a post: a file's bytes, and its bytes as text.

Files are read whole, once; above 10 MB they are refused unread. Text is UTF-8 and nothing else, as a wrong guess would
mail wrong letters. `FileError` when nothing more can be read from a file; whoever catches it knows the file's name.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from newsletter.errors import PostError
from newsletter.mail import shown

LARGEST = 10_000_000  #: bytes

_SAVE = "save it as plain text in UTF-8"
# Beginnings of files that people save as .md by mistake.
_SIGNATURES = {b"PK\x03\x04": "a Word or Pages document", b"%PDF": "a PDF", b"{\\rtf": "an RTF document"}


class FileError(Exception):
    """Nothing more can be read from this file."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        self.problem, self.line = problem, line
        super().__init__(problem)


def plain_text(source: Path | bytes, name: str) -> str:
    """The text of a file that is not a post yet, line ends LF; *name* is how messages call it. Raises `PostError`."""
    try:
        return decoded(source if isinstance(source, bytes) else read_bytes(source))
    except FileError as error:
        raise PostError(name, error.problem, line=error.line) from None


def read_bytes(path: Path) -> bytes:
    """The file's content; raises `FileError`."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise FileError("this is a folder, not a file; move it out or rename it")
        if not stat.S_ISREG(found.st_mode):  # reading a pipe would never end
            raise FileError("this is not an ordinary file; replace it by a text file")
        if found.st_size > LARGEST:
            raise FileError(f"the file has {found.st_size / 1e6:.0f} MB, a post may have 10; move pictures to files")
        return path.read_bytes()
    except FileNotFoundError:
        raise FileError("there is no such file; check the name") from None
    except PermissionError:
        raise FileError("you have no permission to read this file; change its permissions") from None
    except OSError as error:
        raise FileError(f"this file can't be read ({error.strerror}); copy it anew or check the disk") from None


def decoded(data: bytes) -> str:
    """*data* as text, line ends LF, without a byte-order mark, not blank; raises `FileError`."""
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            raise FileError(f"this is {kind} with the name of a text file; {_SAVE}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileError(f"this looks like UTF-16, not UTF-8; {_SAVE}", 1)
    if (zero := data.find(0)) >= 0:
        raise FileError(f"this is not a text file (it has a zero byte); {_SAVE}", data.count(b"\n", 0, zero) + 1)
    try:
        text = data.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        before, after = data[: error.start], data[error.start :]
        word = re.split(rb"\s", before)[-1] + re.split(rb"\s", after, maxsplit=1)[0]
        words = f"this looks like Windows-1252, not UTF-8 (at {shown(word.decode('cp1252', 'replace'))}); {_SAVE}"
        raise FileError(words, before.count(b"\n") + 1) from None
    if not text.strip():
        raise FileError('the file is empty; write at least a title and a text, or begin with `newsletter new "Title"`')
    return text.replace("\r\n", "\n").replace("\r", "\n")
