"""Letters as a browser lays them out: on small screens, without images, without the style block, light, dark, inverted.

Criteria 13, 19, 20 and 23 of the list of 25, each on every letter, and each failing on one that was spoilt for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Page, needs_chromium, running
from emitted import NAMES, Letter, letter

from newsletter.proof import html_part

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with running() as page:
        yield page


def opened(page: Page, html: str, folder: Path, **how: object) -> None:
    path = folder / "letter.html"
    path.write_text(html)
    page.open(path, **how)  # type: ignore[arg-type]


def spoilt(letter: Letter, old: str, new: str) -> str:
    """Its HTML with *new* in the place of the first of *old*, a pattern."""
    html, count = re.subn(old, new, letter.html, count=1)
    assert count, old
    return html


EVERYTHING = letter("909-everything")


# 20: nothing scrolls sideways


def too_wide(page: Page, html: str, folder: Path, width: int) -> list[str]:
    """What stands out to the right of a screen *width* wide."""
    opened(page, html, folder, width=width)
    outside = f"[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > {width} + .5)"
    found: list[str] = page.ask(f"{outside}.map(e => e.outerHTML.slice(0, 80))")
    return found or ["the page"] * (page.ask("document.documentElement.scrollWidth") > width)


@pytest.mark.parametrize("style", ["style kept", "style stripped"])
@pytest.mark.parametrize("images", ["images on", "images blocked"])
@pytest.mark.parametrize("width", [320, 375, 600])
@pytest.mark.parametrize("name", NAMES)
def test_20_nothing_scrolls_sideways(name: str, width: int, images: str, style: str, tab: Page, tmp_path: Path) -> None:
    """Blocked, an image's cid: address leads nowhere."""
    made = letter(name)
    html = html_part(made.data) if images == "images on" else made.html
    html = html if style == "style kept" else re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    assert too_wide(tab, html, tmp_path, width) == []
    shown = tab.ask("[...document.images].map(i => i.naturalWidth > 0)")
    assert shown == [images == "images on"] * made.html.count("<img")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("word-break:break-word", "word-break:normal", id="words that don't break"),
        pytest.param("white-space:pre-wrap", "white-space:pre", id="code that doesn't wrap"),
        pytest.param("width:100%; max-width:552px", "max-width:100%", id="an image that goes by its own width"),
    ],
)
def test_20_a_letter_that_is_too_wide_is_noticed(old: str, new: str, tab: Page, tmp_path: Path) -> None:
    assert too_wide(tab, spoilt(EVERYTHING, old, new), tmp_path, 320) != []


# 19: a style on the element looks as it did in the block


def looks(page: Page, html: str, folder: Path, width: int, scheme: str) -> list[str]:
    """Every computed style of every element."""
    opened(page, html, folder, width=width, scheme=scheme)
    found: list[str] = page.ask(_STYLES)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 800])
@pytest.mark.parametrize("name", NAMES)
def test_19_it_looks_as_before_inlining(name: str, width: int, scheme: str, tab: Page, tmp_path: Path) -> None:
    made = letter(name)
    after = looks(tab, made.html, tmp_path, width, scheme)
    before = looks(tab, made.filled, tmp_path, width, scheme)
    assert len(after) == len(before) > 20
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b][:3] == []


@pytest.mark.parametrize(
    ("old", "new", "width", "scheme"),
    [
        pytest.param("font-size:18px", "font-size:19px", 800, "light", id="another size"),
        pytest.param(r"h1 { font-size: 28px !important", "h1 { font-size: 28px", 375, "light", id="a rule that loses"),
        pytest.param(r"(\.card \{ background-color: #\w+) !important", r"\1", 800, "dark", id="one on dark screens"),
        pytest.param("<h1", "<h2", 800, "light", id="another element"),
    ],
)
def test_19_a_letter_that_looks_otherwise_is_noticed(
    old: str, new: str, width: int, scheme: str, tab: Page, tmp_path: Path
) -> None:
    changed = looks(tab, spoilt(EVERYTHING, old, new), tmp_path, width, scheme)
    assert changed != looks(tab, EVERYTHING.filled, tmp_path, width, scheme)


_STYLES = """
[...document.querySelectorAll('body, body *')].map(e => {
  const style = getComputedStyle(e);
  return e.tagName + ' ' + (e.children.length ? '' : e.textContent.trim()) + ' '
    + [...style].filter(name => !name.startsWith('-webkit')).map(name => name + ':' + style.getPropertyValue(name)).join(';');
})
"""


