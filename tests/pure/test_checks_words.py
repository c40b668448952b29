"""Checks of what the owner wrote: each rule where it speaks, and where it must not."""

from __future__ import annotations

from pathlib import Path

import pytest
from specimen import FRONT, IDENTITY, SAMPLES, WORDS, by, proof, sample

from newsletter.checks import RULES, Context, Part, Severity, check, reason_to_hold
from newsletter.posts import TO_BE_WRITTEN, PostStatus


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_posts_that_come_with_newsletter_have_nothing_wrong_with_them(path: Path) -> None:
    assert check(sample(path)) == []


def test_an_ordinary_letter_has_nothing_wrong_with_it(tmp_path: Path) -> None:
    assert check(proof(folder=tmp_path)) == []


# What a rule finds, with the line and the words; "" where it finds nothing


@pytest.mark.parametrize(
    ("rule", "body", "found"),
    [
        pytest.param("drafting-mark", "We meet at TK on Tuesday.", "TK", id="to come"),
        pytest.param("drafting-mark", "The year was TK.", "TK", id="to come, at the end"),
        pytest.param("drafting-mark", "Somebody said [TK check this] once.", "[TK check this]", id="to come, in brackets"),
        pytest.param("drafting-mark", "A number, TKTK, and more.", "TKTK", id="to come, twice"),
        pytest.param("drafting-mark", "Ask TK Okafor about it.", "", id="the initials of a name"),
        pytest.param("drafting-mark", "Thank you, Dr TK, for that.", "", id="initials behind a title"),
        pytest.param("drafting-mark", "The TKX-12 and the tk of a clock", "", id="a part of a word"),
        pytest.param("drafting-mark", "Type `TK` where it is to come.", "", id="within code"),
        pytest.param("drafting-mark", "```\nTK\n```", "", id="within a fence"),
        pytest.param("drafting-mark", "~~~~\n```\nTK\n~~~\n~~~~\n\nwords", "", id="a fence within a fence"),
        pytest.param("drafting-mark", "Words.\n\n    TK\n\nWords.", "", id="within an indented block of code"),
        pytest.param("drafting-mark", "> - quoted TK words", "TK", id="to come, in a list in a quote"),
        pytest.param("drafting-mark", "TODO: say why", "TODO", id="to do, with a colon"),
        pytest.param("drafting-mark", "Here (TODO) too", "TODO", id="to do, in brackets"),
        pytest.param("drafting-mark", "Write a TODO list and stop there.", "", id="a list of things to do"),
        pytest.param("drafting-mark", "FIXME: words", "FIXME", id="to be mended"),
        pytest.param("drafting-mark", "Lorem ipsum dolor sit amet.", "Lorem ipsum", id="dummy text"),
        pytest.param("drafting-mark", "Hello {{ first_name }},", "{{ first_name }}", id="a merge field"),
        pytest.param("drafting-mark", "Hello {% if name %}you{% endif %}", "{% if name %}", id="a template's tag"),
        pytest.param("drafting-mark", "Hello *|FNAME|*,", "*|FNAME|*", id="another tool's merge field"),
        pytest.param("drafting-mark", 'Hello {{ "you" }},', '{{ "you" }}', id="with quotes that are set"),
        pytest.param("drafting-mark", "Write `{{ name }}` in a template.", "", id="a merge field within code"),
        pytest.param("drafting-mark", "[insert the quotation here]", "[insert the quotation here]", id="a placeholder"),
        pytest.param("drafting-mark", "[Your first hour](https://example.org/a)", "", id="a link that begins like one"),
        pytest.param("drafting-mark", "See [TK](https://example.org/a) for it.", "TK", id="to come, as a link's words"),
        pytest.param("drafting-mark", "[words](https://example.org/TK)", "", id="within an address"),
        pytest.param("drafting-mark", TO_BE_WRITTEN, "Begin here.", id="what a new post begins with"),
        pytest.param("drafting-mark", "Begin here. Then go on.", "", id="a sentence that begins like it"),
        pytest.param("drafting-mark", "Dear {name},", "{name}", id="the name as the setting greeting has it"),
        pytest.param("drafting-mark", "Dear { Name }, or {names}", "", id="words between braces"),
        pytest.param("drafting-mark", "Dear @@GREETING@@, hello", "@@GREETING@@", id="what a template has for the name"),
        pytest.param("markdown-as-text", "![hat](images/my hat.jpg)", "A picture is not understood", id="a name with a space"),
        pytest.param("markdown-as-text", "![hat](images/hat.jpg =300x200)", "A picture is not", id="a size, as elsewhere"),
        pytest.param("markdown-as-text", "[here](https://example.org/a b)", "A link is not", id="an address with a space"),
        pytest.param("markdown-as-text", "[here] (https://example.org/a)", "A link is not", id="a space before the address"),
        pytest.param("markdown-as-text", "He said [sic] (and smiled), and [1].", "", id="brackets that are only brackets"),
        pytest.param("markdown-as-text", "`[a](b c)` is how, and `[^1]`", "", id="Markdown within code"),
        pytest.param("markdown-as-text", "A claim.[^1]", "A note has no text", id="a note without its text"),
        pytest.param("markdown-as-text", "A claim.[^1]\n\n[^1]: Its text.", "", id="a note"),
        pytest.param("markdown-as-text", "Words.\n\n[^2]: Its text.", "Nothing refers to the note [^2]", id="a lost note"),
        pytest.param("markdown-as-text", "[the guide][guide]", "A link has no address", id="an address that is nowhere"),
        pytest.param("markdown-as-text", "[the guide][g]\n\n[g]: https://example.org/g", "", id="an address below"),
        pytest.param("markdown-as-text", "> [!NOTES]\n> Words.", "A call-out is not known", id="a call-out of no kind"),
        pytest.param("markdown-as-text", "##What now\n\nWords.", "A heading is not understood", id="a heading without a space"),
        pytest.param("markdown-as-text", "#courage is what they called it", "", id="a hashtag"),
        pytest.param("markdown-as-text", "It is ** very ** late", "Bold words are not", id="spaces within the stars"),
        pytest.param("markdown-as-text", "これは**「間」**のこと", "Bold words are not", id="stars beside brackets"),
        pytest.param("markdown-as-text", "What the f**k, she said, and sh** too", "", id="stars for letters"),
        pytest.param("markdown-as-text", "| a | b |\n| c | d |", "A table is not understood", id="a table without its rule"),
        pytest.param("markdown-as-text", "| a | b |\n|---|---|\n| c | d |", "", id="a table"),
        pytest.param("markdown-as-text", "- [ ]breathe", "A list to tick off", id="a box without a space"),
        pytest.param("markdown-as-text", "- [ ] breathe\n- [x] rest", "", id="boxes"),
        pytest.param("markdown-as-text", "[a](https://example.org/){target=_blank}", "What stands in { }", id="attributes"),
        pytest.param("html-as-text", "<details><summary>More</summary>words</details>", "<details>", id="a newer tag"),
        pytest.param("html-as-text", "One <b>bold</b> word", "<b>", id="a tag"),
        pytest.param("html-as-text", "Words <!-- a remark -->", "<!--", id="a remark"),
        pytest.param("html-as-text", "Write `<b>` for bold, and 3 < 4 > 2, and <maya@example.org>", "", id="no tags"),
        pytest.param("little-text", "Hm.", "hardly any words", id="next to nothing"),
        pytest.param("little-text", "That says it all.", "", id="one short sentence"),
        pytest.param("little-text", "古池や蛙飛び込む", "", id="a Japanese sentence"),
        pytest.param("shouting", "THIS IS ALL VERY LOUD INDEED " * 10, "in capitals", id="a letter in capitals"),
        pytest.param("shouting", f"{WORDS} " * 4 + "NASA and the UNHCR wrote back.", "", id="acronyms"),
        pytest.param("link-target", "[x](http://localhost:8000/a)", "your own computer", id="this machine"),
        pytest.param("link-target", "[x](https://192.168.0.7/a)", "your own computer", id="this house"),
        pytest.param("link-target", "[x](https://nas.local/a)", "your own computer", id="this house, by name"),
        pytest.param("link-target", "[x](https://example.org/localhost)", "", id="a public address"),
        pytest.param("link-target", "<maya@example.org> and [call](tel:+15551234)", "", id="mail and telephone"),
        pytest.param("link-target", "[x](javascript:alert(1))", "javascript:alert(1", id="a script as a link"),
        pytest.param("link-target", "![x](file:///home/maya/gate.jpg)", "file:///home", id="a file of this machine"),
        pytest.param("link-target", "Type `[x](file:///etc)` there.", "", id="one within code"),
        pytest.param("link-http", "[the guide](http://example.org/a)", "example.org begins with http://", id="http"),
        pytest.param("link-http", "[the guide](https://example.org/?u=http://x.org)", "", id="https"),
        pytest.param("link-name", "Click [here](https://example.org/a).", "“here”", id="here"),
        pytest.param("link-name", "[Click here!](https://example.org/a)", "“Click here!”", id="click here"),
        pytest.param("link-name", "[hier](https://example.org/a)", "“hier”", id="here, in German"),
        pytest.param("link-name", "[here is how](https://example.org/a)", "", id="here, and how"),
        pytest.param("link-name", "[](https://example.org/a)", "has no words", id="no words"),
        pytest.param("link-name", "<https://example.org/a/long/way/to/go>", "bare address", id="a long bare address"),
        pytest.param("link-name", "<https://988lifeline.org/>", "", id="a short bare address"),
        pytest.param("link-disguised", "[example.com](https://example.net/login)", "example.com", id="another domain"),
        pytest.param("link-disguised", "[www.example.org](https://letters.example.org/)", "", id="a part of it"),
        pytest.param("link-disguised", "[a.example.co.uk](https://b.example.co.uk/)", "", id="a country's second level"),
        pytest.param("link-disguised", "[x.co.uk](https://y.co.uk/)", "x.co.uk", id="the second level alone is nobody's"),
        pytest.param("link-disguised", "[Node.js](https://nodejs.org/)", "", id="a name with a dot"),
        pytest.param("link-disguised", "[the e.g. case](https://example.org/)", "", id="words with a dot"),
        pytest.param("link-disguised", "[maya@example.org](https://example.net/)", "", id="an address of a person"),
        pytest.param("link-shortened", "[the study](https://bit.ly/abc)", "bit.ly", id="a short address"),
        pytest.param("link-shortened", "[the study](https://rabbit.ly/abc)", "", id="one that ends alike"),
        pytest.param("headings", "## \n\nwords of it", "no words", id="an empty heading"),
        pytest.param("exclaiming", f"{WORDS} Come!!!", "“Come!!!”", id="loud"),
        pytest.param("exclaiming", f"{WORDS} Come! And see!", "", id="two sentences that call"),
        pytest.param("selling", f"{WORDS} It is risk-free: act now.", "“risk-free” and “act now”", id="salesmen"),
        pytest.param("selling", f"{WORDS} It felt urgent.", "", id="one such word"),
    ],
)  # fmt: skip
def test_a_rule_speaks_where_it_should_and_nowhere_else(rule: str, body: str, found: str, tmp_path: Path) -> None:
    findings = by(rule, proof(body, folder=tmp_path))
    if not found:
        assert findings == []
    else:
        assert findings and found in findings[0].problem, findings
        assert findings[0].part is Part.POST and findings[0].line is not None


