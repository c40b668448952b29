"""How readers come in: subscribers add, import, sync."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Progress, ask, data, facts, json_option, plural, say, warn, yes_option
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.cli.readers import counted, expected, show_first, show_next
from newsletter.errors import ConfigError, SubscriberError
from newsletter.intake import fingerprint, floor, follow_file, take_posts
from newsletter.subscribers import BadRow, EmptyFileError, Row, read_rows, rows_in

if TYPE_CHECKING:
    from newsletter.store.forecast import Expected
    from newsletter.store.joining import Taken

_SHOWN = 50
_had_through = click.option(
    "--had-through", metavar="N", type=click.IntRange(0), help="The last post they have had; they go on after it."
)


@click.command()
@click.argument("address")
@click.option("--name", default="", help="As letters greet them.")
@click.option("--timezone", default="", metavar="ZONE", help="Such as Europe/Berlin; else the newsletter's own.")
@click.option("--tags", default="", metavar="A,B", help="For posts that are not for everyone.")
@_had_through
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


@dataclass
class _Coming:
    """What importing a file will do."""

    taken: Taken
    confirmed: int  #: known people who were waiting to confirm
    first: Expected | None
    floor: int
    bad: list[BadRow] = field(default_factory=list)
    bad_count: int = 0
    stopped: list[str] = field(default_factory=list)

    @property
    def known(self) -> int:
        return self.taken.rows - self.taken.added - self.taken.kept_out


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--confirmed",
    is_flag=True,
    help="They have told you that they want your letters; without it they wait, and get nothing.",
)
@_had_through
@yes_option
@json_option
@click.pass_context
def import_(ctx: click.Context, file: Path, confirmed: bool, had_through: int | None, yes: bool, as_json: bool) -> int:
    """Add the people in FILE, a table saved as CSV.

    Says what will happen, and asks. The first row names the columns: email, and if you like name, timezone, tags,
    confirmed_at, had_through. Nobody leaves by an import, and who has unsubscribed stays so.

    \b
    Example:
      newsletter subscribers import old-list.csv --confirmed --had-through 3
    """
    project, at = open_project(ctx), now()
    coming = _look_ahead(project, file, confirmed=confirmed, had_through=had_through, at=at)
    if not as_json:
        _show_import(project, file, coming, confirmed=confirmed)
    changes = coming.taken.added + coming.taken.updated + coming.confirmed
    written = bool(changes) and ask("Take the good rows?" if coming.bad_count else "Take them?", yes=yes)
    if written:
        rows = _good(file, had_through, None)
        project.store.audience.import_rows(
            rows, confirmed=confirmed, floor=coming.floor, fingerprint=fingerprint(project.secret), at=at
        )  # fmt: skip
    if as_json:
        facts(_import_facts(coming, written=written))
    else:
        (data if written else say)(
            f"Done: {counted(project.store.audience.counts())}" if written else "Nothing was changed."
        )
    return 0 if written or (not changes and coming.taken.rows) else 1


def _look_ahead(project: Project, file: Path, *, confirmed: bool, had_through: int | None, at: datetime) -> _Coming:
    """Import *file* in a rehearsal, and see what that does."""
    bad: list[BadRow] = []
    with looked_at(project, at, file=False) as (view, result):
        start = floor(project.config, view)
        waiting = view.audience.counts()["pending"]
        before = {(e.at, e.post): e.count for e in expected(project, view, at)} if confirmed else {}
        rows = _good(file, had_through, bad)
        taken = view.audience.import_rows(
            rows, confirmed=confirmed, floor=start, fingerprint=fingerprint(project.known_secret), at=at
        )  # fmt: skip
        now_active = waiting - view.audience.counts()["pending"] if confirmed else 0
        after = expected(project, view, at) if confirmed and taken.added + now_active else []
        first = next((e for e in after if e.count > before.get((e.at, e.post), 0)), None)
        if first is not None:
            first = replace(first, count=first.count - before.get((first.at, first.post), 0))
    return _Coming(taken, now_active, first, start, bad[:_SHOWN], len(bad), result.stopped)


def _good(file: Path, had_through: int | None, bad: list[BadRow] | None) -> Iterator[Row]:
    """The good rows of *file*; the others go to *bad*."""
    total = _lines(file)
    with Progress(f"reading {file.name}") as bar:
        for done, row in enumerate(read_rows(file)):
            bar(done, total)
            if isinstance(row, BadRow):
                if bad is not None:
                    bad.append(row)
            elif had_through is not None and row.had_through is None:
                yield replace(row, had_through=had_through)
            else:
                yield row


def _lines(file: Path) -> int:
    """About how many rows there are, for the bar."""
    try:
        with file.open("rb") as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    except OSError:  # reading it for its rows says more
        return 0


def _show_import(project: Project, file: Path, coming: _Coming, *, confirmed: bool) -> None:
    taken = coming.taken
    parts = [
        (taken.added, "new", "new"),
        (coming.known, "known already", "known already"),
        (taken.kept_out, "has left, and stays out", "have left, and stay out"),
        (coming.bad_count, "can't be taken", "can't be taken"),
    ]
    words = ", ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in parts if n)
    data(f"{file.name}: {words or 'nobody in it'}.")
    if taken.updated:
        readers = plural(taken.updated, "known reader gets", "known readers get")
        data(f"{readers} a new name, time zone or tags from it.")
    if coming.confirmed:
        people = plural(coming.confirmed, "person is", "people are")
        data(f"{people} confirmed on your word, who had not confirmed before.")
    warn(f"{file.name}, {row}" for row in coming.bad)
    if coming.bad_count > len(coming.bad):
        warn([f"{file.name}: {coming.bad_count - len(coming.bad):,} more rows can't be taken."])
    if taken.added and not confirmed:
        data("The new ones will be pending: they get nothing before they confirm.")
        data("If they have told you that they want your letters, say so with --confirmed.")
    elif taken.added or coming.confirmed:
        show_first("Their first post", coming.first, project.config.identity.timezone, coming.stopped)


def _import_facts(coming: _Coming, *, written: bool) -> dict[str, Any]:
    first = coming.first
    taken = coming.taken
    return {
        "rows": taken.rows, "added": taken.added, "known": coming.known, "updated": taken.updated,
        "confirmed": coming.confirmed, "kept_out": taken.kept_out, "bad_count": coming.bad_count,
        "bad": [{"row": bad.row, "problem": bad.problem} for bad in coming.bad],
        "first": {"at": first.at, "post": first.post, "count": first.count} if first else None, "written": written,
    }  # fmt: skip


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
