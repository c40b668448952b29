"""Markdown: one parse, made fit for mail, from which both parts are written.

Guarantees
    Raw HTML in a post is text and template syntax stays text. Every link left in the tree is absolute, every image is a
    file of the project, the shallowest heading is h2 and no step is deeper than one, footnotes have no jump links
    (most mail programs can't follow them).

Diagnostics
    `PostError` with the line in the post's file, for an image or a link that can't work in a mail; without one for a
    post that is too long for one letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from itertools import pairwise
from typing import Any
from unicodedata import east_asian_width
from urllib.parse import unquote, urljoin

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from newsletter.errors import PostError
from newsletter.mail import shown
from newsletter.posts import Post
from newsletter.posts.names import named
from newsletter.render.images import ImageError, InlineImage, Place, load
from newsletter.render.syntax import DEEPEST, ONLY, Medium, choose, make_buttons
from newsletter.render.tables import fit_columns

_NBSP = "\N{NO-BREAK SPACE}"
_ENGLISH_QUOTES = ("“", "”", "‘", "’")
#: Opening and closing, outer and inner, by language (CLDR "delimiters"; French with its no-break spaces).
QUOTES = {
    "da": ("»", "«", "›", "‹"),
    "de": ("„", "“", "‚", "‘"),
    "de-ch": ("«", "»", "‹", "›"),
    "el": ("«", "»", "“", "”"),
    "es": ("«", "»", "“", "”"),
    "fi": ("”", "”", "’", "’"),
    "fr": (f"«{_NBSP}", f"{_NBSP}»", f"‹{_NBSP}", f"{_NBSP}›"),
    "hu": ("„", "”", "»", "«"),
    "it": ("«", "»", "“", "”"),
    "nb": ("«", "»", "‘", "’"),
    "no": ("«", "»", "‘", "’"),
    "pl": ("„", "”", "‚", "’"),
    "cs": ("„", "“", "‚", "‘"),
    "ru": ("«", "»", "„", "“"),
    "sv": ("”", "”", "’", "’"),
    "uk": ("«", "»", "„", "“"),
}

_DASHES = (
    (re.compile(r"(?<!-)---(?!-)"), "—"),
    (re.compile(r"(?<!-)--(?!-)"), "–"),
    (re.compile(r"(?<!\.)\.\.\.(?!\.)"), "…"),
)
LONGEST = 150_000  #: characters of a post: half as much again as Gmail shows of a letter

_ANYWHERE = "https://example.org/"
_FAULTS_MOST = 20  # whoever mends these sees the next

_ABSOLUTE = re.compile(r"https?://[^/]|mailto:[^?]|tel:.", re.IGNORECASE)
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def quotes(language: str) -> tuple[str, str, str, str]:
    """The quotation marks of a BCP 47 *language*; English ones when it isn't in the table."""
    tag = language.lower()
    return QUOTES.get(tag) or QUOTES.get(tag.partition("-")[0], _ENGLISH_QUOTES)


def parse(post: Post, language: str, medium: Medium = Medium.EMAIL) -> list[Token]:
    """The token stream of *post* as *medium* shows it, with the typography of *language*; raises `PostError`."""
    if len(post.body) > LONGEST:
        raise PostError(
            named(post.path),
            f"the post has {len(post.body):,} characters, and Gmail cuts a letter after about 100,000; "
            "make several posts of it",
        )
    return _parser(language).parse(post.body, {"post": post, "medium": medium})


def _dashes(state: StateCore) -> None:
    """Dashes and the ellipsis, except in addresses that are their own text."""
    for block in state.tokens:
        spelled_out = False
        for token in block.children or ():
            if token.type == "link_open":
                spelled_out = token.markup == "autolink"
            elif token.type == "link_close":
                spelled_out = False
            elif token.type == "text" and not spelled_out:
                for pattern, sign in _DASHES:
                    token.content = pattern.sub(sign, token.content)


def _secure(state: StateCore) -> None:
    """An address that was written without http:// is https://, as browsers take it."""
    for block in state.tokens:
        for opened, words in pairwise(block.children or ()):
            if opened.type == "link_open" and opened.markup == "autolink" and words.content.startswith("www."):
                opened.attrs["href"] = str(opened.attrs["href"]).replace("http://", "https://", 1)


def adapt(
    tokens: list[Token], post: Post, *, url: str, place: Place, callouts: Mapping[str, str], leniently: bool = False
) -> list[InlineImage]:
    """Make *tokens* fit for mail, in place, and return the images they show, each once.

    *url* is where the newsletter lives on the web ("" = nowhere), *place* where its images are, *callouts* the titles
    of call-outs by kind. Raises `PostError`, for every image and link that can't work; *leniently*, such an image gives
    way to its words, and such a link leads nowhere in particular.
    """
    _step_headings(tokens)
    _title_callouts(tokens, callouts)
    _draw_boxes(tokens)
    make_buttons(tokens, post)
    _close_up(tokens)
    fit_columns(tokens)
    images: dict[str, InlineImage] = {}  # by what the post calls them
    faults: dict[str, PostError] = {}  # by their words
    for block in tokens:
        if block.children is None:
            continue
        block.children = [child for child in block.children if child.type != "footnote_anchor"]
        for token in block.children:
            if not (problem := _problem(token, post, url, place, images)):
                continue
            if leniently:
                _pass_over(token)
            else:
                fault = PostError(named(post.path), problem, line=_line(post, block, token))
                faults.setdefault(str(fault), fault)
                if len(faults) == _FAULTS_MOST:
                    raise _together(faults.values())
    if faults:
        raise _together(faults.values())
    tokens[:] = [token for token in tokens if token.type != "footnote_anchor"]
    return list({image.src: image for image in images.values()}.values())


