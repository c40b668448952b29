"""Rules about what the domain asks for when a letter in its name is not proved to be its own (DMARC, RFC 9989)."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.doctor import dmarc
from newsletter.doctor.case import Case
from newsletter.doctor.dmarc import Policy, Wish
from newsletter.doctor.signing import key_fault, signs
from newsletter.findings import Finding, Record, error, note, warning

_FIRST = "v=DMARC1; p=none"
_OLD = ("pct", "rf", "ri")  # RFC 9989 removed them
_VALUES = {
    "adkim": ("r", "s"),
    "aspf": ("r", "s"),
    "t": ("y", "n"),
    "psd": ("y", "n", "u"),
}
_DEEDS = {Wish.QUARANTINE: "be treated as spam", Wish.REJECT: "be refused"}


def dmarc_record(case: Case) -> Iterator[Finding]:
    """The domain, or one above it, says what to do with mail that is not proved to be its own (RFC 9989)."""
    if not case.owns_domain:
        return
    found, unread = dmarc.policy(case.dns, case.domain), list(_unread(case))
    yield from unread
    if found is None:
        yield from () if unread else _no_policy(case)
        return
    place = dmarc.name(found.domain)
    if found.fault:
        yield warning("dmarc-record", place, f"Part of your DMARC record is skipped: {found.fault}.", "Correct it.")
    if found.wish(case.domain, exists=_exists(case)) is None:
        yield error(
            "dmarc-record",
            place,
            "Your DMARC record asks for something that there is not, so none of it counts.",
            "p, sp and np take none, quarantine or reject.",
            Record(place, _FIRST),
        )
    if found.psd == "y" and found.domain == case.domain:
        yield warning(
            "dmarc-record",
            place,
            f"Your DMARC record says that {case.domain} is a registry's domain, such as .com (psd=y).",
            "Take psd=y out.",
        )
    yield from _curious(found, place)
    if found.wish(case.domain, exists=_exists(case)) is Wish.NONE:
        yield note(
            "dmarc-record",
            place,
            "Your DMARC record asks for nothing (p=none), so others can still write in your name.",
            "Once your letters have passed for some weeks, write p=quarantine.",
        )


def _curious(found: Policy, place: str) -> Iterator[Finding]:
    for tag, values in _VALUES.items():
        if tag in found.tags and found.tags[tag].lower() not in values:
            yield warning(
                "dmarc-record",
                place,
                f"{tag}={found.tags[tag]} in your DMARC record means nothing and is skipped.",
                f"Write one of {', '.join(values)}, or take it out.",
            )
    if found.tags.get("t", "n").lower() == "y":
        yield note(
            "dmarc-record",
            place,
            "Your DMARC record is marked as a test (t=y): receivers do one step less than it says.",
            "Take t=y out when you are sure of it.",
        )
    if old := [tag for tag in _OLD if tag in found.tags]:
        yield note(
            "dmarc-record",
            place,
            f"{', '.join(old)} in your DMARC record is of the past; new receivers skip it (RFC 9989).",
            "Take it out.",
        )


def _unread(case: Case) -> Iterator[Finding]:
    """Records that are there, and of which receivers take no notice."""
    for place in dmarc.places(case.domain)[:-1]:  # not of a top-level domain: that is nobody's slip
        name, several = dmarc.name(place), dmarc.published(case.dns, place)
        near = [text for text in case.dns.ask(name, "TXT").records if "dmarc1" in text.lower()]
        if len(several) > 1:
            yield error(
                "dmarc-record",
                name,
                f"{place} has {len(several)} DMARC records; with more than one, none counts.",
                "Delete all but one.",
            )
        elif near and not several:
            yield error(
                "dmarc-record",
                name,
                f"“{near[0][:60]}” looks like a DMARC record, but must begin with v=DMARC1; in just these letters.",
                "Correct its beginning.",
                Record(name, _FIRST),
            )


def _no_policy(case: Case) -> Iterator[Finding]:
    weigh, name = error if case.bulk else warning, dmarc.name(case.domain)
    for stray in (case.domain, f"{name}.{case.domain}"):
        if any(text.lower().startswith("v=dmarc1") for text in case.dns.ask(stray, "TXT").records):
            yield weigh(
                "dmarc-record",
                stray,
                f"A DMARC record stands at {stray}, where nobody looks for it.",
                f"Its name has to be {name}; many forms add the domain themselves.",
                Record(name, _FIRST),
            )
            return
    demanded = ", and Gmail and others demand one of whoever sends as much as you" if case.bulk else ""
    yield weigh(
        "dmarc-record",
        case.domain,
        f"{case.domain} has no DMARC record{demanded}.",
        "Add this one. It changes nothing yet; it shows that the domain is looked after.",
        Record(name, _FIRST),
    )


def _exists(case: Case) -> bool:
    """RFC 9989 section 3.2: a name without A, AAAA and MX is taken for one that is not there."""
    return any(case.dns.ask(case.domain, kind).exists for kind in ("A", "AAAA", "MX"))


def dmarc_alignment(case: Case) -> Iterator[Finding]:
    """Signature or server speak for the domain in From itself, as its policy wants it (RFC 9989 section 4.4)."""
    found = dmarc.policy(case.dns, case.domain) if case.owns_domain else None
    if found is None or case.provider == "folder":
        return
    strict = found.strict("adkim")
    apart = [
        key
        for key in case.keys
        if not key_fault(case.dns, key) and not dmarc.aligned(case.dns, case.domain, key.domain, strict=strict)
    ]
    signed = False if case.keys and len(apart) == len(case.keys) else signs(case)
    authorised = case.authorised
    if authorised and not dmarc.aligned(case.dns, case.domain, case.path, strict=found.strict("aspf")):
        authorised = False
    wish = found.wish(case.domain, exists=_exists(case)) or Wish.NONE
    place = dmarc.name(found.domain)
    if apart:
        yield (warning if authorised else error)("dmarc-alignment", place, *_apart(case, apart[0].domain))
    if signed or authorised or wish is Wish.NONE:
        return
    ours = case.service is not None and case.service.own_path
    if signed is False and (authorised is False or ours):
        yield error(
            "dmarc-alignment",
            place,
            f"The domain asks that mail in its name {_DEEDS[wish]} unless signature or server prove it to be its own,"
            " and neither does.",
            "Mend what is said above about SPF or DKIM.",
        )
    else:
        yield warning(
            "dmarc-alignment",
            place,
            f"The domain asks that mail in its name {_DEEDS[wish]} unless it is proved to be its own, and that your"
            " letters are can't be seen from here.",
            "Send yourself a letter with `newsletter test`, and look in its source for dmarc=pass.",
        )


def _apart(case: Case, signer: str) -> tuple[str, str]:
    """Problem and remedy when *signer* does not speak for From."""
    return (
        f"Your letters are signed by {signer}, and the DMARC record wants {case.domain} itself, so it does not count.",
        f'Write domain = "{case.domain}" under [dkim] and let its key stand there, or take adkim=s out.',
    )


def dmarc_reports(case: Case) -> Iterator[Finding]:
    """Whoever is to get the reports about your domain has agreed to it (RFC 9990)."""
    found = dmarc.policy(case.dns, case.domain) if case.owns_domain else None
    if found is None:
        return
    place = dmarc.name(found.domain)
    if found.tags.get("rua") and not found.reports:
        yield warning(
            "dmarc-reports",
            place,
            f"rua={found.tags['rua'][:60]} in your DMARC record is no address, so its reports go nowhere.",
            f"Write it as rua=mailto:someone@{found.domain}.",
        )
    for uri in found.reports:
        scheme, _, address = uri.partition(":")
        domain = address.partition("!")[0].rpartition("@")[2].lower()
        if scheme.lower() != "mailto" or not domain or _related(case, domain, found.domain):
            continue
        name = f"{found.domain}._report._dmarc.{domain}"
        if not any(text.startswith("v=DMARC1") for text in case.dns.ask(name, "TXT").records):
            yield warning(
                "dmarc-reports",
                place,
                f"Reports about your domain are to go to {domain}, which has not agreed to it, so nobody sends any.",
                f"Whoever runs {domain} has to add this record; or name an address at {found.domain}.",
                Record(name, "v=DMARC1"),
            )


def _related(case: Case, one: str, other: str) -> bool:
    return dmarc.organisation(case.dns, one) == dmarc.organisation(case.dns, other)


RULES = {"dmarc-record": dmarc_record, "dmarc-alignment": dmarc_alignment, "dmarc-reports": dmarc_reports}
