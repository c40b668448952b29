"""Checks: everything that can be wrong with a post or its message, judged before it leaves.

    check           what was found in a `Proof`: the post, the rendered parts and the final bytes
    check_post      the same for a post, which may be one that no message can be made of
    reason_to_hold  why a post with these findings must not leave
    RULES           every rule by its name, which findings carry and a post's `allow:` silences

All of it is local: nothing is looked up and nothing leaves the machine. An error holds the post, a warning does not. A
rule would rather miss something than be wrong: a finding that means nothing teaches its reader to skip the next one.

The parts: `finding` (the value), `reading` (a proof as the rules see it), `page`, `css` and `cascade` (its HTML and its
styles), and the rules by what they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from itertools import islice

from newsletter.checks import clients, contrast, duties, header, images, inbox, links, parity, source, spam, structure
from newsletter.checks.finding import Finding, Part, error, warning
from newsletter.checks.reading import LARGEST, Context, Reading
from newsletter.config import Design, Identity
from newsletter.errors import PostError, TemplateError
from newsletter.findings import Severity, halves
from newsletter.posts import Fault, Post
from newsletter.proof import SAMPLE, Proof, pull

__all__ = [
    "RULES",
    "Context",
    "Finding",
    "Part",
    "Severity",
    "check",
    "check_post",
    "from_fault",
    "reason_to_hold",
]


def allowed(reading: Reading) -> Iterator[Finding]:
    """A post's `allow` names checks that there are."""
    for name in sorted(reading.post.allow - RULES.keys()):
        near = get_close_matches(name, RULES, n=1)
        yield warning(
            "allow",
            f"allow: {name} is no check, so it has no effect.",
            f"Did you mean {near[0]}?" if near else "`newsletter check` names each check in brackets.",
            line=reading.key_line("allow"),
        )


RULES: Mapping[str, Callable[[Reading], Iterator[Finding]]] = {
    **source.RULES,
    "allow": allowed,
    **inbox.RULES,
    **links.RULES,
    **images.RULES,
    **structure.RULES,
    **contrast.RULES,
    **clients.RULES,
    **spam.RULES,
    **parity.RULES,
    **duties.RULES,
    **header.RULES,
}

_MOST = 20  # findings of one rule: whoever mends these sees the next
_SEVERITIES = list(Severity)
_PARTS = list(Part)


def check(proof: Proof, *, context: Context | None = None) -> list[Finding]:
    """What the rules find in *proof*, what weighs most first, then by place."""
    reading = Reading(proof, context or Context())
    rules = RULES if proof.html_size <= LARGEST else structure.SIZE
    heard = (rule for name, rule in rules.items() if name not in proof.post.allow)
    found = (finding for rule in heard for finding in islice(rule(reading), _MOST))
    return sorted(dict.fromkeys(found), key=_place)


def _place(finding: Finding) -> tuple[int, int, int]:
    return _SEVERITIES.index(finding.severity), _PARTS.index(finding.part), finding.line or 0


def check_post(post: Post, identity: Identity, design: Design, *, context: Context, at: datetime) -> list[Finding]:
    """As `check`; that no message can be made of *post* is a finding too, which nobody can allow.

    Whoever mends a picture wants to know at once what else there is, so the rest is judged all the same.
    """
    found: list[Finding] = []
    try:
        try:
            proof = pull(post, identity, design, SAMPLE, date=at)
        except PostError as fault:
            found = [error("content", *halves(each.problem), line=each.line) for each in (fault, *fault.more)]
            proof = pull(post, identity, design, SAMPLE, date=at, leniently=True)
        return sorted([*found, *check(proof, context=context)], key=_place)
    except PostError:
        return found
    except TemplateError as fault:
        place = f"templates/email/{fault.template}{f', line {fault.line}' if fault.line else ''}: "
        problem, remedy = halves(fault.problem)
        return [error("template", place + problem, remedy, Part.TEMPLATE)]


def from_fault(fault: Fault) -> Finding:
    """A reason why a file is no post, as a finding."""
    return error("front-matter", *halves(fault.problem), line=fault.line)


def reason_to_hold(post: Post, found: Iterable[Finding], *, strict: bool) -> str:
    """Why *post* must not leave, as a sentence for the owner; "" when it may."""
    grave = [f for f in found if f.severity is Severity.ERROR or (strict and f.severity is Severity.WARNING)]
    if not grave:
        return ""
    first = grave[0]
    where = f", line {first.line}" if first.line else ""
    more = f" ({len(grave) - 1} more)" if len(grave) > 1 else ""
    return (
        f"posts/{post.path.name}{where}: {first.problem}{more} Readers wait at #{post.number} until it is mended; "
        f"`newsletter check {post.number}` shows what to do."
    )
