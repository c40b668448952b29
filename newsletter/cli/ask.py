"""Commands that answer questions and change nothing: plan, status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from newsletter import feedback
from newsletter.catalogue import Entry, Standing
from newsletter.cli import cluster
from newsletter.cli.accounts import STATES, doubt
from newsletter.cli.output import Progress, data, facts, iso, json_option, moment, plural, table, warn
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.config import Mode
from newsletter.errors import PostError, StoreError
from newsletter.scheduler import Tick, rehearse, waiting
from newsletter.store import Store
from newsletter.store.audience import Reader
from newsletter.store.forecast import Expected, forecast
from newsletter.subscribers import Status

_DOUBTS = 20  # named one by one
_FARED = 3  # posts


@click.command()
@click.option("--days", default=28, show_default=True, type=click.IntRange(1, 730), help="How far to look ahead.")
@click.option("--as", "address", metavar="ADDRESS", help="For one reader.")
@json_option
@click.pass_context
def plan(ctx: click.Context, days: int, address: str | None, as_json: bool) -> None:
    """What the next run and the next weeks will send, and to how many.

    Also says what a change in posts/ does to readers, before it happens. Changes nothing.

    \b
    Example:
      newsletter plan --days 14
      newsletter plan --as ana@example.org
    """
    project, at = open_project(ctx), now()
    store = project.existing_store()
    known = {e.ident: e for e in store.catalogue.entries()} if store else {}
    skipped = _skipped(store) if store else {}
    with looked_at(project, at) as (view, result), Progress("looking ahead") as bar:
        reader = view.audience.find(address) if address else None
        coming = _coming(project, view, result, days=days, reader=reader, progress=bar)
        entries = view.catalogue.entries()
        changes = _changes(known, entries, view, skipped) if known else []
        if project.config.rules.mode is not Mode.BROADCAST:
            changes += _passed_by(entries, coming, view)
        titles = {e.number: e.title for e in entries}
        result.notes += _why_nothing(view, reader, entries) if not coming else []
        result.notes += waiting(project.config, view, at=at)
    if as_json:
        facts(
            {
                "next": next_of(coming),
                "days": [{"at": iso(e.at), "post": e.post, "count": e.count} for e in coming],
                "changes": changes,
                "held": [*result.stopped, *result.held.values()],
                "notes": result.notes,
            }
        )
        return
    _show_plan(project, coming, titles, changes, days)
    warn([*result.stopped, *result.held.values(), *result.notes])


def _coming(
    project: Project,
    view: Store,
    result: Tick,
    *,
    days: int,
    reader: Reader | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Expected]:
    """What leaves within *days*, for all or for one *reader*, as the next run will find it."""
    config = project.config
    if not result.stopped:
        rehearse(config, view, result)
    only = reader.id if reader else None
    return forecast(view, config.identity, config.rules, at=result.at, days=days, reader=only, progress=progress)


def _why_nothing(view: Store, reader: Reader | None, entries: list[Entry]) -> list[str]:
    """What keeps everything, or everything for *reader*, from being due; empty when they have simply had it all."""
    if reader is not None and reader.status is not Status.ACTIVE:
        return [f"{reader.address} is {reader.status}, so nothing is sent to them."]
    if reader is not None and reader.pauses:
        return [f"{reader.address} is paused, so nothing is sent to them: `newsletter subscribers list` says by whom."]
    counts = view.audience.counts()
    if counts["active"] == counts["paused"]:
        return ["Nobody would get anything: no reader is confirmed and not paused."]
    if all(e.standing is Standing.ABSENT for e in entries):
        return ["There is nothing to get: no post is live."]
    return []


def next_of(coming: list[Expected]) -> dict[str, Any] | None:
    """The first instant at which something leaves, and how much."""
    if not coming:
        return None
    return {"at": iso(coming[0].at), "count": sum(e.count for e in coming if e.at == coming[0].at)}


def _show_plan(project: Project, coming: list[Expected], titles: dict[int, str], changes: list[str], days: int) -> None:
    zone = project.config.identity.timezone
    for sentence in changes:
        data(sentence)
    if not coming:
        data(f"Nothing is due in the next {plural(days, 'day')}.")
        return
    first = coming[0].at
    count = sum(e.count for e in coming if e.at == first)
    data(f"Next: {moment(first, zone)} ({zone.key}), {plural(count, 'message')}.")
    data()
    rows: dict[tuple[Any, int], list[Expected]] = {}
    for e in coming:
        rows.setdefault((e.at.astimezone(zone).date(), e.post), []).append(e)
    table(
        ("Day", "Between", "Post", "Readers"),
        [
            (
                f"{day:%a %-d %b}",
                _between(found, zone),
                f"#{post} {titles.get(post, '')}"[:60],
                f"{sum(e.count for e in found):,}",
            )
            for (day, post), found in rows.items()
        ],
        right=frozenset({3}),
    )


def _between(found: list[Expected], zone: Any) -> str:
    first, last = (f"{e.at.astimezone(zone):%H:%M}" for e in (found[0], found[-1]))
    return first if first == last else f"{first}–{last}"


def _changes(known: dict[str, Entry], entries: list[Entry], view: Store, skipped: dict[str, int]) -> list[str]:
    """What the folder's changes since the last run do to readers; *skipped* had been past each post then."""
    positions, now_skipped, late = view.accounts.positions(), _skipped(view), view.accounts.late()
    lines = []
    for e in entries:
        old = known.get(e.ident)
        ahead = sum(count for position, count in positions.items() if position < e.number)
        past = _past(now_skipped[e.ident] - skipped.get(e.ident, 0), e)
        if e.standing is Standing.LIVE and (old is None or old.live_since is None):
            coming = plural(ahead, "reader comes", "readers come")
            lines.append(f"posts/{e.file} is new: {coming} to it in order{past}.")
        elif old is not None and old.number != e.number:
            same = f"it is the same post, nobody gets it twice{past}"
            between = any(p.standing is Standing.LIVE and old.number < p.number < e.number for p in entries)
            if between and (there := positions.get(e.number, 0)):
                same += (
                    f"; {plural(there, 'reader stands', 'readers stand')} at it, and the posts before it pass them by"
                )
            lines.append(f"posts/{e.file} was #{old.number} and is #{e.number}: {same}.")
        elif old is not None and e.late > old.late:
            coming = plural(late.get(e.ident, 0), "reader who is past it gets", "readers who are past it get")
            lines.append(f"posts/{e.file} catches up now: {coming} it as the next post.")
        elif old is not None and old.digest != e.digest and old.delivered:
            lines.append(f"posts/{e.file} was edited: {_reach(e, ahead)}.")
    return lines


