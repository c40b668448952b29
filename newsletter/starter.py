"""What comes with newsletter: the templates, and the project that `newsletter init` writes.

An installed wheel has these files in ``newsletter/starter``; a checkout has them where its owner sees them, at its
root (pyproject.toml, ``force-include``).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from newsletter.config import FILE_NAME
from newsletter.errors import ConfigError

_TEMPLATES = Path("templates/email")
_PAGES = Path("templates/web")
_POSTS = Path("posts")
_EXAMPLE = Path("subscribers.example.csv")


def builtin_templates() -> Path:
    """The folder of the templates that come with newsletter."""
    return _home() / _TEMPLATES


def builtin_pages() -> Path:
    """The folder of the web pages that come with newsletter."""
    return _home() / _PAGES


def starter_files() -> Iterator[tuple[Path, Path]]:
    """(path in a project, the file to copy); the settings come last: a project without them is not complete.

    Raises `ConfigError` when this installation has lost them.
    """
    home = _home()
    for name in (_EXAMPLE, Path(FILE_NAME)):
        if not (home / name).is_file():
            raise ConfigError(f"this installation of newsletter is not complete ({name} is missing): install it again.")
    for folder in (_TEMPLATES, _POSTS):
        for path in sorted((home / folder).rglob("*")):
            within = path.relative_to(home)
            if path.is_file() and not any(part.startswith((".", "_")) for part in within.parts):
                yield within, path
    for name in (_EXAMPLE, Path(FILE_NAME)):
        yield name, home / name


def _home() -> Path:
    package = Path(str(files("newsletter")))
    installed = package / "starter"
    return installed if installed.is_dir() else package.parent
