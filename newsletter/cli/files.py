"""Files: each appears whole or not at all, and none takes the place of another unless that is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def create(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write the new file *path*, with *mode* less the umask. Raises `FileExistsError` and other `OSError`s."""
    _put(path, content, mode, _name)


def replace(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """As `create`, in the place of a file that may be there."""
    _put(path, content, mode, os.replace)


def _put(path: Path, content: bytes, mode: int, name: Callable[[Path, Path], None]) -> None:
    part = path.with_name(f".{path.name[:100]}.{os.getpid()}")  # a leading dot: no post, no template
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        name(part, path)
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, path: Path) -> None:
    try:
        os.link(part, path)  # unlike a rename, this refuses a name that is taken
    except FileExistsError:
        raise
    except OSError:  # memory sticks and some shares have no links
        if path.exists():
            raise FileExistsError(f"{path} exists") from None
        part.rename(path)
