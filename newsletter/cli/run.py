"""Commands that let mail leave, or keep it: send, go-live, pause, resume."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import click

from newsletter import watch
from newsletter.cli.crew import crew_of
from newsletter.cli.output import Progress, ask, data, facts, iso, json_option, moment, plural, say, warn, yes_option
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.cli.stop import Stop
from newsletter.config import VENDORS, OnUncertain
from newsletter.held import would_hold
from newsletter.intake import take_in
from newsletter.providers import refusals
from newsletter.scheduler import REHEARSAL, Tick, rehearse, run_lock, tick
from newsletter.store import Store
from newsletter.store.facts import HoldKind


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would leave now, and change nothing.")
@click.option("--strict", is_flag=True, help="Let a warning of the checks hold a post, as an error does.")
@click.option("--quiet", is_flag=True, help="For cron: speak only of what needs attention, each once a day.")
@json_option
@click.pass_context
def send(ctx: click.Context, dry_run: bool, strict: bool, quiet: bool, as_json: bool) -> int:
    """Send what is due now.

    Reads posts/ and the subscriber file, plans, and hands over every message that is due. Run it as often
    as you like: it looks at who is due, and nobody gets a post twice. cron runs it every hour.
    A post in which `newsletter check` finds an error does not leave; its readers wait, the rest goes on.

    \b
    Example:
      newsletter send --dry-run
      newsletter send
    """
    project = open_project(ctx)
    if strict:
        project.config = replace(project.config, checks=replace(project.config.checks, strict=True))
    if dry_run:
        return _dry(project, as_json=as_json)
    stop = Stop()
    with run_lock(project.config), Progress("sending") as bar:
        result = tick(
            project.config,
            project.store_to_run_on,
            project.provider,
            project.secret,
            now=project.clock,
            stop=stop,
            progress=bar,
            press=project.press,
            crew=crew_of(project.config, stop),
            box=project.box,
            dispatch=project.dispatch,
        )
    return _show(project, project.store, result, quiet=quiet, as_json=as_json)


def _dry(project: Project, *, as_json: bool) -> int:
    from newsletter.store.forecast import leaving

    with looked_at(project, now()) as (view, result):
        rehearse(project.config, view, result)
        result.planned = replace(result.planned, planned=leaving(view, at=result.at))
        result.stopped += would_hold(project.config, view, project.folder, result.planned.planned, at=result.at)
        return _show(project, view, result, quiet=False, as_json=as_json, dry=True)


def _show(project: Project, store: Store, result: Tick, *, quiet: bool, as_json: bool, dry: bool = False) -> int:
    if as_json:
        facts(as_facts(result))
    else:
        if not quiet:
            for line in sentences(project, store, result, dry=dry):
                data(line)
        said = result.notes + result.stopped
        warn(watch.news(store, said, at=now(), told="said") if quiet else said)
    if result.report.interrupted:
        return 130
    return 0 if result.clean else 1


def as_facts(result: Tick) -> dict[str, Any]:
    """A tick as JSON has it."""
    r, t = result.report, result.taken
    return {
        "at": iso(result.at),
        "planned": [{"post": n, "count": c} for n, c in sorted(result.planned.planned.items())],
        "accepted": r.accepted,
        "deferred": r.deferred,
        "rejected": r.rejected,
        "uncertain": r.uncertain,
        "withdrawn": r.withdrawn,
        "queued": result.queued,
        "subscribers": {
            "added": t.added,
            "updated": t.updated,
            "departed": t.departed,
            "returned": t.returned,
            "kept_out": t.kept_out,
        },
        "notes": result.notes,
        "stopped": result.stopped,
    }


def sentences(project: Project, store: Store, result: Tick, *, dry: bool = False) -> list[str]:
    """A tick in words."""
    titles = {e.number: e.title for e in store.catalogue.entries()}
    t, r = result.taken, result.report
    lines = [
        f"{project.config.subscribers_file.name}: {words}."
        for words in [_changes(t)]
        if words and project.config.subscribers_file
    ]
    lines += [
        f"#{n} {titles.get(n, '')}: {'would leave' if dry else 'due'} for {plural(c, 'reader')}."
        for n, c in sorted(result.planned.planned.items())
    ]
    if result.planned.skipped:
        lines.append(
            f"{plural(sum(result.planned.skipped.values()), 'reader')} passed over: not the audience of that post."
        )
    if result.queued:
        lines.append(f"{plural(result.queued, 'batch', 'batches')} for the workers; `newsletter status` says how far.")
    if r.submitted:
        parts = [
            (r.accepted, "accepted"),
            (r.deferred, "to be tried again"),
            (r.rejected, "rejected"),
            (r.uncertain, "uncertain"),
        ]
        outcome = ", ".join(f"{n:,} {word}" for n, word in parts if n)
        lines.append(f"{plural(r.submitted, 'message')} to {project.config.provider}: {outcome}.")
    if result.suppressed:
        lines.append(
            f"{plural(result.suppressed, 'address', 'addresses')} will not be mailed again: the mailbox is not there."
        )
    idle = not (result.planned.count or result.planned.skipped or result.queued or r.submitted or result.suppressed)
    if idle and not result.stopped and not r.notes:
        lines.append("Nothing is due now; `newsletter plan` shows what comes.")
    return lines


def _changes(t: Any) -> str:
    parts = [
        (t.added, "new"),
        (t.updated, "changed"),
        (t.departed, "gone, so paused"),
        (t.returned, "back"),
        (t.kept_out, "unsubscribed or suppressed, and they stay so"),
    ]
    return ", ".join(f"{n:,} {word}" for n, word in parts if n)


@click.command("go-live")
@click.option(
    "--start-over", is_flag=True, help="Readers begin anew: what went to the rehearsal folder does not count."
)
@yes_option
@click.pass_context
def go_live(ctx: click.Context, start_over: bool, yes: bool) -> int:
    """Let the configured provider send from now on.

    Once for each provider. What it can't do exactly is said first, and then nothing is changed. Makes the
    database, reads your subscriber file, and says how many readers there are and when the first mail leaves.
    Nothing is sent by this command itself.

    \b
    Example:
      newsletter go-live
    """
    project = open_project(ctx)
    config, name = project.config, project.config.provider
    if name == REHEARSAL:
        data('The provider "folder" reaches nobody, so it needs no go-live: `newsletter send` fills the folder.')
        data("For real mail set provider in [delivery] of newsletter.toml, then run this again.")
        return 0
    if refused := refusals(config):
        warn(refused)
        say("Nothing was changed.")
        return 1
    project.provider  # noqa: B018 (what another package's can't do, it says now)
    with run_lock(config):
        return _go_live(project, name, start_over=start_over, yes=yes)


def _go_live(project: Project, name: str, *, start_over: bool, yes: bool) -> int:
    config, store, at = project.config, project.store, now()
    # Made now, so that the first mail is not the moment to find that it can't be.
    project.secret, project.press  # noqa: B018
    warn(take_in(config, store, project.secret, at=at).notes)
    counts = store.audience.counts()
    active = counts["active"] - counts["paused"]
    since = store.facts.went_live(name)
    if since is not None and not start_over:
        data(f"{name} has been live since {moment(since, config.identity.timezone)}.")
    rehearsed = store.accounts.sent_by(REHEARSAL)
    data(f"{plural(active, 'reader')} will get mail through {_described(project)}, from {config.identity.sender}.")
    if rehearsed and not start_over:
        data(
            f"{plural(rehearsed, 'message')} went to the rehearsal folder; the readers go on after them. To begin"
            " anew: --start-over."
        )
    if config.identity.url:
        served = store.facts.get("served_at")
        links = f"Unsubscribe links point to {config.identity.url}/u/…"
        if served:
            day = datetime.fromisoformat(served).astimezone(config.identity.timezone)
            data(f"{links}; `newsletter serve`, started {day:%-d %B %Y}, answers them as long as it runs.")
        else:
            data(
                f"{links}, and nothing here answers them yet: whoever clicks finds a dead page until `newsletter serve`"
                " runs there."
            )
    data(_by_mail(project))
    again = "is sent once more" if config.on_uncertain is OnUncertain.RESEND else "waits for your word"
    doubt = project.provider.window * config.processes
    data(
        f"Should this machine die in the middle of a run, at most {plural(doubt, 'letter')} are in doubt: each {again},"
        " and `newsletter status` names it."
    )
    if config.alerts.to is None:
        data("Nobody is told by mail when something needs you; `to` in [alerts] of newsletter.toml names who is.")
    with store.rehearsal():
        if start_over:
            store.audience.start_over(at=at)
        _first_date(project)
    if since is not None and not start_over:
        return 0
    if not ask("Go live?", yes=yes):
        say("Nothing was changed.")
        return 1
    if start_over:
        store.audience.start_over(at=now())
    store.facts.go_live(name, at=now())
    data(f"{name} is live; `newsletter cron` prints the line that makes it run by itself.")
    return 0


def _by_mail(project: Project) -> str:
    """What becomes of a reader who asks by mail to leave."""
    from newsletter.incoming import last_look

    where, zone = project.config.identity.unsubscribe_address, project.config.identity.timezone
    if project.config.mailbox is None:
        return (
            f"Mail to {where} works: it reaches you, and you take the reader off (`newsletter subscribers"
            " unsubscribe`). With a [mailbox] in newsletter.toml that happens by itself."
        )
    if (last := last_look(project.store)) is None:
        return f"Mail to {where} takes a reader off, but the mailbox was never read: try `newsletter mailbox` first."
    return f"Mail to {where} takes a reader off; the mailbox was last read on {moment(last, zone)}."


def _described(project: Project) -> str:
    config = project.config
    if config.provider == "smtp":
        return f"smtp ({config.smtp.host}:{config.smtp.port})"
    if config.provider in VENDORS:
        return f"{VENDORS[config.provider].title} ({config.vendors[config.provider].base_url})"
    return config.provider


def _first_date(project: Project) -> None:
    from newsletter.store.forecast import forecast

    config = project.config
    coming = forecast(project.store, config.identity, config.rules, at=now(), days=60)
    if coming:
        first = coming[0]
        data(
            f"First mail: #{first.post} to {plural(first.count, 'reader')},"
            f" {moment(first.at, config.identity.timezone)} ({config.identity.timezone.key})."
        )
    else:
        data("Nothing is due in the next 60 days: `newsletter plan` says why.")


@click.command()
@click.pass_context
def pause(ctx: click.Context) -> int:
    """Stop sending; the readers' clock stands still.

    \b
    Example:
      newsletter pause
    """
    project = open_project(ctx)
    since = now()
    if paused := next((h for h in project.store.facts.holds() if h.kind is HoldKind.OWNER), None):
        data(f"Already {paused.reason}")
        return 0
    project.store.facts.hold(
        HoldKind.OWNER,
        f"paused by you on {moment(since, project.config.identity.timezone)}; `newsletter resume` goes on.",
        at=since,
    )
    data("Paused: nothing leaves until `newsletter resume`.")
    return 0


@click.command()
@yes_option
@click.pass_context
def resume(ctx: click.Context, yes: bool) -> int:
    """Go on after a pause, or after you looked at what was held.

    After a pause every reader's clock goes on where it stopped, and nobody gets more than one post at once.

    \b
    Example:
      newsletter resume
    """
    from newsletter.scheduler import reason_to_wait

    project, at = open_project(ctx), now()
    store = project.existing_store()
    if store is None:
        data("Nothing is paused or held.")
        return 0
    facts_ = store.facts
    waiting = reason_to_wait(store, REHEARSAL, at=at)
    holds = facts_.holds()
    if not waiting and not holds:
        data("Nothing is paused or held.")
        return 0
    for sentence in dict.fromkeys([*waiting, *(h.reason for h in holds)]):
        data(sentence)
    hers = {h.reason for h in holds if h.kind is HoldKind.OWNER}
    if {*waiting, *(h.reason for h in holds)} - hers and not ask("Go on?", yes=yes):
        say("Nothing was changed.")
        return 1
    kinds = {h.kind for h in holds}
    last = facts_.last_tick()
    if last is not None and last > at:
        kinds.add(HoldKind.CLOCK)
    facts_.lift(kinds, at=at)
    data("Resumed: the next run goes on.")
    return 0


COMMANDS = {"send": send, "go-live": go_live, "pause": pause, "resume": resume}
