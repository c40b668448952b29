"""The preview's pure parts: what mail programs do to a letter, colours turned round, and the places of findings."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.checks import Finding, Severity
from newsletter.preview.inversion import turn_page, turned
from newsletter.preview.places import mark, places
from newsletter.preview.views import View, framed, letter

PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><title>Read me</title><meta name="color-scheme" content="light dark">
<style>@media (prefers-color-scheme: dark) { .card { color: #eeeeee !important } }
@media (prefers-color-scheme:light){p{margin:0}} h1 { color: #123456; background: url(paper.png) }</style></head>
<body style="background-color:#f5f1e8"><div style="display:none">Read me, said the preheader</div>
<table bgcolor="#ffffff" background="x.png"><tr><td style='font-family:"Times New Roman"; color:#2b2b2b'>
<h1>Read me</h1><p>It’s <a href="https://example.org/#fff">there &amp; here</a>, color: #123456.</p>
<img src="data:image/png;base64,AAAA" alt="A gate"></td></tr></table></body></html>"""


def found(quote: str) -> Finding:
    """Something found at *quote*."""
    return Finding("rule", Severity.WARNING, "A problem.", "A remedy.", quote=quote)


class TestViews:
    def test_every_letter_loads_nothing_and_opens_links_beside_it(self) -> None:
        for view in (view for view in View if view.is_letter):
            page = letter(PAGE, view)
            assert page.count("default-src 'none'") == 1 and '<base target="_blank">' in page
            assert page.startswith("<!DOCTYPE html>")

    def test_the_frame_alone_changes_nothing_else(self) -> None:
        assert re.sub(r'<meta http-equiv="Content-Security-Policy".*?<base[^>]*>', "", framed(PAGE)) == PAGE

    @pytest.mark.parametrize(("view", "dark", "light"), [(View.LIGHT, "max", "min"), (View.DARK, "min", "max")])
    def test_a_scheme_is_one_whatever_the_screen_says(self, view: View, dark: str, light: str) -> None:
        page = letter(PAGE, view)
        assert f"@media ({dark}-width:0) {{ .card" in page and f"@media ({light}-width:0){{p" in page
        assert "prefers-color-scheme" not in page and f"color-scheme:only {view}" in page
        assert 'content="light dark"' not in page

    def test_without_pictures_their_words_stay(self) -> None:
        page = letter(PAGE, View.NO_IMAGES)
        assert "data:image" not in page and 'alt="A gate"' in page and "x.png" not in page and "paper.png" not in page

    def test_without_a_style_sheet_the_elements_keep_theirs(self) -> None:
        page = letter(PAGE, View.NO_STYLES)
        assert ".card" not in page and "color:#2b2b2b" in page

    def test_turned_round_pictures_and_words_stay(self) -> None:
        page = letter(PAGE, View.INVERTED)
        assert "data:image/png;base64,AAAA" in page and ", color: #123456." in page and "/#fff" in page
        for colour in ("#2b2b2b", "#ffffff;", "#f5f1e8", 'bgcolor="#ffffff"'):
            assert colour not in page
        assert "url(paper.png)" in page, "what has a picture in it is left alone"
        assert "@media (max-width:0) { .card" in page, "whoever turns colours round does not heed the letter's own"