# 13: every word can be read


def faint(page: Page, html: str, folder: Path, scheme: str) -> list[str]:
    """Words whose contrast is under 4.5 (WCAG 2.2, 1.4.3), or that are small: in the letter under 16 px (a note's
    number, code: less), in the foot under 14."""
    opened(page, html, folder, scheme="dark" if scheme == "dark" else "light")
    found: list[str] = page.ask(_FAINT.replace("INVERT", str(scheme == "inverted").lower()))
    return found


@pytest.mark.parametrize("scheme", ["light", "dark", "inverted"])
@pytest.mark.parametrize("name", NAMES)
def test_13_every_word_can_be_read(name: str, scheme: str, tab: Page, tmp_path: Path) -> None:
    assert faint(tab, letter(name).html, tmp_path, scheme) == []


@pytest.mark.parametrize(
    ("old", "new", "scheme"),
    [
        pytest.param("(<p style=[^>]*?)color:#2b2b2b", r"\1color:#999999", "light", id="pale ink"),
        pytest.param("color: #ebe6dc", "color: #554433", "dark", id="dark ink on a dark card"),
        pytest.param("(class=.button.*?[^-])color:#ffffff", r"\1color:#2b2b2b", "inverted", id="a button turned round"),
        pytest.param("font-size:14px", "font-size:11px", "light", id="small print"),
    ],
)
def test_13_a_letter_that_is_hard_to_read_is_noticed(
    old: str, new: str, scheme: str, tab: Page, tmp_path: Path
) -> None:
    assert faint(tab, spoilt(EVERYTHING, old, new), tmp_path, scheme) != []


_FAINT = """
(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const seen = c => INVERT ? c.slice(0, 3).map(v => 255 - v) : c;
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const found = numbers(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim(), e = walk.currentNode.parentElement, style = getComputedStyle(e);
    if (!text || !e.checkVisibility() || e.closest('.preheader') || e.tagName === 'STYLE' || e.closest('.stroke')) continue;
    const [a, b] = [light(seen(numbers(style.color))), light(seen(behind(e)))].sort((x, y) => y - x);
    const least = e.closest('.note-number') ? 13 : e.closest('code, pre') ? 15 : e.closest('.masthead, .footer') ? 14 : 16;
    if ((a + .05) / (b + .05) < 4.5 || parseFloat(style.fontSize) < least) faint.push([text.slice(0, 40), style.color, style.fontSize]);
  }
  return faint;
})()
"""


# 23: axe-core

# What it calls moderate is landmarks, which a page has and a letter must not: the mail program around it has them.
SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_23_axe_has_nothing_to_say(name: str, scheme: str, tab: Page, tmp_path: Path) -> None:
    opened(tab, html_part(letter(name).data), tmp_path, scheme=scheme)
    assert tab.violations(*SERIOUS) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        pytest.param(' alt="A picture"', "", "image-alt", id="an image without description"),
        pytest.param('<html lang="en"', "<html", "html-has-lang", id="no language"),
        pytest.param("<title>.*?</title>", "", "document-title", id="no title"),
        pytest.param("(<p style=[^>]*?)color:#2b2b2b", r"\1color:#bbbbbb", "color-contrast", id="pale ink"),
        pytest.param(">link</a>", "></a>", "link-name", id="a link without words"),
    ],
)
def test_23_axe_notices_a_spoilt_letter(old: str, new: str, rule: str, tab: Page, tmp_path: Path) -> None:
    opened(tab, spoilt(EVERYTHING, old, new), tmp_path)
    assert [found for found in tab.violations(*SERIOUS) if found.startswith(f"{rule}: ")]


# and thumbs


@pytest.mark.parametrize("name", ["909-everything", "912-everything-right-to-left"])
def test_what_is_to_be_tapped_is_as_big_as_a_thumb(name: str, tab: Page, tmp_path: Path) -> None:
    opened(tab, letter(name).html, tmp_path, width=320)
    sizes = tab.ask("[...document.querySelectorAll('.button, .leave')].map(e => e.getBoundingClientRect().toJSON())")
    assert len(sizes) == 3
    assert all(size["height"] >= 44 and size["width"] >= 44 for size in sizes)
