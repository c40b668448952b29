"""How readers come in one by one, or by the owner's own file: subscribers add, sync."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import ask, data, facts, json_option, say, warn, yes_option
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.cli.readers import counted, show_next
from newsletter.errors import ConfigError, SubscriberError
from newsletter.intake import fingerprint, floor, follow_file, take_posts
from newsletter.subscribers import BadRow, EmptyFileError, Row, rows_in

if TYPE_CHECKING:
    from newsletter.store.joining import Taken

_SHOWN = 50
had_through_option = click.option(
    "--had-through", metavar="N", type=click.IntRange(0), help="The last post they have had; they go on after it."
)


@click.command()
@click.argument("address")
@click.option("--name", default="", help="As letters greet them.")
@click.option("--timezone", default="", metavar="ZONE", help="Such as Europe/Berlin; else the newsletter's own.")
@click.option("--tags", default="", metavar="A,B", help="For posts that are not for everyone.")
@had_through_option
@click.pass_context
def add(ctx: click.Context, address: str, name: str, timezone: str, tags: str, had_through: int | None) -> None:
    """Add one reader who wants your letters.

    \b
    Example:
      newsletter subscribers add ana@example.org --name Ana --timezone Europe/Berlin
    """
    project, at = open_project(ctx), now()
    row = _row(address, name, timezone, tags, had_through)
    with looked_at(project, at, file=False) as (view, _):
        start = floor(project.config, view)
    at_once = project.config.rules.first == "at once"
    reader = project.store.audience.add(
        row, floor=start, at_once=at_once, fingerprint=fingerprint(project.secret), at=at
    )
    data(f"{reader.address} is a reader now.")
    show_next(project, reader, "First post", at=at)


def _row(address: str, name: str, timezone: str, tags: str, had_through: int | None) -> Row:
    """One reader as a file would have it, checked by the same rules. Raises `SubscriberError`."""
    if not address.strip():
        raise SubscriberError("there is no address: newsletter subscribers add ana@example.org")
    cells = (address, name, timezone, tags.replace(",", "|"))
    line = ",".join('"' + " ".join(cell.split()).replace('"', '""') + '"' for cell in cells)
    found = next(rows_in(io.BytesIO(f"email,name,timezone,tags\n{line}\n".encode("utf-8", "replace")), "the command"))
    if isinstance(found, BadRow):
        raise SubscriberError(f"{found.problem}.")
    return replace(found, had_through=had_through)


@click.command()
@yes_option
@json_option
@click.pass_context
def sync(ctx: click.Context, yes: bool, as_json: bool) -> int:
    """Read your own file of readers now.

    Each run of `newsletter send` reads it too, but when many people are gone from it, takes that for an accident and
    leaves the readers as they were. This command says what would change, and asks.

    \b
    Example:
      newsletter subscribers sync
    """
    project, at = open_project(ctx), now()
    path = project.config.subscribers_file
    if path is None:
        raise ConfigError(
            'newsletter.toml names no file of readers; under [subscribers], write file = "subscribers.csv".'
        )
    try:
        taken, bad, leaving = _look_at_file(project, path, at)
    except EmptyFileError as error:
        raise SubscriberError(f"{error}; the readers stay as they were.") from None
    if not as_json:
        warn(bad)
        data(f"{path.name}: {_file_changes(taken)}.")
        for address in leaving[:_SHOWN]:
            data(f"  {address} is gone from it, and will be paused")
        if len(leaving) > _SHOWN:
            data(f"  and {len(leaving) - _SHOWN:,} more")
    changes = taken.added + taken.updated + taken.departed + taken.returned
    written = bool(changes) and ask("Take it?", yes=yes)
    if written or (not changes and project.existing_store()):
        take_posts(project.config, project.store, at=at)  # they say where new readers begin
        taken, bad = follow_file(path, project.config, project.store, project.secret, at=at, meant=True)
    if as_json:
        facts({
            "added": taken.added, "updated": taken.updated, "departed": taken.departed, "returned": taken.returned,
            "kept_out": taken.kept_out, "bad": bad, "leaving": [str(a) for a in leaving], "written": written,
        })  # fmt: skip
    elif written:
        data(f"Done: {counted(project.store.audience.counts())}")
    elif changes:
        say("Nothing was changed.")
    return 0 if written or not changes else 1


def _look_at_file(project: Project, path: Path, at: datetime) -> tuple[Taken, list[str], list[Any]]:
    """What taking the owner's file does, its bad rows, and who is gone from it."""
    with looked_at(project, at, file=False) as (view, _):
        before = {reader.id for reader in view.audience.readers() if reader.in_file}
        taken, bad = follow_file(path, project.config, view, project.known_secret, at=at, meant=True)
        gone = (r for r in view.audience.readers() if r.id in before and not r.in_file) if taken.departed else ()
        return taken, bad, [reader.address for reader in gone]


def _file_changes(taken: Taken) -> str:
    parts = [
        (taken.added, "new"), (taken.updated, "changed"), (taken.departed, "gone"), (taken.returned, "back"),
        (taken.kept_out, "unsubscribed or suppressed, and they stay so"),
    ]  # fmt: skip
    return ", ".join(f"{n:,} {word}" for n, word in parts if n) or "nothing has changed"
