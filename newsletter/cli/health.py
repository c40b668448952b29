"""The command that a second clock runs: health, for the day on which the first one stands still."""

from __future__ import annotations

from typing import Any

import click

from newsletter import watch
from newsletter.cli.output import data, facts, iso, json_option, moment, warn
from newsletter.cli.project import now, open_project
from newsletter.errors import NewsletterError, StoreError
from newsletter.scheduler import notify, reason_to_wait


@click.command()
@click.option("--mail", is_flag=True, help="Mail the owner what is wrong, once a day.")
@json_option
@click.pass_context
def health(ctx: click.Context, mail: bool, as_json: bool) -> int:
    """Whether the newsletter is alive: does it run, and may it send?

    Answers 0 when all is well and 1 when not, for a monitor or a cron line of its own, best on another machine or at
    another hour than `newsletter send`. With --mail it writes to the address in [alerts], through the same provider.

    \b
    Example:
      newsletter health --mail
    """
    project, at = open_project(ctx), now()
    config, store, last = project.config, None, None
    wrong = ["nothing was ever sent or planned here: `newsletter send` has not run yet."]
    try:
        store = project.existing_store()
        last = store.facts.last_tick() if store else None
        if store is not None and last is not None:
            missed = watch.overdue(store, config.identity, config.rules, at=at)
            wrong = [*filter(None, [missed]), *reason_to_wait(store, config.provider, at=at)]
    except StoreError as error:  # an answer too
        wrong = [str(error)]
    answer: dict[str, Any] = {"ok": not wrong, "last_run": iso(last), "attention": wrong}
    if as_json:
        facts(answer)
    elif wrong:
        warn(wrong)
    else:
        assert last is not None
        data(f"All is well; the last run was on {moment(last, config.identity.timezone)}.")
    if mail and wrong and store is not None:
        try:
            watch.alert(store, config.identity, config.alerts, wrong, at=at)
            notify(config, store, project.provider, now=now)
        except NewsletterError as error:
            warn([f"the owner could not be told by mail: {error}"])
    return 1 if wrong else 0


COMMANDS = {"health": health}
