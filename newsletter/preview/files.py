"""The preview as files: pages that work from the disk, the message and its parts, and pictures of the letter.

    index.html  post.html  post.txt  post.eml  desktop.png  phone.png  dark.png  views/…

Guarantees
    A folder that holds a file of somebody else's under one of these names is left alone. The pages load each other
    and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import NewsletterError
from newsletter.preview.page import page
from newsletter.preview.sheet import Sheet
from newsletter.preview.views import View, framed, letter

_MARK = '<meta name="generator" content="newsletter">'
_ELSEWHERE = "choose another folder with --output"
_VIEWS = "views"
_FIRST = View.LIGHT  #: what index.html shows

#: name → view and width in pixels
SCREENSHOTS = {"desktop.png": (View.LIGHT, 680), "phone.png": (View.LIGHT, 375), "dark.png": (View.DARK, 680)}

Camera = Callable[[Path, Path, int], None]  #: photographs a page, into a file, so many pixels wide


@dataclass(frozen=True, slots=True)
class Disk:
    """The `Site` of pages that lie in a folder; *prefix* leads from one of them to the folder's top."""

    prefix: str
    live = False

    def page(self, view: View) -> str:
        return f"{self.prefix}{_page_name(view)}"

    def letter(self, view: View, digest: str) -> str:
        return f"{self.prefix}{_letter_name(view)}"

    def message(self) -> str:
        return f"{self.prefix}post.eml"

    def neighbour(self, number: int) -> str:
        return ""


def write(sheet: Sheet, folder: Path, *, camera: Camera | None = None) -> Path:
    """Write everything into *folder*; the path of its index.html. Without a *camera* there are no pictures.

    Raises `NewsletterError` when *folder* can't be written, or holds files of these names that are not ours.
    """
    contents = _contents(sheet)
    pictures = SCREENSHOTS if camera else {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(folder, [*contents, *pictures])
        (folder / _VIEWS).mkdir(exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        for name, (view, width) in pictures.items():
            assert camera is not None
            camera(folder / _letter_name(view), folder / name, width)
    except OSError as error:
        raise NewsletterError(f"{folder} can't be written ({error.strerror}); {_ELSEWHERE}.") from None
    return folder / "index.html"


def _contents(sheet: Sheet) -> dict[str, bytes]:
    proof = sheet.proof
    pages = {_page_name(v): page(sheet, v, Disk("" if v is _FIRST else "../")) for v in View}
    letters = {_letter_name(v): letter(proof.page, v, sheet.findings) for v in View if v.is_letter}
    return {
        **{name: text.encode() for name, text in (pages | letters).items()},
        "post.html": framed(proof.page).encode(),
        "post.txt": proof.text.encode(),
        "post.eml": proof.message,
    }


def _page_name(view: View) -> str:
    return "index.html" if view is _FIRST else f"{_VIEWS}/{view.value}.html"


def _letter_name(view: View) -> str:
    return f"{_VIEWS}/letter-{view.value}.html"


def _refuse_strangers(folder: Path, names: list[str]) -> None:
    there = [name for name in names if (folder / name).exists()]
    index = folder / "index.html"
    if there and not (index.is_file() and _MARK.encode() in index.read_bytes()[:2_000]):
        raise NewsletterError(f"{folder} holds {there[0]}, which no preview wrote; {_ELSEWHERE}.")
