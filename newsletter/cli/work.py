"""The command that delivers beside others: worker."""

from __future__ import annotations

import os
import signal
import uuid

import click

from newsletter.cli.output import say
from newsletter.cli.project import Project, open_project
from newsletter.cli.stop import Stop
from newsletter.errors import ConfigError


@click.command()
@click.option(
    "--concurrency", default=1, show_default=True, type=click.IntRange(1, 64), help="Batches in hand at the same time."
)
@click.option("--queues", metavar="NAMES", default="", help="Whose tickets to take, with commas; else the provider's.")
@click.pass_context
def worker(ctx: click.Context, concurrency: int, queues: str) -> int:
    """Deliver what a run planned, beside others, on any machine.

    For a list that one machine can't empty: [store] url is a PostgreSQL database that all of them reach, and
    `workers = true` in [delivery] lets `newsletter send` plan and leave the delivery to these. Start as many as you
    like; each needs the same folder and the same secret.key. SIGTERM ends one when what is under way is finished;
    what one had that was killed goes on elsewhere within seconds.

    \b
    Example:
      newsletter worker
      newsletter worker --concurrency 4
    """
    project = open_project(ctx)
    _fit(project)
    from newsletter.worker import Worker

    stop, host = Stop(_break_off), os.uname().nodename
    found = Worker(
        project.store,
        lambda: Project.at(project.config.root),
        stop,
        ident=uuid.uuid4().hex,
        host=host,
        say=say,
        concurrency=concurrency,
        queues=tuple(filter(None, map(str.strip, queues.split(",")))),
    )
    say(f"{project.config.identity.name}: a worker on {host} waits for what is due. Ctrl-C ends it.")
    if why := found.run():
        say(why)
        return 1
    return 130 if stop.first == signal.SIGINT else 0


def _break_off() -> None:
    """End at once: batches are in threads, and Python would wait for them for as long as a mail server may think."""
    say(_BROKEN_OFF)
    os._exit(1)


def _fit(project: Project) -> None:
    """Raise `ConfigError` or `StoreError` unless a worker is of use here."""
    if project.database is not None:
        raise ConfigError(_ONE_MACHINE)
    from newsletter.store.workers import fit_schema

    fit_schema(project.config.store_url)
    if not project.config.workers:
        raise ConfigError(_NOT_WANTED)
    if not project.has_secret:
        raise ConfigError(_KEY_IS_MISSING.format(path=project.secret_path))


_BROKEN_OFF = "what has no answer yet is in doubt: `newsletter status`. The other workers take over the rest."
_ONE_MACHINE = (
    "the database is SQLite, a file of this machine, and one machine needs no worker: `newsletter send` delivers what"
    " is due (`processes` in [delivery] uses more of its cores). For several machines move to PostgreSQL first:"
    " `newsletter move --to postgresql://…`."
)
_NOT_WANTED = (
    "newsletter.toml, [delivery]: write `workers = true` first; without it `newsletter send` delivers by itself and"
    " leaves workers nothing to do."
)
_KEY_IS_MISSING = (
    "there is no {path}: it signs every unsubscribe link and must be the same everywhere. Copy it from the machine that"
    " plans, or set NEWSLETTER_SECRET there and here."
)

COMMANDS = {"worker": worker}
