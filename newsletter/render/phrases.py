"""What the public pages and the letters around subscribing say, by language: files of `templates/web/words`.

A project's own file of the same name is laid over the one that comes with newsletter, and that over English: a file
needs only the lines that are to be otherwise. A language that has no file speaks English.

Diagnostics
    `TemplateError` with the file's name, for one that is no TOML or has something else than texts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from newsletter.errors import TemplateError
from newsletter.starter import builtin_pages

Phrases = Mapping[str, Mapping[str, str]]  #: section ("leave", "notice.confirm") → name → text

_ENGLISH = "en"


def phrases(language: str, folder: Path | None) -> Phrases:
    """The phrases of a BCP 47 *language*, by its first part; *folder* is the project's templates/web."""
    merged: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys((_ENGLISH, language.lower().partition("-")[0])):
        for home in filter(None, (builtin_pages(), folder)):
            for section, texts in _read(home / "words" / f"{name}.toml").items():
                merged.setdefault(section, {}).update(texts)
    return MappingProxyType({section: MappingProxyType(texts) for section, texts in merged.items()})


def languages(folder: Path | None) -> dict[str, str]:
    """The languages there are files for: tag → the language's name for itself."""
    homes = filter(None, (builtin_pages(), folder))
    found = sorted({path.stem for home in homes for path in (home / "words").glob("*.toml")})
    return {tag: _read_first(tag, folder) for tag in found}


def _read_first(tag: str, folder: Path | None) -> str:
    return phrases(tag, folder)["page"].get("language", tag)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateError(f"words/{path.name}", f'{error}; write each line as name = "text"') from None
    return dict(_flat(tables, "", path.name))


def _flat(tables: Mapping[str, Any], prefix: str, file: str) -> Any:
    for name, value in tables.items():
        if not isinstance(value, dict):
            raise TemplateError(f"words/{file}", f'"{name}" stands outside of a [section]; put it below one')
        if inner := {key: text for key, text in value.items() if isinstance(text, dict)}:
            yield from _flat(inner, f"{prefix}{name}.", file)
        texts = {key: text for key, text in value.items() if not isinstance(text, dict)}
        if bad := next((key for key, text in texts.items() if not isinstance(text, str)), None):
            raise TemplateError(f"words/{file}", f"{bad} in [{prefix}{name}] must be text, in double quotes")
        if texts:
            yield f"{prefix}{name}", texts
