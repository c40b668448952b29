"""Records of one person: subscribers duplicates, merge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from newsletter import consent
from newsletter.cli.export import reader_facts
from newsletter.cli.output import ask, data, facts, json_option, plural, say, warn, yes_option
from newsletter.cli.project import Project, now, open_project
from newsletter.cli.readers import existing, find, show_next
from newsletter.errors import SubscriberError
from newsletter.intake import fingerprint
from newsletter.store.merging import Merged
from newsletter.subscribers import BadRow, Cause, EmptyFileError, Status, read_rows

_SHOWN = 50
_BECAUSE = {
    Cause.COMPLAINED: "called a letter spam; nothing is sent to this person again, for ever",
    Cause.UNSUBSCRIBED: "has unsubscribed; only their own word brings them back",
    Cause.FORBIDDEN: "was suppressed by you",
    Cause.BOUNCED: "is suppressed because letters came back",
}


@click.command()
@json_option
@click.pass_context
def duplicates(ctx: click.Context, as_json: bool) -> None:
    """Readers who may be one person, and rows of your file that are.

    An address is the same in capitals, and its domain in letters or as xn--…: that is one reader, always. Here are
    those whose letters come to one mailbox in all likelihood: ana+news@example.org and ana@example.org.

    \b
    Example:
      newsletter subscribers duplicates
    """
    project = open_project(ctx)
    store = project.existing_store()
    alike = list(store.merging.alike()) if store else []
    rows = list(_twins(project))
    if as_json:
        facts({
            "readers": [[reader_facts(reader) for reader in readers] for readers in alike],
            "rows": [{"row": row.row, "problem": row.problem} for row in rows],
        })  # fmt: skip
        return
    for readers in alike[:_SHOWN]:
        had = (f"#{r.position}" if r.position >= 0 else "nothing" for r in readers)
        data("; ".join(f"{r.address}, {r.status}, had {what}" for r, what in zip(readers, had, strict=True)))
    if len(alike) > _SHOWN:
        data(f"and {len(alike) - _SHOWN:,} more (--json has all)")
    if alike:
        keep, gone = alike[0][0].address, alike[0][1].address
        data(f"If two are one person: `newsletter subscribers merge {keep} {gone}` keeps the first.")
    name = project.config.subscribers_file.name if project.config.subscribers_file else ""
    for row in rows[:_SHOWN]:
        data(f"{name}, {row}")
    if not alike and not rows:
        data("No two readers look like one person.")


def _twins(project: Project) -> Iterator[BadRow]:
    """Rows of the owner's own file for somebody who stands in it already."""
    path = project.config.subscribers_file
    if path is None:
        return
    try:
        yield from (row for row in read_rows(path) if isinstance(row, BadRow) and row.twin)
    except EmptyFileError:
        return
    except SubscriberError as error:
        warn([f"{error}."])


@click.command()
@click.argument("keep")
@click.argument("gone")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@yes_option
@json_option
@click.pass_context
def merge(ctx: click.Context, keep: str, gone: str, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Make two records of one person one: letters go to KEEP alone.

    Neither gets a post again that the other had. If one of the two has left, both have. The record of GONE keeps its
    history, and the links in its letters work for ever.

    \b
    Example:
      newsletter subscribers merge ana@example.org ana.lucero@example.org
    """
    project, at = open_project(ctx), now()
    store = existing(project)
    old, other = find(project, store, keep), find(project, store, gone)
    with store.rehearsal():
        merged = consent.merge(store, keep, gone, fingerprint=fingerprint(project.known_secret), at=at)
    if not as_json:
        data(f"{old.address}, {old.status}, will stand for {other.address}, {other.status}, too.")
        _show(merged, str(other.address))
    written = not dry_run and ask("Merge them?", yes=yes)
    if written:
        merged = consent.merge(store, keep, gone, fingerprint=fingerprint(project.secret), at=at)
    if as_json:
        facts(_facts(merged, str(other.address), written=written))
    elif written:
        data(f"Done. {other.address} gets nothing more; `newsletter history {other.address}` still has what it got.")
        if merged.kept.status is Status.ACTIVE:
            show_next(project, merged.kept, "Next post", at=at)
    else:
        say("Nothing was changed.")
    return 0 if written or dry_run else 1


def _show(merged: Merged, gone: str) -> None:
    kept = merged.kept
    if kept.status is not merged.before and merged.because:
        data(f"{kept.address} will be {kept.status}: {gone} {_BECAUSE[merged.because]}.")
        if merged.because in (Cause.BOUNCED, Cause.FORBIDDEN):
            data(f"If this mailbox is a good one: `newsletter suppressions lift {kept.address}`, afterwards.")
    elif kept.status is Status.PENDING:
        data(f"{kept.address} has not confirmed, and gets nothing before; no other address can do that for it.")
    if kept.position >= 0:
        data(f"They have come to #{kept.position}, and go on after it.")
    if merged.spared:
        count = plural(len(merged.spared), "post")
        data(f"{count} that only {gone} had: not sent again.")


def _facts(merged: Merged, gone: str, *, written: bool) -> dict[str, Any]:
    return {
        "kept": reader_facts(merged.kept), "gone": gone, "status_before": merged.before.value,
        "because": merged.because.value if merged.because else None, "spared": list(merged.spared), "written": written,
    }  # fmt: skip
