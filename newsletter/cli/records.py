"""Commands that read the ledger: report, who-got, history, verify."""

from __future__ import annotations

import sys
from dataclasses import asdict
from operator import itemgetter
from typing import Any

import click

from newsletter.cli.output import Progress, data, facts, iso, json_option, plural, table
from newsletter.cli.project import Project, looked_at, now, open_project
from newsletter.errors import NewsletterError, NotFound
from newsletter.store import Store
from newsletter.store.accounts import EventRecord, Figures, Record
from newsletter.store.requests import Evidence

STATES = (
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
            return f"#{r.post} to {r.address} failed five times over{reply}, so it is set aside; {again} tries again."
        case "submitting":
            return f"#{r.post} to {r.address} is being handed over."
        case "accepted" if r.came_back_at:
            return _came_back(r)
        case "planned" | "claimed" | "deferred" if r.resent:
            return f"#{r.post} to {r.address} is sent once more, since it was handed over and never answered."
        case _ if r.resent:
            return f"#{r.post} to {r.address} was sent once more after doubt, so it may have arrived twice."
        case _ if not r.about_address:
            again = f"`newsletter resend {r.post} --failed` sends it again"
            return f"#{r.post} to {r.address} was refused for what it contains{reply}; mend it, and {again}."
        case _:
            anew = f"`newsletter subscribers correct {r.address} NEW` sends it to a right address"
            if r.suppressed:
                return f"#{r.post} to {r.address} was refused for good{reply}, so nothing more goes there; {anew}."
            again = f"`newsletter subscribers resume {r.address}` tries again"
            return f"#{r.post} to {r.address} was refused{reply}, so it waits; {again}, {anew}."


def _came_back(r: Record) -> str:
    """One letter that was accepted and came back."""
    words = f"#{r.post} to {r.address} was accepted and came back{f' ({r.came_back})' if r.came_back else ''}"
    again = f"`newsletter resend {r.post} --failed` sends it again"
    if not r.suppressed:
        return f"{words}; {again}."
    lift = f"if the address is right all the same, `newsletter suppressions lift {r.address}`"
    anew = f"`newsletter subscribers correct {r.address} NEW` sends it to a right address"
    return f"{words}, so nothing more goes there; {anew}; {lift}."


@click.command()
@json_option
@click.pass_context
def report(ctx: click.Context, as_json: bool) -> None:
    """The accounts, post by post, and every doubt and every possible double by name.

    What was planned is accepted, or it stands in one of the other columns: each row adds up. Below the table
    stands who may have got something twice or not at all, when that was, and what to do.

    \b
    Example:
      newsletter report
    """
    project = open_project(ctx)
    store = project.existing_store() or Store.in_memory()
    posts, named, problems = store.accounts.by_post(), _named(store), store.accounts.verify()
    figures = store.accounts.figures()
    if as_json:
        facts(
            {
                "posts": [_post_facts(p) | asdict(figures[p["ident"]]) for p in posts],
                "doubts": [
                    record_facts(r)
                    | {
                        "what": what,
                        "handed_over": [iso(at) for at in store.accounts.hand_overs(r.id)],
                        "sentence": doubt(r),
                    }
                    for what, records in named.items()
                    for r in records
                ],
                "problems": problems,
            }
        )
        return
    if not posts:
        data("Nothing is on record yet: the first `newsletter send` begins it.")
        return
    _accounts(posts)
    _answers(posts, figures)
    for what, records in named.items():
        if records:
            data(f"\n{HEADINGS[what].format(n=len(records))}")
        for r in records:
            data(f"- {_times(store, r, project)}{doubt(r)}")
    if problems:
        data("\nThe accounts do not balance")
        for sentence in problems:
            data(f"! {sentence}")
    else:
        data(f"\n{_balance(posts)}")


#: What is named one by one, the most urgent first.
HEADINGS = {
    "possible_double": "Possible doubles ({n:,}): nothing to do, unless somebody asks",
    "in_doubt": "In doubt ({n:,}): handed over and never answered",
    "under_way": "On their way ({n:,}): if no run is at work, the next one takes these for doubt",
    "quarantined": "Set aside ({n:,})",
    "rejected": "Refused ({n:,})",
    "came_back": "Came back ({n:,})",
}


def _named(store: Store) -> dict[str, list[Record]]:
    doubtful = store.accounts.doubtful()
    return {
        "possible_double": store.accounts.sent_twice(),
        "in_doubt": [r for r in doubtful if r.state == "uncertain"],
        "under_way": store.accounts.under_way(),
        "quarantined": [r for r in doubtful if r.state == "quarantined"],
        "rejected": [r for r in doubtful if r.state == "rejected"],
        "came_back": store.accounts.came_back(),
    }


def _times(store: Store, r: Record, project: Project) -> str:
    """When it was handed over, in the newsletter's zone."""
    zone = project.config.identity.timezone
    moments = store.accounts.hand_overs(r.id) or ([r.at] if r.attempts else [])
    return f"{' and '.join(f'{at.astimezone(zone):%-d %b %Y %H:%M}' for at in moments)}: " if moments else ""


def _post_facts(post: dict[str, Any]) -> dict[str, Any]:
    balanced = post["promised"] == sum(post["deliveries"].values())
    known = {k: post[k] for k in ("number", "title", "status", "standing", "deliveries")}
    return known | {"planned": post["promised"], "balanced": balanced}


def _accounts(posts: list[dict[str, Any]]) -> None:
    """Planned = accepted + the rest, a post a row."""
    used = [s for s in STATES if any(p["deliveries"].get(s) for p in posts)]
    headings = ["Post", "Planned", *(("Waiting" if s == "planned" else s.capitalize()) for s in used)]
    rows = [
        (f"#{p['number']} {p['title']}"[:50], f"{p['promised']:,}", *(f"{p['deliveries'].get(s, 0):,}" for s in used))
        for p in posts
    ]
    if len(posts) > 1:
        sums = (sum(p["deliveries"].get(s, 0) for p in posts) for s in used)
        rows.append(("All", f"{sum(p['promised'] for p in posts):,}", *(f"{n:,}" for n in sums)))
    table(headings, rows, right=frozenset(range(1, len(headings))))


def _answers(posts: list[dict[str, Any]], figures: dict[str, Figures]) -> None:
    """What came back from readers and their servers, of the posts of which something did."""
    told = [(p, f) for p in posts if (f := figures[p["ident"]]) and (f.failed or f.complained or f.unsubscribed)]
    if not told:
        return
    data()
    rows = [
        (
            f"#{p['number']} {p['title']}"[:50],
            f"{f.accepted:,}",
            f"{f.failed:,}",
            f"{f.complained:,}",
            f"{f.unsubscribed:,}",
        )
        for p, f in told
    ]
    table(("What came of it", "Accepted", "Failed", "Called spam", "Left after it"), rows, right=frozenset(range(1, 5)))


def _balance(posts: list[dict[str, Any]]) -> str:
    """The sum in words."""
    counts = {s: sum(p["deliveries"].get(s, 0) for p in posts) for s in STATES}
    words = {**{s: s for s in STATES}, "planned": "waiting", "claimed": "taken up", "submitting": "being handed over"}
    parts = " + ".join(f"{n:,} {words[s]}" for s, n in counts.items() if n)
    return f"The accounts balance: {sum(counts.values()):,} planned = {parts or 'nothing yet'}."


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
    data(f"{reader.name or reader.address} <{reader.address}>: {reader.status}{pauses}")
    events = [
        (at, ", ".join(filter(None, (cause, "" if cause == after else f"now {after}", detail))) + _evidence(e))
        for (at, cause, after, detail), e in zip(consent, shown, strict=True)
    ]
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


def _told(e: EventRecord) -> str:
    """One event as a line of a reader's history."""
    about = f" about #{e.post}" if e.post is not None else ""
    return f"{e.source} told{about}: {e.kind}{f' ({e.reply})' if e.reply else ''}; {e.effect}"


def _evidence(shown: Evidence) -> str:
    """What was on the page, and from where it was answered."""
    if not shown.form:
        return ""
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
    with Progress("looking at the accounts, part") as bar:
        problems = store.accounts.verify(progress=bar) if store else []
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


COMMANDS = {"report": report, "who-got": who_got, "history": history, "verify": verify}