def _problem(token: Token, post: Post, url: str, place: Place, images: dict[str, InlineImage]) -> str:
    """Give an image its file and a link its whole address; otherwise say why it can't work in a mail."""
    if token.type == "link_open":
        return _make_absolute(token, url)
    if token.type != "image":
        return ""
    source = unquote(str(token.attrs["src"]))
    try:
        token.meta["image"] = images[source] = images.get(source) or load(source, post=post.path, place=place)
    except ImageError as error:
        return f"the image {shown(source)} {error}"
    return ""


def _pass_over(token: Token) -> None:
    if token.type == "link_open":
        token.attrs["href"] = _ANYWHERE
    else:
        token.type, token.tag, token.children = "text", "", None


def _together(faults: Iterable[PostError]) -> PostError:
    """The first of *faults*, which knows of the others."""
    first, *more = faults
    first.more = tuple(more)
    return first


def lead_image(post: Post, place: Place) -> InlineImage:
    """The image that the post's front matter names; raises `PostError`."""
    try:
        return load(unquote(post.image), post=post.path, place=place)
    except ImageError as error:
        line = post.places.get("image")
        raise PostError(named(post.path), f"the image {shown(unquote(post.image))} {error}", line=line) from None


def _step_headings(tokens: Sequence[Token]) -> None:
    """The title is the h1, so the shallowest heading becomes h2; a deeper one is at most one step below the last."""
    opened = [token for token in tokens if token.type == "heading_open"]
    shallowest = min((int(token.tag[1]) for token in opened), default=2)
    level = 1
    for token in tokens:
        if token.type == "heading_open":
            level = min(int(token.tag[1]) - shallowest + 2, level + 1, 6)
            token.tag = f"h{level}"
        elif token.type == "heading_close":
            token.tag = f"h{level}"


def _title_callouts(tokens: Sequence[Token], callouts: Mapping[str, str]) -> None:
    for opened, _, title in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opened.type == "alert_open":
            title.children = [Token("text", "", 0, content=callouts[opened.meta["kind"]])]


def _draw_boxes(tokens: Sequence[Token]) -> None:
    """A task's box becomes a character of its text: mail programs drop form fields."""
    for opened, _, text in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if opened.type == "list_item_open" and "checked" in opened.meta and text.children is not None:
            box = Token("text", "", 0, content=("☑" if opened.meta["checked"] else "☐") + _NBSP)
            text.children.insert(0, box)


def _close_up(tokens: Sequence[Token]) -> None:
    """A line end between two wide characters is no space: Chinese and Japanese have none between words."""
    for block in tokens:
        children = block.children or []
        for before, end, after in zip(children, children[1:], children[2:], strict=False):
            beside = before.content[-1:] + after.content[:1]
            if end.type == "softbreak" and len(beside) == 2 and all(east_asian_width(c) in "WF" for c in beside):
                end.type, end.tag = "text", ""


def _make_absolute(token: Token, url: str) -> str:
    """Complete a link's address from *url*; otherwise say why it can't work in a mail."""
    href = str(token.attrs["href"])
    if _ABSOLUTE.match(href):
        return ""
    if href.startswith("#"):
        return f"the link {shown(href)} jumps within the page, which mail programs can't do; write words instead"
    if _HAS_SCHEME.match(href) or not href.startswith("/"):
        return f"the link {shown(href)} leads nowhere in a mail; write the whole address, beginning with https://"
    if not url:
        return (
            f"the link {shown(href)} needs a website to belong to; write the whole address, beginning with https://, "
            "or set url in newsletter.toml"
        )
    token.attrs["href"] = urljoin(f"{url}/", href)
    return ""


def _line(post: Post, block: Token, token: Token) -> int | None:
    """The line in the post's file where *token* stands: that of its address, else where its block begins."""
    if not block.map:
        return None
    first, end = block.map
    address = unquote(str(token.attrs.get("src") or token.attrs["href"]))
    for number, text in enumerate(post.body.split("\n")[first:end], start=first):
        if address in unquote(text):
            return post.body_line + number
    return post.body_line + first


def plain(tokens: Sequence[Token] | None) -> str:
    """Inline *tokens* as words alone: no marks, no images, no footnote numbers."""
    return "".join(_words(tokens or ()))


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("text", "code_inline"):
            yield token.content
        elif token.type in ("softbreak", "hardbreak"):
            yield " "


def html(tokens: Sequence[Token], language: str) -> str:
    """The post as HTML, for the template to wrap; styles come later, by element and class."""
    parser = _parser(language)
    return str(parser.renderer.render(tokens, parser.options, {}))