@pytest.mark.parametrize(
    ("rule", "front", "found"),
    [
        pytest.param("drafting-mark", "title: On TK\n", "TK", id="a mark in the title"),
        pytest.param("drafting-mark", 'title: T\npreheader: "For {{ name }}"\n', "{{ name }}", id="in the preheader"),
        pytest.param("subject", "title: …\n", "no words", id="a subject of dots"),
        pytest.param("subject", "title: 間\n", "", id="a subject of one character"),
        pytest.param("preheader", "title: T\n", "There is no preheader", id="no preheader"),
        pytest.param("preheader", "title: Said\npreheader: said\n", "repeats the subject", id="the subject again"),
        pytest.param("preheader", "title: T\npreheader: Short.\n", "has 6 characters", id="a short preheader"),
        pytest.param("preheader", f"title: T\npreheader: {'long ' * 40}\n", "cut it off", id="a long one"),
        pytest.param("preheader", f"title: T\npreheader: {'間' * 30}\n", "", id="thirty wide characters"),
        pytest.param("lock-screen", "title: Living with depression\n", "“depression”", id="an illness in the subject"),
        pytest.param("lock-screen", "title: T\npreheader: On trauma.\n", "preheader shows “trauma”", id="in the preheader"),
        pytest.param("lock-screen", "title: On PTSD\n", "“PTSD”", id="in capitals"),
        pytest.param("lock-screen", "title: A kinder no\npreheader: On bees and their hives.\n", "", id="a part of a word"),
        pytest.param("fake-reply", 'title: "RE: your question"\n', "“RE:”", id="an answer that is none"),
        pytest.param("fake-reply", "title: Restoring calm\n", "", id="a word that begins alike"),
        pytest.param("shouting", "title: READ THIS NOW\n", "in capitals", id="a subject in capitals"),
        pytest.param("shouting", "title: On ADHD\n", "", id="an acronym in a subject"),
        pytest.param("exclaiming", "title: Come! And see!\n", "several", id="two exclamation marks"),
        pytest.param("exclaiming", "title: Come and see!\n", "", id="one exclamation mark"),
        pytest.param("exclaiming", 'title: "¡Vengan!"\n', "", id="one in Spanish, which takes two"),
        pytest.param("selling", "title: Act now\n", "“Act now”", id="a salesman's words"),
        pytest.param("selling", "title: Feeling free to leave\n", "", id="free"),
        pytest.param("front-matter", "title: T\ntitel: x\n", "not a key", id="a key that is none"),
        pytest.param("allow", "title: T\nallow: image-al\n", "image-al is no check", id="a check that is none"),
        pytest.param("allow", "title: T\nallow: [image-alt, size]\n", "", id="checks that are"),
    ],
)  # fmt: skip
def test_a_rule_about_the_front_matter_names_the_line(rule: str, front: str, found: str, tmp_path: Path) -> None:
    findings = by(rule, proof(front=front, folder=tmp_path))
    if not found:
        assert findings == []
    else:
        assert findings and found in findings[0].problem, findings
        assert findings[0].line is not None and findings[0].line <= 3


