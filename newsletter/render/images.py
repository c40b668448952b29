"""Images of a post: found, checked, measured, and freed of what the camera wrote into them.

Guarantees
    What leaves carries no EXIF, GPS, IPTC, XMP, comment or thumbnail, and nothing hidden behind the end of the
    picture. Only the orientation of a JPEG stays, as a turned photograph would otherwise lie on its side.
    Nothing outside the project folder is read, whatever the post says and wherever a link in the folder leads.
    Pixels are never unpacked: a picture of terabytes in a file of kilobytes costs nothing, and is refused.

Sources: ITU-T T.81 annex B (JPEG markers), W3C PNG section 11 (chunks), GIF89a section 18.
Pillow would do more and weighs 20 MB; width, height and a walk over the segments is all that mail needs.
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

LARGEST = 5 * 1024 * 1024  #: octets of one image file
MOST_PIXELS = 40_000_000  #: unpacked 160 MB, about what a phone gives a mail program
COLUMN = 552  #: px, the width of the text column: nothing is shown wider
_PICTURE = (COLUMN, 100_000)  # px, the widest and tallest that it is shown
_LOGO = (220, 64)

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
    """An image of a letter: it travels with the message and is shown by its Content-ID (RFC 2392), or has a *url*."""

    cid: str  #: without angle brackets
    filename: str
    subtype: str  #: of image/: png, jpeg, gif
    data: bytes = field(repr=False)
    width: int  #: px, as shown
    height: int
    url: str = ""  #: where a website shows it; "" = it travels

    @property
    def src(self) -> str:
        """What stands in the HTML."""
        return self.url or f"cid:{self.cid}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a newsletter's images are shown from."""

    domain: str  #: of Content-IDs
    site: str = ""  #: https://… when a website shows them, "" when they travel


def load(source: str, *, post: Path, place: Place) -> InlineImage:
    """The image that *post* (the path of its file) calls *source*; raises `ImageError`."""
    if "\0" in source:
        raise ImageError("has a zero byte in its name; correct it")
    if re.match(r"[a-z][a-z0-9+.-]*:|//", source, re.IGNORECASE):
        raise ImageError(
            "is not in this project, so opening the mail would tell another site who read it and when; "
            "save the picture in posts/images and write ![what it shows](images/NAME.jpg)"
        )
    path = post.parent / source
    return _image(path, _read(path, post.resolve().parent.parent), place, _PICTURE)


def load_logo(path: Path, *, project: Path, place: Place) -> InlineImage:
    """The image above every letter; raises `ImageError`."""
    return _image(path, _read(path, project), place, _LOGO)


def _image(path: Path, data: bytes, place: Place, box: tuple[int, int]) -> InlineImage:
    subtype, width, height, clean = _examine(data)
    # Twice as many pixels as points: sharp on a good screen. A file says so by its name, or by being that wide.
    natural = width // 2 if path.stem.endswith("@2x") else width
    shown = min(box[0], natural, box[1] * width // height) or 1
    name = filename(path.name)
    digest = hashlib.sha256(clean).hexdigest()[:24]
    return InlineImage(
        cid=f"{digest}@{place.domain}",
        filename=name,
        subtype=subtype,
        data=clean,
        width=shown,
        height=max(1, round(height * shown / width)),
        url=f"{place.site}/m/{digest}/{name}" if place.site else "",
    )


def filename(name: str) -> str:
    """*name* as it goes into a header field and an address: without what either would need signs around."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _read(path: Path, project: Path) -> bytes:
    """The file's octets, from inside the folder *project* only."""
    try:
        found = path.resolve()
        if not found.is_relative_to(project.resolve()):
            raise ImageError("lies outside the project folder; copy the picture into posts/images")
        about = found.stat()
        if not stat.S_ISREG(about.st_mode):  # reading a pipe would never end
            raise ImageError(f"is no picture but a folder or the like; check the file at {path}")
        if about.st_size > LARGEST:
            size = about.st_size / 1_048_576
            raise ImageError(f"has {size:.1f} MB; 5 MB is the most, and 200 kB is plenty: save it smaller")
        return found.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"is not there; put the file at {path} or correct its name") from None
    except OSError as error:
        raise ImageError(f"can't be read ({error.strerror}); check the file at {path}") from None
    except RuntimeError:  # before Python 3.13 pathlib says so of a link that leads to itself
        raise ImageError("is a link that leads back to itself; put the picture in its place") from None


def _examine(data: bytes) -> tuple[str, int, int, bytes]:
    """Subtype, width and height in pixels, and the octets without metadata."""
    try:
        if data.startswith(_PNG):
            width, height = struct.unpack_from(">II", data, 16)
            found = "png", width, height, _clean_png(data)
        elif data.startswith(b"\xff\xd8\xff"):
            found = "jpeg", *_clean_jpeg(data)
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            found = "gif", *struct.unpack_from("<HH", data, 6), _clean_gif(data)
        else:
            raise ImageError(
                "is no PNG, JPEG or GIF, the three kinds that every mail program shows; "
                "open it in an image program and export it as JPEG or PNG"
            )
    except (struct.error, IndexError):
        raise ImageError(_DAMAGED) from None
    _, width, height, _ = found
    if not width or not height:
        raise ImageError(_DAMAGED)
    if width * height > MOST_PIXELS:
        raise ImageError(
            f"has {width} by {height} pixels, more than a phone can show; save it {2 * COLUMN} pixels wide"
        )
    return found


_DAMAGED = "is damaged or cut off; export it again"


def _clean_png(data: bytes) -> bytes:
    kept, at, kind = [_PNG], len(_PNG), b""
    if data[12:16] != b"IHDR" or b"IDAT" not in data:
        raise ImageError(_DAMAGED)
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ImageError(_DAMAGED)
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _clean_gif(data: bytes) -> bytes:
    """Without comments and foreign applications' blocks (XMP); the loop count of an animation stays."""
    at = 13 + _colour_table(data[10])
    kept = [data[:at]]
    while data[at] != 0x3B:  # GIF89a section 27, the trailer
        start = at
        if data[at] == 0x21:  # an extension: its label, then sub-blocks
            wanted = data[at + 1] not in (0xFE, 0xFF) or data[at + 3 : at + 14] in (b"NETSCAPE2.0", b"ANIMEXTS1.0")
            at += 2
        elif data[at] == 0x2C:  # an image: descriptor, colour table, code size, then sub-blocks
            wanted = True
            at += 11 + _colour_table(data[at + 9])
        else:
            raise ImageError(_DAMAGED)
        while length := data[at]:
            at += 1 + length
        at += 1
        if wanted:
            kept.append(data[start:at])
    return b"".join([*kept, b";"])


def _colour_table(packed: int) -> int:
    """The octets of the colour table that a packed field announces."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


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
