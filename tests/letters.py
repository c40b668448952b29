"""A post, its owner and pictures for it, as small as tests want them."""

from __future__ import annotations

import re
import struct
import zlib
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image

from newsletter.compose import MessageTemplate, Personal, compile_template
from newsletter.config import Design, Identity
from newsletter.links import Links
from newsletter.mail import Address, Envelope, Mailbox, Message
from newsletter.posts import Post, PostStatus
from newsletter.render import Rendered, render

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
IDENTITY = Identity(
    name="Letters from the Practice",
    sender=Mailbox.parse("Maya Thorne <maya@letters.example.org>"),
    postal_address="12 Birch Lane, Portland, OR 97201",
    url="https://letters.example.org",
)


def a_post(body: str = "Words.\n", folder: Path = Path("posts"), **changes: object) -> Post:
    fields: dict[str, object] = {
        "id": "endings", "explicit_id": True, "number": 4, "path": folder / "004-endings.md", "title": "Endings",
        "subject": "Endings", "preheader": "", "publish_at": None, "status": PostStatus.LIVE, "tags": frozenset(),
        "language": "", "image": "", "image_alt": "", "late": False, "text": "", "body": body, "body_line": 5,
        "digest": "0" * 64,
    }  # fmt: skip
    return Post(**{**fields, **changes})  # type: ignore[arg-type]


def rendered(body: str, **changes: object) -> Rendered:
    return render(a_post(body, **changes), IDENTITY, Design())


def template(
    body: str = "Words, “quoted” \\ and a <tag>.\n", folder: Path = Path("posts"), **changes: object
) -> MessageTemplate:
    """A small post, composed."""
    return compile_template(render(a_post(body, folder, **changes), IDENTITY, Design()), IDENTITY, post_id="endings")


def printed(form: MessageTemplate, name: str = "Ana Garcia", n: int = 1) -> Message:
    """A reader's message of *form*."""
    recipient = Mailbox(name, Address.parse(f"reader{n}@example.org"))
    links = Links(bytes(32), IDENTITY.url, IDENTITY.list_id).unsubscribe(IDENTITY.unsubscribe_address, n.to_bytes(16))
    ident = f"{n:040x}@letters.example.org"
    values = form.values(Personal(recipient, AT, ident, *links))
    pieces = form.pieces(values)
    return Message(
        n, ident, Envelope(IDENTITY.sender.address, recipient.address), b"".join(pieces), pieces, form, values
    )


def letter(result: Rendered) -> str:
    """The part of the HTML that the post itself became, without styles."""
    inner = result.html.partition('<div class="letter">')[2].partition("</div>\n<table role")[0]
    return re.sub(r""" (style=("[^"]*"|'[^']*')|class="[^"]*"|align="\w+"|bgcolor="[^"]*")""", "", inner)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    middle = b"".join(chunk(*one) for one in chunks)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes((width + 1) * height)))
    return b"\x89PNG\r\n\x1a\n" + head + middle + pixels + chunk(b"IEND", b"")


def jpeg(size: tuple[int, int], *, orientation: int = 1, progressive: bool = False) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    out = BytesIO()
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    picture.save(out, "JPEG", exif=exif, comment=b"SECRETCOMMENT", progressive=progressive)
    return out.getvalue() + b"SECRETTRAILER"
