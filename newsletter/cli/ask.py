"""Commands that answer questions and change nothing: plan, status, report, who-got, history, verify."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from typing import Any

import click

from newsletter.catalogue import Entry, Standing
from newsletter.cli.output import Progress, data, facts, iso, json_option, moment, plural, table, warn
from newsletter.cli.project import Project, now, open_project
from newsletter.errors import NewsletterError, NotFound, PostError, StoreError
from newsletter.scheduler import Tick, reason_to_wait, take_in
from newsletter.store import Store
from newsletter.store.accounts import Record
from newsletter.store.forecast import Expected, forecast

_STATES = (
    "accepted",
    "planned",
    "claimed",
    "submitting",
    "deferred",
    "uncertain",
    "rejected",
    "quarantined",
    "withdrawn",
    "skipped",
)


@contextmanager
def looked_at(project: Project, at: datetime) -> Iterator[tuple[Store, Tick]]:
    """The project as the next run will find it: posts and subscriber file are taken in, and nothing is kept."""
    result = Tick(at)
    store = project.existing_store() or Store.in_memory()
    try:
        with store.rehearsal():
            result.stopped = reason_to_wait(store, project.config.provider, at=at)
            take_in(project.config, store, project.known_secret, result)
            yield store, result
    finally:
        if store not in project.opened:
            store.close()


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
    with looked_at(project, at) as (view, result), Progress("looking ahead") as bar:
        reader = view.audience.find(address) if address else None
        coming = forecast(
            view,
            project.config.identity,
            project.config.rules,
            at=at,
            days=days,
            reader=reader.id if reader else None,
            progress=bar,
        )
        entries = view.catalogue.entries()
        changes = _changes(known, entries, view) if known else []
        titles = {e.number: e.title for e in entries}
    if as_json:
        facts(
            {
                "next": next_of(coming),
                "days": [{"at": iso(e.at), "post": e.post, "count": e.count} for e in coming],
                "changes": changes,
                "held": result.stopped,
                "notes": result.notes,
            }
        )
        return
    _show_plan(project, coming, titles, changes, days)
    warn(result.stopped + result.notes)


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


def _changes(known: dict[str, Entry], entries: list[Entry], view: Store) -> list[str]:
    """What the folder's changes since the last run do to readers."""
    positions = view.accounts.positions()
    skipped = {p["ident"]: p["deliveries"].get("skipped", 0) for p in view.accounts.by_post()}
    lines = []
    for e in entries:
        old = known.get(e.ident)
        ahead = sum(count for position, count in positions.items() if position < e.number)
        if e.standing is Standing.LIVE and (old is None or old.live_since is None):
            past = skipped.get(e.ident, 0)
            passed = (
                f"; {plural(past, 'reader is', 'readers are')} past it and"
                f" {'get it late' if e.late else 'will not get it'}"
                if past
                else ""
            )
            lines.append(
                f"posts/{e.file} is new: {plural(ahead, 'reader comes', 'readers come')} to it in order{passed}."
            )
        elif old is not None and old.number != e.number:
            lines.append(
                f"posts/{e.file} was #{old.number} and is #{e.number}: it is the same post, nobody gets it twice."
            )
        elif old is not None and old.digest != e.digest and old.delivered:
            lines.append(f"posts/{e.file} was edited: {_reach(e, ahead)}.")
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
    try:
        with looked_at(project, at) as (view, result):
            coming = forecast(view, project.config.identity, project.config.rules, at=at, days=60)
            seen = view.audience.counts()
    except (StoreError, PostError) as error:  # what can't be looked at afresh still has answers
        result, coming, seen = Tick(at, notes=[str(error)]), None, {}
    source = store or Store.in_memory()
    problems = source.accounts.verify()
    deliveries = source.accounts.counts()
    waiting = min(deliveries["planned"], sum(e.count for e in coming or [] if e.at <= at))
    attention = [
        *result.stopped,
        *(h.reason for h in source.facts.holds() if not h.stops_all),
        *_overdue(waiting, result),
        *result.notes,
        *map(doubt, source.accounts.doubtful()),
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
        "attention": list(dict.fromkeys(attention)),
    }
    if as_json:
        facts(answer)
    else:
        _show_status(project, answer, coming, held=bool(result.stopped))


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
    parts = [plural(people.get("active", 0), "reader")]
    parts += [f"{answer['paused']:,} of them paused"] if answer["paused"] else []
    parts += [f"{people[s]:,} {s}" for s in ("pending", "unsubscribed", "suppressed") if people.get(s)]
    data(f"{project.config.identity.name}, through {project.config.provider}")
    data(f"  Readers    {', '.join(parts)}")
    data(f"  Messages   {', '.join(f'{mail[s]:,} {s}' for s in _STATES if mail[s]) or 'none yet'}")
    data(f"  Accounts   {'balance' if answer['balanced'] else 'DO NOT BALANCE, see below'}")
    last = answer["last_run"]
    data(f"  Last run   {moment(datetime.fromisoformat(last), zone) if last else 'never'}")
    if coming:
        when = f"{moment(coming[0].at, zone)} ({zone.key}), {plural(answer['next']['count'], 'message')}"
        data(f"  Next       {f'nothing while it is held, see below; else {when}' if held else when}")
    else:
        data(f"  Next       {'cannot be told now, see below' if coming is None else 'nothing in the next 60 days'}")
    if answer["attention"]:
        data()
        data(f"{plural(len(answer['attention']), 'thing needs', 'things need')} attention:")
        for sentence in answer["attention"]:
            data(f"  - {sentence}")


