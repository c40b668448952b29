"""A post's tree as HTML for the web: no layout tables, no style on an element, so that the strictest policy lets it in.

Guarantees
    Nobody's own link is in it: an address with a reader's token, copied out of a letter, becomes that of the form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from newsletter.links import Purpose
from newsletter.posts import Post
from newsletter.render.images import InlineImage
from newsletter.render.markdown import RULES, plain

# As `links` makes them, whatever the host before them was then; a reader's pages have more behind the token.
_PERSONAL = re.compile(rf"(?<=[\w.:/-])/(?:{'|'.join(Purpose)})/[A-Za-z0-9_-]{{44}}(?![A-Za-z0-9_-])(?:/[\w.-]*)?")
_BY_MAIL = re.compile(r"(\bunsubscribe(?:%20|\+|\s))[A-Za-z0-9_-]{44}(?![A-Za-z0-9_-])", re.IGNORECASE)
_ALIGNED = re.compile(r"text-align:\s*(left|center|right)")


def neutral(post: Post) -> Post:
    """*post* without anybody's own link, wherever it stands."""
    return replace(
        post,
        title=_no_token(post.title),
        preheader=_no_token(post.preheader),
        image_alt=_no_token(post.image_alt),
        body=_no_token(post.body),
    )


def _no_token(text: str) -> str:
    return _BY_MAIL.sub(r"\1", _PERSONAL.sub("/subscribe", text))


def html(tokens: Sequence[Token]) -> Markup:
    """The post as HTML; styles come by element and class."""
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {}))  # noqa: S704  raw HTML is off in the parser


def image_html(image: InlineImage, alt: str, kind: str = "picture") -> Markup:
    """An image in its size, or that of the column."""
    size = f'width="{image.width}" height="{image.height}"'
    # Safe: what comes from elsewhere is escaped.
    return Markup(f'<img class="{kind}" src="{escape(image.src)}" {size} alt="{escape(alt)}">')  # noqa: S704


def _fixed(markup: str) -> Callable[..., str]:
    return lambda *_: markup


def _picture(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return image_html(tokens[idx].meta["image"], plain(tokens[idx].children))


def _table_open(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    return f"<table{RendererHTML.renderAttrs(tokens[idx])}>\n"


def _cell(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    """A cell of a table; how it is aligned is said by a class."""
    token = tokens[idx]
    attributes = {name: str(value) for name, value in token.attrs.items()}
    if found := _ALIGNED.search(attributes.pop("style", "")):
        attributes["class"] = f"{attributes.get('class', '')} {found[1]}".strip()
    scope = ' scope="col"' if token.tag == "th" else ""
    told = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{token.tag}{scope}{told}>"


def _link_open(_: object, tokens: Sequence[Token], idx: int, *_rest: object) -> str:
    if "button" in tokens[idx].meta:
        tokens[idx].attrSet("class", "button")
    return f"<a{RendererHTML.renderAttrs(tokens[idx])}>"


#: Where a browser needs less than mail programs do.
_RULES: dict[str, Callable[..., str]] = RULES | {
    "alert_close": _fixed("</div>\n"),
    "alert_open": _fixed('<div class="callout">\n'),
    "blockquote_close": _fixed("</blockquote>\n"),
    "blockquote_open": _fixed("<blockquote>\n"),
    "buttons_close": _fixed("</p>\n"),
    "buttons_open": _fixed('<p class="buttons">'),
    "image": _picture,
    "link_close": _fixed("</a>"),
    "link_open": _link_open,
    "table_open": _table_open,
    "td_open": _cell,
    "th_open": _cell,
}

_PARSER = MarkdownIt("commonmark", {"html": False})
for _name, _rule in _RULES.items():
    _PARSER.add_render_rule(_name, _rule)
