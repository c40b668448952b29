"""The readers in a file: subscribers export."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from newsletter.cli.output import data, iso, plural
from newsletter.cli.project import open_project
from newsletter.cli.readers import existing
from newsletter.errors import SubscriberError
from newsletter.store import Store
from newsletter.store.audience import Reader
from newsletter.subscribers import STANDINGS, Status, write_rows

EVERYONE = "all"
STATUSES = (EVERYONE, *(status.value for status in STANDINGS))


def matching(store: Store, status: str, tag: str = "") -> Iterator[Reader]:
    """The readers of one *status* (or of all), and of one *tag* if it is given."""
    readers = store.audience.readers(None if status == EVERYONE else Status(status))
    return (reader for reader in readers if not tag or tag.casefold() in map(str.casefold, reader.tags))


def reader_facts(reader: Reader) -> dict[str, Any]:
    """A reader as JSON has them."""
    return {
        "email": str(reader.address), "name": reader.name, "status": reader.status.value,
        "paused": [pause.name.lower() for pause in reader.pauses if pause.name],
        "timezone": reader.timezone, "tags": sorted(reader.tags), "had_through": reader.had_through,
        "confirmed_at": iso(reader.confirmed_at), "in_file": reader.in_file,
    }  # fmt: skip


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--status", default=Status.ACTIVE.value, show_default=True, type=click.Choice(STATUSES), help="Only these."
)
@click.option("--tag", default="", help="Only those with this tag.")
@click.option("--json", "as_json", is_flag=True, help="As JSON (times in UTC).")
@click.option("--overwrite", is_flag=True, help="FILE may be there already: it is replaced.")
@click.pass_context
def export(ctx: click.Context, file: Path | None, status: str, tag: str, as_json: bool, overwrite: bool) -> None:
    """Write the readers as CSV, to FILE or to standard output.

    The columns are those of your own file, and a status: whoever has left stays out wherever it is read. No cell is a
    formula to a spreadsheet.

    \b
    Example:
      newsletter subscribers export readers.csv
      newsletter subscribers export everybody.csv --status all --overwrite
    """
    project = open_project(ctx)
    store = existing(project)
    text = io.StringIO()
    found = list(matching(store, status, tag))
    if as_json:
        text.write(json.dumps([reader_facts(reader) for reader in found], ensure_ascii=False, indent=2) + "\n")
    else:
        write_rows(text, found)
    if file is None:
        sys.stdout.write(text.getvalue())
        return
    # Excel takes a file without the mark for Windows-1252, and spoils every accent.
    _write(file, text.getvalue().encode("utf-8" if as_json else "utf-8-sig"), overwrite=overwrite)
    others = sum(store.audience.counts()[s.value] for s in STANDINGS) - len(found)
    left = f" {plural(others, 'other')} left out{'' if status == EVERYONE else ' (--status all)'}." if others else ""
    data(f"{file} holds {plural(len(found), 'reader')}.{left}")


def _write(file: Path, content: bytes, *, overwrite: bool) -> None:
    from newsletter.cli.files import create, replace

    try:
        (replace if overwrite else create)(file, content)
    except FileExistsError:
        raise SubscriberError(f"{file} is there already, and is kept; name another file, or say --overwrite.") from None
    except OSError as error:
        raise SubscriberError(f"{file} can't be written ({error.strerror}).") from None
