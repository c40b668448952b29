"""A post becomes an email: HTML and plain text, once per revision, with personal tokens still in both.

Guarantees
    One Markdown parse feeds both parts. Same post, identity and design: the same text to the letter. Nothing in a
    post is ever evaluated: not template syntax, not raw HTML, not the shape of a token. No network.

Diagnostics
    `PostError` for the content (file, line, remedy), `TemplateError` for a template (name, line, remedy).

The parts: `markdown` (the tree and its HTML), `plaintext` (the tree as text), `images`, `words` (what stands around a
post, by language), `templates`, `styles`. They meet here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from markdown_it.token import Token as MarkdownToken
from markupsafe import Markup

from newsletter.config import FILE_NAME, Design, Identity, Images
from newsletter.errors import ConfigError, PostError, TemplateError
from newsletter.posts import Post
from newsletter.posts.names import named
from newsletter.render import markdown, plaintext, styles, web
from newsletter.render.images import ImageError, InlineImage, Place, load_logo
from newsletter.render.syntax import Medium
from newsletter.render.templates import Filler, filled_in
from newsletter.render.words import Words, words
from newsletter.starter import builtin_templates

__all__ = [
    "HERE", "InlineImage", "Medium", "Rendered", "Token", "WebPost", "builtin_templates", "direction", "render",
    "render_notice", "render_web",
]  # fmt: skip

HERE = "@@HERE@@"  #: in a `WebPost`: what stands before /m/, on whatever page shows it

_RTL_LANGUAGES = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ps", "sd", "ug", "ur", "yi"})
# Scripts that know no italics; a slanted letter in them is only a crooked one.
_UPRIGHT = _RTL_LANGUAGES | {"hi", "ja", "ko", "th", "zh"}
_RTL_SCRIPTS = frozenset({"adlm", "arab", "hebr", "mand", "nkoo", "rohg", "syrc", "thaa"})

PREHEADER_LEAST, PREHEADER_MOST = 40, 130  #: characters that inboxes show beside the subject
# Invisible characters that keep an inbox from pulling the letter's first lines in behind the preheader.
_FILLER_MARK = "@@FILLER@@"
_FILLER = "&#847;&zwnj;&nbsp;"
_FILLED = 150


class Token(StrEnum):
    """What `compose` fills in for each reader. Safe in a URL, so that no HTML tool changes it."""

    GREETING = "@@GREETING@@"  #: a space and the reader's name, or nothing
    UNSUBSCRIBE_URL = "@@UNSUBSCRIBE_URL@@"  #: https; only when the newsletter has a url
    UNSUBSCRIBE_MAILTO = "@@UNSUBSCRIBE_MAILTO@@"  #: a mailto URI
    LINK = "@@LINK@@"  #: in a notice: the address of its one button


@dataclass(frozen=True, slots=True)
class Rendered:
    """A post as both parts of a message; *html* and *text* still hold `Token`s."""

    subject: str
    preheader: str
    html: str
    text: str
    language: str  #: BCP 47
    direction: str  #: "ltr" or "rtl"
    images: tuple[InlineImage, ...]  #: that travel with the message
    media: tuple[InlineImage, ...] = ()  #: that the HTML shows, whether they travel or a website has to show them


@dataclass(frozen=True, slots=True)
class WebPost:
    """A post as a page of a website shows it: the words for everybody, and nothing of anybody's own."""

    title: str
    summary: str
    content: Markup
    lead: Markup  #: the image at its top
    around: Mapping[str, Any]  #: `logo`, `number`, `sign_off`, `signature`, `crisis_line`, `footer_lines`
    language: str  #: BCP 47
    direction: str
    media: tuple[InlineImage, ...]  #: to be found at their `url`, which begins with `HERE`


def render(post: Post, identity: Identity, design: Design, *, leniently: bool = False) -> Rendered:
    """*post* in the owner's *design*; *leniently* without the images and links that can't work, to judge the rest.

    Raises `PostError` and `TemplateError`, and `ConfigError` for a logo or website that can't be used.
    """
    post = _inert(post)
    language = post.language or identity.language
    said = words(language)
    place = _place(identity, design)
    tokens = markdown.parse(post, language)
    if not tokens:
        raise PostError(
            named(post.path), "there is nothing in it for an email; write something outside of ::: web_only"
        )
    lead = markdown.lead_image(post, place) if post.image and not leniently else None
    logo = _logo(design, place)
    shown = markdown.adapt(tokens, post, url=identity.url, place=place, callouts=said.callouts, leniently=leniently)
    media = tuple({image.src: image for image in (logo, lead, *shown) if image}.values())

    values = _values(post, identity, language, post.preheader or _derived_preheader(tokens, identity))
    values |= _around(design, said, identity)
    # Safe: raw HTML is off in the parser, so everything a post says was escaped on the way.
    markup = {
        "content": Markup(markdown.html(tokens, language)),  # noqa: S704
        "lead_image": markdown.image_html(lead, post.image_alt) if lead else "",
        "logo": markdown.image_html(logo, design.logo_alt or identity.name, "logo") if logo else "",
        "crisis_line": markdown.linked(design.crisis_line),
        "footer_lines": tuple(map(markdown.linked, design.footer)),
        "preheader_filler": _FILLER_MARK,
    }
    content, links = (post.text.strip("\n"), "") if post.text else plaintext.write(tokens, said.image)
    plain = {"content": content, "links": links, "lead_image": post.image_alt}
    filler = Filler(design.templates)
    html = _inlined(filler.fill("post.html", values | markup), filler)
    return Rendered(
        subject=post.subject,
        preheader=values["preheader"],
        html=_filled(html, values["preheader"]),
        text=_tidy(filler.fill("post.txt", values | plain)),
        language=language,
        direction=values["direction"],
        images=media if design.images is Images.ATTACHED else (),
        media=media,
    )


