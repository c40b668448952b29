"""The command that carries the ledger to another database: move."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli import files
from newsletter.cli.output import Progress, data, plural, say
from newsletter.cli.project import open_project, state_folder
from newsletter.config import FILE_NAME, STORE_VARIABLE, store_url
from newsletter.errors import ConfigError, NotFound, StoreMoved
from newsletter.scheduler import run_lock

if TYPE_CHECKING:
    from newsletter.cli.project import Project

_URL_FILE = "store-url.txt"


@click.command()
@click.option("--to", "given", metavar="URL", help="The new, empty database: postgresql://NAME@HOST/DATABASE")
@click.option("--to-file", "file", type=click.Path(path_type=Path), help="A file with its url in it, and its password.")
@click.pass_context
def move(ctx: click.Context, given: str | None, file: Path | None) -> None:
    """Carry the ledger to another database: from SQLite's file to PostgreSQL, or back.

    Everything goes along, with its numbers; links in letters that were sent stay good. Both sides are counted and
    compared, and the old database lets nothing more be written. Interrupted, type it again.

    \b
    Example:
      newsletter move --to postgresql://maya@db.example.org/letters
    """
    from newsletter.store import Store, fence
    from newsletter.store.moving import move as carry

    project = open_project(ctx)
    url = _target(project, given, file)
    if project.database is not None and not project.database.exists():
        raise NotFound(
            f"there is no database yet, so there is nothing to move: write the url under [store] in {FILE_NAME}."
        )
    if url.partition(":")[0] == project.config.store_url.partition(":")[0]:
        raise ConfigError(
            "both are the same kind of database: copy a file with `newsletter backup`, PostgreSQL with pg_dump."
        )
    with suppress(StoreMoved):  # an interrupted move goes on
        Store.open(project.config.store_url, state_folder=state_folder()).close()  # in this version's schema
    source = Store.half_open(project.config.store_url, state_folder=state_folder())
    target = Store.half_open(url, state_folder=state_folder())
    project.opened += [source, target]
    with run_lock(project.config), Progress("moving") as bar:
        moved = carry(source, target, progress=bar)
    _bring_key(project, url)
    if moved.tables:
        counts = (("reader", moved.tables["subscriber"].rows), ("post", moved.tables["post"].rows))
        data(f"Moved: {', '.join(plural(n, noun) for noun, n in counts)}, {_states(moved.states)}. Both sides agree.")
    else:
        data(f"The ledger is in {fence.shown(url)} already: {_states(moved.states)}.")
    _next_step(project, url, file)


def _target(project: Project, given: str | None, file: Path | None) -> str:
    if (given is None) == (file is None):
        raise click.UsageError("say where to: --to postgresql://NAME@HOST/DATABASE, or --to-file FILE.")
    return store_url(project.config.root, given, file)


def _states(states: dict[str, int]) -> str:
    each = ", ".join(f"{count:,} {state}" for state, count in states.items())
    return plural(sum(states.values()), "delivery", "deliveries") + (f" ({each})" if each else "")


def _bring_key(project: Project, url: str) -> None:
    """secret.key is looked for beside the database: links in letters that were sent must stay good."""
    old = project.secret_path
    new = project.secret_path_of(url)
    if old == new or not old.exists():
        return
    try:
        files.create(new, old.read_bytes(), mode=0o600)
    except FileExistsError:
        if new.read_bytes() != old.read_bytes():
            raise ConfigError(
                f"{new} is another key than {old}, which signed your letters: put a copy of {old} in its place."
            ) from None
    say(f"{new} is a copy of {old}: it signs every unsubscribe link.")


def _next_step(project: Project, url: str, file: Path | None) -> None:
    """What to write now. The settings are the owner's file, and a password has no place in them."""
    from newsletter.store import fence

    if os.environ.get(STORE_VARIABLE):
        data(f"Now set {STORE_VARIABLE} to the new url: the old database lets nothing more be written.")
        return
    line = f'url = "{fence.shown(url)}"'
    if file is not None:
        line = f'url_file = "{file}"'
    elif fence.has_password(url):
        path = project.config.root / _URL_FILE
        path.unlink(missing_ok=True)
        files.create(path, f"{url}\n".encode(), mode=0o600)
        line = f'url_file = "{_URL_FILE}"'
    data(f"Now write into {FILE_NAME}, in the place of the url under [store]:\n\n    {line}\n")
    data("The old database is kept as it was, lets nothing more be written, and says where the ledger is.")


COMMANDS = {"move": move}
