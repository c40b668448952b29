"""Rendering: what a post becomes, what it can't do, and what it is told when something is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from letters import a_post, letter, rendered
from lxml import html as lxml_html

from newsletter.config import Design, Identity
from newsletter.errors import PostError
from newsletter.mail import Mailbox
from newsletter.render import Medium, direction, markdown, plaintext, render
from newsletter.render.markdown import quotes

# What a post can't do


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param("{{ 7 * 7 }} {% include 'x' %}", "{{ 7 * 7 }} {% include 'x' %}", id="template syntax is text"),
        pytest.param("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", id="a script is text"),
        pytest.param("x <img src=x onerror=y> z", "x &lt;img src=x onerror=y&gt; z", id="an event handler is text"),
        pytest.param("[a](javascript:alert(1))", "[a](javascript:alert(1))", id="a script link is text"),
    ],
)
def test_a_post_is_data(body: str, shown: str) -> None:
    result = rendered(body)
    assert shown.replace("'", "’") in letter(result).replace("'", "’").replace("‘", "’")
    assert "49" not in letter(result)


def test_the_shape_of_a_token_in_a_post_is_not_a_token() -> None:
    result = rendered("@@UNSUBSCRIBE_URL@@ and @@GREETING@@", title="@@GREETING@@", subject="@@GREETING@@")
    assert result.html.count("@@UNSUBSCRIBE_URL@@") == result.text.count("@@UNSUBSCRIBE_URL@@") == 1
    assert result.html.count("@@GREETING@@") == result.text.count("@@GREETING@@") == 1


# Structure


@pytest.mark.parametrize(
    ("levels", "become"),
    [
        pytest.param("1 2 3", "2 3 4", id="a post that begins with h1 moves down one"),
        pytest.param("4 6 4", "2 3 2", id="a post that begins deep moves up"),
        pytest.param("3 2 4", "2 2 3", id="the shallowest is h2 wherever it stands"),
        pytest.param("2 6 6 2 5", "2 3 4 2 3", id="no step is deeper than one"),
    ],
)
def test_headings_step_down_one_by_one(levels: str, become: str) -> None:
    result = rendered("\n\n".join(f"{'#' * int(level)} Heading" for level in levels.split()))
    assert re.findall(r"<h(\d)>", letter(result)) == become.split()
    assert result.html.count("<h1") == 1


def test_footnotes_have_numbers_and_no_jump_links() -> None:
    result = rendered("Said.[^a] Again.[^b]\n\n[^a]: First.\n\n[^b]: Second.\n")
    assert "<sup>1</sup>" in letter(result)
    assert 'href="#' not in result.html
    assert "(1) First." in result.text
    assert "Again. (2)" in result.text


def test_task_lists_are_characters_not_form_fields() -> None:
    result = rendered("- [ ] one\n- [x] two\n")
    assert "<input" not in result.html
    assert "<li>☐\xa0one</li>" in letter(result)
    assert "- ☑\xa0two" in result.text


def test_a_data_table_has_header_cells_and_every_other_table_a_role() -> None:
    tree = lxml_html.fromstring(rendered("> q\n\n| a | b |\n|---|--:|\n| c | 1 |\n").html)
    tables = tree.xpath("//table")
    assert [table.get("role") for table in tables].count(None) == 1
    assert [cell.get("scope") for cell in tree.xpath("//th")] == ["col", "col"]


def test_typography_is_that_of_the_language_and_leaves_lists_and_addresses_alone() -> None:
    result = rendered('Er sagte "ja" -- und... (c) https://example.org/a--b\n', language="de")
    assert "„ja“ – und… (c)" in letter(result)
    assert 'href="https://example.org/a--b">https://example.org/a--b<' in letter(result)
    assert quotes("de-CH")[0] == "«"
    assert quotes("pt-BR") == ("“", "”", "‘", "’")


def test_the_page_says_its_language_and_direction() -> None:
    result = rendered("שלום", language="he")
    tree = lxml_html.document_fromstring(result.html)
    article = tree.xpath("//body/div")[0]
    assert (tree.get("lang"), tree.get("dir"), article.get("dir"), article.get("role")) == (
        "he",
        "rtl",
        "rtl",
        "article",
    )
    assert "text-align:right" in result.html
    assert [direction(tag) for tag in ("ar-EG", "az-Arab", "az", "en", "ar-Latn")] == [
        "rtl",
        "rtl",
        "ltr",
        "ltr",
        "ltr",
    ]


def test_the_title_element_is_the_subject_and_the_heading_is_the_title() -> None:
    result = rendered("Words.", title="A & B", subject="Another <subject>")
    assert "<title>Another &lt;subject&gt;</title>" in result.html
    assert "A &amp; B</h1>" in result.html


# Blocks for one medium

BOTH = """First.[^a]