def render_notice(said: Mapping[str, str], identity: Identity, design: Design, language: str) -> Rendered:
    """A short letter outside the sequence, with one button; *said* has its subject, title, text, button, below.

    Raises `TemplateError`, and `ConfigError` for a logo that can't be used.
    """
    author = identity.sender.name or identity.name
    told = {key: str(filled_in(text, newsletter=identity.name, author=author)) for key, text in said.items()}
    paragraphs = told["text"].split("\n\n")
    logo = _logo(design, _place(identity, design))
    values = _about(identity, language) | _around(design, words(language), identity)
    values |= {"title": told["title"], "subject": told["subject"], "preheader": paragraphs[0]}
    values |= {"paragraphs": paragraphs, "button": told["button"], "below": told["below"], "link": str(Token.LINK)}
    markup = {
        "logo": markdown.image_html(logo, design.logo_alt or identity.name, "logo") if logo else "",
        "footer_lines": tuple(map(markdown.linked, design.footer)),
        "preheader_filler": _FILLER_MARK,
    }
    filler = Filler(design.templates)
    html = _inlined(filler.fill("notice.html", values | markup), filler)
    images = (logo,) if logo and design.images is Images.ATTACHED else ()
    return Rendered(
        told["subject"],
        paragraphs[0],
        _filled(html, paragraphs[0]),
        _tidy(filler.fill("notice.txt", values)),
        language,
        values["direction"],
        images,
        (logo,) if logo else (),
    )


def render_web(post: Post, identity: Identity, design: Design) -> WebPost:
    """*post* for the web, from the same Markdown; raises `PostError`."""
    post = _inert(web.neutral(post))
    language = post.language or identity.language
    said, place = words(language), Place(identity.sender.address.domain, HERE)
    tokens = markdown.parse(post, language, Medium.WEB)
    if not tokens:
        raise PostError(
            named(post.path), "there is nothing in it for the web; write something outside of ::: email_only"
        )
    lead = markdown.lead_image(post, place) if post.image else None
    shown = markdown.adapt(tokens, post, url=identity.url, place=place, callouts=said.callouts)
    logo = _logo(design, place)
    media = (
        logo,
        lead,
        *shown,
        *(_of_letter(post, identity, language, place) if design.images is Images.HOSTED else ()),
    )
    words_around = _around(design, said, identity)
    around = {name: words_around[name] for name in ("sign_off", "signature")}
    around |= {
        "logo": web.image_html(logo, design.logo_alt or identity.name, "logo") if logo else "",
        "number": str(filled_in(said.number, number=post.number)),
        "crisis_line": markdown.linked(design.crisis_line),
        "footer_lines": tuple(map(markdown.linked, design.footer)),
    }
    return WebPost(
        title=post.title,
        summary=post.preheader or _derived_preheader(tokens, identity),
        content=web.html(tokens),
        lead=web.image_html(lead, post.image_alt) if lead else Markup(""),
        around=around,
        language=language,
        direction=direction(language),
        media=tuple({image.src: image for image in media if image}.values()),
    )


def _of_letter(post: Post, identity: Identity, language: str, place: Place) -> list[InlineImage]:
    """Pictures that the letter alone shows, and that lie on the web all the same."""
    tokens = markdown.parse(post, language)
    return markdown.adapt(tokens, post, url=identity.url, place=place, callouts=words(language).callouts)


def _place(identity: Identity, design: Design) -> Place:
    """Where the images of a letter are shown from; raises `ConfigError` for a website that there isn't."""
    hosted = design.images is Images.HOSTED
    if hosted and not identity.url:
        raise ConfigError(f"{FILE_NAME}: [theme] images: a website has to show them; set url in [newsletter]")
    return Place(identity.sender.address.domain, identity.url if hosted else "")


