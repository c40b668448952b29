"""Templates: what an owner may change, and what she is told when something is wrong."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import pytest
from letters import IDENTITY, a_post, letter, rendered
from lxml import html as lxml_html

from newsletter.config import Design, Identity, Palette
from newsletter.errors import TemplateError
from newsletter.mail import Mailbox
from newsletter.render import builtin_templates, render, styles
from newsletter.render.words import LANGUAGES, words


@pytest.fixture
def folder(project: Path) -> Path:
    return project / "templates" / "email"


def write(folder: Path, name: str, source: str) -> Design:
    (folder / name).write_text(source)
    return Design(folder)


# Faults


def with_styles(block: str) -> str:
    return f'{{% extends "builtin/post.html" %}}\n{{% block styles %}}\n{block}{{% endblock %}}'


def inlined(declaration: str) -> str:
    return with_styles(f"<style>\np {{ {declaration} }}\n</style>")


def kept(rules: str) -> str:
    return with_styles(f'<style data-premailer="ignore">\n{rules}\n</style>')


@pytest.mark.parametrize(
    ("name", "source", "line", "says"),
    [
        pytest.param("post.html", "a\n{{ titel }}", 2, 'did you mean "title"?', id="a misspelt variable"),
        pytest.param("post.html", "a\n\n{% if %}", 3, "correct this line", id="bad syntax"),
        pytest.param("post.html", "a\n{{ title|shout }}", 2, "No filter named 'shout'", id="an unknown filter"),
        pytest.param("post.txt", "{% include 'gone.txt' %}", 1, "there is no template gone.txt", id="a missing part"),
        pytest.param("parts/styles.html", "\n{{ light.pgae }}", 2, 'did you mean "page"?', id="an attribute in a part"),
        pytest.param("parts/styles.html", "{{ ''.__class__.mro() }}", 1, "is unsafe", id="the way out of the sandbox"),
        pytest.param("post.html", "{{ 1 // 0 }}", 1, "by zero", id="a sum that can't be done"),
        pytest.param("post.html", '\n{% extends "post.html" %}', 2, "takes itself in again", id="itself as its base"),
        pytest.param("post.txt", "{% include 'post.txt' %}", None, "takes itself in again", id="itself as its part"),
        pytest.param("post.html", '{% extends "builtin/post.html" %}\n{% block sigoff %}x{% endblock %}', 2,
                     'no block "sigoff"; did you mean "signoff"?', id="a misspelt block"),
        pytest.param("post.txt", '{% extends "builtin/post.txt" %}\n{% block xyz %}x{% endblock %}', 2,
                     "there are: address, content, crisis", id="a block like no other"),
        pytest.param("post.html", "<p>Hello</p>", None, "let it begin with <!DOCTYPE html>", id="no doctype"),
        pytest.param("post.html", "<style>@import 'https://x.example.org';</style>x", 1, "kept elsewhere", id="@import"),
        pytest.param("post.html", "\n<link rel=stylesheet href='x.css'>x", 2, "kept elsewhere", id="a style sheet"),
        pytest.param("post.html", inlined(r"} @\69mport 'x.css'; p {"), 4, "backslashes", id="@import in disguise"),
        pytest.param("post.html", with_styles("<style>@font-face { font-family: X }</style>"), 3, "load no fonts", id="a font"),
        pytest.param("post.html", inlined("background-image: url(x.png)"), 4, "must not load", id="url()"),
        pytest.param("post.html", inlined("color: var(--ink)"), 4, "don't know var()", id="var()"),
        pytest.param("post.html", inlined("color: rgb(0 0 0 / .5)"), 4, "# and six digits", id="rgb()"),
        pytest.param("post.html", inlined("color: #abc"), 4, "# and six digits", id="three digits"),
        pytest.param("post.html", with_styles('<p style="color:#11223344">x</p>'), 3, "six digits", id="in an attribute"),
        pytest.param("post.html", inlined("color: #112233 !important"), 4, "lost", id="!important inlined"),
        pytest.param("post.html", inlined("} @media print { p { color: #112233 }"), 4, "no @ rules", id="@media inlined"),
        pytest.param("post.html", inlined('} [title="a,b"] { color: #112233'), 4, "comma between", id="a comma in brackets"),
        pytest.param("post.html", inlined("} p:is(.a, .b) { color: #112233"), 4, "comma between", id="a comma in :is()"),
        pytest.param("post.html", inlined("color: #112233 } p { {"), None, "opens more {", id="a brace too many"),
        pytest.param("post.html", kept("@media print { @media (max-width: 9px) { p { color: #112233 !important } } }"),
                     4, "one @ rule inside another", id="@media in @media"),
        pytest.param("post.html", kept("@media print { p { color: #112233 } }"), 4, "!important", id="no !important"),
        pytest.param("post.html", kept("@media print { p { color: rgb(0 0 0 / .5) !important } }"), 4, "six digits", id="rgb() kept"),
        pytest.param("post.html", kept("p { color: #112233 !important }\n" * 300), None, "may drop more than 8", id="too much kept"),
    ],
)  # fmt: skip
def test_a_template_fault_names_template_and_line(
    name: str, source: str, line: int | None, says: str, folder: Path
) -> None:
    with pytest.raises(TemplateError, match=re.escape(says)) as caught:
        render(a_post(), IDENTITY, write(folder, name, source))
    assert (caught.value.template, caught.value.line) == (name, line)


@pytest.mark.parametrize("rule", ["@import", r"@\69mport", "@IMPORT"])
@pytest.mark.parametrize("scheme", ["http://127.0.0.1:9", "file:///etc"])
def test_nothing_is_fetched_even_if_a_style_is_not_judged(
    rule: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda *request, **_: asked.append(request))
    monkeypatch.setattr(styles, "_judge", lambda html: None)
    page = f'<!DOCTYPE html><html><head><style>{rule} "{scheme}/{id(asked)}.css"; p {{ color: #112233 }}</style></head>'
    assert "color:#112233" in styles.inline(f"{page}<body><p>x</p></body></html>")
    assert asked == []


def test_a_template_that_is_not_utf_8_is_named(folder: Path) -> None:
    (folder / "parts/theme.html").write_bytes(b"{# M\xfcller #}")
    with pytest.raises(TemplateError, match=r"parts/theme.html: it is not UTF-8"):
        render(a_post(), IDENTITY, Design(folder))


def test_what_a_post_says_about_styles_is_only_words() -> None:
    body = '`<p style="color: var(--x)">` <style>@import "x"</style> <link rel=stylesheet>'
    assert "var(--x)" in rendered(f'{body}\n\n    <p style="color: rgb(0 0 0 / .5)">\n').html


def test_a_doctype_in_small_letters_is_written_large(folder: Path) -> None:
    design = write(folder, "post.html", "<!doctype html>\n<html><body><p>Hi</p></body></html>")
    assert render(a_post(), IDENTITY, design).html.startswith("<!DOCTYPE html>")


# What an owner may change


def test_a_block_of_the_owners_replaces_one_and_keeps_the_rest(folder: Path) -> None:
    write(folder, "post.txt", '{% extends "builtin/post.txt" %}{% block signoff %}\nBye!\n{% endblock %}')
    source = '{% extends "builtin/post.html" %}{% block footer %}{{ super() }}<p class="footer">{{ title }}</p>{% endblock %}'
    result = render(a_post(), IDENTITY, write(folder, "post.html", source))
    assert "Bye!" in result.text
    assert "Warmly" not in result.text
    assert "Warmly" in result.html
    assert result.html.index("Unsubscribe") < result.html.rindex("Endings")
    for part in (result.html, result.text):
        assert IDENTITY.postal_address in part


def test_a_block_within_a_known_one_is_no_mistake(folder: Path) -> None:
    source = '{% extends "builtin/post.txt" %}{% block signoff %}{% block mine %}\nBye!\n{% endblock %}{% endblock %}'
    assert "Bye!" in render(a_post(), IDENTITY, write(folder, "post.txt", source)).text


@pytest.mark.parametrize("name", ["post.html", "post.txt"])
def test_every_part_of_a_letter_is_a_block(name: str, folder: Path) -> None:
    blocks = re.findall(r"\{% block (\w+)", (builtin_templates() / name).read_text())
    assert {"masthead", "title", "lead", "greeting", "content", "signoff", "crisis", "footer", "why", "footer_lines",
            "address", "leave"} <= set(blocks)  # fmt: skip
    for block in blocks:
        source = f'{{% extends "builtin/{name}" %}}{{% block {block} %}}[another {block}]{{% endblock %}}'
        result = render(a_post(), IDENTITY, write(folder, name, source))
        assert f"[another {block}]" in (result.html if name == "post.html" else result.text)


def test_a_whole_part_of_the_owners_is_used(folder: Path) -> None:
    builtin = (builtin_templates() / "parts/theme.html").read_text()
    write(folder, "parts/theme.html", builtin.replace("{% set ink = light.ink %}", '{% set ink = "#123456" %}'))
    assert "color:#123456" in render(a_post(), IDENTITY, Design(folder)).html


def test_a_template_that_appears_later_is_found(folder: Path) -> None:
    before = render(a_post(), IDENTITY, Design(folder)).text
    after = render(a_post(), IDENTITY, write(folder, "post.txt", "Mine.\n")).text
    assert (before == after, after) == (False, "Mine.\n")


# [theme]

DESIGN = Design(
    light=Palette(accent="#7a3e9d", page="#eeeeff"),
    dark=Palette(page="#101018", card="#181820", ink="#eeeeee", muted="#bbbbbb", accent="#d0b0ff", line="#444444", tint="#202028"),
    font="Verdana, sans-serif",
    heading_font="Optima, serif",
    greeting="Dear",
    sign_off="With <care>,",
    signature="M.",
    crisis_line="No crisis line: call 988 & ask, or https://988.example.org/now.",
    footer=("Licence 12345 <b>", "www.maya.example.org, https://bücher.example/ä"),
)  # fmt: skip


def test_the_theme_is_in_the_letter_and_the_defaults_are_not() -> None:
    result = render(a_post("[a](https://example.org)\n\n[b](https://example.org/b){.button}\n"), IDENTITY, DESIGN)
    stays = re.search(r"<style>(.*?)</style>", result.html, re.DOTALL)
    assert stays
    light = result.html.replace(stays[1], "")
    for colour in ("#7a3e9d", "#eeeeff"):
        assert colour in light
    for colour in ("#101018", "#181820", "#eeeeee", "#bbbbbb", "#d0b0ff", "#444444"):
        assert f"{colour} !important" in stays[1]
    for role in ("page", "accent"):
        assert getattr(Palette(), role) not in result.html
    assert "Georgia" not in result.html
    assert re.search(r"<h1 style=[^>]*Optima", result.html)


def test_what_the_theme_says_is_in_both_parts_and_is_never_markup() -> None:
    result = render(a_post(), IDENTITY, DESIGN)
    for said in ("Dear@@GREETING@@,", "With <care>,", "M.", "Licence 12345 <b>", "No crisis line: call 988 & ask"):
        assert escape(said, quote=False) in result.html
        assert said in result.text
    assert "Maya Thorne" not in result.text
    links = lxml_html.fromstring(result.html).xpath("//p[@class='crisis' or @class='footer']/a/@href")
    assert links[0] == "https://988.example.org/now"
    assert {"https://www.maya.example.org", "https://xn--bcher-kva.example/%C3%A4"} <= set(links)


@pytest.mark.parametrize(
    ("greeting", "line"),
    [
        pytest.param("Hi", "Hi@@GREETING@@,", id="a word"),
        pytest.param("Dear {name}:", "Dear@@GREETING@@:", id="a line with the name"),
        pytest.param("Hello all,{name}", "Hello all,@@GREETING@@", id="a name at the end"),
        pytest.param("Dear {{name}}", "Dear {@@GREETING@@}", id="braces are only braces"),
    ],
)
def test_a_greeting_is_a_word_or_a_line(greeting: str, line: str) -> None:
    result = render(a_post(), IDENTITY, Design(greeting=greeting))
    assert f"<p>{line}</p>" in letter(result)
    assert f"\n{line}\n" in result.text


def test_nothing_is_said_where_the_theme_says_nothing() -> None:
    result = render(a_post(), IDENTITY, Design(sign_off="", signature=""))
    assert "Warmly" not in result.html + result.text
    assert "signoff" not in re.sub(r"<style.*?</style>|<td[^>]*>", "", result.html, flags=re.DOTALL)


# Words by language


@pytest.mark.parametrize("language", [*LANGUAGES, "de-CH", "pt-BR"])
@pytest.mark.parametrize("url", ["", "https://letters.example.org"])
def test_a_letter_speaks_its_posts_language(language: str, url: str) -> None:
    identity = Identity("Ma", Mailbox.parse("n@example.org"), "1 Weg", url=url)
    result = render(a_post("> [!NOTE]\n> x\n\n[a](https://example.org)\n", language=language), identity, Design())
    english = ("Hello", "Warmly", "Unsubscribe", "unsubscribe", "You are", "Links", "Note", "No.")
    shared = {"Links", "Note"} if language.startswith(("de", "nl", "pt", "it")) else set()
    for part in (re.sub("<[^>]*>", "", result.html.partition("<body")[2]), result.text):
        left = [word for word in english if word in part and word not in shared]
        assert left == ([] if language != "en" else left)
        assert "{" not in part
        assert part.count("@@GREETING@@") == (0 if language == "ja" else 1)
    assert result.text.count("Ma") >= 2


def test_a_language_without_words_gets_english_ones() -> None:
    assert "Hello@@GREETING@@," in rendered("x", language="tlh").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word_and_every_place(language: str) -> None:
    said, english = words(language), words("en")
    assert set(said.texts()) == set(english.texts())
    for name, text in said.texts().items():
        places = set(re.findall(r"\{\w+\}", english.texts()[name]))
        assert set(re.findall(r"\{\w+\}", text)) == places - ({"{name}"} if language == "ja" else set()), name
    assert said.callouts.keys() == english.callouts.keys()


# Without settings


def test_the_templates_that_come_along_are_found() -> None:
    assert (builtin_templates() / "post.html").is_file()


def test_without_a_url_the_footer_asks_for_a_reply() -> None:
    identity = Identity("Notes", Mailbox.parse("n@example.org"), "1 Road")
    result = render(a_post(), identity, Design())
    for part in (result.html, result.text):
        assert "UNSUBSCRIBE_URL" not in part
        assert "@@UNSUBSCRIBE_MAILTO@@" in part
        assert "reply with the word “unsubscribe”" in part
