"""Commands that read the ledger delivery by delivery: who-got, history."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from operator import itemgetter
from typing import Any

import click

from newsletter.cli.output import data, facts, iso, json_option, plural, table
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.errors import NewsletterError, NotFound
from newsletter.store import Store
from newsletter.store.accounts import EventRecord, Record
from newsletter.store.requests import Evidence
from newsletter.subscribers import Cause, Status


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
        "came_back_at": iso(r.came_back_at),
        "came_back": r.came_back or None,
        "complained_at": iso(r.complained_at),
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
    back = sum(r.came_back_at is not None for r in records)
    returned = f"; {back:,} came back" if back else ""
    on_record = plural(len(records), "delivery", "deliveries")
    data(f"\n{plural(got, 'message')} accepted of {on_record} on record{returned}.")


def _remark(r: Record) -> str:
    reason = "" if r.reason == "dead" else r.reason  # the server's own words follow
    parts = [f"copy {r.copy}" if r.copy else "", reason, r.reply if r.state not in ("accepted", "skipped") else ""]
    parts += [f"came back: {r.came_back or 'why, nobody said'}"] if r.came_back_at else []
    parts += ["called spam"] if r.complained_at else []
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
    with ExitStack() as end:
        store = project.existing_store()
        if store is None or not _knows(store, address):  # the readers of her file are there all the same
            store, _ = end.enter_context(looked_at(project, now()))
        _history(project, store, address, number, raw=raw, as_json=as_json)


def _knows(store: Store, address: str) -> bool:
    with suppress(NotFound):
        return bool(store.audience.find(address))
    return False


def _history(project: Project, store: Store, address: str, number: int | None, *, raw: bool, as_json: bool) -> None:
    into = store.merging.into(address)
    reader = store.audience.find(address, follow=False)
    records = [r for r in store.accounts.history(reader) if number is None or r.post == number]
    if raw:
        sys.stdout.buffer.write(_raw(project, records, number))
        return
    consent = store.accounts.consent(reader)
    shown = store.accounts.evidence(reader)
    if as_json:
        facts(
            {
                "email": str(reader.address),
                "name": reader.name,
                "status": reader.status.value,
                "paused": bool(reader.pauses),
                "confirmed_at": iso(reader.confirmed_at),
                "position": reader.had_through,
                "merged_into": str(into.address) if into else None,
                "merged": [str(other) for other in store.merging.of(reader)],
                "imports": [asdict(touched) for touched in store.imports.of(reader)],
                "events": [asdict(e) | {"reply": e.reply or None} for e in store.accounts.events(reader)],
                "consent": [
                    {"at": iso(a), "cause": c, "status": s, "detail": d or None, "form": e.form or None}
                    | {"wording": e.wording or None, "origin": e.origin or None}
                    for (a, c, s, d), e in zip(consent, shown, strict=True)
                ],
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
    to = f" into {into.address}: `newsletter history {into.address}` goes on" if into else ""
    data(f"{reader.name or reader.address} <{reader.address}>: {reader.status}{pauses}{to}")
    for other in store.merging.of(reader):
        data(f"  also {other}: `newsletter history {other}`")
    events = [
        (at, _changed(cause, after, detail) + _evidence(e))
        for (at, cause, after, detail), e in zip(consent, shown, strict=True)
    ]
    for t in store.imports.of(reader):
        undone = f" (taken back {t.undone_at.astimezone(zone):%Y-%m-%d})" if t.undone_at else ""
        events.append((t.at, f"import {t.number} ({t.file}) changed {', '.join(t.changed)}{undone}"))
    events += [(e.at, _told(e)) for e in store.accounts.events(reader) if number in (None, e.post)]
    for r in records:
        tries = [a for a in store.accounts.attempts(r.id) if r.attempts > 1 or a.outcome != "accepted"]
        lines = [f"#{r.post} {r.title}: {r.state}{f' ({_remark(r)})' if _remark(r) else ''}"]
        lines += [
            f"    attempt {a.n}, {a.at.astimezone(zone):%Y-%m-%d %H:%M}: {a.outcome} {a.reply}".rstrip() for a in tries
        ]
        events.append((r.at, "\n".join(lines)))
    for at, line in sorted(events, key=itemgetter(0)):
        data(f"  {at.astimezone(zone):%Y-%m-%d %H:%M}  {line}")


def _changed(cause: str, after: str, detail: str) -> str:
    """One record of consent as a line."""
    if cause == Cause.MERGED and after != Status.UNSUBSCRIBED:  # it says with whom; the status is what it was
        return f"merged {detail}"
    return ", ".join(filter(None, (cause, "" if cause == after else f"now {after}", detail)))


def _told(e: EventRecord) -> str:
    """One event as a line of a reader's history."""
    about = f" about #{e.post}" if e.post is not None else ""
    return f"{e.source} told{about}: {e.kind}{f' ({e.reply})' if e.reply else ''}; {e.effect}"


def _evidence(shown: Evidence) -> str:
    """What was on the page, and from where it was answered."""
    if not shown.form:
        return ""
    if shown.form.startswith("import "):
        return f", by {shown.form}" + (f"\n    where they said so: {shown.wording}" if shown.wording else "")
    origin = f", from {shown.origin}" if shown.origin else ""
    return f", by the {shown.form}{origin}" + (f"\n    it said: {shown.wording}" if shown.wording else "")


def _raw(project: Project, records: list[Record], number: int | None) -> bytes:
    """The submitted bytes, rebuilt from the ledger and checked against their hash."""
    from newsletter.mail import Address, Mailbox

    sent = [r for r in records if r.revision and r.recipient and r.date]
    if not sent:
        raise NotFound(
            f"#{number} has not been handed over to this reader; `newsletter preview {number} --as ADDRESS` shows"
            " what it will be."
        )
    r = sent[-1]
    assert r.recipient is not None and r.date is not None and r.revision is not None
    name, address = r.recipient
    press = project.press([], project.config.identity, project.config.design, project.secret, project.store.ledger)
    recipient = Mailbox(name, Address(*address.rsplit("@", 1)))
    data, content = press.reprint(
        r.revision, ident=r.ident, epoch=r.epoch, copy=r.copy, token=r.token, recipient=recipient, date=r.date
    )
    if content != r.content:
        raise NewsletterError(
            "the rebuilt bytes differ from what was submitted: was secret.key, url or the From address changed since?"
        )
    return data


COMMANDS = {"who-got": who_got, "history": history}