def _logo(design: Design, place: Place) -> InlineImage | None:
    if design.logo is None:
        return None
    project = design.templates.parent.parent if design.templates else design.logo.parent
    try:
        return load_logo(design.logo, project=project, place=place)
    except ImageError as error:
        raise ConfigError(f"{FILE_NAME}: [theme] logo: the image {design.logo} {error}") from None


def _inlined(html: str, filler: Filler) -> str:
    """*html* with its styles on the elements; what is wrong with them is told with the template it came from."""
    try:
        return styles.inline(html)
    except styles.StyleError as error:
        name, line = (filler.find(error.words) if error.words else None) or ("post.html", None)
        raise TemplateError(name, str(error), line=line) from error


def direction(language: str) -> str:
    """ "rtl" for a BCP 47 *language* written from right to left, else "ltr"."""
    parts = language.lower().split("-")
    script = next((part for part in parts[1:] if len(part) == 4), "")
    if script:
        return "rtl" if script in _RTL_SCRIPTS else "ltr"
    return "rtl" if parts[0] in _RTL_LANGUAGES else "ltr"


def _inert(post: Post) -> Post:
    """*post* with whatever looks like a token in it broken by an invisible word joiner."""
    return replace(
        post,
        title=_no_token(post.title),
        preheader=_no_token(post.preheader),
        image_alt=_no_token(post.image_alt),
        text=_no_token(post.text),
        body=_no_token(post.body),
    )


def _no_token(text: str) -> str:
    return re.sub(r"@@(?=[A-Z_]+@@)", "@\N{WORD JOINER}@", text)


def _values(post: Post, identity: Identity, language: str, preheader: str) -> dict[str, Any]:
    """What every template sees: texts and numbers, nothing with behaviour."""
    return _about(identity, language) | {
        "title": post.title,
        "subject": _no_token(post.subject),
        "number": post.number,
        "preheader": preheader,
        "greeting": str(Token.GREETING),
        "unsubscribe_url": str(Token.UNSUBSCRIBE_URL) if identity.url else "",
        "unsubscribe_mailto": str(Token.UNSUBSCRIBE_MAILTO),
    }


def _about(identity: Identity, language: str) -> dict[str, Any]:
    """What letters and notices see alike."""
    return {
        "language": language,
        "direction": direction(language),
        "slant": "normal" if language.lower().partition("-")[0] in _UPRIGHT else "italic",
        "newsletter": identity.name,
        "author": identity.sender.name or identity.name,
        "postal_address": identity.postal_address,
        "url": identity.url,
    }


def _around(design: Design, said: Words, identity: Identity) -> dict[str, Any]:
    """What [theme] and the post's language say around it; a template may change all of it."""
    greeting = said.greeting
    if design.greeting is not None:
        given = re.sub(r"\s*\{name\}", "{name}", design.greeting)
        greeting = given if "{name}" in given else f"{given}{{name}}{said.comma}"
    return {
        "words": said.texts(),
        "hello": greeting,
        "sign_off": said.sign_off if design.sign_off is None else design.sign_off,
        "signature": (identity.sender.name or identity.name) if design.signature is None else design.signature,
        "crisis_line": design.crisis_line,
        "footer_lines": design.footer,
        "light": asdict(design.light),
        "dark": asdict(design.dark),
        "fonts": {
            "text": design.font,
            "heading": design.heading_font or design.font,
            "code": design.code_font,
        },
    }


def _derived_preheader(tokens: list[MarkdownToken], identity: Identity) -> str:
    """The first words of the post, then newsletter and author; cut at a word."""
    paragraphs = (
        markdown.plain(text.children).strip() for opened, text in pairwise(tokens) if opened.type == "paragraph_open"
    )
    author = identity.sender.name
    signature = f"{identity.name}, {author}" if author and author != identity.name else identity.name
    words = ""
    for sentence in (*filter(None, paragraphs), signature):
        if len(words) >= PREHEADER_LEAST:
            break
        words = f"{words} {sentence}".strip()
    words = re.sub(r"\s+", " ", words)
    if len(words) <= PREHEADER_MOST:
        return words
    whole = words[:PREHEADER_MOST]
    ends = [found.end() for found in re.finditer(r"[.!?…][”’»\"']?(?= )", whole)]
    if ends and ends[-1] >= PREHEADER_LEAST:
        return words[: ends[-1]]
    return f"{whole.rpartition(' ')[0] or whole[:-1]}…"


def _filled(html: str, preheader: str) -> str:
    """*html* with the filler behind the preheader. After premailer, which would write it out ten times as long."""
    return html.replace(_FILLER_MARK, _FILLER * max(0, _FILLED - len(preheader)), 1)


def _tidy(text: str) -> str:
    """No space at a line's end but that of the signature mark, at most two blank lines, one line feed at the end."""
    lines = (line if line == "-- " else line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip("\n") + "\n"
