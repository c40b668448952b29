"""Pasted pages: sixteen as people paste them, and what must hold for any."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from newsletter.errors import PostError
from newsletter.pasted import Pasted, read_pasted

CORPUS = Path(__file__).parent.parent / "corpus" / "pasted"
LONG = (
    "There is a word that I hear in almost every last session, and the word is “already”. "
    "Already spring, already a year, already the last time we sit in these two chairs."
)
ENDINGS = (
    "Endings are not failures of the work. They are a part of it, and often the part that people remember longest."
)

PAGES = {
    "01-number-above-title": Pasted(
        7,
        "Endings",
        f"{LONG}\n\n{ENDINGS}\n\nNext time we will look at what comes after.\n",
        ("Previous", "Previous", "Blog #8", "Next", "Next", "Blog #6"),
    ),
    "02-one-line-with-the-title": Pasted(
        12,
        "The Long Way Round",
        f"{LONG}\n\n## A small practice\n\n{ENDINGS}\n",
        (
            "Home",
            "About",
            "Services",
            "Blog",
            "Contact",
            "March 3, 2026",
            "By Maya Thorne, LMFT",
            "5 min read",
            "Previous / Previous / Blog #13 / Next / Next / Blog #11",
        ),
    ),
    "03-number-below-title": Pasted(
        9,
        "Losing a Friend Who Is Still Alive",
        f"{LONG}\n\nShare your thoughts with someone you trust before you decide.\n",
        (
            "Letters from the Practice",
            "Home / About / Blog / Contact",
            "Posted on March 3, 2026 by Maya Thorne",
            "Share",
            "Facebook",
            "Twitter",
            "← Previous: On Losses",
            "Next: Blog #10 →",
        ),
    ),
    "04-navigation-first": Pasted(
        7,
        "Endings",
        f"{LONG}\n\n{ENDINGS}\n",
        (
            "Skip to content",
            "Previous",
            "Previous",
            "Blog #8",
            "Next",
            "Next",
            "Blog #6",
            "© 2026 Maya Thorne Therapy. All rights reserved.",
        ),
    ),
    "05-navigation-first-and-no-own-number": Pasted(
        None, "Endings", f"{LONG}\n\n{ENDINGS}\n", ("Previous", "Blog #8", "Next", "Blog #6")
    ),
    "06-one-line-per-paragraph": Pasted(
        3,
        "What do we do when a friend stops calling?",
        f"{LONG}\n\n## What the silence says\n\n{ENDINGS}\n\n"
        "Previous is not the same as past. I have learned that slowly.\n\nA few things help:\n\n"
        "- Say the name of the person out loud.\n- Write a letter that you do not send.\n- Walk.\n\n"
        "After that, wait.\n",
        ("Older Post", "Newer Post", "Back to Blog"),
    ),
    "07-hard-wrapped": Pasted(
        5,
        "On Waiting",
        "The kettle takes four minutes, and for years I spent those four minutes reading the news on my phone. "
        "Then the phone broke, and I stood in the kitchen with nothing to do.\n\n"
        "Nothing to do turned out to be a place. It has a window in it, and the neighbour's cat.\n\n"
        "## WHAT I LEARNED\n\n"
        "1. Waiting is not the same as doing nothing, though it looks like it from the street.\n"
        "2. Most things that are urgent are not.\n3. Tea is better when you have watched it.\n\n"
        "1986\\. It was the year my grandmother taught me to wait.\n\nWarmly,\\\nMaya\n",
        ("0 Comments", "Leave a comment"),
    ),
    "08-comments-of-others": Pasted(
        7,
        "Letters We Never Send",
        f"{LONG}\n\n{ENDINGS}\n",
        (
            "Posted in Relationships",
            "2 Comments",
            "Anna",
            "This is lovely. I wrote one to my father, and I did not send it either.",
            "Reply",
            "Ben",
            "Thank you for this!",
            "Reply",
            "Leave a Reply",
            "Your email address will not be published. Required fields are marked *",
        ),
    ),
    "09-what-markdown-misreads": Pasted(
        15,
        "Signs & Symbols",
        "\\#7 on my list was sleep, and it should have been first, as you may have guessed.\n\n"
        "\\* Names have been changed.\n\n"
        "The file was called my_notes_final.txt and it held \\*everything\\*, with \\<b>tags\\</b> and AT\\&amp;T.\n\n"
        "\\+ is the sign for more, she said.\n\n1986\\. It was a good year.\n\n2026\\) was not.\n\n"
        "Read <https://letters.example.org/p/a_b_c_> (or \\_not\\_), it costs 5 * 3 dollars.\n\n"
        "\\- one lonely dash\n\n\\[x] done, [see\\](below), \\[^1] and [plain].\n\n"
        "A backslash \\\\\\* and \\`code\\` and \\~~gone\\~~.\n\n"
        "> Somebody else said this, and it ran over two lines.\n\n– Rilke\n",
        (),
    ),
    "10-windows-and-invisible": Pasted(
        21,
        "Small Rituals",
        "A cup of tea, every day, at four. “Really?” he asked. It’s the whole of it, and it is enough.\n\n"
        "That is all.\n",
        ("By Maya Thorne · 4 min read", "We use cookies to improve your experience.", "Accept", "Decline"),
    ),
    "11-markdown-already": Pasted(
        30,
        "Boundaries",
        f"## Why they are hard\n\n{LONG}\n\n## A heading of level one\n\n{ENDINGS}\n\n### Smaller\n\n"
        "- first\n- second\n  - below second\n- third\n\n---\n\n## Setext\n\nThe end of it, and a good one.\n",
        (),
    ),
    "12-footer-with-strangers": Pasted(
        7,
        "The House Is Quiet Now",
        f"{LONG}\n\nYou are not late. Next to nothing is as urgent as it looks.\n",
        (
            "Category: Family",
            "Share this post",
            "Facebook",
            "LinkedIn",
            "Related Posts",
            "The work of small apologies",
            "What the body keeps",
            "Previous",
            "On Losses",
            "Next",
            "On Beginnings",
            "Maya Thorne Therapy",
            "12 Birch Lane, Portland",
            "Subscribe to our newsletter for one letter a week.",
            "Email address",
            "Privacy Policy",
            "Powered by a website builder",
        ),
    ),
    "13-nested-and-loose-lists": Pasted(
        18,
        "Three Questions",
        "Before you write the letter, ask three things of yourself, and be patient with the answers:\n\n"
        "1. Who is it for?\n2. What do I want to happen?\n   - to me\n   - to them\n"
        "3. Can I live without an answer?\n\n"
        "You may also like to keep a list of your own:\n\n- Words I wish I had said\n- Words I am glad I kept\n\n"
        "It can be short.\n",
        (),
    ),
    "14-no-number-at-all": Pasted(
        None,
        "A Year of Small Talk",
        f"{LONG}\n\n## Next\n\nPrevious to that winter I had never lived alone. It was an education.\n",
        ("Next / Previous",),
    ),
    "15-navigation-under-the-title": Pasted(
        7, "Endings", f"{LONG}\n\n{ENDINGS}\n", ("Previous", "Blog #8", "Next", "Blog #6", "Share")
    ),
    "16-home-is-a-title": Pasted(40, "Home", f"{LONG}\n\n## Home\n\n{ENDINGS}\n\nAll lost in one room.\n", ()),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in CORPUS.glob("*.txt")))
def test_a_page_of_the_corpus(name: str) -> None:
    assert read_pasted((CORPUS / f"{name}.txt").read_bytes().decode(), name) == PAGES[name]


@pytest.mark.parametrize(
    ("line", "number", "title"),
    [
        pytest.param("Blog #7", 7, "Endings", id="the word and a hash"),
        pytest.param("Blog 7", 7, "Endings", id="no hash"),
        pytest.param("BLOG#7", 7, "Endings", id="capitals, no space"),
        pytest.param("Post #7", 7, "Endings", id="a post"),
        pytest.param("#7", 7, "Endings", id="a hash alone"),
        pytest.param("Blog Post No. 7", 7, "Endings", id="No."),
        pytest.param("Letter 7", 7, "Endings", id="a letter"),
        pytest.param("Episode 7:", 7, "Endings", id="a colon behind"),
        pytest.param("Blog #007", 7, "Endings", id="zeros in front"),
        pytest.param("Blog #7 · March 3, 2026", 7, "Endings", id="a date beside it"),
        pytest.param("Episode 7: Beginnings", 7, "Beginnings", id="with the title"),
        pytest.param("#7 Beginnings", 7, "Beginnings", id="a hash and the title"),
        pytest.param("Blog #7 – 1984", 7, "1984", id="a title in digits"),
        pytest.param("1984 (Blog #7)", 7, "1984", id="behind the title"),
        pytest.param("Beginnings | Blog #7", 7, "Beginnings", id="a pipe"),
        pytest.param("# Blog #7", 7, "Endings", id="as a heading of Markdown"),
        pytest.param("Letter 7 Years Later", None, "Letter 7 Years Later", id="seven years are no number"),
        pytest.param("The 7 Signs", None, "The 7 Signs", id="seven signs are no number"),
    ],
)
def test_the_number_and_the_title(line: str, number: int | None, title: str) -> None:
    page = read_pasted(f"{line}\n\nEndings\n\n{LONG}\n\nNext\nBlog #6\n", "page.txt")
    assert (page.number, page.title) == (number, title)


@pytest.mark.parametrize(
    ("page", "number"),
    [
        pytest.param("Previous\nNext\n\nBlog #7\n\nEndings", 7, id="links in one block, the number in the next"),
        pytest.param("Previous\nNext\nBlog #7\nEndings", None, id="a number right below Next may be the next one's"),
        pytest.param("Previous\n\nBlog #8\n\nNext\n\nBlog #6\n\nBlog #7\n\nEndings", 7, id="blank lines everywhere"),
        pytest.param("Blog #8\nPrevious\nBlog #6\nNext\nEndings", None, id="numbers above their links"),
        pytest.param("Blog #7\nPrevious\nNext\nEndings", 7, id="the number, then links without theirs"),
        pytest.param("← Blog #6 | Blog #8 →\nEndings", None, id="arrows"),
        pytest.param("Previous | Blog #8\nEndings", None, id="a link and its number on one line"),
        pytest.param("Next post Blog #8\nEndings", None, id="a link that says its number"),
        pytest.param("Home > Blog > Blog #9\nEndings", None, id="a trail of links"),
        pytest.param(
            "Previous / Blog #8 / Next / Blog #6\nBlog #7\nEndings", 7, id="links on one line, then the number"
        ),
        pytest.param("Endings\nPrevious\nBlog #8\nNext\nBlog #6", None, id="links under the title"),
    ],
)
def test_the_number_never_comes_from_navigation(page: str, number: int | None) -> None:
    read = read_pasted(f"{page}\n\n{LONG}\n\nPrevious\nBlog #8\nNext\nBlog #6\n", "page.txt")
    assert (read.number, read.title, read.body) == (number, "Endings", f"{LONG}\n")


@pytest.mark.parametrize(
    "residue",
    [
        pytest.param("Previous / Previous / Blog #8 / Next / Next / Blog #6", id="slashes"),
        pytest.param("← Previous | Next →", id="arrows and a pipe"),
        pytest.param("Blog #8\nBlog #6", id="numbers alone"),
        pytest.param("Previous Post: On Losses", id="a title beside it"),
        pytest.param("Newer\nOn Losses", id="a title below it"),
        pytest.param("Posted in Family, Grief", id="a category"),
        pytest.param("Tags: family, grief", id="tags"),
        pytest.param("Continue reading…", id="read on"),
        pytest.param("This website uses cookies, as every website does. You may decline.", id="cookies"),
        pytest.param("Sign up to have new posts in your inbox.", id="a subscription"),
        pytest.param("Copyright 2026, Maya Thorne", id="copyright"),
        pytest.param("Home\nAbout me\nContact", id="a menu"),
        pytest.param("March 3, 2026\nShare", id="a date and more"),
    ],
)
def test_residue_is_cut_and_reported(residue: str) -> None:
    assert read_pasted(f"Endings\n\n{LONG}\n\n{residue}", "page.txt") == Pasted(
        None, "Endings", f"{LONG}\n", tuple(residue.split("\n"))
    )


def test_navigation_above_the_authors_biography_is_cut() -> None:
    biography = "Maya Thorne is a therapist in Portland, and writes letters."
    page = read_pasted(f"Endings\n{LONG}\nPrevious\nBlog #8\nNext\nBlog #6\n{biography}", "page.txt")
    assert (page.body, page.cut) == (f"{LONG}\n\n{biography}\n", ("Previous", "Blog #8", "Next", "Blog #6"))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Next time we will look at what comes after.", id="Next"),
        pytest.param("Previous letters were about losses.", id="Previous"),
        pytest.param("Share this letter with a friend who needs it.", id="Share"),
        pytest.param("Home is a word with a door in it.", id="Home"),
        pytest.param("Comments from my own teacher, years later, still help.", id="Comments"),
        pytest.param("By Friday I was tired.", id="By"),
        pytest.param("March was long.", id="a month"),
        pytest.param("As I wrote in Blog #6, it takes time.", id="another post's number"),
        pytest.param("“Next!”", id="a word in quotes"),
    ],
)
def test_a_sentence_is_kept_wherever_it_stands(line: str) -> None:
    for page in (
        f"Endings\n\n{line}\n\n{LONG}",
        f"Endings\n\n{LONG}\n\n{line}",
        f"Endings\n\n{LONG}\n\n{line}\n\nNext",
    ):
        read = read_pasted(page, "page.txt")
        assert line in read.body.split("\n\n") or f"{line}\n" in read.body.split("\n\n")


def test_a_section_of_addresses_above_the_residue_is_kept() -> None:
    page = read_pasted(
        f"T\n\n{LONG}\n\nResources\n988 Lifeline\nCrisis line\n\nShare\nFacebook\nNext\nBlog #6", "page.txt"
    )
    assert "988 Lifeline" in page.body
    assert page.cut == ("Share", "Facebook", "Next", "Blog #6")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        pytest.param("• a\n• b\n1. c\n2. d", "- a\n- b\n\n1. c\n2. d", id="two lists in a row stay two"),
        pytest.param("12. May was cold.\n\nSo.", "12\\. May was cold.\n\nSo.", id="a number that begins a sentence"),
        pytest.param(
            "We met for the last time on a grey day in November, in the city of\n"
            "Portland, where it rained as it always does, and neither of us had\nJames's umbrella.",
            "We met for the last time on a grey day in November, in the city of "
            "Portland, where it rained as it always does, and neither of us had James's umbrella.",
            id="lines broken before a capital",
        ),
        pytest.param(
            "We met for the last time on a grey day in November, he and I.\nHe said nothing.\nI said it was fine.",
            "We met for the last time on a grey day in November, he and I.\n\nHe said nothing.\n\nI said it was fine.",
            id="short lines that end are paragraphs",
        ),
        pytest.param("(1) Sit.\n(2) Stay.", "1. Sit.\n2. Stay.", id="numbers in brackets"),
        pytest.param("“Are you here?”\n\nI was.", "“Are you here?”\n\nI was.", id="what is said is no heading"),
    ],
)
def test_paragraphs_and_lists(text: str, markdown: str) -> None:
    assert read_pasted(f"Endings\n{text}", "page.txt").body == f"{markdown}\n"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        pytest.param("", "the file is empty", id="nothing"),
        pytest.param(" \n\u200b\n", "the file is empty", id="nothing that shows"),
        pytest.param("Only a title", "there is a title but no text below it", id="a title alone"),
        pytest.param("Blog #7\nEndings\nPrevious\nNext", "there is a title but no text below it", id="only navigation"),
        pytest.param(f"Blog #7\n\n{LONG}", "no title was found; put the title on the first line", id="no title"),
    ],
)
def test_a_page_that_is_no_post_is_refused(page: str, said: str) -> None:
    with pytest.raises(PostError, match=f"page.txt: {said}"):
        read_pasted(page, "page.txt")


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W_]+", text))


def plain(markdown: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown.replace("\\\n", "\n"))


word = st.text("abcdefgäéßñ間0123456789", min_size=1, max_size=9)
odd = st.sampled_from([*"*_`<>[]()#+-~!&\\.,:;?=|{}", "&amp;", "http://a.example/b_c_", "[^1]", "![", "](x)", "**"])
sentence = st.lists(st.one_of(word, word, odd), min_size=1, max_size=25).map(" ".join)
glued = st.lists(st.one_of(word, odd), min_size=1, max_size=8).map("".join)
residue = st.sampled_from(
    ["Previous", "Next", "Blog #8", "Blog #6", "Home", "Share", "0 Comments", "© 2026", "March 3, 2026", "Read more"]
)
mark = st.sampled_from(["", "", "", "• ", "- ", "1. ", "2. ", "> ", "# ", "   - ", "1986. ", "* "])
line = st.one_of(st.builds("{}{}".format, mark, st.one_of(sentence, glued)), residue, st.just(""))


@settings(deadline=None, max_examples=100)
@given(lines=st.lists(line, min_size=1, max_size=14), tail=st.lists(residue, max_size=6))
@example(lines=["Next", "Blog #6", "a", "Next"], tail=[])
@example(lines=["C#", "---", "• ", "x"], tail=["Next"])
@example(lines=["0", "", "• 0", "> 0", "0"], tail=[])
@example(lines=["0", "0http://a.example/b_c_"], tail=[])
def test_no_word_is_lost_and_none_is_added(lines: list[str], tail: list[str]) -> None:
    page = "\n".join(["Blog #7", "Endings", "", LONG, *lines, "", *tail])
    read = read_pasted(page, "page.txt")
    assert (read.number, read.title) == (7, "Endings")
    assert words(page) == words("Blog 7 Endings") + words(plain(read.body)) + words("\n".join(read.cut))


@settings(deadline=None, max_examples=100)
@given(paragraphs=st.lists(st.one_of(sentence, glued), min_size=1, max_size=6))
@example(paragraphs=["a ![b](c) d"])
@example(paragraphs=["[ http://a.example/b_c_ ](x)"])
@example(paragraphs=["_a_ __b__ ***c*** `d`"])
def test_markdown_says_what_the_page_said(paragraphs: list[str]) -> None:
    """Nothing but structure and links to what was written as an address: no emphasis, no code, no HTML."""
    read = read_pasted("\n\n".join(["Blog #7: Endings", LONG, *paragraphs]), "page.txt")
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(read.body)
    tags = set(re.findall(r"</?([a-z0-9]+)", html))
    assert tags <= {"p", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "br", "a"}
    assert all(url.startswith("http://a.example/b_c_") for url in re.findall(r'href="([^"]*)"', html))


@settings(deadline=None, max_examples=100)
@given(text=st.text())
def test_any_text_is_a_post_or_refused(text: str) -> None:
    try:
        read = read_pasted(text, "page.txt")
    except PostError:
        return
    assert read.title.strip()
    assert read.body.strip()
