"""Rules about the way out for readers, about this machine, and about how many readers one mail system has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from newsletter.doctor.case import BULK, Case
from newsletter.findings import Finding, error, halves, note, warning
from newsletter.providers.visits import Response

_NEAR = BULK * 4 // 5  # Gmail says "close to 5,000 messages or more"
_FULL, _NARROW = 50_000_000, 500_000_000  # octets
_COPIES = 2  # of the database: a backup, and what a change of its form writes
_WRONG, _ODD = timedelta(minutes=4), timedelta(minutes=1)  # providers refuse requests dated five minutes off
_NAMES = {"gmail.com": "Gmail", "outlook.com": "Outlook", "yahoo.com": "Yahoo"}


# -- the way out


def one_click(case: Case) -> Iterator[Finding]:
    """Readers can leave with one click, which bulk senders must offer (RFC 8058)."""
    if case.identity.url or case.is_sample:
        return
    weigh = error if case.bulk else note
    yield weigh(
        "one-click",
        "[newsletter] url",
        "Readers leave by writing an email; the button in Gmail and other programs needs a website.",
        "Set `url` and run `newsletter serve` there; Gmail demands it from 5,000 letters a day on.",
    )


def unsubscribe_page(case: Case) -> Iterator[Finding]:
    """Unsubscribe links work: the page opens, and the button of a mail program is answered at once (RFC 8058)."""
    if case.page is None:
        return
    place = f"{case.identity.url}/u/…"
    for method, answer in (("GET", case.page.get), ("POST", case.page.post)):
        what = "The page for leaving" if method == "GET" else "The button for leaving"
        if isinstance(answer, str):
            yield error(
                "unsubscribe-page",
                place,
                f"{what} does not work: the website {answer}.",
                "See that `newsletter serve` runs there and that the address is right; until then readers can't leave.",
            )
            return  # the other says the same
        if answer.status != 200:
            yield error("unsubscribe-page", place, *_wrong(what, method, answer))


def _wrong(what: str, method: str, answer: Response) -> tuple[str, str]:
    """Problem and remedy for an answer that is not 200."""
    if 300 <= answer.status < 400:
        to = f" to {answer.location[:80]}" if answer.location else ""
        # RFC 8058 section 3.1: no redirect; mail programs don't follow one.
        return (
            f"{what} is sent on{to}; mail programs don't follow.",
            "Write the address where it ends up as `url` in newsletter.toml, or serve it where `url` says.",
        )
    if answer.status == 404:
        return (
            f"{what} is not there ({answer.status}).",
            "Either something else answers there than `newsletter serve`, or it was started with another secret.key.",
        )
    if answer.status in (401, 403, 429, 503):
        return (
            f"{what} is refused ({answer.status}): something in front wants a login, or proof of being human.",
            "Let everybody through to /u/ there: mail programs can't log in, and hurry.",
        )
    if answer.status == 405:
        return (
            f"{what} is refused ({answer.status}): what answers there takes no {method}.",
            "See that it is `newsletter serve` that answers.",
        )
    return f"{what} fails ({answer.status}).", "Look at what `newsletter serve` writes there."


# -- this machine


def clock(case: Case) -> Iterator[Finding]:
    """This machine's clock is right, compared with the servers that were asked anyway."""
    pages = (case.page.get, case.page.post) if case.page else ()
    clocks = [
        (case.account.ahead, "your provider"),
        (case.server.ahead if case.server else None, "your mail server"),
        *((answer.ahead, "your website") for answer in pages if isinstance(answer, Response)),
    ]
    # The first that shows one: a website may well run on this very machine.
    ahead, who = next((pair for pair in clocks if pair[0] is not None), (None, ""))
    if ahead is None:
        return
    if abs(ahead) >= _ODD:
        weigh = error if abs(ahead) >= _WRONG else warning
        off = f"{abs(ahead).total_seconds() / 60:.0f} minutes {'ahead of' if ahead > timedelta(0) else 'behind'}"
        yield weigh(
            "clock",
            "this machine",
            f"Its clock is {off} that of {who}: letters leave at the wrong time, and providers refuse requests.",
            "Let the machine set its clock by itself: timedatectl set-ntp true",
        )


def disk(case: Case) -> Iterator[Finding]:
    """There is room on the disk for what has to be written down."""
    machine = case.machine
    if not machine.folder:
        return
    if machine.free < _FULL:
        yield error(
            "disk",
            machine.folder,
            f"Only {machine.free // 1_000_000} MB are free there; nothing leaves that can't be written down.",
            "Free some space.",
        )
    elif machine.free < max(_NARROW, _COPIES * machine.database):
        yield warning(
            "disk",
            machine.folder,
            f"{machine.free // 1_000_000} MB are free there, which is little for a database of"
            f" {machine.database // 1_000_000} MB and a copy of it.",
            "Free some space before the next backup.",
        )


def file_modes(case: Case) -> Iterator[Finding]:
    """Keys, passwords and the list of readers can be read by nobody else on this computer."""
    for path in case.machine.exposed:
        yield warning(
            "file-modes",
            path.name,
            f"Other users of this computer can read {path.name}.",
            f"Type: chmod 600 {path}",
        )


def settings(case: Case) -> Iterator[Finding]:
    """What newsletter.toml names is there and of use."""
    for words in case.faults:
        problem, remedy = halves(words) if "; " in words else (words, "Nothing leaves before that is mended.")
        yield error("settings", "newsletter.toml", problem, remedy)
    for words in case.notes:
        yield warning("settings", "newsletter.toml", *halves(words))


# -- how many


def bulk_sender(case: Case) -> Iterator[Finding]:
    """How near you are to the number from which on Gmail and others have stricter rules."""
    system = max(case.readers, key=lambda name: case.readers[name], default="")
    count = case.readers.get(system, 0)
    if count < _NEAR:
        return
    name = _NAMES.get(system, system)
    demands = "SPF and DKIM, DMARC, one click to leave, and complaints below 0.3 %"
    if count >= BULK:
        yield note(
            "bulk-sender",
            name,
            f"{count:,} of your readers are there: on a day on which all get a letter you are a bulk sender, for good.",
            f"That asks for {demands}. What is missing of it weighs as an error here.",
        )
    else:
        yield warning(
            "bulk-sender",
            name,
            f"{count:,} of your readers are there; from about 5,000 letters a day on you are a bulk sender, for good.",
            f"That asks for {demands}: mend the warnings here before.",
        )


RULES = {
    "one-click": one_click,
    "unsubscribe-page": unsubscribe_page,
    "clock": clock,
    "disk": disk,
    "file-modes": file_modes,
    "settings": settings,
    "bulk-sender": bulk_sender,
}
