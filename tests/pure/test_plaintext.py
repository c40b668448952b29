"""The text part: what a reader gets whose mail program shows no HTML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from letters import IDENTITY, rendered
from lxml import html as lxml_html

from newsletter.render.plaintext import width, wrap


def test_text_lines_keep_to_72_columns() -> None:
    text = rendered("word " * 80 + "\n\n- " + "item " * 40 + "\n\n> " + "ü" * 90 + "\n\n" + "x" * 200).text
    assert max(width(line) for line in text.splitlines()) == 72


def test_a_script_without_spaces_is_left_to_the_mail_program() -> None:
    assert "\n" + "漢字、" * 90 + "\n" in rendered("漢字、" * 90, title="漢字" * 50).text
    assert f"\n{'=' * 72}\n" in rendered("漢字", title="漢字" * 50).text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("aa bb cc", ["aa bb", "cc"], id="at a space"),
        pytest.param("abcdefgh", ["abcde", "fgh"], id="a long word is broken"),
        pytest.param("https://example.org/x a", ["https://example.org/x", "a"], id="an address is not"),
        pytest.param("漢字漢字 漢字 aa", ["漢字漢字", "漢字", "aa"], id="wide characters break at spaces alone"),
        pytest.param("aa 🌻🌻", ["aa", "🌻🌻"], id="an emoji takes two columns"),
        pytest.param("a\u0301" * 5, ["a\u0301" * 5], id="accents take no room"),
        pytest.param("a\xa0b c", ["a\xa0b c"], id="a no-break space holds"),
        pytest.param("", [""], id="nothing"),
    ],
)
def test_wrapping(text: str, lines: list[str]) -> None:
    assert wrap(text, 5) == lines


def test_a_table_too_wide_for_the_line_becomes_header_and_cell() -> None:
    long = "many words that go on " * 4
    text = rendered(f"| When | Say |\n|---|---|\n| first | {long} |\n| second | no |\n").text
    assert "When: first\nSay: many words that go on" in text
    assert "\n\nWhen: second\nSay: no" in text


def test_links_are_numbered_once_and_listed_at_the_end() -> None:
    text = rendered("[a](https://example.org/a) [b](https://example.org/b) [c](https://example.org/a)").text
    assert "a [1] b [2] c [1]" in text
    assert "Links\n-----\n[1] https://example.org/a\n[2] https://example.org/b" in text


def test_a_text_of_the_posts_own_takes_the_place_of_the_made_one() -> None:
    result = rendered("The HTML says [this](https://example.org).", text="Only this.\n")
    assert "Only this." in result.text
    assert "[1]" not in result.text
    assert IDENTITY.postal_address in result.text


def test_rendering_is_the_same_every_time() -> None:
    assert rendered("# A\n\nWords[^1].\n\n[^1]: note") == rendered("# A\n\nWords[^1].\n\n[^1]: note")


# Everything in it

KITCHEN = """Words with a [link](https://example.org/a), *emphasis*, **weight**, `code`, ~~not~~ and a note.[^1]

> [!WARNING]
> Mind the [gap](https://example.org/b).
>
> - [ ] to do
> - [x] done

[Book a first hour at a time that suits you and your family](https://example.org/a/rather/long/address/book){.button}

## A heading that is so long that it has to be wrapped somewhere before the line is full

7. seven
   - nested, and so long that it needs a second line to say all that it has to say
     1. deeper

        > quoted
8. eight

   with a paragraph

| Herz | Wort |
|---|--:|
| a | 12 |

日本語の長い段落は、行の途中で折り返されなければなりません。そうしないと、七十二桁を超えてしまいます。

هذه فقرة طويلة باللغة العربية، كتبت لكي تلتف الأسطر عند اثنين وسبعين عمودا كما تلتف الأسطر الأخرى كلها.

    code  stays   as it is

[^1]: The note, with https://example.org/c in it.
"""


def test_every_block_has_its_form() -> None:
    text = rendered(KITCHEN).text
    for part in (
        "Words with a link [1], *emphasis*, *weight*, code, ~not~ and a note. (1)",
        "> Warning\n>\n> Mind the gap [2].\n>\n> - ☐\xa0to do\n> - ☑\xa0done",
        "Book a first hour at a time that suits you and your family:\nhttps://example.org/a/rather/long/address/book",
        "before the\nline is full\n",
        "7. seven\n\n",
        "   - nested, and so long that it needs a second line to say all that it\n     has to say",
        "     1. deeper\n\n        > quoted",
        "8. eight\n\n   with a paragraph",
        "Herz  Wort\n----  ----\na       12",
        "    code  stays   as it is",
        "(1) The note, with https://example.org/c in it.",
        "Links\n-----\n[1] https://example.org/a\n[2] https://example.org/b\n",
    ):
        assert part in text, part


POSTS = sorted((Path(__file__).parents[2] / "posts").glob("0*.md"))


@pytest.mark.parametrize("body", [KITCHEN, *(path.read_text().split("---", 2)[2] for path in POSTS)])
def test_the_text_has_the_words_of_the_html_and_every_address(body: str) -> None:
    result = rendered(body, folder=POSTS[0].parent)
    tree = lxml_html.document_fromstring(result.html)
    shown = tree.body.text_content().partition("\u034f")[2].lower()
    words = {word for word in re.findall(r"\w{2,}", shown) if "_" not in word}
    missing = words - set(re.findall(r"\w{2,}", result.text.lower()))
    assert len(missing) <= 0.15 * len(words), missing
    for href in tree.xpath("//a/@href"):
        assert href in result.text
    lines = [line for line in result.text.splitlines() if not re.search(r"://|[\u3040-\u9fff]", line)]
    assert max(map(width, lines)) <= 72


@pytest.mark.parametrize(
    ("button", "line"),
    [
        pytest.param("[Book](https://a.example.org){.button}", "Book: https://a.example.org", id="on one line"),
        pytest.param(
            "[Ready?](https://a.example.org){.button}", "Ready? https://a.example.org", id="a mark at its end"
        ),
        pytest.param("<https://a.example.org>{.button}", "\nhttps://a.example.org\n", id="its own address"),
        pytest.param(
            "[Write](mailto:m@example.org){.button}", "Write: mailto:m@example.org", id="an address to write to"
        ),
    ],
)
def test_a_button_has_its_address_beside_it(button: str, line: str) -> None:
    text = rendered(f"x\n\n{button}").text
    assert line in text
    assert "Links" not in text
