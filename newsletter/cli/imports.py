"""Files that are imported once: subscribers import, imports, undo-import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter import consent
from newsletter.cli.intake import had_through_option
from newsletter.cli.output import Progress, ask, data, facts, iso, json_option, plural, say, table, warn, yes_option
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.cli.readers import counted, existing, expected, show_first
from newsletter.intake import fingerprint, floor
from newsletter.store.imports import Origin, Undone
from newsletter.subscribers import COLUMNS, BadRow, Header, Row, header_of, read_rows

if TYPE_CHECKING:
    from newsletter.store import Store
    from newsletter.store.audience import Reader
    from newsletter.store.forecast import Expected
    from newsletter.store.joining import Taken

_SHOWN, _ALIKE_SHOWN = 50, 10


class _Column(click.ParamType[tuple[str, str]]):
    """``email="E-Mail-Adresse"``: a column of ours, and the header that it has in the file."""

    name = "column"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        ours, sign, header = str(value).partition("=")
        if not sign or not header.strip():
            self.fail(f'write it as --column email="E-Mail-Adresse"; {value!r} names no header.', param, ctx)
        if ours.strip() not in COLUMNS:
            self.fail(f"there is no column {ours.strip()!r}; there are {', '.join(COLUMNS)}.", param, ctx)
        return ours.strip(), header


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line says about a file."""

    file: Path
    columns: dict[str, str]
    confirmed: bool
    had_through: int | None


