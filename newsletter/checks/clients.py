"""The rule about mail programs: what the letter uses and some of them do not carry out."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.finding import Finding, Part, warning
from newsletter.checks.reading import Reading
from newsletter.checks.support import FEATURES, Feature, Where


def support(reading: Reading) -> Iterator[Finding]:
    """Some mail programs do not carry out what the letter uses, and show it worse than it was meant."""
    for feature in used(reading):
        lacking = feature.lacking()
        if lacking and not feature.harmless:
            name = f"{feature.name[:1].upper()}{feature.name[1:]}"
            yield warning(
                "client-support",
                f"{name} is not carried out by {_listed(lacking)}: {feature.without}.",
                "Do without it in the template, with tables, widths and colours that all of them know.",
                Part.TEMPLATE,
            )


def used(reading: Reading) -> list[Feature]:
    """The features that the letter uses, of those that are known."""
    there = _there(reading)
    return [f for f in FEATURES if any(f.pattern.match(text) for text in there[f.where])]


def _there(reading: Reading) -> dict[Where, set[str]]:
    """Everything a pattern can be looked for in, each once."""
    elements, rules = reading.page.elements, reading.sheet.rules
    declared = {(name, value) for e in elements for name, value in e.style.items()}
    declared |= {pair for rule in rules for pair in rule.declarations.items()}
    attributes = {f"{e.tag} {name}={value[:100]}" for e in elements for name, value in e.attributes.items()}
    sources = {image.attributes.get("src", "") for image in reading.images}
    kinds = {image.subtype for image in reading.proof.rendered.images}
    kinds |= {s[:5] if s.startswith("data:") else s.partition("?")[0].rpartition(".")[2][:10] for s in sources}
    return {
        Where.DECLARATION: {f"{name}:{value[:300]}" for name, value in declared},
        Where.SELECTOR: {selector[:300] for rule in rules for selector in rule.selectors},
        Where.AT_RULE: {at_rule[:300] for at_rule in reading.sheet.at_rules},
        Where.TAG: {e.tag for e in elements},
        Where.ATTRIBUTE: attributes,
        Where.IMAGE: kinds,
    }


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


RULES = {"client-support": support}
