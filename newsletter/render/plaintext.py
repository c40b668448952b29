"""The text part, written from the Markdown tree.

Never from HTML: tools that convert HTML flatten tables, glue links to their neighbours and lose image descriptions.

Form
    Lines of at most 72 columns, hanging indents, underlined headings, link notes ``[n]`` with the list of addresses at
    the end, buttons with theirs beside them, ``> `` before quotes, tables aligned by display width (a Chinese or
    Japanese character takes two columns) where they fit and as ``Header: cell`` where they don't.
    An address (a word with ``://`` or ``mailto:``) is never broken; any other word longer than the line is. Neither are
    scripts that write no spaces, which every mail program wraps by itself: filters compare the words of both parts,
    and each line end would be one that the HTML lacks (SpamAssassin: MPART_ALT_DIFF_COUNT, 2.8 points).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

COLUMNS = 72
_GAP = 2  # columns between the columns of a table
_NARROWEST = 24  # however deep lists are nested, a line keeps this many columns
_ZERO_WIDTH = frozenset("\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}\N{WORD JOINER}\N{SOFT HYPHEN}\ufe0e\ufe0f")
_UNDERLINES = {"h1": "=", "h2": "-"}


def width(text: str) -> int:
    """Columns that *text* takes on a terminal (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) or c in _ZERO_WIDTH else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def wrap(text: str, columns: int = COLUMNS) -> list[str]:
    """*text* in lines of at most *columns*; a line feed in it stays one."""
    return [line for paragraph in text.split("\n") for line in _fill(paragraph, columns)]


def _fill(text: str, columns: int) -> Iterator[str]:
    line, taken = "", 0
    for glue, piece in _pieces(text, columns):
        wide = width(piece)
        if line and taken + len(glue) + wide > columns:
            yield line
            line, taken = piece, wide
        else:
            line, taken = (line + glue + piece, taken + len(glue) + wide) if line else (piece, wide)
    yield line


def _pieces(text: str, columns: int) -> Iterator[tuple[str, str]]:
    """What may not be broken, each with what stands before it when it doesn't begin a line."""
    for word in text.split(" "):
        if not word:
            continue
        glue = " "
        for piece in [word] if _is_whole(word) else _cut(word, columns):
            yield glue, piece
            glue = ""


def _is_whole(word: str) -> bool:
    return "://" in word or "mailto:" in word or (not word.isascii() and any(width(c) == 2 for c in word))


def _cut(word: str, columns: int) -> Iterator[str]:
    """Cut *word* where it is too long, never before an accent or within joined characters."""
    piece, taken = "", 0
    for character in word:
        wide = width(character)
        if piece and wide and not piece.endswith("\N{ZERO WIDTH JOINER}") and taken + wide > columns:
            yield piece
            piece, taken = "", 0
        piece, taken = piece + character, taken + wide
    if piece:
        yield piece


def underlined(text: str, sign: str = "=", columns: int = COLUMNS) -> str:
    """A heading: its lines, and one below of the longest's width."""
    lines = wrap(text, columns)
    return "\n".join([*lines, sign * min(columns, max(map(width, lines)))])


def write(tokens: Sequence[Token], image_word: str = "Image") -> tuple[str, str]:
    """The post as plain text, and the numbered list of the addresses it links to ("" when there are none)."""
    writer = _Writer(image_word)
    content = "\n\n".join(writer.blocks(SyntaxTreeNode(list(tokens)).children, COLUMNS))
    marks = len(f"[{len(writer.links)}] ")
    return content, "\n".join(f"{f'[{number}]':<{marks}}{href}" for href, number in writer.links.items())