def _skipped(store: Store) -> dict[str, int]:
    """How many passed each post by, by its id."""
    return {p["ident"]: p["deliveries"].get("skipped", 0) for p in store.accounts.by_post()}


def _past(count: int, e: Entry) -> str:
    if not count:
        return ""
    return f"; {plural(count, 'reader is', 'readers are')} past it and {'get it late' if e.late else 'will not get it'}"


def _passed_by(entries: list[Entry], coming: list[Expected], view: Store) -> list[str]:
    """Drafts with live posts above them: nobody waits for what was never live."""
    positions, last = view.accounts.positions(), max((e.post for e in coming), default=0)
    lines = []
    for e in entries:
        ahead = sum(count for position, count in positions.items() if position < e.number)
        if e.status == "draft" and e.live_since is None and not e.late and e.number < last and ahead:
            passing = plural(ahead, "reader goes", "readers go")
            lines.append(f"posts/{e.file} is a draft: {passing} on without it, unless it is live by then.")
    return lines


def _reach(e: Entry, ahead: int) -> str:
    if ahead:
        return f"{plural(ahead, 'reader', 'readers')} still to come get the new text"
    again = f"`newsletter resend {e.number} --revised`"
    return f"nobody is still to come to it; {again} sends the new text to those who have the old one"


@click.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """How things stand, and what needs attention.

    \b
    Example:
      newsletter status
    """
    project, at = open_project(ctx), now()
    store = project.existing_store()
    coming: list[Expected] | None
    held = False
    try:
        with looked_at(project, at) as (view, result):
            held = bool(result.stopped)
            coming = _coming(project, view, result, days=60)
            seen = view.audience.counts()
    except (StoreError, PostError) as error:  # what can't be looked at afresh still has answers
        result, coming, seen = Tick(at, notes=[str(error)]), None, {}
    source = store or Store.in_memory()
    problems = source.accounts.verify()
    deliveries = source.accounts.counts()
    patience = waiting(project.config, source, at=at)
    workers = cluster.figures(source) if project.config.workers and store else None
    late = min(deliveries["planned"], sum(e.count for e in coming or [] if e.at <= at and e.post not in result.held))
    attention = [
        *result.stopped,
        *result.held.values(),
        *(h.reason for h in source.facts.holds() if not h.stops_all),
        *(_overdue(late, result) if not patience and workers is None else []),
        *(cluster.troubles(workers) if workers else []),
        *result.notes,
        *feedback.undecided(source),
        *_doubts(source),
        *_returned(source),
        *problems,
    ]
    counts = seen or source.audience.counts()  # with what her file says by now
    answer = {
        "deliveries": deliveries,
        "balanced": not problems,
        "subscribers": {k: v for k, v in counts.items() if k != "paused"},
        "paused": counts.get("paused", 0),
        "next": next_of(coming or []),
        "last_run": iso(source.facts.last_tick()),
        "waiting": patience,
        **({"workers": workers} if workers else {}),
        "posts": _figures(source),
        "unknown_events": source.accounts.unknown_events(),
        "attention": list(dict.fromkeys(attention)),
    }
    if as_json:
        facts(answer)
    else:
        _show_status(project, answer, coming, held=held)


