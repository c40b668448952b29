"""Commands that read the ledger as a whole: report, verify."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from newsletter.cli.output import Progress, data, facts, iso, json_option, plural, table
from newsletter.cli.project import Project, open_project
from newsletter.cli.records import record_facts
from newsletter.store import Store
from newsletter.store.accounts import Figures, Record

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


COMMANDS = {"report": report, "verify": verify}
