"""Checks: everything that can be wrong with a post or its message, judged before it leaves.

    check   what was found in a `Proof`: the post, the rendered parts and the final bytes
    RULES   every rule by its name, which findings carry and a post's `allow:` silences

All of it is local: nothing is looked up and nothing leaves the machine. An error holds the post, a warning does not. A
rule would rather miss something than be wrong: a finding that means nothing teaches its reader to skip the next one.

The parts: `finding` (the value), `reading` (a proof as the rules see it), `page` and `css` (its HTML and styles), and
the rules by what they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from newsletter.checks import clients, contrast, header, images, inbox, links, parity, source, spam, structure
from newsletter.checks.finding import Finding, Part, Severity
from newsletter.checks.reading import Context, Reading
from newsletter.proof import Proof

__all__ = ["RULES", "Context", "Finding", "Part", "Severity", "check"]

RULES: Mapping[str, Callable[[Reading], Iterator[Finding]]] = {
    **source.RULES,
    **inbox.RULES,
    **links.RULES,
    **images.RULES,
    **structure.RULES,
    **contrast.RULES,
    **clients.RULES,
    **spam.RULES,
    **parity.RULES,
    **header.RULES,
}

_SEVERITIES = list(Severity)
_PARTS = list(Part)


def check(proof: Proof, *, context: Context | None = None) -> list[Finding]:
    """What the rules find in *proof*, what weighs most first, then by place."""
    reading = Reading(proof, context or Context())
    found = (finding for name, rule in RULES.items() if name not in proof.post.allow for finding in rule(reading))
    return sorted(dict.fromkeys(found), key=_place)


def _place(finding: Finding) -> tuple[int, int, int]:
    return _SEVERITIES.index(finding.severity), _PARTS.index(finding.part), finding.line or 0