def doubt(r: Record) -> str:
    """One delivery that the owner should know of, in a sentence."""
    reply = f" ({r.reply})" if r.reply else ""
    match r.state:
        case "uncertain":
            again = " twice" if r.resent else ""
            fate = (
                "it is not sent again by itself"
                if r.resent or r.reason == "held"
                else "it is sent once more if nothing tells otherwise"
            )
            return (
                f"#{r.post} to {r.address} was handed over{again} and never answered; {fate}. If you know better: "
                f"`newsletter settle {r.address} {r.post} accepted` or `resend`."
            )
        case "quarantined":
            again = f"`newsletter settle {r.address} {r.post} resend`"
            return f"#{r.post} to {r.address} could not be composed{reply}; {again} tries again."
        case _ if r.resent:
            return f"#{r.post} to {r.address} was sent once more after doubt, so it may have arrived twice."
        case _:
            return f"#{r.post} to {r.address} was rejected{reply}."


@click.command()
@json_option
@click.pass_context
def report(ctx: click.Context, as_json: bool) -> None:
    """The accounts, post by post: planned = accepted + everything else, and every doubt by name.

    \b
    Example:
      newsletter report
    """
    project = open_project(ctx)
    store = project.existing_store() or Store.in_memory()
    posts = store.accounts.by_post()
    doubts = [*store.accounts.doubtful(), *store.accounts.sent_twice()]
    if as_json:
        facts(
            {
                "posts": [{k: p[k] for k in ("number", "title", "status", "standing", "deliveries")} for p in posts],
                "doubts": [record_facts(r) | {"sentence": doubt(r)} for r in doubts],
                "problems": store.accounts.verify(),
            }
        )
        return
    if not posts:
        data("Nothing is on record yet: the first `newsletter send` begins it.")
        return
    used = [s for s in _STATES if any(p["deliveries"].get(s) for p in posts)]
    table(
        ("Post", "on record", *used),
        [
            (
                f"#{p['number']} {p['title']}"[:50],
                sum(p["deliveries"].values()),
                *(p["deliveries"].get(s, 0) for s in used),
            )
            for p in posts
        ],
        right=frozenset(range(1, len(used) + 2)),
    )
    for r in doubts:
        data(f"- {doubt(r)}")
    for sentence in store.accounts.verify():
        data(f"! {sentence}")


def record_facts(r: Record) -> dict[str, Any]:
    """A delivery as JSON has it."""
    return {
        "email": r.address,
        "post": r.post,
        "state": r.state.value,
        "at": iso(r.at),
        "message_id": r.message_id or None,
        "attempts": r.attempts,
        "reason": r.reason or None,
        "copy": r.copy,
        "reply": r.reply or None,
    }


@click.command("who-got")
@click.argument("number", type=int)
@json_option
@click.pass_context
def who_got(ctx: click.Context, number: int, as_json: bool) -> None:
    """Who got post NUMBER, when, and what became of everybody else's.

    \b
    Example:
      newsletter who-got 4
    """
    project = open_project(ctx)
    store = project.existing_store()
    if store is None or all(e.number != number for e in store.catalogue.entries()):
        project.post(number)  # says what there is
        records: list[Record] = []
    else:
        records = list(store.accounts.who_got(number))
    if as_json:
        facts([record_facts(r) for r in records])
        return
    if not records:
        data(f"Nobody yet: #{number} has not been due for any reader.")
        return
    zone = project.config.identity.timezone
    table(
        ("Reader", "State", f"At ({zone.key})", "Attempts", ""),
        [(r.address, r.state, f"{r.at.astimezone(zone):%Y-%m-%d %H:%M}", r.attempts, _remark(r)) for r in records],
        right=frozenset({3}),
    )
    got = sum(r.state == "accepted" for r in records)
    data(f"\n{plural(got, 'message')} accepted of {plural(len(records), 'delivery', 'deliveries')} on record.")


def _remark(r: Record) -> str:
    reason = "" if r.reason == "dead" else r.reason  # the server's own words follow
    parts = [f"copy {r.copy}" if r.copy else "", reason, r.reply if r.state not in ("accepted", "skipped") else ""]
    return ", ".join(filter(None, parts))


