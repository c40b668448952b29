"""The letters as files: pages, index, feeds and pictures, for any host, below any address, or from the disk.

    files    name → octets
    keep     make a folder hold them, and no longer what was written there before and is not among them

Guarantees
    Nothing outside of the folder is touched, nor anything in it that was not written here: a list of names and hashes
    says what was. A file appears whole or not at all; one that would be the same is left alone. Killed in the middle,
    the next call ends what was begun.

Diagnostics
    `NewsletterError` for a folder that is none, can't be written, or holds something else under one of the names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from newsletter.config import Identity
from newsletter.errors import NewsletterError
from newsletter.web.archive import feeds
from newsletter.web.archive.paper import Paper, Where
from newsletter.web.archive.shelf import Shelf

LIST = ".newsletter-archive.json"  #: what was written, by name, with its hashes
_INDEX = "index.html"
_OURS = re.compile(r"index\.html|atom\.xml|rss\.xml|p/[a-z0-9][a-z0-9._-]*/index\.html|m/[0-9a-f]+/[A-Za-z0-9._-]+")
_ELSEWHERE = "move it away, or choose another folder with --output"


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of it."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    left: tuple[str, ...]  #: to be removed, but somebody changed them since


def files(shelf: Shelf, paper: Paper, identity: Identity, *, site: str) -> dict[str, bytes]:
    """Everything, by its name; *site* is the address that the folder will have, "" when nobody knows: then no feeds."""
    letters = shelf.public()
    found = {_INDEX: paper.index(letters, _where(identity, site, "")).encode()}
    for letter in letters:
        found[f"p/{letter.post.id}/{_INDEX}"] = paper.letter(letter, letters, _where(identity, site, "../../")).encode()
        found |= {f"m/{image.url.partition('/m/')[2]}": image.data for image in letter.shown.media}
    if site:
        told = feeds.latest(letters)
        for kind, write in ((feeds.ATOM, feeds.atom), (feeds.RSS, feeds.rss)):
            found[feeds.FILES[kind]] = write(told, identity, site=site, home=f"{site}/", changed=shelf.changed)
    return found


def _where(identity: Identity, site: str, up: str) -> Where:
    told = {kind: f"{up}{name}" for kind, name in feeds.FILES.items()} if site else {}
    subscribe = f"{identity.url}/subscribe" if identity.url else ""
    return Where(
        f"{up}{_INDEX}",
        f"{up}p/{{}}/{_INDEX}",
        up.rstrip("/") or ".",
        told,
        subscribe,
        site,
        f"{site}/" if site else "",
    )


def keep(found: Mapping[str, bytes], folder: Path, *, spared: Collection[str] = ()) -> Kept:
    """Make *folder* hold *found*; what was written there before and is not in it is removed, but for pages *spared*."""
    if folder.exists() and not folder.is_dir():
        raise NewsletterError(f"{folder} is a file, and the pages need a folder; {_ELSEWHERE}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _keep(found, folder.resolve(), {f"p/{ident}/{_INDEX}" for ident in spared})
    except OSError as error:
        place = f" ({error.filename})" if error.filename and Path(error.filename) != folder else ""
        raise NewsletterError(
            f"{folder} can't be written{place}: {error.strerror}; mend that, or choose another folder with --output."
        ) from None


def _keep(found: Mapping[str, bytes], folder: Path, spared: set[str]) -> Kept:
    before = _listed(folder)
    stay = {name: hashes for name, hashes in before.items() if name in spared and name not in found}
    if stay:  # they may show any picture
        stay |= {name: hashes for name, hashes in before.items() if name.startswith("m/") and name not in found}
    for name, octets in found.items():
        _refuse_stranger(folder, name, octets, before)
    now = {name: [_hash(octets)] for name, octets in found.items()}
    # First both, so that whatever lies there after a kill is known as ours.
    _note(folder, {name: sorted({*before.get(name, []), *now.get(name, [])}) for name in {*before, *now}})
    written = tuple(name for name, octets in found.items() if _put(folder / name, octets))
    removed: list[str] = []
    left: list[str] = []
    for name in sorted(before.keys() - now.keys() - stay.keys()):
        if (gone := _remove(folder, name, before[name])) is not None:
            (removed if gone else left).append(name)
    _note(folder, now | stay)
    return Kept(written, tuple(removed), tuple(left))


def _listed(folder: Path) -> dict[str, list[str]]:
    path = folder / LIST
    if path.is_symlink():
        raise NewsletterError(f"{path} is a link to somewhere else; {_ELSEWHERE}.")
    try:
        told = json.loads(path.read_bytes())
        names = {str(name): [str(each) for each in hashes] for name, hashes in told.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError):
        raise NewsletterError(f"{path} is damaged: it says which pages may be replaced; {_ELSEWHERE}.") from None
    return {name: hashes for name, hashes in names.items() if _OURS.fullmatch(name)}


def _refuse_stranger(folder: Path, name: str, octets: bytes, before: Mapping[str, list[str]]) -> None:
    """Raise for what somebody else put where *name* is to go."""
    for above in _above(name):
        path = folder / above
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise NewsletterError(f"{path} is no folder of this archive; {_ELSEWHERE}.")
    path = folder / name
    if path.is_symlink() or path.is_dir():
        raise NewsletterError(f"{path} is {'a folder' if path.is_dir() else 'a link'}, not a page; {_ELSEWHERE}.")
    if path.exists() and (lies := path.read_bytes()) != octets and _hash(lies) not in before.get(name, []):
        known = "was changed since it was written" if name in before else "was not written by `newsletter archive`"
        raise NewsletterError(f"{path} {known}; {_ELSEWHERE}. Nothing was written.")


def _above(name: str) -> Iterator[str]:
    """The folders of *name*, the outermost first."""
    parts = name.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _put(path: Path, octets: bytes) -> bool:
    """Whether it was another one."""
    if path.exists() and path.read_bytes() == octets:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(octets)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return True


def _remove(folder: Path, name: str, hashes: list[str]) -> bool | None:
    """Whether *name* went; None when it was gone already, or lies behind a link and is nobody's business here."""
    path = folder / name
    if any((folder / above).is_symlink() for above in _above(name)) or path.is_symlink() or not path.is_file():
        return None
    if _hash(path.read_bytes()) not in hashes:
        return False
    path.unlink()
    for above in reversed(list(_above(name))):
        with suppress(OSError):  # there is more in it
            (folder / above).rmdir()
    return True


def _note(folder: Path, names: Mapping[str, list[str]]) -> None:
    _put(folder / LIST, (json.dumps(dict(sorted(names.items())), indent=1) + "\n").encode())


def _hash(octets: bytes) -> str:
    return sha256(octets).hexdigest()