def test_a_finding_quotes_the_line_as_it_is_typed(tmp_path: Path) -> None:
    body = f"{WORDS}\n\n{WORDS} And [the book](https://example.org/book) that I read *twice* in TK years.\n"
    (found,) = by("drafting-mark", proof(body, folder=tmp_path))
    assert found.line == 8 and found.quote == "…read *twice* in TK years."


def test_a_quotation_keeps_joined_characters_together_and_nothing_that_moves_a_cursor(tmp_path: Path) -> None:
    (found,) = by("exclaiming", proof(front='title: "A 👩\u200d👧 می\u200cروم\u202e!!"\n', folder=tmp_path))
    assert found.quote == "A 👩\u200d👧 می\u200cروم!!"


def test_what_an_owner_allows_is_not_said(tmp_path: Path) -> None:
    body = "We meet at TK, and {{ this }}."
    assert len(by("drafting-mark", proof(body, folder=tmp_path))) == 2
    assert check(proof(body, f"{FRONT}allow: drafting-mark\n", folder=tmp_path)) == []


@pytest.mark.parametrize(
    ("href", "said", "remedy"),
    [
        ("/p/the-frist-hour", "“the-frist-hour”, which is not there", "/p/the-first-hour?"),
        ("/p/unwritten", "which is a draft", "live"),
        ("/p/regretted?x=1", "which is retracted", "live"),
        ("/p/the-first-hour/", "", ""),
        ("/p/the-first-hour#part", "", ""),
        ("/about", "", ""),
    ],
)
def test_a_link_to_a_post_of_this_newsletter_leads_to_one(href: str, said: str, remedy: str, tmp_path: Path) -> None:
    posts = {"the-first-hour": PostStatus.LIVE, "unwritten": PostStatus.DRAFT, "regretted": PostStatus.RETRACTED}
    for whole in (href, IDENTITY.url + href):
        letter = proof(f"{WORDS} See [that letter]({whole}).", folder=tmp_path)
        findings = by("link-dead", letter, Context(posts))
        assert [said in f.problem and remedy in f.remedy and f.line == 6 for f in findings] == ([True] if said else [])
        assert by("link-dead", letter) == [], "when the other posts are not known nothing is said"


