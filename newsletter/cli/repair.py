"""Commands for when something went wrong: resend, settle, backup, restore."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from newsletter.cli.output import Progress, ask, data, facts, json_option, plural, say, warn, yes_option
from newsletter.cli.project import now, open_project
from newsletter.config import Mode, Rules
from newsletter.errors import ConfigError, NotFound, PostError
from newsletter.intake import take_in
from newsletter.posts import PostStatus
from newsletter.scheduler import run_lock
from newsletter.store.facts import HoldKind


@click.command()
@click.argument("number", type=int)
@click.option("--missing", "which", flag_value="missing", help="To those whose sequence went by without it.")
@click.option(
    "--failed", "which", flag_value="failed", help="To those for whom it was rejected or could not be composed."
)
@click.option(
    "--revised", "which", flag_value="revised", help="To everybody who got it with another text than today's."
)
@yes_option
@json_option
@click.pass_context
def resend(ctx: click.Context, number: int, which: str | None, yes: bool, as_json: bool) -> int:
    """Send post NUMBER again, as a copy, to some of its readers.

    Says how many and asks; the copies leave with the next runs. Readers who have another post under way, or
    have not come to this one yet, are left to the sequence.

    \b
    Example:
      newsletter resend 4 --failed
    """
    if which is None:
        raise click.UsageError("say to whom: --missing, --failed or --revised.")
    from newsletter.press import Press

    project, at = open_project(ctx), now()
    config, store = project.config, project.store
    with run_lock(config):
        folder = take_in(config, store, project.secret, at=at).folder
        post = project.post(number)
        if post.status is not PostStatus.LIVE:
            raise PostError(f"posts/{post.path.name}", f"it is {_WHY_NOT[post.status]}")
        revision = Press.of(folder.posts, config.identity, config.design, project.secret, store.ledger).revision(
            post.id
        )
        copies = partial(
            store.ledger.copies,
            number,
            which,
            revision,
            gap=config.rules.min_gap,
            at=at,
            news=config.rules.mode is Mode.BROADCAST,
        )
        count = copies(dry_run=True)
        if count and ask(f"Send #{number} {post.title} again to {plural(count, 'reader')}?", yes=yes):
            count = copies()
        elif count:
            say("Nothing was changed.")
            return 1
    if as_json:
        facts({"post": number, "which": which, "count": count})
    elif count:
        data(f"{plural(count, 'copy', 'copies')} of #{number} will leave with the next run{_gap(config.rules)}.")
    else:
        data(f"Nobody: no reader is in that position ({which}) for #{number}.")
    return 0


_WHY_NOT = {
    PostStatus.DRAFT: "a draft, so it goes to nobody; write `status: live` into it first",
    PostStatus.RETRACTED: "retracted, and that is final; to send it again give it a new id and `status: live`",
}


@click.command()
@click.argument("address")
@click.argument("number", type=int)
@click.argument("verdict", type=click.Choice(["accepted", "resend"]))
@click.pass_context
def settle(ctx: click.Context, address: str, number: int, verdict: str) -> None:
    """Decide what became of an uncertain or quarantined delivery of post NUMBER to ADDRESS.

    "accepted" when you know that it arrived; "resend" to send it again.

    \b
    Example:
      newsletter settle ana@example.org 4 accepted
    """
    project = open_project(ctx)
    store = project.existing_store()
    if store is None:
        raise NotFound("there is no database yet, so there is nothing in doubt.")
    reader = store.audience.find(address)
    open_ = [r for r in store.accounts.history(reader) if r.post == number and r.state in ("uncertain", "quarantined")]
    if not open_:
        raise NotFound(
            f"there is no doubt about #{number} to {reader.address}; `newsletter history {reader.address}` shows what"
            " is on record."
        )
    store.ledger.settle(open_[-1].id, accepted=verdict == "accepted", at=now(), gap=project.config.rules.min_gap)
    fate = "accepted" if verdict == "accepted" else f"it leaves again with the next run{_gap(project.config.rules)}"
    data(f"#{number} to {reader.address} is settled: {fate}.")


def _gap(rules: Rules) -> str:
    """What keeps a letter back that would follow too closely."""
    hours = int(rules.min_gap.total_seconds()) // 3600
    return f" that comes {plural(hours, 'hour')} after the last letter to the reader, or later" if hours else ""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def backup(ctx: click.Context, file: Path) -> None:
    """Copy the database to FILE, also while it is in use.

    Keep secret.key with it: it signs every unsubscribe link that was ever mailed.

    \b
    Example:
      newsletter backup ~/newsletter-2026-03.db
    """
    from newsletter.store.backup import backup as copy

    project = open_project(ctx)
    store = project.existing_store()
    if store is None:
        raise NotFound("there is no database yet, so there is nothing to back up.")
    with Progress("copying") as bar:
        copy(store, file, progress=bar)
    data(
        f"{file} holds {plural(sum(store.accounts.counts().values()), 'delivery', 'deliveries')}. Keep"
        f" {project.secret_path.name} with it."
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@yes_option
@click.pass_context
def restore(ctx: click.Context, file: Path, yes: bool) -> int:
    """Put the backup FILE in the database's place; the present one is kept beside it.

    What was sent since the backup is not in it, so afterwards nothing leaves until you have looked at
    `newsletter plan` and said `newsletter resume`.

    \b
    Example:
      newsletter restore ~/newsletter-2026-03.db
    """
    from newsletter.store.backup import examine, put_back

    project = open_project(ctx)
    database = project.database
    if database is None:
        raise ConfigError("this newsletter lives in PostgreSQL: put a copy back with pg_restore.")
    with run_lock(project.config):
        count = examine(file)
        warn(
            [
                f"{file} holds {plural(count, 'delivery', 'deliveries')}; what was sent after it was made will not be"
                " known."
            ]
        )
        if not ask("Put it in the database's place?", yes=yes):
            say("Nothing was changed.")
            return 1
        kept = put_back(file, database)
        project.store.facts.hold(
            HoldKind.RESTORED,
            f"restored from {file.name}: what went out after that copy was made is unknown, and would be sent again. "
            "Look at `newsletter plan`; `newsletter resume` goes on.",
            at=now(),
        )
    data(
        f"Restored. {f'The database as it was is {kept.name}. ' if kept else ''}Nothing leaves until `newsletter"
        " resume`."
    )
    return 0


COMMANDS = {"resend": resend, "settle": settle, "backup": backup, "restore": restore}
