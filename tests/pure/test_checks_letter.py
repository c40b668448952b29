"""Checks of the letter: its HTML, its text and its bytes, each rule on a letter that was changed to break it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from specimen import CHECKOUT, IDENTITY, SAMPLES, WORDS, by, proof, sample

from newsletter.checks import Context, Part, Severity, check, css, reading
from newsletter.checks.cascade import colour, inverted, ratio
from newsletter.checks.clients import used
from newsletter.checks.page import Page
from newsletter.checks.reading import Reading
from newsletter.checks.support import CLIENTS, FEATURES
from newsletter.config import Design

TABLE = "| Day | Hour |\n|---|---|\n| Monday | nine |\n"
END = "</body>"


def put(markup: str, before: str = END) -> Callable[[str], str]:
    """Put *markup* before the end of the letter, or before something else in it."""

    def change(html: str) -> str:
        assert before in html, before
        return html.replace(before, markup + before, 1)

    return change


def turn(old: str, new: str) -> Callable[[str], str]:
    """Put *new* in the place of *old*, wherever it is."""

    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return change


def in_bytes(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """The same for the message."""

    def change(data: bytes) -> bytes:
        assert old in data, old
        return data.replace(old, new)

    return change


# Each rule on a letter that breaks it. The letter without the change has nothing wrong with it, so none fires there.


@pytest.mark.parametrize(
    ("rule", "change", "found"),
    [
        pytest.param("headings", put("<h1>Again</h1>"), "2 h1 headings", id="a second h1"),
        pytest.param("headings", turn("h1", "h2"), "no h1 heading", id="no h1"),
        pytest.param("headings", put("<h3>Deep</h3>"), "h3 right below an h1", id="a step left out"),
        pytest.param("unsubscribe-link", turn("@@UNSUBSCRIBE_URL@@", "https://example.org/else"), "no link to unsubscribe", id="no way out"),
        pytest.param("unsubscribe-link", turn('<a class="leave"', '<a style="display:none"'), "no link to", id="a hidden way out"),
        pytest.param("unsubscribe-link", turn(">Unsubscribe</a>", "></a>"), "no link to unsubscribe", id="a way out without words"),
        pytest.param("postal-address", turn("12 Birch Lane", "Portland"), "letter does not show your postal", id="no address"),
        pytest.param("table-role", put("<table><tr><td>x</td></tr></table>"), "1 layout table is", id="no role"),
        pytest.param("language", turn('<html lang="en"', "<html"), '<html lang="…">', id="no language"),
        pytest.param("language", turn('dir="ltr"', 'dir="rtl"'), '<html dir="…">', id="the wrong direction"),
        pytest.param("language", turn("<!DOCTYPE html>", ""), "<!DOCTYPE html>", id="no doctype"),
        pytest.param("language", turn('<meta charset="utf-8">', ""), "charset", id="no character set"),
        pytest.param("language", turn("<title>On endings</title>", "<title></title>"), "<title>", id="no title"),
        pytest.param("banned", put("<script>x()</script>"), "<script>", id="a script"),
        pytest.param("banned", put("<form><input></form>"), "<form>", id="a form"),
        pytest.param("banned", put('<link rel="stylesheet" href="x">'), "<link>", id="a style sheet kept elsewhere"),
        pytest.param("banned", put('<p onclick="x()">x</p>'), "onclick", id="a handler"),
        pytest.param("kept-style", put("<style>" + "a { color: #000000 }\n" * 500 + "</style>"), " KB; Gmail drops", id="much style"),
        pytest.param("kept-style", put("<style>a { color: #000000</style>"), "never closed", id="an open brace"),
        pytest.param(
            "kept-style", put("<style>@media (max-width: 9px) { a { color: #000000 } }</style>"), "color of a", id="weak"
        ),
        pytest.param("ghost-tables", put("<!--[if mso]><table><![endif]-->"), "<table>", id="a table for Outlook, open"),
        pytest.param("ghost-tables", put("<!--[if mso]></td><![endif]-->"), "<td>", id="a cell closed that was not open"),
        pytest.param("type-size", put('<p style="font-size:11px">Fine print</p>'), "11 pixels", id="small type"),
        pytest.param(
            "link-underline",
            put('<a href="https://example.org/" style="color:#2c5f53;text-decoration:none">the site</a>'),
            "“the site” has no underline",
            id="a link like its text",
        ),
        pytest.param("image-setting", put('<img src="cid:x" alt="x">'), "no width and height", id="no size"),
        pytest.param("image-setting", put('<img src="cid:x" alt="x" width="900" height="9">'), "900 pixels", id="wide"),
        pytest.param("image-alt", put('<img src="cid:x" width="9" height="9">'), "no alt", id="no alt in a template"),
        pytest.param(
            "image-source", put('<img src="https://example.net/p.gif" alt="" width="1" height="1">'), "another site", id="remote"
        ),
        pytest.param("image-source", put('<img src="logo.png" alt="" width="9" height="9">'), "can't be found", id="relative"),
        pytest.param("client-support", put('<p style="display:flex">x</p>'), "Outlook on Windows", id="flex"),
        pytest.param("client-support", put('<p style="background:url(x.png)">x</p>'), "", id="in part is no no"),
        pytest.param("client-support", put('<p style="width:calc(100% - 9px)">x</p>'), "Calc()", id="calc"),
        pytest.param("client-support", put('<p style="color:var(--ink)">x</p>'), "Gmail", id="var"),
        pytest.param("client-support", put('<p style="font-size:1.2rem">x</p>'), "The unit rem", id="rem"),
        pytest.param("client-support", put('<p style="font-family:Rembrandt; margin:0 3px">x</p>'), "", id="a name with rem"),
        pytest.param("client-support", put("<svg></svg>"), "<svg>", id="a drawing"),
        pytest.param("client-support", put('<img src="data:image/png;base64,x" alt="">'), "A picture written", id="base64"),
        pytest.param("client-support", put("<style>p::before { content: 'x' }</style>"), "::before", id="a pseudo-element"),
        pytest.param("client-support", put("<style>@supports (gap: 1px) { p { margin: 0 } }</style>"), "@supports", id="at-rule"),
        pytest.param("client-support", put('<a href="#top">up</a>'), "within the letter", id="an anchor"),
        pytest.param("hidden-text", put('<p style="display:none">cheap pills</p>'), "cheap pills", id="not displayed"),
        pytest.param("hidden-text", put('<p style="font-size:0">cheap pills</p>'), "cheap pills", id="of no size"),
        pytest.param(
            "hidden-text", put('<p style="color:#ffffff;background-color:#fefefe">pills</p>'), "pills", id="white on white"
        ),
        pytest.param("contrast", put('<p style="color:#aaaaaa">pale</p>'), "#aaaaaa on #f5f1e8", id="pale"),
        pytest.param("contrast", put('<p style="color:#f0f0f0">paler</p>'), "contrast of 1.0", id="next to nothing"),
        pytest.param("contrast", put('<h2 style="color:#888888;font-size:24px">Big</h2>'), "", id="3.1 will do for large type"),
        pytest.param("contrast", put('<p style="color:#fff;background-color:#2c5f53">b</p>'), "", id="a button"),
        pytest.param("contrast", put('<p style="color:tomato">t</p>'), "", id="a colour that can't be told"),
        pytest.param("contrast", put('<p style="color:#777777" class="footer">f</p>'), "not 4.5", id="almost enough"),
        pytest.param("contrast", turn("color: #ebe6dc", "color: #444444"), "on dark screens", id="dark on dark"),
        pytest.param("contrast", put('<p style="color:#2b2b2b">x</p>'), "on dark screens", id="unkept"),
        pytest.param("unfilled", put("<p>@@GREETNIG@@</p>"), "@@GREETNIG@@", id="a token that nobody knows"),
        pytest.param("unfilled", put("<p>Hello None,</p>"), "Hello None", id="a value that is nothing"),
        pytest.param("link-target", put('<a href="">x</a>'), "no address", id="a link without an address"),
        pytest.param("link-target", put('<a href="javascript:x()">x</a>'), "leads nowhere", id="a script as a link"),
        pytest.param("text-links", put('<a href="https://example.org/only-here">the page</a>'), "only-here", id="a link"),
        pytest.param("text-words", put("<p>" + "entirely other words " * 60 + "</p>"), "of the letter's words", id="words"),
    ],
)  # fmt: skip
def test_a_changed_letter_is_noticed(rule: str, change: Callable[[str], str], found: str, tmp_path: Path) -> None:
    letter = proof(f"{WORDS}\n\n{TABLE}", folder=tmp_path)
    assert check(letter) == []
    findings = by(rule, proof(f"{WORDS}\n\n{TABLE}", folder=tmp_path, html=change))
    assert bool(findings) == bool(found), findings
    assert all(f.part is not Part.POST and f.line is None for f in findings)
    assert found in " ".join(f.problem for f in findings)


@pytest.mark.parametrize(
    ("rule", "change", "found"),
    [
        pytest.param(
            "header-fields", in_bytes(b"Precedence:", b"Subject: x\r\nPrecedence:"), "2 Subject fields", id="twice"
        ),
        pytest.param("header-fields", in_bytes(b"Date:", b"X-Date:"), "0 Date fields", id="a field missing"),
        pytest.param(
            "header-fields", in_bytes(b"<ana@", b"<bo@example.org>, <ana@"), "one address", id="two recipients"
        ),
        pytest.param(
            "way-out", in_bytes(b"List-Unsubscribe: <", b"List-Unsubscribe: =?utf-8?q?x?= <"), "readable", id="encoded"
        ),
        pytest.param("way-out", in_bytes(b"<https://letters", b"<http://letters"), "readable", id="not protected"),
        pytest.param("way-out", in_bytes(b"=One-Click", b"=Two-Clicks"), "One-Click", id="not one click"),
        pytest.param(
            "message-lines", in_bytes(b"Precedence: bulk\r\n", b"Precedence: bulk\n"), "CR LF", id="a bare LF"
        ),
        pytest.param("message-lines", in_bytes(b"bulk", "bülk".encode()), "octets", id="eight bits"),
        pytest.param("message-lines", in_bytes(b"bulk", b"b" * 999), "998 is the most", id="a long field"),
        pytest.param(
            "message-lines", in_bytes(b"Most of what", b"M" * 80), "76 is the most", id="a long line of a part"
        ),
        pytest.param("unfilled", in_bytes(b"Precedence: bulk", b"X-For: @@NAME_OF@@"), "@@NAME_OF@@", id="a token"),
    ],
)
def test_a_changed_message_is_noticed(rule: str, change: Callable[[bytes], bytes], found: str, tmp_path: Path) -> None:
    findings = by(rule, proof(folder=tmp_path, message=change))
    assert findings and found in findings[0].problem
    assert all(f.severity is Severity.ERROR for f in findings)


def test_what_a_template_has_that_it_must_not_is_told_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "email"
    folder.mkdir(parents=True)
    (folder / ".DS_Store").write_bytes(b"\0\xff\xfe")
    bad = '<script>x()</script>\n<p onclick="x()">@@NAME_OF@@</p>\n<img src="https://example.org/a.gif">'
    source = '{% extends "builtin/post.html" %}\n{% block signoff %}\n' + bad + "\n{% endblock %}"
    (folder / "post.html").write_text(source)
    letter = proof(folder=tmp_path, design=Design(templates=folder))
    found = [f for f in check(letter, context=Context(templates=folder)) if "line" in f.problem]
    assert sorted((f.rule, f.problem.partition(": ")[0]) for f in found) == [
        ("banned", "templates/email/post.html, line 3"),
        ("banned", "templates/email/post.html, line 4"),
        ("image-source", "templates/email/post.html, line 5"),
        ("unfilled", "templates/email/post.html, line 4"),
    ]


def test_the_text_part_too_has_the_way_out_and_the_address(tmp_path: Path) -> None:
    bare = proof(folder=tmp_path, text=lambda text: text.partition("-- ")[0])
    assert [f.problem for f in by("unsubscribe-link", bare)] == ["The plain text has no address to unsubscribe at."]
    assert "plain text does not show your postal address" in by("postal-address", bare)[0].problem
    by_mail = proof(folder=tmp_path, identity=replace(IDENTITY, url=""))
    assert not by("unsubscribe-link", by_mail)


def test_without_a_url_the_way_out_is_mail_alone(tmp_path: Path) -> None:
    assert check(proof(folder=tmp_path, identity=replace(IDENTITY, url=""))) == []


def test_a_text_part_of_her_own_is_compared_with_the_post(tmp_path: Path) -> None:
    front = "title: T\npreheader: A preheader of a length that is quite all right.\ntext: Nothing of it.\n"
    letter = proof(f"{WORDS * 6}\n\n[the book](https://example.org/book)", front, folder=tmp_path)
    assert [(f.rule, f.line) for f in check(letter)] == [("text-words", 4), ("text-links", 4)]


# Size


def test_a_letter_that_gmail_would_cut_is_an_error_and_near_it_a_warning(tmp_path: Path) -> None:
    def long(octets: int) -> Callable[[str], str]:
        return put(f"<!--{'x' * octets}-->")

    base = proof(folder=tmp_path).html_size
    (near,) = check(proof(folder=tmp_path, html=long(92 * 1024 - base)))
    (over,) = check(proof(folder=tmp_path, html=long(103 * 1024 - base)))
    assert (near.rule, near.severity) == ("size", Severity.WARNING) and "92 KB" in near.problem
    assert (over.rule, over.severity) == ("size", Severity.ERROR) and "103 KB" in over.problem


def test_beyond_all_measure_only_the_size_is_said(tmp_path: Path) -> None:
    found = check(proof(folder=tmp_path, html=put("<p>words</p>" * 100_000)))
    assert [f.rule for f in found] == ["size"]


# Pictures


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "posts").mkdir()
    Image.new("RGB", (400, 300), "white").save(tmp_path / "posts/gate.png")
    noise = Image.effect_noise((1000, 800), 100)
    data = BytesIO()
    noise.save(data, "JPEG", quality=95)
    assert len(data.getvalue()) > 510_000
    (tmp_path / "posts/heavy.jpg").write_bytes(data.getvalue())
    return tmp_path


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param("![A gate at dawn](gate.png)", "", id="words"),
        pytest.param("![](gate.png)", "A picture has no words", id="no words"),
        pytest.param("![gate.png](gate.png)", "“gate.png” is the name of a file", id="the file's name"),
        pytest.param("![IMG_2041](gate.png)", "“IMG_2041” is the name of a file", id="what a camera calls it"),
        pytest.param("![Image of a gate](gate.png)", "", id="words that begin like it"),
        pytest.param(f"![{'a long way ' * 20}](gate.png)", "characters long", id="a story"),
        pytest.param("`![](gate.png)`", "", id="within code"),
    ],
)
def test_a_picture_has_words(body: str, found: str, project: Path) -> None:
    findings = by("image-alt", proof(f"{WORDS}\n\n{body}", folder=project))
    assert [found in f.problem and f.line == 8 for f in findings] == ([True] if found else [])


def test_the_picture_at_the_top_has_words_too(project: Path) -> None:
    front = "title: T\npreheader: A preheader of a length that is quite all right.\nimage: gate.png\n"
    (found,) = check(proof(front=front, folder=project))
    assert (found.rule, found.line) == ("image-alt", 4)
    assert check(proof(front=f"{front}image_alt: A gate\n", folder=project)) == []


def test_heavy_pictures_are_noticed_one_by_one_and_together(project: Path) -> None:
    found = by("image-size", proof(f"{WORDS} {WORDS}\n\n![Noise](heavy.jpg)", folder=project))
    assert [(f.severity, f.line) for f in found] == [(Severity.WARNING, 8)] and "heavy.jpg" in found[0].problem
    posts = project / "posts"
    (posts / "a heavy@2x.jpg").write_bytes((posts / "heavy.jpg").read_bytes())
    renamed = by("image-size", proof(f"{WORDS}\n\n![Noise](a%20heavy@2x.jpg)", folder=project))
    assert [f.line for f in renamed] == [8], "though it travels under another name"
    images = proof(f"{WORDS} {WORDS}\n\n![Noise](heavy.jpg)", folder=project).rendered.images * 3
    letter = proof(folder=project)
    together = by("image-size", replace(letter, rendered=replace(letter.rendered, images=images)))
    assert any("together" in f.problem for f in together)
    (refused,) = by("image-size", replace(letter, message=letter.message + b"x" * 76 * 140_000))
    assert refused.severity is Severity.ERROR


def test_a_letter_that_is_only_a_picture(project: Path) -> None:
    (found,) = by("little-text", proof("![A gate at dawn](gate.png)", folder=project))
    assert "hardly more than a picture" in found.problem
    assert by("little-text", proof(f"{WORDS}\n\n![A gate](gate.png)", folder=project)) == []


# Contrast


def test_contrast_is_that_of_the_guidelines() -> None:
    """The figures that WCAG and its checkers give."""
    assert ratio((0, 0, 0), (255, 255, 255)) == 21
    assert round(ratio((119, 119, 119), (255, 255, 255)), 2) == 4.48
    assert round(ratio((118, 118, 118), (255, 255, 255)), 2) == 4.54
    assert inverted((255, 255, 255)) == (0, 0, 0) and inverted((0, 0, 0)) == (255, 255, 255)
    assert inverted((128, 128, 128)) == (127, 127, 127)
    assert [colour(c) for c in ("#FFF", "#0a0b0c", " rgb(1, 2, 3) ", "white", "rgba(0,0,0,.5)", "#12345")] == [
        (255, 255, 255), (10, 11, 12), (1, 2, 3), (255, 255, 255), None, None,
    ]  # fmt: skip


def test_an_unreadable_theme_is_an_error_and_a_faint_one_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    (folder / "parts").mkdir(parents=True)
    theme = (CHECKOUT / "templates/email/parts/theme.html").read_text()

    def themed(name: str, value: str) -> list[tuple[str, Severity]]:
        changed, count = re.subn(rf"(set {name} = )\S+", rf'\1"{value}"', theme)
        assert count == 1
        (folder / "parts/theme.html").write_text(changed)
        found = check(proof(f"{WORDS} [the book](https://example.org/book)", folder=tmp_path, design=Design(folder)))
        return sorted({(f.rule, f.severity) for f in found})

    assert themed("accent", "#2c5f53") == []
    assert themed("accent", "#6fa898") == [("contrast", Severity.WARNING)]
    assert themed("ink", "#f0f0f0") == [("contrast", Severity.ERROR)]
    assert themed("dark_ink", "#24221f") == [("contrast", Severity.ERROR)]


# Styles


def test_a_style_sheet_is_read_as_it_is_meant() -> None:
    sheet = css.sheet(
        "/* a { } */ @import url(x); p, .a > b { color: red; background: url('a;b{}') } "
        "@media (max-width: 9px) { .c { margin: 0 !important } } @font-face { src: url(x) } d {"
    )
    assert [(r.media, r.selectors) for r in sheet.rules][1] == ("(max-width: 9px)", (".c",))
    assert sheet.at_rules[0].startswith("@import") and "@font-face" in sheet.at_rules and not sheet.balanced
    assert css.declarations("a:1; B : 2 ;c;d:;e:url(x;y)") == {"a": "1", "b": "2", "e": "url(x;y)"}
    assert css.important("0 ! important") == ("0", True) and css.important("0") == ("0", False)


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("p", True), (".a", True), ("#x", True), ("p.a", True), ("*", True), ("div p", True), ("div > p", False),
        ("td > p", True), (".letter p", True), ("[lang]", True), ('[lang="en"]', True), ("[lang=de]", False),
        ("p:last-child", True), ("p:first-child", False), ("p:hover", False), ("p::before", False), ("h1 p", False),
        ("p:not(.b)", False), ("a+p", False), ("", False),
    ],
)  # fmt: skip
def test_a_selector_matches_as_in_a_browser(selector: str, fits: bool) -> None:
    page = Page(
        '<div class="letter"><table><tr><td><b>x</b><p class="a" id="x" lang="en">y</p></td></tr></table></div>'
    )
    (paragraph,) = page.all("p")
    assert (css.specificity(selector, paragraph) is not None) == fits


def test_a_page_is_read_as_a_browser_would() -> None:
    page = Page("<!DOCTYPE html><p>a<br>b <i>c</b></i> d</p><p>e<img alt='f'><table><tr><td>g</table>h")
    assert [e.tag for e in page.elements if e.tag != "#page"][:4] == ["p", "br", "i", "p"]
    assert " ".join(page.words.split()) == "ab c d egh" or page.words.split()[-1] == "h"
    assert page.root.text.endswith("f gh") and page.doctype == "DOCTYPE html"


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<p>" * 30_000 + "x", id="nested"),
        pytest.param("<style>" + "a{" * 50_000 + "</style>", id="braces"),
        pytest.param("<style>" + "/*" * 50_000 + "</style>", id="remarks"),
        pytest.param("<style>" + "a," * 20_000 + "b{color:red}</style>", id="selectors"),
        pytest.param(f'<p style="{"a:b;" * 50_000}">x</p>', id="declarations"),
        pytest.param(f'<p class="{"a " * 50_000}">x</p>', id="classes"),
        pytest.param("<style>" + "a " * 20_000 + "{color:red}</style><a href='x'>y</a>", id="one long selector"),
        pytest.param("<a href='https://example.org/'>x</a>" * 5_000, id="links"),
    ],
)
def test_an_awkward_page_takes_time_in_step_with_its_length(html: str, tmp_path: Path) -> None:
    check(proof(folder=tmp_path, html=put(html)))  # a rule that took the square of it would take minutes


# Mail programs


def test_what_the_samples_use_and_a_program_lacks_is_explained() -> None:
    letters = [Reading(sample(path)) for path in SAMPLES]
    features = {feature for letter in letters for feature in used(letter)}
    assert {f.slug for f in features} > {"css-border-radius", "css-at-media-prefers-color-scheme"}
    assert [f.slug for f in features if f.lacking() and not f.harmless] == []


def test_every_feature_is_a_fact_with_a_date() -> None:
    assert len({f.slug for f in FEATURES}) == len(FEATURES)
    for feature in FEATURES:
        assert re.fullmatch(r"[yanu]{7}", feature.verdicts) and len(CLIENTS) == 7, feature.slug
        assert re.fullmatch(r"20\d\d-[01]\d", feature.tested) and feature.without, feature.slug


#: the editions of each program, as the Can I email project names them
EDITIONS = {
    "Gmail": ["gmail.desktop-webmail", "gmail.ios", "gmail.android"],
    "Outlook on Windows": ["outlook.windows"],
    "the new Outlook": ["outlook.outlook-com"],
    "Apple Mail": ["apple-mail.macos", "apple-mail.ios"],
    "Yahoo Mail": ["yahoo.desktop-webmail", "yahoo.ios", "yahoo.android"],
    "Samsung Email": ["samsung-email.android"],
    "Thunderbird": ["thunderbird.macos", "thunderbird.windows"],
}


def _oracle() -> Path:
    places = [CHECKOUT.parent / "shared/data", CHECKOUT.parents[1] / "shared/data"]
    return next((p / "caniemail.json" for p in places if (p / "caniemail.json").is_file()), Path("absent"))


@pytest.mark.skipif(not _oracle().is_file(), reason="caniemail.json is not at hand")
def test_every_fact_is_that_of_its_source() -> None:
    known = json.loads(_oracle().read_text())
    wrong = []
    for feature in FEATURES:
        fact = known[feature.slug]
        for client, verdict in zip(CLIENTS, feature.verdicts, strict=True):
            told = {fact["stats"][e][0][0] for e in EDITIONS[client] if e in fact["stats"]} - {"u"}
            worst = max(told, key="yan".index) if told else "u"
            if worst != verdict:
                wrong.append(f"{feature.slug}, {client}: {verdict}, but {worst}")
        if fact["tested"][:7] != feature.tested:
            wrong.append(f"{feature.slug}: {feature.tested}, but {fact['tested']}")
    assert wrong == []


def test_nothing_is_judged_twice_as_the_page_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(reading, "Page", lambda html: made.append(len(html)) or Page(html))
    check(proof(folder=tmp_path))
    assert len(made) == 1