def test_the_words_for_a_locked_screen_are_the_owner_s(tmp_path: Path) -> None:
    letter = proof(front="title: My cat and other trauma\n", folder=tmp_path)
    assert [f.quote for f in by("lock-screen", letter, Context(lock_screen_words=("cat",)))] == [
        "My cat and other trauma"
    ]
    assert by("lock-screen", letter, Context(lock_screen_words=())) == []


def test_the_first_sentences_are_looked_at_when_there_is_no_preheader(tmp_path: Path) -> None:
    (found,) = by("lock-screen", proof("Depression lies. It says so.", "title: T\n", folder=tmp_path))
    assert found.problem.startswith("The first sentence, as preheader, shows “Depression”")


def test_an_error_holds_and_a_warning_only_when_strict(tmp_path: Path) -> None:
    letter = proof("TK and TODO: more", "title: T\n", folder=tmp_path)
    found = check(letter)
    assert reason_to_hold(letter.post, found, strict=False) == (
        "posts/004-on-endings.md, line 5: “TK” looks like a mark from drafting, and readers would see it. (1 more) "
        "Readers wait at #4 until it is mended; `newsletter check 4` shows what to do."
    )
    mild = check(proof(front="title: T\n", folder=tmp_path))
    assert [f.severity for f in mild] == [Severity.WARNING]
    assert reason_to_hold(letter.post, mild, strict=False) == ""
    assert "no preheader" in reason_to_hold(letter.post, mild, strict=True)