class _Writer:
    """One walk over a tree; it numbers the links as it meets them."""

    def __init__(self, image_word: str) -> None:
        self._image_word = image_word
        self.links: dict[str, int] = {}

    def blocks(self, nodes: Iterable[SyntaxTreeNode], columns: int) -> list[str]:
        """One text for each block that shows anything."""
        return [text for node in nodes if (text := self.block(node, max(columns, _NARROWEST)))]

    def block(self, node: SyntaxTreeNode, columns: int) -> str:
        match node.type:
            case "paragraph" | "alert_title" | "inline":
                return "\n".join(wrap(self.inline(node), columns)).strip("\n")
            case "buttons":
                return "\n\n".join(self.button(link, columns) for link in node.children[0].children)
            case "heading":
                return underlined(self.inline(node), _UNDERLINES.get(node.tag, "~"), columns)
            case "bullet_list" | "ordered_list":
                return self.list(node, columns)
            case "blockquote" | "alert":
                return _before("> ", "\n\n".join(self.blocks(node.children, columns - 2)))
            case "fence" | "code_block":
                return _before("    ", node.content.rstrip("\n"))
            case "hr":
                return "* * *"
            case "table":
                return self.table(node, columns)
            case "footnote_block":
                return "* * *\n\n" + "\n\n".join(self.footnote(note, columns) for note in node.children)
            case _:
                return "\n\n".join(self.blocks(node.children, columns))

    def list(self, node: SyntaxTreeNode, columns: int) -> str:
        """Items with hanging indents; a blank line between them where the writer left one."""
        ordered = node.type == "ordered_list"
        first = int(node.attrs.get("start", 1))
        mark_width = len(f"{first + len(node.children) - 1}. ") if ordered else 2
        items, loose = [], False
        for number, item in enumerate(node.children, start=first):
            mark = f"{number}. ".rjust(mark_width) if ordered else "- "
            blocks = self.blocks(item.children, columns - mark_width)
            tight = all(child.hidden for child in item.children if child.type == "paragraph")
            loose = loose or not tight
            items.append(_hang(mark, ("\n" if tight else "\n\n").join(blocks)))
        return ("\n\n" if loose else "\n").join(items)

    def footnote(self, node: SyntaxTreeNode, columns: int) -> str:
        mark = f"({node.meta['id'] + 1}) "
        return _hang(mark, "\n\n".join(self.blocks(node.children, columns - len(mark))))

    def table(self, node: SyntaxTreeNode, columns: int) -> str:
        """Aligned columns where they fit the line, else a small block of ``Header: cell`` for each row."""
        rows = [[self.inline(cell) for cell in row.children] for part in node.children for row in part.children]
        aligned = [str(cell.attrs.get("style", "")) for cell in node.children[0].children[0].children]
        widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + _GAP * (len(widths) - 1) <= columns:
            rows.insert(1, ["-" * wide for wide in widths])
            return "\n".join(_table_row(row, widths, aligned) for row in rows)
        header, *body = rows
        return "\n\n".join(
            "\n".join(
                _hang("", "\n".join(wrap(f"{name}: {cell}" if name else cell, columns - 2)), "  ")
                for name, cell in zip(header, row, strict=True)
                if cell
            )
            for row in body
        )

    def inline(self, node: SyntaxTreeNode) -> str:
        """The words of a block's inline children; a hard break is a line feed."""
        return "".join(map(self.span, node.children))

    def span(self, node: SyntaxTreeNode) -> str:
        match node.type:
            case "text" | "code_inline":
                return node.content
            case "softbreak":
                return " "
            case "hardbreak":
                return "\n"
            case "strong" | "em":
                return f"*{self.inline(node)}*"
            case "s":
                return f"~{self.inline(node)}~"
            case "image":
                alt = self.inline(node)
                return f"[{self._image_word}: {alt}]" if alt else ""
            case "footnote_ref":
                return f" ({node.meta['id'] + 1})"
            case "link":
                return self.link(node)
            case _:
                return self.inline(node)

    def button(self, node: SyntaxTreeNode, columns: int) -> str:
        """Its words, then its address, where the eye looks for what to do: not in the list at the end."""
        label, href = self.inline(node).strip(), str(node.attrs["href"])
        if not label or node.markup == "autolink":
            return href.removeprefix("mailto:")
        label += "" if unicodedata.category(label[-1]).startswith("P") else ":"
        line = f"{label} {href}"
        return line if width(line) <= columns else "\n".join([*wrap(label, columns), href])

    def link(self, node: SyntaxTreeNode) -> str:
        words, href = self.inline(node), str(node.attrs["href"])
        if node.markup == "autolink":  # an address that is its own text; shown as it will be followed
            return href.removeprefix("mailto:")
        number = self.links.setdefault(href, len(self.links) + 1)
        return f"{words} [{number}]".lstrip()


def _before(mark: str, text: str) -> str:
    """*mark* before every line; before an empty one without its trailing space."""
    return "\n".join(f"{mark}{line}".rstrip() for line in text.split("\n"))


def _hang(mark: str, text: str, indent: str | None = None) -> str:
    """*mark* before the first line, spaces of its width before the others."""
    indent = " " * len(mark) if indent is None else indent
    return re.sub(r"\n(?!\n|$)", f"\n{indent}", f"{mark}{text}").rstrip()


def _table_row(cells: Sequence[str], widths: Sequence[int], aligned: Sequence[str]) -> str:
    """One line of an aligned table."""
    placed = []
    for cell, wide, style in zip(cells, widths, aligned, strict=True):
        room = wide - width(cell)
        left = room if style.endswith("right") else room // 2 if style.endswith("center") else 0
        placed.append(" " * left + cell + " " * (room - left))
    return (" " * _GAP).join(placed).rstrip()
