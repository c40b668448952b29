"""A post for the web: what it says there, what is nobody's there, and who is allowed to see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import IDENTITY, a_post

from newsletter.config import Archive, Design, Visible, load
from newsletter.errors import ConfigError, PostError
from newsletter.links import Links, Purpose
from newsletter.render import WebPost, render_web

LINKS = Links(bytes(32), "https://letters.example.org", "list.example.org")
OWNER = '[newsletter]\nname = "N"\nfrom = "maya@example.org"\npostal_address = "12 Birch Lane"\n'


def shown(body: str, **changes: object) -> WebPost:
    return render_web(a_post(body, **changes), IDENTITY, Design())


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("> Quoted\n", "<blockquote>\n<p>Quoted</p>\n</blockquote>\n"),
        ("> [!NOTE]\n> So.\n", '<div class="callout">\n<p class="callout-title">Note</p>\n<p>So.</p>\n</div>\n'),
        (
            "[Go](https://x.example){.button}\n",
            '<p class="buttons"><a href="https://x.example" class="button">Go</a></p>\n',
        ),
        ("### Deep\n", "<h2>Deep</h2>\n"),
        ("<b>x</b>\n", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("[about](/about)\n", '<p><a href="https://letters.example.org/about">about</a></p>\n'),
        ('"So"--he said...\n', "<p>“So”–he said…</p>\n"),
    ],
)
def test_a_browser_gets_plain_html(body: str, html: str) -> None:
    assert shown(body).content == html


def test_no_table_lays_out_and_no_style_stands_on_an_element() -> None:
    body = "> x\n\n| a | b |\n|:-:|--:|\n| 1 | 2 |\n\n- [ ] x\n\n[Go](https://x.example){.button}\n\n```\nx\n```\n\nx[^1]\n\n[^1]: y\n"
    html = shown(body).content
    assert "presentation" not in html and "style=" not in html and html.count("<table") == 1
    assert '<th scope="col" class="center">a</th>' in html and '<td class="right">2</td>' in html


def test_nothing_for_the_web_is_said() -> None:
    with pytest.raises(PostError, match="nothing in it for the web; write something outside of ::: email_only"):
        shown("::: email_only\nHello.\n:::\n")


@given(
    who=st.binary(min_size=16, max_size=16),
    purpose=st.sampled_from(list(Purpose)),
    around=st.sampled_from(
        ["{}", "<{}>", "[x]({})", "`{}`", "![x]({})", "({})", "**{}**", "{}/letter-1", "{}?x=1", "{}.", "a{}"]
    ),
    host=st.sampled_from(["https://letters.example.org", "http://old.example.net/list"]),
)
def test_no_link_of_a_readers_own_is_left(who: bytes, purpose: Purpose, around: str, host: str) -> None:
    token = LINKS.token(purpose, who)
    words = around.format(f"{host}/{purpose.value}/{token}")
    try:
        found = shown(f"Words {words} words.\n", title=words, preheader=words)
    except PostError:
        assert around.startswith("!")  # a picture elsewhere
        return
    assert token not in f"{found.content}{found.title}{found.summary}"


@pytest.mark.parametrize("text", ["https://example.org/a/short", "https://example.org/p/" + "x" * 44, "/u/" + "x" * 44])
def test_other_links_stay(text: str) -> None:
    assert text in shown(f"See `{text}`.\n").content


def test_a_readers_name_is_not_asked_for() -> None:
    found = shown("Words.\n")
    assert not re.search("@@|Hello", f"{found.content}{found.around}")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", Archive(Visible.ALL, noindex=False)),
        ('[archive]\nvisible = "Readers"\nnoindex = true\n', Archive(Visible.READERS, noindex=True)),
        ('[archive]\nvisible = "nobody"\n', Archive(Visible.NOBODY)),
    ],
)
def test_who_sees_them_is_set(tmp_path: Path, lines: str, expected: Archive) -> None:
    (tmp_path / "newsletter.toml").write_text(OWNER + lines)
    assert load(tmp_path, {}).archive == expected


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('visible = "reader"', 'line 6: .*did you mean "readers"'),
        ("visible = true", "line 6: .*visible"),
        ('noindex = "yes"', "line 6: .*write true or false, without quotes"),
        ("no_index = true", "line 6: .*noindex"),
    ],
)
def test_a_wrong_setting_is_said(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "newsletter.toml").write_text(f"{OWNER}[archive]\n{line}\n")
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, {})