def _doubts(source: Store) -> list[str]:
    """What the owner may have to decide; a long list in short."""
    found = source.accounts.doubtful()
    more = [f"and {len(found) - _DOUBTS:,} more like these: `newsletter report` names them all."]
    return [*map(doubt, found[:_DOUBTS]), *(more if len(found) > _DOUBTS else [])]


def _returned(source: Store) -> list[str]:
    """That letters came back; the report has their names."""
    if not (count := len(source.accounts.came_back())):
        return []
    return [
        f"{plural(count, 'letter was', 'letters were')} accepted and came back; `newsletter report` says which, and"
        " what can be done."
    ]


def _figures(source: Store) -> list[dict[str, Any]]:
    """How each post fared."""
    fared = source.accounts.figures()
    return [{"number": e.number, "title": e.title} | asdict(fared[e.ident]) for e in source.catalogue.entries()]


def _fared(posts: list[dict[str, Any]]) -> list[str]:
    """The latest posts of which something came back, in words."""
    words = {"failed": "failed", "complained": "called spam", "unsubscribed": "left after it"}
    told = [p for p in posts if any(p[key] for key in words)]
    return [
        f"#{p['number']} {p['title']}: {p['accepted']:,} accepted, "
        + ", ".join(f"{p[key]:,} {word}" for key, word in words.items() if p[key])
        for p in told[-_FARED:]
    ]


def _overdue(waiting: int, result: Tick) -> list[str]:
    """That planned messages should have left by now; not when it is said already why nothing leaves."""
    if not waiting or result.stopped:
        return []
    return [
        f"{plural(waiting, 'message')} that should have left still {'waits' if waiting == 1 else 'wait'}: "
        "the next run tries again, and `newsletter send` says what is in the way."
    ]


def _show_status(project: Project, answer: dict[str, Any], coming: list[Expected] | None, *, held: bool) -> None:
    zone = project.config.identity.timezone
    people, mail = answer["subscribers"], answer["deliveries"]
    paused = f" ({answer['paused']:,} of them paused)" if answer["paused"] else ""
    parts = [f"{people.get('active', 0):,} active{paused}"]
    parts += [f"{people[s]:,} {s}" for s in ("pending", "unsubscribed", "suppressed") if people.get(s)]
    data(f"{project.config.identity.name}, through {project.config.provider}")
    data(f"  Readers    {', '.join(parts)}")
    data(f"  Messages   {', '.join(f'{mail[s]:,} {s}' for s in STATES if mail[s]) or 'none yet'}")
    data(f"  Accounts   {'balance' if answer['balanced'] else 'DO NOT BALANCE, see below'}")
    last = answer["last_run"]
    data(f"  Last run   {moment(datetime.fromisoformat(last), zone) if last else 'never'}")
    if coming:
        when = f"{moment(coming[0].at, zone)} ({zone.key}), {plural(answer['next']['count'], 'message')}"
        data(f"  Next       {f'nothing while it is held, see below; else {when}' if held else when}")
    else:
        data(f"  Next       {'cannot be told now, see below' if coming is None else 'nothing in the next 60 days'}")
    if workers := answer.get("workers"):
        data(f"  Workers    {cluster.words(workers, zone)}")
    for sentence in _fared(answer["posts"]):
        data(f"  Feedback   {sentence}")
    for sentence in answer["waiting"]:
        data(f"  Waiting    {sentence}")
    if answer["attention"]:
        data()
        data(f"{plural(len(answer['attention']), 'thing needs', 'things need')} attention:")
        for sentence in answer["attention"]:
            data(f"  - {sentence}")


COMMANDS = {"plan": plan, "status": status}
