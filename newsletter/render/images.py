"""Images of a post: found, checked, measured, and freed of what the camera wrote into them.

Guarantees
    What leaves carries no EXIF, GPS, IPTC, XMP, comment or thumbnail, and nothing hidden behind the end of the
    picture. Only the orientation of a JPEG stays, as a turned photograph would otherwise lie on its side.
    Nothing outside the project folder is read, whatever the post says.

Sources: ITU-T T.81 annex B (JPEG markers), W3C PNG section 11 (chunks), GIF89a section 18.
Pillow would do more and weighs 20 MB; width, height and a walk over the segments is all that mail needs.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

LARGEST = 5 * 1024 * 1024  #: octets of one image file
COLUMN = 552  #: px, the width of the text column: nothing is shown wider

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT pHYs bKGD acTL fcTL fdAT".split())
# A marker inside entropy-coded data: neither a stuffed zero, a restart, nor fill.
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC
_SOS, _EOI, _APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_SIDEWAYS = 5  # EXIF orientations from here on swap width and height


class ImageError(ValueError):
    """Why an image can't be taken, as the end of a sentence that begins with its name."""


@dataclass(frozen=True, slots=True)
class InlineImage:
    """An image that travels with the message and is shown by its Content-ID (RFC 2392)."""

    cid: str  #: without angle brackets
    filename: str
    subtype: str  #: of image/: png, jpeg, gif
    data: bytes = field(repr=False)
    width: int  #: px, as shown
    height: int


def load(source: str, *, post: Path, domain: str) -> InlineImage:
    """The image that *post* (the path of its file) calls *source*; raises `ImageError`."""
    if re.match(r"[a-z][a-z0-9+.-]*:|//", source, re.IGNORECASE):
        raise ImageError(
            "is not in this project, so opening the mail would tell another site who read it and when; "
            "save the picture in posts/images and write ![what it shows](images/NAME.jpg)"
        )
    data = _read(source, post)
    subtype, width, height, clean = _examine(data)
    # A file named for double density is shown at half its size; any other as it is, up to the column.
    shown = min(COLUMN, width // 2 if Path(source).stem.endswith("@2x") else width) or 1
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).name)
    return InlineImage(
        cid=f"{hashlib.sha256(clean).hexdigest()[:24]}@{domain}",
        filename=name,
        subtype=subtype,
        data=clean,
        width=shown,
        height=max(1, round(height * shown / width)),
    )


def _read(source: str, post: Path) -> bytes:
    """The file's octets, from inside the project folder only."""
    project = post.resolve().parent.parent
    path = (post.parent / source).resolve()
    if not path.is_relative_to(project):
        raise ImageError("lies outside the project folder; copy the picture into posts/images")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ImageError(f"has {size / 1_048_576:.1f} MB; 5 MB is the most, and 200 kB is plenty: save it smaller")
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"is not there; put the file at {post.parent / source} or correct its name") from None
    except OSError as error:
        raise ImageError(f"can't be read ({error.strerror}); check the file at {post.parent / source}") from None


def _examine(data: bytes) -> tuple[str, int, int, bytes]:
    """Subtype, width and height in pixels, and the octets without metadata."""
    try:
        if data.startswith(_PNG):
            width, height = struct.unpack_from(">II", data, 16)
            found = "png", width, height, _clean_png(data)
        elif data.startswith(b"\xff\xd8\xff"):
            found = "jpeg", *_clean_jpeg(data)
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            found = "gif", *struct.unpack_from("<HH", data, 6), data
        else:
            raise ImageError(
                "is no PNG, JPEG or GIF, the three kinds that every mail program shows; "
                "open it in an image program and export it as JPEG or PNG"
            )
    except (struct.error, IndexError):
        raise ImageError(_DAMAGED) from None
    if not found[1] or not found[2]:
        raise ImageError(_DAMAGED)
    return found


_DAMAGED = "is damaged or cut off; export it again"


def _clean_png(data: bytes) -> bytes:
    kept, at, kind = [_PNG], len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ImageError(_DAMAGED)
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _clean_jpeg(data: bytes) -> tuple[int, int, bytes]:
    """Width and height as shown, and the octets up to the end of the first picture."""
    kept, at, size, turn = [b"\xff\xd8"], 2, None, 1
    while True:
        found = _JPEG_MARKER.match(data, at)
        if not found:
            raise ImageError(_DAMAGED)
        marker, at = found[1][0], found.end()
        if marker == _EOI:
            break
        end = at + struct.unpack_from(">H", data, at)[0]
        if end > len(data):
            raise ImageError(_DAMAGED)
        body = data[at:end]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", body, 3)
            size = width, height
        if marker == _APP1 and body[2:8] == b"Exif\0\0":
            turn = _orientation(body[8:])
        if marker == _SOS:  # the coded picture follows, up to the next real marker
            following = _JPEG_MARKER.search(data, end)
            if not following:
                raise ImageError(_DAMAGED)
            end = following.start()
            body = data[at:end]
        if _wanted(marker, body):
            kept.append(bytes((0xFF, marker)) + body)
        at = end
    if not size:
        raise ImageError(_DAMAGED)
    if turn != 1:
        kept.insert(1, _only_orientation(turn))
    kept.append(b"\xff\xd9")
    width, height = size if turn < _SIDEWAYS else size[::-1]
    return width, height, b"".join(kept)


def _wanted(marker: int, body: bytes) -> bool:
    """Whether a segment belongs to the picture: no comment, of the APPn only JFIF, ICC profile and Adobe."""
    if marker == _APP2:
        return body[2:14] == b"ICC_PROFILE\0"
    if marker == _APP0:
        return body[2:7] == b"JFIF\0"  # JFXX may hold a thumbnail
    return marker == _APP14 or not (_APP0 <= marker <= _APP15 or marker == _COM)


def _orientation(tiff: bytes) -> int:
    """The Orientation tag (0x0112) of the first directory, 1 when absent or odd."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if not order:
        return 1
    try:
        start = struct.unpack_from(order + "I", tiff, 4)[0]
        for entry in range(struct.unpack_from(order + "H", tiff, start)[0]):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _only_orientation(turn: int) -> bytes:
    """An APP1 segment that holds nothing but the orientation."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, turn, 0, 0)
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