def linked(text: str) -> Markup:
    """A line of text as HTML: an address in it becomes a link, everything else stays what it is."""
    return Markup(_LINES.renderInline(text))  # noqa: S704  the renderer escapes


_LINES = MarkdownIt("zero").use(gfm_autolink_plugin)
_LINES.core.ruler.push("secure", _secure)


def image_html(image: InlineImage, alt: str, kind: str = "picture") -> Markup:
    """An image as every mail program shows it.

    Word-Outlook goes by the attributes alone; a phone that blocks images needs ``width:100%``, or the empty box
    keeps its full width and the letter scrolls sideways.
    """
    style = f"display:block;width:100%;max-width:{image.width}px;height:auto"
    size = f'width="{image.width}" height="{image.height}"'
    # Safe: what comes from elsewhere is escaped.
    return Markup(f'<img src="{escape(image.src)}" {size} alt="{escape(alt)}" style="{style}" class="{kind}">')  # noqa: S704


def _fixed(markup: str) -> Callable[..., str]:
    return lambda *_: markup


def _list_item(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return '<li class="task">' if "checked" in tokens[idx].meta else "<li>"


def _header_cell(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return f'<th scope="col"{RendererHTML.renderAttrs(tokens[idx])}>'


def _table_open(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return f'<table{RendererHTML.renderAttrs(tokens[idx])} cellpadding="0" cellspacing="0" border="0" width="100%">\n'


def _picture(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return image_html(tokens[idx].meta["image"], plain(tokens[idx].children))


def _note_number(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return f'<sup class="note-number">{tokens[idx].meta["id"] + 1}</sup>'


def _code(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    """Code runs from left to right in every letter."""
    return f'<pre dir="ltr"><code>{escape(tokens[idx].content, quote=False)}</code></pre>\n'


def _code_inline(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return f'<code dir="ltr">{escape(tokens[idx].content, quote=False)}</code>'


def _link_open(renderer: RendererHTML, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
    """A link, or a button that Word-Outlook shows too: the cell has the colour, and room that only Word asks it for."""
    if "button" not in tokens[idx].meta:
        return renderer.renderToken(tokens, idx, *_rest)
    return f'{_BUTTON_CELL}<a class="button"{RendererHTML.renderAttrs(tokens[idx])}>'


def _link_close(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return "</a></td></tr></table>\n" if "button" in tokens[idx].meta else "</a>"


_BUTTON_CELL = (
    '<table role="presentation" class="buttons" cellpadding="0" cellspacing="0" border="0"><tr><td class="button-cell">'
)
# Word-Outlook gives padding and borders to cells only, so quotes and call-outs hold a table.
_BOX = '<table role="presentation" cellpadding="0" cellspacing="0" border="0" width="100%"><tr>'

#: Where mail programs need something else than markdown-it writes.
RULES: dict[str, Callable[..., str]] = {
    "alert_close": _fixed("</td></tr></table></div>\n"),
    "alert_open": _fixed(f'<div class="callout">{_BOX}<td class="callout-cell">\n'),
    "alert_title_open": _fixed('<p class="callout-title">'),
    "blockquote_close": _fixed("</td></tr></table></blockquote>\n"),
    "blockquote_open": _fixed(f'<blockquote class="quote">{_BOX}<td class="quote-cell">\n'),
    "bullet_list_open": _fixed("<ul>\n"),
    "buttons_close": _fixed(""),
    "buttons_open": _fixed(""),
    "code_block": _code,
    "code_inline": _code_inline,
    "fence": _code,
    "footnote_block_close": _fixed("</ol>\n"),
    "footnote_block_open": _fixed('<hr class="rule">\n<ol class="notes">\n'),
    "footnote_close": _fixed("</li>\n"),
    "footnote_open": _fixed("<li>"),
    "footnote_ref": _note_number,
    "hr": _fixed('<hr class="rule">\n'),
    "image": _picture,
    "link_close": _link_close,
    "link_open": _link_open,
    "list_item_open": _list_item,
    "table_open": _table_open,
    "th_open": _header_cell,
}


@lru_cache(maxsize=16)
def _parser(language: str) -> MarkdownIt:
    options: dict[str, Any] = {
        "html": False,
        "typographer": True,
        "quotes": quotes(language),
        "tasklists": True,
        "alerts": True,
        "maxNesting": DEEPEST,
    }
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough", "smartquotes"])
    parser.use(footnote_plugin, inline=False).use(gfm_autolink_plugin)
    for name in ONLY:
        parser.use(container_plugin, name)
    parser.use(container_plugin, "unknown", validate=lambda info, _: info.strip() not in ONLY)
    parser.core.ruler.after("block", "choose", choose)
    # markdown-it's own "replacements" also turns "(c)" into a copyright sign, in the middle of a list (a), (b), (c).
    parser.core.ruler.before("smartquotes", "dashes", _dashes)
    parser.core.ruler.push("secure", _secure)
    for name, rule in RULES.items():
        parser.add_render_rule(name, rule)
    return parser