@dataclass
class _Coming:
    """What importing a file will do."""

    header: Header
    taken: Taken
    confirmed: int  #: known people who were waiting to confirm
    floor: int
    expected: list[Expected]  #: what they get in the next weeks
    bad: list[BadRow] = field(default_factory=list)
    bad_count: int = 0
    twins: int = 0
    stopped: list[str] = field(default_factory=list)
    alike: list[list[Reader]] = field(default_factory=list)  #: may be one person: somebody new first

    @property
    def known(self) -> int:
        return self.taken.rows - self.taken.added - self.taken.kept_out

    @property
    def changes(self) -> int:
        return self.taken.added + self.taken.updated + self.confirmed + self.taken.left_there


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--column", "columns", multiple=True, type=_Column(), metavar="NAME=HEADER",
    help=f"Which header stands for one of {', '.join(COLUMNS)}; once for each.",
)  # fmt: skip
@click.option(
    "--confirmed",
    is_flag=True,
    help="They have told you that they want your letters; without it they wait, and get nothing.",
)
@click.option("--source", default="", help="Where they said so; kept with each of them, as evidence.")
@had_through_option
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@yes_option
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path,
    columns: tuple[tuple[str, str], ...],
    confirmed: bool,
    source: str,
    had_through: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Add the people in FILE, a table saved as CSV.

    Says what will happen, and asks. The first row names the columns: email, and if you like name, timezone, tags,
    confirmed_at, had_through, status. What Mailchimp, Substack, Kit, Ghost, Buttondown and listmonk export is
    recognised; for any other table say --column. Nobody leaves by an import, and who has left stays out.

    \b
    Example:
      newsletter subscribers import old-list.csv --confirmed --source "sign-up sheet, March 2026"
      newsletter subscribers import Liste.csv --column email="E-Mail-Adresse" --column name=Vorname
    """
    project, at = open_project(ctx), now()
    wanted = _Wanted(file, dict(columns), confirmed, had_through)
    coming = _look_ahead(project, wanted, at=at)
    if not as_json:
        _show(project, wanted, coming, source=source)
    written = not dry_run and bool(coming.changes) and ask(_question(coming), yes=yes)
    number = _write(project, wanted, coming, source, at) if written else 0
    if as_json:
        facts(_facts(coming, number=number))
    elif written:
        data(f"Done: {counted(project.store.audience.counts())}")
        data(f"It was import {number}; `newsletter subscribers undo-import {number}` takes the whole of it back.")
    else:
        say("Nothing was changed.")
    return 0 if written or (dry_run and coming.taken.rows) or (not coming.changes and coming.taken.rows) else 1


def _question(coming: _Coming) -> str:
    return "Take the good rows?" if coming.bad_count or coming.twins else "Take them?"


def _write(project: Project, wanted: _Wanted, coming: _Coming, source: str, at: datetime) -> int:
    sender = project.config.identity.sender
    said = f"{source}; entered by {sender.name or sender.address}" if source else ""
    return project.store.audience.import_rows(
        _good(wanted, None), confirmed=wanted.confirmed, floor=coming.floor, fingerprint=fingerprint(project.secret),
        origin=Origin(wanted.file.name, said), at=at,
    ).number  # fmt: skip


def _look_ahead(project: Project, wanted: _Wanted, *, at: datetime) -> _Coming:
    """Import the file in a rehearsal, and see what that does."""
    bad: list[BadRow] = []
    header = header_of(wanted.file, wanted.columns)
    with looked_at(project, at, file=False) as (view, result):
        start = floor(project.config, view)
        waiting = view.audience.counts()["pending"]
        before = expected(project, view, at) if wanted.confirmed else []
        taken = view.audience.import_rows(
            _good(wanted, bad), confirmed=wanted.confirmed, floor=start, at=at,
            fingerprint=fingerprint(project.known_secret),
        )  # fmt: skip
        pending = view.audience.counts()["pending"]
        joined_pending = view.imports.pending(taken.number) if wanted.confirmed else 0
        now_active = waiting + joined_pending - pending if wanted.confirmed else 0
        more = _beyond(expected(project, view, at), before) if wanted.confirmed and taken.added + now_active else []
        alike = list(_alike(view, at)) if taken.added else []
    twins = sum(row.twin for row in bad)
    return _Coming(header, taken, now_active, start, more, bad[:_SHOWN], len(bad) - twins, twins, result.stopped, alike)


def _alike(view: Store, at: datetime) -> Iterator[list[Reader]]:
    """Who joins at *at* and may be one person with somebody else, by the mailbox; those who join come first."""
    for readers in view.merging.alike():
        new = [r for r in readers if r.created_at == at]
        if new:
            yield new + [r for r in readers if r.created_at != at]


def _beyond(after: Iterable[Expected], before: Iterable[Expected]) -> list[Expected]:
    """What leaves besides what would have left anyway."""
    anyway = {(e.at, e.post): e.count for e in before}
    more = (replace(e, count=e.count - anyway.get((e.at, e.post), 0)) for e in after)
    return [e for e in more if e.count > 0]


def _good(wanted: _Wanted, bad: list[BadRow] | None) -> Iterator[Row]:
    """The good rows of the file; the others go to *bad*."""
    total = _lines(wanted.file)
    with Progress(f"reading {wanted.file.name}") as bar:
        for done, row in enumerate(read_rows(wanted.file, wanted.columns)):
            bar(done, total)
            if isinstance(row, BadRow):
                if bad is not None:
                    bad.append(row)
            elif wanted.had_through is not None and row.had_through is None:
                yield replace(row, had_through=wanted.had_through)
            else:
                yield row


def _lines(file: Path) -> int:
    """About how many rows there are, for the bar."""
    try:
        with file.open("rb") as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    except OSError:  # reading it for its rows says more
        return 0


def _show(project: Project, wanted: _Wanted, coming: _Coming, *, source: str) -> None:
    name, taken = wanted.file.name, coming.taken
    if coming.header.service or coming.header.chosen:
        whose = f" is an export of {coming.header.service.name}" if coming.header.service else ""
        read = ", ".join(f"{header} as {column}" for header, column in coming.header.meanings)
        data(f"{name}{whose}{';' if whose else ':'} read from it: {read}.")
    parts = [
        (taken.added, "new", "new"),
        (coming.known, "known already", "known already"),
        (taken.kept_out, "has left, and stays out", "have left, and stay out"),
        (taken.left_there, "had left there, and stays out", "had left there, and stay out"),
        (coming.twins, "stands in it twice", "stand in it twice"),
        (coming.bad_count, "can't be taken", "can't be taken"),
    ]
    words = ", ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in parts if n)
    data(f"{name}: {words or 'nobody in it'}.")
    if taken.updated:
        readers = plural(taken.updated, "known reader gets", "known readers get")
        data(f"{readers} a new name, time zone or tags from it.")
    if coming.confirmed:
        people = plural(coming.confirmed, "person is", "people are")
        data(f"{people} confirmed on your word, who had not confirmed before.")
    _show_bad(name, coming)
    if taken.added and not wanted.confirmed:
        data("The new ones will be pending: they get nothing before they confirm.")
        data("If they have told you that they want your letters, say so with --confirmed.")
    elif taken.added or coming.confirmed:
        _show_letters(project, coming)
        if not source:
            say('Where did they say so? It is kept as evidence: --source "sign-up sheet, March 2026".')


def _show_bad(name: str, coming: _Coming) -> None:
    warn(f"{name}, {row}" for row in coming.bad)
    more = coming.bad_count + coming.twins - len(coming.bad)
    if more:
        warn([f"{name}: {more:,} more rows can't be taken."])
    if known := coming.taken.left_but_known:
        readers = plural(known, "of those who had left there is a reader", "of those who had left there are readers")
        warn([f"{readers} here, and stays so: `newsletter subscribers unsubscribe` if that is wrong."])
    for first, *others in coming.alike[:_ALIKE_SHOWN]:
        whose = ", ".join(f"{other.address} ({other.status})" for other in others)
        warn([f"{first.address} may be one person with {whose}; see `newsletter subscribers duplicates` afterwards."])
    if len(coming.alike) > _ALIKE_SHOWN:
        warn([f"{len(coming.alike) - _ALIKE_SHOWN:,} more may be one person with somebody else."])


def _show_letters(project: Project, coming: _Coming) -> None:
    """Which posts they get, and when the first leaves."""
    zone, first = project.config.identity.timezone, coming.expected[:1]
    show_first("Their first post", first[0] if first else None, zone, coming.stopped)
    begins = [e for e in coming.expected if first and e.at == first[0].at]
    if len(begins) > 1:
        data("At that time " + ", ".join(f"#{e.post} to {e.count:,}" for e in begins) + ".")
    posts = sorted({e.post for e in coming.expected})
    if len(posts) > 1:
        letters = plural(sum(e.count for e in coming.expected), "letter")
        last = f"{coming.expected[-1].at.astimezone(zone):%A %-d %B %Y}"
        data(f"Until {last} they get #{posts[0]} to #{posts[-1]}: {letters}.")


def _facts(coming: _Coming, *, number: int) -> dict[str, Any]:
    first = coming.expected[0] if coming.expected else None
    taken, header = coming.taken, coming.header
    return {
        "rows": taken.rows, "added": taken.added, "known": coming.known, "updated": taken.updated,
        "confirmed": coming.confirmed, "kept_out": taken.kept_out, "left_there": taken.left_there,
        "twins": coming.twins, "bad_count": coming.bad_count,
        "bad": [{"row": bad.row, "problem": bad.problem} for bad in coming.bad],
        "service": header.service.name if header.service else None,
        "columns": {column: name for name, column in header.meanings},
        "first": {"at": first.at, "post": first.post, "count": first.count} if first else None,
        "posts": sorted({e.post for e in coming.expected}),
        "alike": [[str(reader.address) for reader in readers] for readers in coming.alike],
        "written": bool(number), "import": number or None,
    }  # fmt: skip


@click.command()
@json_option
@click.pass_context
def imports(ctx: click.Context, as_json: bool) -> None:
    """The files that were imported, and what can be taken back.

    \b
    Example:
      newsletter subscribers imports
    """
    project = open_project(ctx)
    store = project.existing_store()
    found = store.imports.all() if store else []
    if as_json:
        facts(
            [
                {"import": r.number, "at": iso(r.at), "file": r.file, "source": r.source, "confirmed": r.confirmed,
                 "added": r.added, "undone_at": iso(r.undone_at)}
                for r in found
            ]
        )  # fmt: skip
    elif not found:
        data("Nothing was imported yet.")
    else:
        zone = project.config.identity.timezone
        rows = [
            (r.number, f"{r.at.astimezone(zone):%Y-%m-%d %H:%M}", r.file, f"{r.added:,}",
             f"taken back {r.undone_at.astimezone(zone):%Y-%m-%d}" if r.undone_at else r.source)
            for r in found
        ]  # fmt: skip
        table(("Import", f"At ({zone.key})", "File", "Joined", ""), rows, right=frozenset({0, 3}))


@click.command("undo-import")
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@yes_option
@json_option
@click.pass_context
def undo_import(ctx: click.Context, number: int | None, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Take the latest import back as a whole, or import NUMBER.

    Who joined by it and was sent nothing is gone. Who was sent something gets nothing more, but stays on record, as
    pending. Who has said yes since, by whatever way, stays. Names, time zones and tags are as they were before.

    \b
    Example:
      newsletter subscribers undo-import
      newsletter subscribers undo-import 3
    """
    project, at = open_project(ctx), now()
    store = existing(project)
    with store.rehearsal():
        coming = store.imports.undo(number, at=at)
    if not as_json:
        _show_undoing(coming)
    written = not dry_run and ask("Take it back?", yes=yes)
    if written:
        coming = consent.undo_import(store, coming.number, at=at)
    if as_json:
        facts({
            "import": coming.number, "file": coming.file, "removed": coming.removed, "stopped": coming.stopped,
            "restored": coming.restored, "kept": coming.kept, "written": written,
        })  # fmt: skip
    elif written:
        data(f"Done: {counted(store.audience.counts())}")
    else:
        say("Nothing was changed.")
    return 0 if written or dry_run else 1


def _show_undoing(coming: Undone) -> None:
    data(f"Import {coming.number}{f', {coming.file}' if coming.file else ''}:")
    lines = [
        (coming.removed, "who joined by it", "removed: nothing was sent to them"),
        (coming.stopped, "who joined or was confirmed by it", "pending from now on, and gets nothing more"),
        (coming.kept, "who joined by it", "left as they are: they said yes since, or have left, or wait"),
        (coming.restored, "whom it changed", "given their former name, time zone or tags back"),
    ]
    for count, who, what in lines:
        if count:
            data(f"  {plural(count, 'person', 'people')} {who}: {what}.")
    if not any(count for count, _, _ in lines):
        data("  nobody is touched by it.")
