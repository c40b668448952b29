"""Letters as a browser lays them out: on small screens, without images, without the style block, light, dark, inverted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from chromium import Page, needs_chromium, running
from letters import IDENTITY, a_post, png

from newsletter.config import Design, Palette
from newsletter.posts import Post, read_post
from newsletter.render import Rendered, render, styles

pytestmark = needs_chromium

SAMPLES = sorted((Path(__file__).parents[2] / "posts").glob("0*.md"))
EVERYTHING = """\
Words with a [link](https://example.org/a), *emphasis*, `code`, a note.[^1] And a very long word:
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft, and a long address:
https://example.org/a/very/long/address/that/goes/on/and/on/and/on/and/on/and/on/and/on/and/on.

> [!NOTE]
> A call-out with [a link](https://example.org/b) and `code` in it.
>
> [Book](https://example.org/book){.button}

[A button whose words are too long for the narrowest of all phones](https://example.org/book){.button}

- one
  - two
    - three
      - four
        - five
          - six

- [ ] to do
- [x] done

> > A quotation in a quotation.

![A picture](images/wide.png)

| Column | Another column | Unterbeamtengesellschaftsvorsitzender | Number |
|:--|:--|--:|--:|
| Words that go on for a while | short | Hauptbetriebswerkbauunterbeamtengesellschaft | 12 |

| a | b |
|---|---|
| c | d |

```
a line of code that is so long that it can't possibly fit on the screen of a phone, however one turns it
```

---

##### Deep

The end.

[^1]: The note, with https://example.org/c.
"""
DESIGN = Design(crisis_line="This is no crisis line: call 988.", footer=("Licence 12345, https://maya.example.org",))


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with running() as page:
        yield page


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Post]:
    folder = tmp_path_factory.mktemp("project") / "posts"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "wide.png").write_bytes(png(1200, 400))
    everything = a_post(EVERYTHING, folder=folder)
    return {
        **{path.stem: read_post(path, zone=ZoneInfo("UTC"), at=time(9)) for path in SAMPLES},
        "everything": everything,
        "right to left": replace(everything, language="ar", title="كل شيء في رسالة واحدة"),
    }


NAMES = [*(path.stem for path in SAMPLES), "everything", "right to left"]


def opened(page: Page, html: str, folder: Path, **how: object) -> None:
    path = folder / "letter.html"
    path.write_text(html)
    page.open(path, **how)  # type: ignore[arg-type]


def rendered(post: Post) -> Rendered:
    return render(post, IDENTITY, DESIGN)


@pytest.mark.parametrize("style", ["style kept", "style stripped"])
@pytest.mark.parametrize("width", [320, 375, 600])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_scrolls_sideways(
    name: str, width: int, style: str, tab: Page, posts: dict[str, Post], tmp_path: Path
) -> None:
    """Images never load here: their cid: addresses lead nowhere, which is what a phone that blocks them shows."""
    html = rendered(posts[name]).html
    html = html if style == "style kept" else re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    opened(tab, html, tmp_path, width=width)
    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert (
        tab.ask(
            f"[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > {width}).length"
        )
        == 0
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 800])
@pytest.mark.parametrize("name", NAMES)
def test_a_style_on_the_element_looks_as_it_did_in_the_block(
    name: str,
    width: int,
    scheme: str,
    tab: Page,
    posts: dict[str, Post],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every computed style of every element, before premailer and after it."""
    opened(tab, rendered(posts[name]).html, tmp_path, width=width, scheme=scheme)
    after = tab.ask(_STYLES)
    monkeypatch.setattr(styles, "inline", lambda html: html)
    opened(tab, rendered(posts[name]).html, tmp_path, width=width, scheme=scheme)
    before = tab.ask(_STYLES)
    assert len(after) == len(before) > 20
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b][:3] == []


_STYLES = """
[...document.querySelectorAll('body, body *')].map(e => {
  const style = getComputedStyle(e);
  return e.tagName + ' ' + (e.children.length ? '' : e.textContent.trim()) + ' '
    + [...style].filter(name => !name.startsWith('-webkit')).map(name => name + ':' + style.getPropertyValue(name)).join(';');
})
"""


@pytest.mark.parametrize("scheme", ["light", "dark", "inverted"])
@pytest.mark.parametrize("name", ["everything", "right to left"])
def test_every_word_can_be_read(name: str, scheme: str, tab: Page, posts: dict[str, Post], tmp_path: Path) -> None:
    """A contrast of 4.5 (WCAG 2.2, 1.4.3), in the letter 16 px or more (a note's number, code: less), in the foot 14."""
    opened(tab, rendered(posts[name]).html, tmp_path, scheme="dark" if scheme == "dark" else "light")
    assert tab.ask(_FAINT.replace("INVERT", str(scheme == "inverted").lower())) == []


def test_a_faint_word_is_noticed(tab: Page, posts: dict[str, Post], tmp_path: Path) -> None:
    html = render(posts["everything"], IDENTITY, Design(light=Palette(muted="#cccccc"))).html
    opened(tab, html, tmp_path)
    assert len(tab.ask(_FAINT.replace("INVERT", "false"))) > 2


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


@pytest.mark.parametrize("name", ["everything", "right to left"])
def test_what_is_to_be_tapped_is_as_big_as_a_thumb(
    name: str, tab: Page, posts: dict[str, Post], tmp_path: Path
) -> None:
    opened(tab, rendered(posts[name]).html, tmp_path, width=320)
    sizes = tab.ask("[...document.querySelectorAll('.button, .leave')].map(e => e.getBoundingClientRect().toJSON())")
    assert len(sizes) == 3
    assert all(size["height"] >= 44 and size["width"] >= 44 for size in sizes)