def test_errors_come_first_and_each_rule_has_words_for_the_manual(tmp_path: Path) -> None:
    order = [f.severity for f in check(proof("TK [here](http://example.org)", "title: T\n", folder=tmp_path))]
    assert order == sorted(order, key=list(Severity).index) and len(set(order)) > 1
    assert all(rule.__doc__ for rule in RULES.values())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("`" * 50_000 + "x", id="ticks"),
        pytest.param("` `` " * 20_000, id="ticks that don't match"),
        pytest.param("[insert " * 10_000, id="placeholders that never close"),
        pytest.param("{{ " * 20_000, id="merge fields that never close"),
        pytest.param("<a " * 20_000, id="tags that never close"),
        pytest.param("![" * 10_000, id="pictures that never close"),
        pytest.param("TK" * 20_000 + "TK ", id="marks without an end"),
        pytest.param("a.b." * 20_000, id="domains without an end"),
    ],
)
def test_a_rule_takes_time_in_step_with_the_length(body: str, tmp_path: Path) -> None:
    """The rules alone: what markdown-it and premailer make of such a post is their affair."""
    from dataclasses import replace

    letter = proof(folder=tmp_path)
    awkward = replace(letter, post=replace(letter.post, body=body, title=body[:5000], subject=body[:5000]))
    check(awkward)  # a rule that took the square of it would take minutes
