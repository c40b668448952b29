"""Style sheets: declarations, rules and the selectors that mail templates use, read without a library. Pure.

Guarantees
    Linear in the length of the text. Nothing is refused; a selector of a kind that is not known here matches nothing.

cssutils would do more, costs 60 ms to import, and logs or raises on much of what real templates hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from newsletter.checks.page import Element

_COMPOUND = re.compile(r"([a-zA-Z][\w-]*|\*)?((?:[.#][\w-]+|\[[^\]]*\]|:[\w-]+(?:\([^)]*\))?)*)")
_SIMPLE = re.compile(r"([.#])([\w-]+)|\[([\w-]+)(?:([~^$*|]?=)[\"']?([^\"'\]]*)[\"']?)?\]|:([\w-]+)")
#: what ends something, and what may hold such a sign without meaning it
_PUNCTUATION = re.compile(r"[{};]|\"[^\"\n]{0,2000}\"|'[^'\n]{0,2000}'|url\([^)]{0,2000}\)")
_IMPORTANT = re.compile(r"\s*!\s*important\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a style sheet."""

    media: str  #: the condition of the @media around it, lower case; "" when there is none
    selectors: tuple[str, ...]
    declarations: dict[str, str]
    order: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A style sheet."""

    rules: tuple[Rule, ...]
    at_rules: tuple[str, ...]  #: what begins with @, in lower case and without what is in it
    balanced: bool  #: every brace is closed


def important(value: str) -> tuple[str, bool]:
    """*value* without its ``!important``, and whether it had one."""
    bare = _IMPORTANT.sub("", value) if "!" in value else value
    return bare, bare != value


@lru_cache(maxsize=4096)
def _declarations(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.strip().lower(), value.strip())
        for part in _split(text, ";")
        for name, colon, value in [part.partition(":")]
        if colon and value.strip()
    )


def declarations(text: str) -> dict[str, str]:
    """The declarations in *text*; of one property the last counts."""
    return dict(_declarations(text))


def _split(text: str, at: str) -> list[str]:
    """*text* cut at a sign, but not within quotes or parentheses."""
    if "(" not in text and '"' not in text and "'" not in text:
        return text.split(at)
    parts, start, depth, quote = [], 0, 0, ""
    for i, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth = max(0, depth - 1)
        elif sign == at and not depth:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def sheet(text: str) -> Sheet:
    """*text* as a style sheet."""
    text = _without_comments(text)
    rules: list[Rule] = []
    at_rules: list[str] = []
    blocks: list[tuple[str, list[str]]] = []  # those that are open: what stands before the brace, and within
    start = 0
    for brace in _PUNCTUATION.finditer(text):
        if brace[0] not in "{};":
            continue
        before, sign, start = text[start : brace.start()].strip(), brace[0], brace.end()
        if before.startswith("@"):
            at_rules.append(before.lower())
        elif sign != "{" and blocks:
            blocks[-1][1].append(before)
        if sign == "{":
            blocks.append((before, []))
        elif sign == "}" and blocks:
            head, body = blocks.pop()
            if not head.startswith("@"):
                around = next((h for h, _ in reversed(blocks) if h.lower().startswith("@media")), "")
                selectors = tuple(s.strip() for s in _split(head, ","))
                rules.append(Rule(around[6:].strip().lower(), selectors, declarations(";".join(body)), len(rules)))
    return Sheet(tuple(rules), tuple(at_rules), not blocks)


def _without_comments(text: str) -> str:
    parts, at = [], 0
    while (start := text.find("/*", at)) >= 0:
        parts.append(text[at:start])
        end = text.find("*/", start + 2)
        if end < 0:
            return "".join(parts)
        at = end + 2
    return "".join([*parts, text[at:]])


# --- selectors

Specificity = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Compound:
    tag: str
    simple: tuple[tuple[str, str, str], ...]  # kind, name, value
    child: bool  # of the compound before it, not only somewhere below

    def fits(self, element: Element) -> bool:
        return (not self.tag or self.tag == element.tag) and all(_fits(element, *part) for part in self.simple)


@lru_cache(maxsize=1024)
def _compiled(selector: str) -> tuple[tuple[_Compound, ...], Specificity] | None:
    """*selector* as compounds from left to right, and its specificity; None when it is of a kind not known here."""
    compounds: list[_Compound] = []
    child, counts = False, [0, 0, 0]
    for word in selector.replace(">", " > ").split():
        if word == ">":
            child = True
            continue
        found = _COMPOUND.fullmatch(word)
        if not found or "::" in word:
            return None
        simple = []
        for part in _SIMPLE.finditer(found[2]):
            if part[1]:
                simple.append((part[1], part[2], ""))
                counts[0 if part[1] == "#" else 1] += 1
            elif part[3]:
                simple.append((part[4] or "[]", part[3], part[5] or ""))
                counts[1] += 1
            else:
                simple.append((":", part[6], ""))
                counts[1] += 1
        tag = "" if found[1] in (None, "*") else found[1].lower()
        counts[2] += bool(tag)
        compounds.append(_Compound(tag, tuple(simple), child))
        child = False
    return (tuple(compounds), (counts[0], counts[1], counts[2])) if compounds else None


def specificity(selector: str, element: Element) -> Specificity | None:
    """The specificity with which *selector* matches *element*, or None."""
    compiled = _compiled(selector)
    if compiled is None or not compiled[0][-1].fits(element):
        return None
    return compiled[1] if _reaches(compiled[0], element) else None


def _reaches(compounds: Sequence[_Compound], element: Element) -> bool:
    """Whether the compounds before the last are found above *element*, nearest first."""
    here = element
    for compound, below in zip(reversed(compounds[:-1]), reversed(compounds), strict=False):
        above: Iterator[Element] = iter([here.parent] if here.parent else []) if below.child else here.ancestors
        found = next((e for e in above if compound.fits(e)), None)
        if found is None:
            return False
        here = found
    return True


def _fits(element: Element, kind: str, name: str, value: str) -> bool:
    if kind == ".":
        return name in element.classes
    if kind == "#":
        return element.attributes.get("id") == name
    if kind == ":":
        return _is_at_the(name, element)
    if name not in element.attributes:
        return False
    there = element.attributes[name]
    match kind:
        case "=":
            return there == value
        case "~=":
            return value in there.split()
        case "^=":
            return there.startswith(value)
        case "$=":
            return there.endswith(value)
        case "*=":
            return value in there
    return kind == "[]"


def _is_at_the(name: str, element: Element) -> bool:
    """:first-child, :last-child, :root; of any other pseudo-class nobody knows when it holds."""
    if name == "root":
        return element.tag == "html"
    if name not in ("first-child", "last-child") or element.parent is None:
        return False
    siblings = [child for child in element.parent.children if not isinstance(child, str)]
    return siblings[0 if name == "first-child" else -1] is element
