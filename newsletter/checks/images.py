"""Rules about pictures: their words, their weight, and how they are set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from newsletter.checks.finding import Finding, Part, clipped, error, note, warning
from newsletter.checks.reading import Reading
from newsletter.render.images import filename

HEAVY = 500_000  #: octets of one picture that a telephone takes long to load
ALL_HEAVY = 2_000_000  #: octets of all of them together
REFUSED = 10_000_000  #: octets of a message; many servers take no more (Postfix's own limit is 10,240,000)
WIDEST = 600  #: px
_ALT_MOST = 150  # characters; longer ones are read to the end without a stop
_WORDLESS = re.compile(r"!\[\s*\]\(")
_FILE_NAME = re.compile(
    r"\S+\.(?:jpe?g|png|gif|webp|heic|tiff?|bmp)"
    r"|(?:img|dsc|dscn|dscf|pxl|image|picture|photo|screen ?shot|untitled|bild)[\s\d_.@-]*",
    re.IGNORECASE,
)


def alt(reading: Reading) -> Iterator[Finding]:
    """Every picture is also there in words: for who can't see it, and for the many who have pictures turned off."""
    remedy = "Write what it shows between the square brackets: ![a gate at dawn](images/gate.jpg)."
    for line, text in reading.prose:
        for _ in _WORDLESS.finditer(text):
            yield warning("image-alt", "A picture has no words.", remedy, line=line, quote=reading.excerpt(line, "!["))
    if reading.post.image and not reading.post.image_alt:
        yield warning(
            "image-alt",
            f"The picture {clipped(reading.post.image, 40)} at the top has no words.",
            "Add a line to the front matter: image_alt: what the picture shows.",
            line=reading.key_line("image"),
        )
    for image in reading.images:
        words = image.attributes.get("alt", "").strip()
        if "alt" not in image.attributes:
            yield warning(
                "image-alt",
                f"A picture of the template ({clipped(image.attributes.get('src', ''), 40)}) has no alt.",
                'Give it alt="what it shows", or alt="" if it only decorates.',
                Part.TEMPLATE,
            )
        elif _FILE_NAME.fullmatch(words):
            yield warning(
                "image-alt",
                f"“{clipped(words, 40)}” is the name of a file, not what the picture shows.",
                remedy,
                line=reading.line_of(words),
                quote=words,
            )
        elif len(words) > _ALT_MOST:
            yield note(
                "image-alt",
                f"The words for a picture are {len(words)} characters long, and are read out without a stop.",
                f"Keep them below {_ALT_MOST}, and say the rest in the letter.",
                line=reading.line_of(words),
                quote=words,
            )


def weight(reading: Reading) -> Iterator[Finding]:
    """Pictures travel with each letter, to every reader: heavy ones make it slow to open, and too heavy ones are
    refused."""
    total = len(reading.proof.message)
    if total > REFUSED:
        yield error(
            "image-size",
            f"The whole message has {total / 1e6:.1f} MB; many mail servers refuse more than 10.",
            "Save the pictures smaller, or take some out.",
        )
        return
    for image in reading.proof.rendered.images:
        if len(image.data) > HEAVY:
            yield warning(
                "image-size",
                f"The picture {image.filename} has {len(image.data) / 1e6:.1f} MB.",
                "Save it smaller: 1,200 pixels wide as JPEG is plenty, about 200 kB.",
                line=_line(reading, image.filename),
                quote=image.filename,
            )
    attached = sum(len(image.data) for image in reading.proof.rendered.images)
    if attached > ALL_HEAVY:
        yield warning(
            "image-size",
            f"The pictures have {attached / 1e6:.1f} MB together.",
            "Save them smaller, or show fewer: below 2 MB a letter opens at once.",
        )


def _line(reading: Reading, name: str) -> int | None:
    """The line of the post that shows the file which travels as *name*."""
    body = enumerate(reading.post.body.split("\n"), reading.post.body_line)
    return next((n for n, text in body if name in filename(unquote(text))), None) or reading.key_line("image")


def setting(reading: Reading) -> Iterator[Finding]:
    """A picture has its width and height in whole numbers, so that nothing jumps, and fits a letter's width."""
    for image in reading.images:
        width, height = (image.attributes.get(name, "") for name in ("width", "height"))
        source = clipped(image.attributes.get("src", ""), 40)
        if not (width.isdecimal() and height.isdecimal()):
            problem = f"A picture ({source}) has no width and height in whole numbers, so Outlook shows it at any size."
            remedy = 'Write width="…" and height="…" in pixels.'
        elif int(width) > WIDEST:
            problem = f"A picture ({source}) is {width} pixels wide, more than a letter has."
            remedy = f"Set it to {WIDEST} or less."
        else:
            continue
        yield warning("image-setting", problem, remedy, Part.TEMPLATE)


def source(reading: Reading) -> Iterator[Finding]:
    """A picture comes with the letter or from this newsletter's own site: any other tells a stranger who opened it."""
    own = reading.proof.identity.url
    for image in reading.images:
        address = image.attributes.get("src", "")
        if address.startswith("cid:") or (own and address.startswith(f"{own}/")):
            continue
        shown, place = clipped(address, 40), reading.template_line(address) if address else ""
        if address.startswith("https://"):
            yield warning(
                "image-source",
                f"{place}The picture {shown} is fetched from another site, which learns who reads the letter and when.",
                "Keep the picture in the project, or on your own site.",
                Part.TEMPLATE,
            )
        else:
            yield error(
                "image-source",
                f"{place}The picture “{shown}” can't be found from a reader's mailbox.",
                "Give its whole address, beginning with https://.",
                Part.TEMPLATE,
            )


RULES = {"image-alt": alt, "image-size": weight, "image-setting": setting, "image-source": source}