@click.command()
@click.argument("address")
@click.argument("number", type=int, required=False)
@click.option("--raw", is_flag=True, help="The exact bytes of post NUMBER as they were submitted.")
@json_option
@click.pass_context
def history(ctx: click.Context, address: str, number: int | None, raw: bool, as_json: bool) -> None:
    """Everything one reader was sent, and how they came to be a reader.

    \b
    Example:
      newsletter history ana@example.org
      newsletter history ana@example.org 4 --raw > message.eml
    """
    if raw and number is None:
        raise click.UsageError("--raw needs the post's number: newsletter history ana@example.org 4 --raw")
    project = open_project(ctx)
    store = project.existing_store()
    if store is None:  # the readers of her file are there all the same
        with looked_at(project, now()) as (view, _):
            _history(project, view, address, number, raw=raw, as_json=as_json)
    else:
        _history(project, store, address, number, raw=raw, as_json=as_json)


def _history(project: Project, store: Store, address: str, number: int | None, *, raw: bool, as_json: bool) -> None:
    reader = store.audience.find(address)
    records = [r for r in store.accounts.history(reader) if number is None or r.post == number]
    if raw:
        sys.stdout.buffer.write(_raw(project, records, number))
        return
    consent = store.accounts.consent(reader)
    if as_json:
        facts(
            {
                "email": str(reader.address),
                "name": reader.name,
                "status": reader.status.value,
                "paused": bool(reader.pauses),
                "position": reader.had_through,
                "consent": [{"at": iso(a), "cause": c, "status": s, "detail": d or None} for a, c, s, d in consent],
                "deliveries": [
                    record_facts(r)
                    | {
                        "tries": [
                            {
                                "n": a.n,
                                "at": iso(a.at),
                                "provider": a.provider,
                                "outcome": a.outcome,
                                "reply": a.reply or None,
                            }
                            for a in store.accounts.attempts(r.id)
                        ]
                    }
                    for r in records
                ],
            }
        )
        return
    zone = project.config.identity.timezone
    pauses = f", paused ({', '.join(p.name.lower() for p in reader.pauses if p.name)})" if reader.pauses else ""
    data(f"{reader.name or reader.address} <{reader.address}>: {reader.status}{pauses}")
    events = [(at, f"{cause}: {after}{f', {detail}' if detail else ''}") for at, cause, after, detail in consent]
    for r in records:
        tries = [a for a in store.accounts.attempts(r.id) if r.attempts > 1 or a.outcome != "accepted"]
        lines = [f"#{r.post} {r.title}: {r.state}{f' ({_remark(r)})' if _remark(r) else ''}"]
        lines += [
            f"    attempt {a.n}, {a.at.astimezone(zone):%Y-%m-%d %H:%M}: {a.outcome} {a.reply}".rstrip() for a in tries
        ]
        events.append((r.at, "\n".join(lines)))
    for at, line in sorted(events, key=itemgetter(0)):
        data(f"  {at.astimezone(zone):%Y-%m-%d %H:%M}  {line}")


def _raw(project: Project, records: list[Record], number: int | None) -> bytes:
    """The submitted bytes, rebuilt from the ledger and checked against their hash."""
    import hashlib

    from newsletter.mail import Address, Mailbox
    from newsletter.press import Press

    sent = [r for r in records if r.revision and r.recipient and r.date]
    if not sent:
        raise NotFound(
            f"#{number} has not been handed over to this reader; `newsletter preview {number} --as ADDRESS` shows"
            " what it will be."
        )
    r = sent[-1]
    assert r.recipient is not None and r.date is not None and r.revision is not None
    name, address = r.recipient
    press = Press.of([], project.config.identity, project.config.templates, project.secret, project.store.ledger)
    recipient = Mailbox(name, Address(*address.rsplit("@", 1)))
    content = press.reprint(
        r.revision, ident=r.ident, epoch=r.epoch, copy=r.copy, token=r.token, recipient=recipient, date=r.date
    )
    if hashlib.sha256(content).hexdigest() != r.content:
        raise NewsletterError(
            "the rebuilt bytes differ from what was submitted: was secret.key, url or the From address changed since?"
        )
    return content


@click.command()
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> int:
    """Prove from the ledger that the accounts balance and that nobody got a post twice or out of order.

    \b
    Example:
      newsletter verify
    """
    project = open_project(ctx)
    store = project.existing_store()
    problems = store.accounts.verify() if store else []
    counts = store.accounts.counts() if store else {}
    total, accepted = sum(counts.values()), counts.get("accepted", 0)
    if as_json:
        facts({"balanced": not problems, "problems": problems, "deliveries": total, "accepted": accepted})
    elif problems:
        for sentence in problems:
            data(sentence)
    else:
        data(
            f"The accounts balance: {plural(total, 'delivery', 'deliveries')} on record, {accepted:,} accepted; "
            "nobody got a post twice or out of order."
        )
    return 1 if problems else 0


COMMANDS = {"plan": plan, "status": status, "report": report, "who-got": who_got, "history": history, "verify": verify}
