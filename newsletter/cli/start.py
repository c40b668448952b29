"""The command that makes a project: init."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from newsletter.cli.output import data, plural, say
from newsletter.config import FILE_NAME
from newsletter.errors import ConfigError
from newsletter.subscribers import COLUMNS

_LIST = Path("subscribers.csv")
_IGNORED = """\
# What must not be published: readers, keys, and what was sent.
/subscribers.csv
/newsletter.db*
/secret.key
/dkim*.key
/smtp-password.txt
/store-url.txt
/newsletter.env
/outbox/
/.newsletter.lock
"""
_WHAT = {
    FILE_NAME: "the settings",
    "posts": "sample posts; put yours in their place",
    "templates": "how a letter looks",
    "subscribers.example.csv": "what a list of readers looks like",
    str(_LIST): "your readers; nobody yet",
    ".gitignore": "keeps your readers out of a public copy",
}


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def init(folder: Path) -> int:
    """Make a new project in DIR (here, when left out).

    Writes the settings, the templates, sample posts and a list of readers that is still empty. Files that are
    there already are kept as they are.

    \b
    Example:
      newsletter init letters
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder, or one that is still to be made.")
    written, kept = make_project(folder)
    _show(folder, written, kept)
    return 0


def make_project(folder: Path) -> tuple[list[Path], list[Path]]:
    """Write a complete project into *folder*; the paths in it that are new, and those that were kept.

    Sample posts are written into a new project only: in one that exists they would go to its readers.
    Raises `ConfigError`.
    """
    from newsletter.cli.files import create
    from newsletter.starter import starter_files

    starter = list(starter_files())
    fresh = not (folder / FILE_NAME).exists() and not _has_own_posts(folder, starter)
    contents = {Path(".gitignore"): _IGNORED.encode(), _LIST: f"{','.join(COLUMNS)}\n".encode()}
    sources = {path: source for path, source in starter if fresh or path.parts[0] != "posts"}
    written: list[Path] = []
    kept: list[Path] = []
    for path in [*contents, *sources]:  # the settings last
        try:
            if (folder / path).exists():
                kept.append(path)
                continue
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            create(folder / path, contents[path] if path in contents else sources[path].read_bytes())
            written.append(path)
        except OSError as error:
            raise ConfigError(
                f"{folder / path} can't be written ({error.strerror}); what was written so far stays there."
            ) from None
    try:
        (folder / "posts").mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder / 'posts'} can't be made ({error.strerror}).") from None
    return written, kept


def _has_own_posts(folder: Path, starter: list[tuple[Path, Path]]) -> bool:
    samples = {path.name for path, _ in starter}
    try:
        return any(
            p.name[:1].isdigit() and p.suffix == ".md" and p.name not in samples for p in (folder / "posts").iterdir()
        )
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigError(f"{folder / 'posts'} can't be read ({error.strerror}).") from None


def _show(folder: Path, written: list[Path], kept: list[Path]) -> None:
    here = folder.resolve() == Path.cwd().resolve()
    if kept:
        names = ", ".join(f"{name} ({plural(count, 'file')})" if count else name for name, count in _grouped(kept))
        say(f"There already, and kept: {names}.")
    if not written:
        data("Everything is there already; nothing was written.")
        return
    data(f"Written{'' if here else f' into {folder}'}:")
    for name, count in _grouped(written):
        data(f"  {name:<24} {_WHAT[name.rstrip('/')]}" + (f" ({plural(count, 'file')})" if count else ""))
    data()
    data(f"Open {FILE_NAME} in a text editor and write your own name and addresses into it. Then type:")
    data()
    steps = {
        "newsletter preview 4": "look at a post",
        "newsletter subscribers add you@example.org": "be your first reader",
        "newsletter plan": "see who gets what, and when",
    }
    if folder_of_program := unfound():
        data(f'  export PATH="{folder_of_program}:$PATH"   # so that this terminal finds newsletter')
    if not here:
        data(f"  cd {_quoted(folder)}")
    for command, why in steps.items():
        data(f"  {command:<44} {why}")


def unfound() -> Path | None:
    """The folder of the program when this shell does not find it there, as in a virtual environment."""
    program = Path(sys.argv[0]).absolute()
    if program.name != "newsletter" or not program.is_file() or not str(program.parent).isprintable():
        return None
    found = shutil.which("newsletter")
    return None if found and Path(found).samefile(program) else program.parent


def _grouped(paths: list[Path]) -> list[tuple[str, int]]:
    """Files by name, each with 0; folders, with how many of *paths* lie in them."""
    tops = dict.fromkeys(path.parts[0] for path in paths)
    counts = {top: sum(path.parts[0] == top and len(path.parts) > 1 for path in paths) for top in tops}
    return [(f"{top}/" if count else top, count) for top, count in counts.items()]


def _quoted(folder: Path) -> str:
    from shlex import quote

    return quote(str(folder))


COMMANDS = {"init": init}