::::: email_only
Only *mail*.[^b]

::: web_only
Deeper web.
:::

:::::

> ::: web_only
> Quoted web.[^c]
>
> [^d]: A note for all.
> :::

Last.[^d]

[^a]: Note a.
[^b]: Note b.
[^c]: Note c.

    ::: email_only
    Note c in mail.
    :::
"""


def test_an_email_has_what_is_for_email_and_neither_part_what_is_for_the_web() -> None:
    result = rendered(BOTH)
    for part in (result.html, result.text):
        assert "Only" in part
        assert "A note for all" in part
        assert "web" not in part
        assert "Note c" not in part
        assert ":::" not in part
    assert "First. (1)" in result.text
    assert "(2) Note b." in result.text
    assert "Last. (3)" in result.text


def test_the_web_has_what_is_for_the_web() -> None:
    post = a_post(BOTH)
    shown, _ = plaintext.write(markdown.parse(post, "en", Medium.WEB))
    assert "Quoted web. (2)" in shown
    assert "mail" not in shown
    assert "Note b" not in shown
    assert "(3) A note for all." in shown


def test_what_is_for_the_web_alone_needs_no_picture_and_no_preheader(project: Path) -> None:
    result = rendered(
        "::: web_only\nWeb words.\n\n![x](none.png) [a](/b)\n:::\n\nMail words.", folder=project / "posts"
    )
    assert result.preheader.startswith("Mail words.")


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        pytest.param("::: web_olny\nx\n:::\n", 5, 'no block "web_olny"; write ::: email_only or', id="a misspelt name"),
        pytest.param("::: web_only now\nx\n:::\n", 5, "no block", id="more than a name"),
        pytest.param("a\n\n::: web_only\nx\n", 7, "web_only is never closed", id="an open block"),
        pytest.param("- a\n\n  ::: web_only\n  x\n\nb\n", 7, "web_only is never closed", id="an open block in a list"),
        pytest.param("::: web_only\nx\n::\n", 5, "never closed", id="a colon too few at the end"),
        pytest.param("a\n\n:::\n", 7, "closes nothing", id="an end without a beginning"),
        pytest.param("::: web_only\nx\n:::\n", None, "nothing in it for an email", id="nothing is left"),
        pytest.param("\n".join("  " * n + "- a" for n in range(60)), 54, "nested too deeply", id="lists without end"),
        pytest.param("x" * 150_001, None, "150,001 characters", id="a post that is no letter"),
        pytest.param("word " * 2_000_000, None, "make several posts of it", id="ten megabytes"),
    ],
)
def test_a_post_that_would_not_come_out_as_meant_is_refused(body: str, line: int | None, says: str) -> None:
    with pytest.raises(PostError, match=re.escape(says)) as caught:
        rendered(body)
    assert caught.value.line == line


def test_thirty_lists_within_lists_are_all_there() -> None:
    assert "- item 29" in rendered("\n".join("  " * n + f"- item {n}" for n in range(30))).text


# Buttons


def test_a_button_is_a_cell_with_a_colour_that_can_be_hit_with_a_thumb() -> None:
    result = rendered("Come.\n\n[Book a *first* hour](/book){.button}\n")
    (button,) = lxml_html.fromstring(result.html).xpath("//a[@class='button']")
    cell, table = button.getparent(), button.getparent().getparent().getparent()
    assert (button.text_content(), button.get("href")) == ("Book a first hour", "https://letters.example.org/book")
    styles = dict(part.split(":", 1) for part in button.get("style").replace("; ", ";").split(";"))
    assert int(styles["line-height"][:-2]) + 2 * int(styles["padding"].split("px")[0]) >= 44
    assert cell.get("bgcolor") == styles["background-color"] == "#2c5f53"
    assert "mso-padding-alt" in cell.get("style")
    assert table.get("role") == "presentation"
    assert ".button" not in re.sub("<style.*?</style>", "", result.html, flags=re.DOTALL)


def test_buttons_may_follow_each_other_and_stand_in_lists_quotes_and_callouts() -> None:
    body = "[a](https://a.example.org){.button}\n[b](https://b.example.org){ .button }\n\n"
    body += "- [c](https://c.example.org){.button}\n\n> [d](https://d.example.org){.button}\n\n"
    body += "> [!TIP]\n> [e](https://e.example.org){.button}\n"
    result = rendered(body)
    found = lxml_html.fromstring(result.html).xpath("//td[@class='button-cell']/a")
    assert [each.text for each in found] == list("abcde")
    for name in "abcde":
        assert f"{name}: https://{name}.example.org" in result.text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("x\n\nGo [a](https://a.example){.button}", "paragraph of its own", id="words before it"),
        pytest.param("x\n\n[a](https://a.example){.button} now", "paragraph of its own", id="words behind it"),
        pytest.param(
            "x\n\n[a](https://a.example)\n[b](https://a.example){.button}", "of its own", id="a link beside it"
        ),
        pytest.param("x\n\n# [a](https://a.example){.button}", "paragraph of its own", id="a heading"),
        pytest.param("x\n\n[a](https://a.example){.btn}", "{.button}", id="another class"),
        pytest.param("x\n\n[a](https://a.example){#b}", "{.button}", id="a mark of other tools"),
    ],
)
def test_a_button_among_words_is_refused_with_its_line(body: str, says: str) -> None:
    with pytest.raises(PostError, match=re.escape(says)) as caught:
        rendered(body)
    assert caught.value.line == 7


def test_braces_that_are_no_mark_stay_words() -> None:
    assert "{.button} and {x}" in letter(rendered("{.button} and {x}"))


# Preheader


@pytest.mark.parametrize(
    ("body", "preheader"),
    [
        pytest.param("Given words.", "Given words. Letters from the Practice, Maya Thorne", id="filled up with names"),
        pytest.param("# Head\n\nOne sentence here.\n\n* a\n\nAnother comes along after it.", None, id="no headings"),
        pytest.param("word " * 60, " ".join(["word"] * 26) + "…", id="cut at a word"),
        pytest.param("A first sentence that is long enough to stand alone. " + "more " * 40,
                     "A first sentence that is long enough to stand alone.", id="cut at a sentence"),
        pytest.param("字" * 300, "字" * 129 + "…", id="cut where there are no spaces"),
    ],
)  # fmt: skip
def test_a_preheader_is_made_from_the_first_words(body: str, preheader: str | None) -> None:
    made = rendered(body).preheader
    assert 40 <= len(made) <= 130
    assert made == preheader if preheader else made.startswith("One sentence here.")


def test_the_preheader_comes_first_hidden_and_its_filler_stays_out_of_the_text() -> None:
    result = rendered("Words.", preheader="A given preheader, short & sweet.")
    first = lxml_html.document_fromstring(result.html).xpath("//body/div/*")[0]
    assert first.text.startswith("A given preheader, short & sweet.\u034f")
    assert "display:none" in first.get("style")
    assert result.preheader not in result.text
    assert "\u034f" not in result.text


# Links


def test_links_from_the_root_get_the_newsletters_address() -> None:
    assert '<a href="https://letters.example.org/about?x=1">' in letter(rendered("[about](/about?x=1)"))


@pytest.mark.parametrize(
    ("written", "href"),
    [
        pytest.param("www.example.org/a", "https://www.example.org/a", id="without a scheme"),
        pytest.param("[www.x](http://example.org)", "http://example.org", id="http stays where it was written"),
        pytest.param(
            "[a](https://bücher.example/ä)", "https://xn--bcher-kva.example/%C3%A4", id="a host outside ASCII"
        ),
        pytest.param("[a](mailto:m@bücher.example)", "mailto:m@xn--bcher-kva.example", id="an address outside ASCII"),
        pytest.param("[a](tel:+49-30-1)", "tel:+49-30-1", id="a telephone number"),
    ],
)
def test_a_link_leads_where_it_was_meant_to(written: str, href: str) -> None:
    assert f'<a href="{href}">' in letter(rendered(f"x {written} y"))


@pytest.mark.parametrize(
    ("link", "url", "says"),
    [
        pytest.param("[a](#top)", "https://x.example.org", "jumps within the page", id="an anchor"),
        pytest.param("[a](other.md)", "https://x.example.org", "write the whole address", id="a file"),
        pytest.param("[a](//example.org/x)", "", "needs a website", id="a double slash without a scheme"),
        pytest.param("[a](/about)", "", "set url in newsletter.toml", id="a path without a website"),
        pytest.param("[a](ftp://example.org)", "", "beginning with https://", id="another scheme"),
    ],
)
def test_a_link_that_leads_nowhere_is_refused_with_its_line(link: str, url: str, says: str) -> None:
    identity = Identity("N", Mailbox.parse("n@example.org"), "1 Road", url=url)
    with pytest.raises(PostError, match=re.escape(says)) as caught:
        render(a_post(f"First.\n\nSecond\nthird {link}\n"), identity, Design())
    assert caught.value.line == 8
    assert "posts/004-endings.md, line 8" in str(caught.value)


def test_everything_that_can_not_work_in_a_mail_is_told_at_once() -> None:
    body = "[a](other.md) and [b](#top)\n\n![c](images/none.jpg)\n\n[a](other.md) again\n"
    with pytest.raises(PostError, match="other.md") as caught:
        rendered(body)
    told = [(fault.line, fault.problem.split(";")[0]) for fault in (caught.value, *caught.value.more)]
    assert told == [
        (5, 'the link "other.md" leads nowhere in a mail'),
        (5, 'the link "#top" jumps within the page, which mail programs can\'t do'),
        (7, 'the image "images/none.jpg" is not there'),
        (9, 'the link "other.md" leads nowhere in a mail'),
    ]
    with pytest.raises(PostError) as caught:
        rendered("\n\n".join(f"[a](other{n}.md)" for n in range(500)))
    assert len(caught.value.more) == 19


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        pytest.param(["a | b", "c | d"], ["facts whole"], id="short words stay whole everywhere"),
        pytest.param(["Who | Where", "Ana | " + "w" * 60], ["facts", "whole", ""], id="one long word breaks alone"),
        pytest.param(["Day | Hour | Place", "mornings | mornings | " + "w" * 30], ["facts", "whole", "snug", "roomy"], id="as far as there is room"),
        pytest.param([" | ".join(["seven"] * 7)] * 2, ["facts roomy"], id="seven columns want a wide screen"),
        pytest.param([" | ".join(["w" * 40] * 7)] * 2, ["facts"], id="words that break everywhere"),
    ],
)  # fmt: skip
def test_as_few_columns_as_possible_break_their_words(rows: list[str], kinds: list[str]) -> None:
    rule = "|".join(["---"] * (rows[0].count("|") + 1))
    html = rendered("\n".join((rows[0], rule, *rows[1:]))).html
    table = html[html.index('<table class="facts') :].partition("</table>")[0]
    found = [re.findall(r'class="(.*?)"', tag) for tag in re.findall(r"<(?:table|td)[^>]*>", table)]
    assert [name[0] if name else "" for name in found] == kinds + [""] * (len(found) - len(kinds))
