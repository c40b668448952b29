"""Files that newsletter.toml names: where they are, and the one line of a secret."""

from __future__ import annotations

from pathlib import Path

from newsletter.config import values
from newsletter.config.values import WrongValueError

SECRET_MAX = 64 * 1024  # octets; more is no secret but the wrong file


def path(root: Path, value: object) -> Path:
    """Where a file is: named from the project's folder on, or by its whole path."""
    given = values.filled(value)
    if given.startswith("~"):
        raise WrongValueError("write the whole path instead of ~, or one that begins in the project's folder")
    return root / given


def existing(root: Path, value: object) -> Path:
    """A file that is there."""
    file = path(root, value)
    if not file.is_file():
        raise WrongValueError(f"there is no such file; it is looked for from {root} on")
    return file


def secret(root: Path, value: object) -> str:
    """The one line of a secret's own file. Neither the line nor the file's name shows in a fault.

    The name is kept back because owners put the secret itself there.
    """
    try:
        with path(root, value).open("rb") as file:
            octets = file.read(SECRET_MAX + 1)
    except OSError as error:
        raise WrongValueError(
            f"the file it names can't be read: {error.strerror} (it is looked for from {root} on)"
        ) from None
    try:
        line = octets.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise WrongValueError(
            "the file it names is not UTF-8 text; save it as UTF-8 with nothing but the secret in it"
        ) from None
    if not line or not line.isprintable() or len(octets) > SECRET_MAX:
        raise WrongValueError("the file it names must hold one line with the secret and nothing else")
    return line
