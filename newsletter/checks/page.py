"""A page as a tree: enough HTML to judge a letter by, read with the standard library. Pure.

Guarantees
    Linear in the length of the page, and no recursion, however deep it is nested.
    Nothing is refused: what a browser would forgive is forgiven here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser

from newsletter.checks.css import declarations

_VOID = frozenset(  # HTML, section 13.1.2: they have no end tag
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
NOT_SHOWN = frozenset({"head", "title", "style", "script", "noscript", "template"})
_DEEPEST = 200  # elements within each other; what is deeper lies side by side, as in a browser
_CODE = frozenset({"code", "pre", "kbd", "samp"})
_BLOCKS = frozenset(
    """article blockquote br dd div dt h1 h2 h3 h4 h5 h6 hr li ol p pre section table td th tr
    ul""".split()  # noqa: SIM905  a list of words
)


@dataclass(eq=False)
class Element:
    """One element with what is in it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    parent: Element | None = field(default=None, repr=False)
    children: list[Element | str] = field(default_factory=list, repr=False)

    @cached_property
    def style(self) -> dict[str, str]:
        """The declarations of its style attribute."""
        return declarations(self.attributes.get("style", ""))

    @cached_property
    def classes(self) -> frozenset[str]:
        """The names in its class attribute."""
        return frozenset(self.attributes.get("class", "").split())

    @property
    def hidden(self) -> bool:
        """Never shown: by its nature, or by display:none."""
        return self.tag in NOT_SHOWN or self.style.get("display", "").startswith("none")

    @property
    def ancestors(self) -> Iterator[Element]:
        """Its parent, that one's parent, and so on."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent

    def walk(self) -> Iterator[Element | str]:
        """Everything in it, in the order of the page, itself first."""
        waiting: list[Element | str] = [self]
        while waiting:
            found = waiting.pop()
            yield found
            if isinstance(found, Element):
                waiting.extend(reversed(found.children))

    def elements(self, *tags: str) -> Iterator[Element]:
        """The elements in it, all or those with one of *tags*."""
        return (e for e in self.walk() if isinstance(e, Element) and (not tags or e.tag in tags))

    @property
    def text(self) -> str:
        """The words in it, and what its pictures are called, with single spaces."""
        parts = (e if isinstance(e, str) else f" {e.attributes.get('alt', '')} " for e in self.walk())
        return " ".join("".join(parts).split())


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of shown text, and the element that it stands in."""

    text: str
    element: Element
    code: bool  #: within code, where words mean nothing


class Page(HTMLParser):
    """A whole page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#page")
        self.comments: list[str] = []
        self.doctype = ""
        self._open = [self.root]
        self.feed(html)
        self.close()

    # What HTMLParser calls

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parent = self._open[-1]
        element = Element(tag, {name: value or "" for name, value in reversed(attrs)}, parent)
        parent.children.append(element)
        if tag not in _VOID and len(self._open) < _DEEPEST:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        depth = next((i for i in range(len(self._open) - 1, 0, -1) if self._open[i].tag == tag), 0)
        if depth:
            del self._open[depth:]

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_decl(self, decl: str) -> None:
        self.doctype = self.doctype or decl

    # What rules ask

    @cached_property
    def elements(self) -> list[Element]:
        """Every element, in the order of the page."""
        return list(self.root.elements())[1:]

    def all(self, *tags: str) -> list[Element]:
        """The elements with one of *tags*."""
        return [e for e in self.elements if e.tag in tags]

    @cached_property
    def runs(self) -> list[Run]:
        """Every stretch of text that is shown."""
        found: list[Run] = []
        waiting: list[tuple[Element | str, Element, bool]] = [(self.root, self.root, False)]
        while waiting:
            item, parent, code = waiting.pop()
            if isinstance(item, str):
                if item.strip():
                    found.append(Run(item, parent, code))
            elif not item.hidden:
                code = code or item.tag in _CODE
                waiting.extend((child, item, code) for child in reversed(item.children))
        return found

    @cached_property
    def words(self) -> str:
        """The text that is shown outside code, blocks apart from each other by a line end."""
        parts: list[str] = []
        block: Element | None = None
        for run in self.runs:
            here = run.element
            while here.tag not in _BLOCKS and here.parent is not None:
                here = here.parent
            parts.append("" if here is block else "\n")
            parts.append(" " if run.code else run.text)
            block = here
        return "".join(parts)