class TestColoursTurnedRound:
    def test_white_becomes_a_dark_surface_and_black_white(self) -> None:
        assert turned(255, 255, 255) == (31, 31, 31)
        assert turned(0, 0, 0) == (255, 255, 255)

    @given(st.integers(0, 255), st.integers(0, 255))
    def test_the_darker_of_two_greys_becomes_the_lighter(self, one: int, other: int) -> None:
        first, second = turned(one, one, one)[0], turned(other, other, other)[0]
        assert (one <= other) == (first >= second) or first == second

    @given(st.tuples(*[st.integers(0, 255)] * 3))
    def test_no_colour_falls_out_of_the_screen(self, colour: tuple[int, int, int]) -> None:
        assert all(0 <= channel <= 255 for channel in turned(*colour))

    def test_green_stays_green(self) -> None:
        red, green, blue = turned(0x2C, 0x5F, 0x53)
        assert green > red and green > blue

    @pytest.mark.parametrize(
        ("css", "result"),
        [
            pytest.param("color:#FFF", "color:#1f1f1f", id="three digits"),
            pytest.param("color:#ffffff80", "color:#1f1f1f80", id="with transparency"),
            pytest.param("color: white !important", "color: #1f1f1f !important", id="by name"),
            pytest.param("background-color:rgb(255, 255, 255)", "background-color:rgb(31 31 31)", id="by channels"),
            pytest.param("color:rgba(0,0,0,.5)", "color:rgba(255,255,255,.5)", id="by channels, half transparent"),
            pytest.param("border-top:1px solid #ffffff", "border-top:1px solid #1f1f1f", id="in a border"),
            pytest.param("color:transparent;font-family:White", "color:transparent;font-family:White", id="no colour"),
            pytest.param(
                "mso-color-alt:#ffffff;color-scheme:dark", "mso-color-alt:#ffffff;color-scheme:dark", id="other"
            ),
        ],
    )
    def test_however_a_colour_is_written(self, css: str, result: str) -> None:
        assert turn_page(f'<p style="{css}">white #fff</p>') == f'<p style="{result}">white #fff</p>'

    def test_old_attributes_too(self) -> None:
        assert turn_page('<td bgcolor="#ffffff"><font color=white>') == '<td bgcolor="#1f1f1f"><font color=#1f1f1f>'


class TestPlaces:
    @pytest.mark.parametrize(
        ("quote", "marked"),
        [
            pytest.param("It's there", "It’s |there", id="other quotation marks, and a tag between"),
            pytest.param("there & here", "there &amp; here", id="an entity"),
            pytest.param("here", "here", id="not within another word"),
            pytest.param("…It’s   there…", "It’s |there", id="a quote that is cut, with other spaces"),
            pytest.param(
                "- It's [there & here](https://x.org), **color**:",
                "It’s |there &amp; here|, color:",
                id="as it is written",
            ),
            pytest.param("Read me", "Read me", id="in the letter, not in its title or preheader"),
        ],
    )
    def test_words_are_found_as_they_are_read(self, quote: str, marked: str) -> None:
        page = mark(PAGE, [found(quote)])
        pieces = re.findall(r"<mark[^>]*>(.*?)</mark>", page)
        assert "|".join(pieces) == marked
        assert page.count('id="finding-1"') == 1
        assert re.sub(r"</?mark[^>]*>|<style>mark.*?</style>", "", page) == PAGE
        assert quote != "Read me" or "<h1><mark" in page

    @pytest.mark.parametrize("quote", ["", "nowhere", "![](images/a.jpg)", "display:none", "Times", "…"])
    def test_what_is_not_read_there_has_no_place(self, quote: str) -> None:
        assert mark(PAGE, [found(quote)]) == PAGE and places(PAGE, [found(quote)]) == {}

    def test_two_at_one_place_share_it_and_the_same_words_elsewhere_are_preferred(self) -> None:
        findings = [found("there & here"), found("here"), found("Read me")]
        assert places(PAGE, findings) == {0: "finding-1", 1: "finding-1", 2: "finding-3"}
        twice = PAGE.replace("</h1>", " here</h1>").replace("<h1>", "<h1>there &amp; ")
        assert places(twice, [found("there & Read me here"), found("here")]) == {0: "finding-1", 1: "finding-2"}

    def test_two_rules_about_one_word_mark_it_once(self) -> None:
        twice = PAGE.replace("</body>", "<p>Read me here</p></body>")
        one = replace(found("here"), line=7)
        assert places(twice, [one, replace(one, rule="other")]) == {0: "finding-1", 1: "finding-1"}
        assert places(twice, [one, replace(one, problem="Another.")]) == {0: "finding-1", 1: "finding-2"}
        assert places(twice, [one, replace(one, rule="other", line=8)]) == {0: "finding-1", 1: "finding-2"}
