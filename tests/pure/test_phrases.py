"""What the public pages say: every language says all of it, an owner's file is laid over, a mistake is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.render.phrases import languages, phrases
from newsletter.render.words import LANGUAGES as SPOKEN
from newsletter.starter import builtin_pages

LANGUAGES = sorted(path.stem for path in (builtin_pages() / "words").glob("*.toml"))
ENGLISH = phrases("en", None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_all_and_fills_in_the_same(language: str) -> None:
    import tomllib

    told = tomllib.loads((builtin_pages() / "words" / f"{language}.toml").read_text())
    told |= {f"notice.{name}": texts for name, texts in told.pop("notice").items()}
    assert {section: set(texts) for section, texts in told.items()} == {s: set(t) for s, t in ENGLISH.items()}
    for section, texts in ENGLISH.items():
        for name, text in texts.items():
            theirs = told[section][name]
            assert set(re.findall(r"\{\w+\}", theirs)) <= set(re.findall(r"\{\w+\}", text)), (section, name)
            assert theirs.count("|") == text.count("|") and theirs.count("\n\n") == text.count("\n\n"), (section, name)


def test_the_pages_speak_every_language_that_letters_speak() -> None:
    assert sorted(SPOKEN) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_a_calendar_and_fits_a_subject(language: str) -> None:
    told = phrases(language, None)
    assert len(set(told["page"]["months"].split("|"))) == 12 and len(told["left"]["reasons"].split("|")) == 4
    subjects = [texts["subject"] for section, texts in told.items() if section.startswith("notice.")]
    assert len(set(subjects)) == len(subjects) and all(len(subject) < 60 for subject in subjects)


def test_every_phrase_is_used_somewhere() -> None:
    templates = "".join(path.read_text() for path in builtin_pages().glob("*.html"))
    code = "".join(path.read_text() for path in Path("newsletter").rglob("*.py")) if Path("newsletter").is_dir() else ""
    code = code or "".join(p.read_text() for p in (Path(__file__).parents[2] / "newsletter").rglob("*.py"))
    unused = [
        f"{section}.{name}"
        for section, texts in ENGLISH.items()
        for name in texts
        if not section.startswith("notice.")
        and f"w.{section}.{name}" not in templates
        and f'"{name}"' not in templates + code
        and f'"{name.rstrip("0123456789")}" ~' not in templates
        and not name.endswith(("_about", "_text"))
    ]
    assert unused == []


def test_an_owners_file_is_laid_over_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words/en.toml").write_text('[subscribe]\nlead = "Mine."\n')
    (tmp_path / "words/sv.toml").write_text('[page]\nlanguage = "Svenska"\n[subscribe]\nbutton = "Prenumerera"\n')
    assert phrases("en-GB", tmp_path)["subscribe"]["lead"] == "Mine."
    swedish = phrases("sv", tmp_path)["subscribe"]
    assert (swedish["button"], swedish["lead"]) == ("Prenumerera", "Mine.")
    assert swedish["label"] == ENGLISH["subscribe"]["label"]
    assert languages(tmp_path)["sv"] == "Svenska"


def test_a_language_without_a_file_speaks_english() -> None:
    assert phrases("xx", None) == ENGLISH


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("[subscribe]\nlead = Mine\n", 'name = "text"', id="no quotes"),
        pytest.param("[subscribe]\nlead = 3\n", "must be text", id="a number"),
        pytest.param('lead = "x"\n', "outside of a [section]", id="no section"),
    ],
)
def test_a_mistake_is_told_with_the_file(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words/en.toml").write_text(text)
    with pytest.raises(TemplateError, match=re.escape(complaint)) as told:
        phrases("en", tmp_path)
    assert "words/en.toml" in str(told.value)
