"""The preview: a post as one reader will get it, before anybody does.

    outlook   when a reader gets the post, or got it, or why not
    Sheet     everything there is to see of it, as a value
    View      the ways to look at it: light, dark, turned dark, without pictures, as text, …
    page      the page with one of them; `letter`, what stands in its frames
    write     all of them as files

Guarantees
    Changes no state: nothing is written but the files that `write` is asked for. What is shown is taken from the
    message's bytes, not from the post again. Nothing in a letter runs, and nothing is asked for over the network.

Diagnostics
    `PostError`, `TemplateError` as for sending; `NewsletterError` when a file would take the place of another's.
"""

from __future__ import annotations

from newsletter.preview.files import write
from newsletter.preview.outlook import Outlook, Turn, outlook
from newsletter.preview.page import Site, beside, page, page_of
from newsletter.preview.sheet import Sheet, Someone, neighbours
from newsletter.preview.views import View, framed, letter

__all__ = [
    "Outlook",
    "Sheet",
    "Site",
    "Someone",
    "Turn",
    "View",
    "beside",
    "framed",
    "letter",
    "neighbours",
    "outlook",
    "page",
    "page_of",
    "write",
]
