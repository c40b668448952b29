"""Templates: found, filled in a sandbox, and inlined.

A file of the project's ``templates/email`` replaces the one of the same name that comes with newsletter, so an owner
changes one part and keeps the rest.

Guarantees
    A template sees plain values only and can't reach Python behind them; what a post or a subscriber says is never
    template source. Nothing is fetched, whatever a template names.

Diagnostics
    `TemplateError` with template and line: bad syntax, an unknown variable (with the nearest right one), an
    attempt to leave the sandbox, styles that premailer can't read.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import cssutils  # type: ignore[import-untyped]
import jinja2
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from premailer import Premailer

from newsletter.errors import TemplateError
from newsletter.render.plaintext import underlined, width, wrap
from newsletter.starter import builtin_templates

_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
# cssutils fetches an @import on its own, behind premailer's back.
_FETCHES = re.compile(r"@import\b", re.IGNORECASE)
_STYLESHEET = re.compile(r"<link\b[^>]*\bstylesheet\b", re.IGNORECASE)

# It would write #ffffff as #fff, which Lotus Notes and some Outlooks don't read in attributes.
cssutils.ser.prefs.minimizeColorHash = False


class Filler:
    """Fills templates from the project's folder (None = there is none) and from the built-in one."""

    def __init__(self, folder: Path | None) -> None:
        self._folders = [path for path in (folder, builtin_templates()) if path is not None]
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(self._folders),
            autoescape=jinja2.select_autoescape(["html"]),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "wrapped": lambda text, columns=72: "\n".join(wrap(text, columns)),
            "underlined": underlined,
            "columns": width,
        }

    def fill(self, name: str, values: Mapping[str, Any]) -> str:
        """Template *name* with *values*; raises `TemplateError`."""
        self._environment.undefined = _strict(values)
        try:
            return self._environment.get_template(name).render(values)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(error.name or name, f"{error.message}; correct this line", line=error.lineno) from None
        except jinja2.TemplateNotFound as error:
            where, line = self._place(error, name)
            raise TemplateError(where, f"there is no template {error.name}; correct the name", line=line) from None
        except SecurityError as error:
            where, line = self._place(error, name)
            raise TemplateError(where, f"{error}; a template may only show values", line=line) from None
        except Exception as error:  # whatever an owner's expression raises is a fault of that template
            where, line = self._place(error, name)
            raise TemplateError(where, f"{error}", line=line) from error

    def _place(self, error: Exception, name: str) -> tuple[str, int | None]:
        """The innermost template line that *error* passed through; jinja2 puts template lines into tracebacks."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            for folder in self._folders:
                if Path(frame.filename).is_relative_to(folder):
                    return Path(frame.filename).relative_to(folder).as_posix(), frame.lineno
        return name, None


def _strict(values: Mapping[str, Any]) -> type[jinja2.StrictUndefined]:
    """An undefined variable that, when used, names the nearest right one."""

    class Unknown(jinja2.StrictUndefined):
        @property
        def _undefined_message(self) -> str:
            if self._undefined_hint:  # the sandbox's own words
                return self._undefined_hint
            holder = self._undefined_obj
            name = str(self._undefined_name)
            known = vars(holder) if isinstance(holder, TemplateModule) else values
            known = holder if isinstance(holder, Mapping) else known
            near = get_close_matches(name, list(map(str, known)), n=1)
            advice = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(sorted(map(str, known)))}"
            return f'there is no variable "{name}"; {advice}'

    return Unknown


def inline(html: str, name: str) -> str:
    """*html* with its styles on the elements (template *name* made it); raises `TemplateError`."""
    if any(_FETCHES.search(css) for css in _STYLE.findall(html)) or _STYLESHEET.search(html):
        raise TemplateError(
            name, "a style sheet kept elsewhere never reaches a reader; put its rules into the template"
        )
    try:
        return str(
            Premailer(
                html,
                keep_style_tags=False,
                strip_important=True,
                disable_validation=True,
                allow_network=False,
                allow_loading_external_files=False,
                cssutils_logging_level=logging.CRITICAL,
                align_floating_images=False,
                remove_classes=False,
                disable_basic_attributes=["width", "height"],
                disable_link_rewrites=True,
                method="html",
            ).transform(pretty_print=False)
        )
    except Exception as error:  # premailer and cssutils raise whatever comes on rules that they can't read
        raise TemplateError(name, f"its styles can't be put on the elements ({error}); use plainer rules") from error
