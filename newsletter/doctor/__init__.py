"""The doctor: what is wrong around a newsletter, in the DNS, with its servers and on its machine.

    examine   what the rules find in a `Case`
    RULES     every rule by its name, which findings carry

The rules judge; they ask nothing but the DNS, and that through the resolver in the case. What else there is to see was
seen before, by `providers.visits`. Nothing that the DNS does not say for certain becomes a finding of its own: what
could not be found out is said once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from newsletter.doctor import policy, sender, server, signing, surroundings
from newsletter.doctor.case import BULK, Case, Machine
from newsletter.findings import Finding, Severity, error, warning
from newsletter.lookup import Answer, Kind, Resolver, Unanswered

__all__ = ["BULK", "RULES", "Case", "Machine", "examine"]

RULES: Mapping[str, Callable[[Case], Iterator[Finding]]] = {
    **sender.RULES,
    **signing.RULES,
    **policy.RULES,
    **server.RULES,
    **surroundings.RULES,
}
_SEVERITIES = list(Severity)
_NAMED = 5  # names that a sentence can carry


class _Heard:
    """Asks on, and notes whether anything was ever answered."""

    def __init__(self, dns: Resolver) -> None:
        self._dns, self.anything = dns, False

    def ask(self, name: str, kind: Kind) -> Answer:
        answer = self._dns.ask(name, kind)
        self.anything = True
        return answer


def examine(case: Case) -> list[Finding]:
    """What the rules find, what weighs most first."""
    heard = _Heard(case.dns)
    case = replace(case, dns=heard)
    found: list[Finding] = []
    silences: list[Unanswered] = []
    for rule in RULES.values():
        try:
            found += rule(case)
        except Unanswered as silence:
            silences.append(silence)
    if silences:
        found.append(_unknown(silences, answers=heard.anything))
    return sorted(dict.fromkeys(found), key=lambda finding: _SEVERITIES.index(finding.severity))


def _unknown(silences: list[Unanswered], *, answers: bool) -> Finding:
    """What nobody could tell: one finding, whatever it kept from being looked at."""
    names = list(dict.fromkeys(silence.name for silence in silences))
    if not answers:
        return error(
            "dns-answer",
            "the DNS",
            f"The DNS does not answer, so nothing that stands there was looked at: {silences[0].why}.",
            "See whether this machine is online, then try again; NEWSLETTER_RESOLVER names another DNS server.",
        )
    shown = ", ".join(names[:_NAMED])
    return warning(
        "dns-answer",
        shown,
        f"Not everything could be looked at: {silences[0].name}: {silences[0].why}.",
        "Try again later; if it stays so, ask whoever runs the DNS of that domain.",
    )
