"""The command that removes old details: prune."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from newsletter.cli.output import Progress, ask, data, facts, json_option, plural, say, yes_option
from newsletter.cli.project import now, open_project
from newsletter.config import span
from newsletter.errors import NotFound
from newsletter.scheduler import run_lock

_WHAT = {
    "attempt": ("attempt at what was accepted in the end", "attempts at what was accepted in the end"),
    "event": ("report that changed nothing", "reports that changed nothing"),
    "notice": ("letter outside the sequence", "letters outside the sequence"),
}


@click.command()
@click.option("--older-than", "age", metavar="AGE", help='Such as "104 weeks"; else keep_details under [store].')
@click.option("--archive", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file first.")
@yes_option
@json_option
@click.pass_context
def prune(ctx: click.Context, age: str | None, file: Path | None, yes: bool, as_json: bool) -> int:
    """Remove old details that nobody will ask for any more.

    Says how much and asks; until then nothing is removed. Who got what and when stays on record, and so do consent,
    suppressions, bounces, complaints and every doubt; `newsletter verify` balances as before.

    \b
    Example:
      newsletter prune --older-than "104 weeks" --archive old.jsonl.gz
    """
    from newsletter.store import pruning

    project = open_project(ctx)
    store = project.existing_store()
    if store is None:
        raise NotFound("there is no database yet, so there is nothing to remove.")
    kept: timedelta = span("--older-than", age) if age else project.config.keep_details
    before = now() - kept
    found = pruning.count(store, before=before)
    removed = bool(sum(found.values()))
    if not as_json:
        data(f"Older than {plural(kept.days, 'day')}: {_counted(found)}.")
    if removed and not ask("Remove them?", yes=yes):
        say("Nothing was removed.")
        return 1
    if removed:
        with run_lock(project.config):  # not while she thinks it over: a run would be kept out
            if file is not None:
                pruning.archive(store, file, before=before)
            with Progress("removing") as bar:
                found = pruning.prune(store, before=before, progress=bar)
            pruning.make_room(store)
    if as_json:
        facts({"removed": found, "archive": file if removed else None})
    elif removed:
        data(f"Removed{f'; {file} has them' if file else ''}. Who got what and when is on record as before.")
    return 0


def _counted(found: dict[str, int]) -> str:
    parts = [plural(n, *_WHAT[name]) for name, n in found.items() if n]
    return ", ".join(parts) or "nothing that may go"


COMMANDS = {"prune": prune}
