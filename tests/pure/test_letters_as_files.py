"""A folder that holds what was written, and nothing else that is anybody's."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from newsletter.errors import NewsletterError
from newsletter.web.archive.export import LIST, keep

ONE = {"index.html": b"<p>all", "p/one/index.html": b"<p>one", "p/two/index.html": b"<p>two", "m/0a/hat.png": b"hat"}


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != LIST)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_new_folder_holds_them_and_a_second_time_nothing_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "a/b/site"
    assert set(keep(ONE, folder).written) == set(ONE) and files(folder) == ONE
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = keep(ONE, folder)
    assert (again.written, again.removed, again.left) == ((), (), ())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_what_is_no_longer_among_them_goes_with_its_empty_folder(tmp_path: Path) -> None:
    keep(ONE, tmp_path)
    (tmp_path / "p/two/notes.txt").write_text("hers")
    rest = {"index.html": b"<p>none"}
    assert set(keep(rest, tmp_path).removed) == {"p/one/index.html", "p/two/index.html", "m/0a/hat.png"}
    assert files(tmp_path) == rest | {"p/two/notes.txt": b"hers"}
    assert not (tmp_path / "p/one").exists() and not (tmp_path / "m").exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "CNAME").write_text("letters.example.org")
    (tmp_path / "p").mkdir()
    (tmp_path / "p/page.html").write_text("hers")
    keep(ONE, tmp_path)
    keep({}, tmp_path)
    assert files(tmp_path) == {"CNAME": b"letters.example.org", "p/page.html": b"hers"}


def test_what_was_changed_since_is_somebodys_and_stays(tmp_path: Path) -> None:
    keep(ONE, tmp_path)
    (tmp_path / "p/one/index.html").write_text("mended by hand")
    assert keep({"index.html": b"<p>all"}, tmp_path).left == ("p/one/index.html",)
    assert (tmp_path / "p/one/index.html").read_text() == "mended by hand"


@pytest.mark.parametrize("name", ["index.html", "p/one/index.html", "m/0a/hat.png"])
def test_a_file_of_somebody_else_is_not_written_over_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("hers")
    with pytest.raises(NewsletterError, match=r"was not written by `newsletter archive`; move it away, or choose"):
        keep(ONE, tmp_path)
    assert files(tmp_path) == {name: b"hers"} and not (tmp_path / LIST).exists()


def test_a_page_that_was_mended_by_hand_is_not_written_over(tmp_path: Path) -> None:
    keep(ONE, tmp_path)
    (tmp_path / "index.html").write_text("mended by hand")
    with pytest.raises(NewsletterError, match="was changed since it was written"):
        keep(ONE | {"index.html": b"<p>new"}, tmp_path)
    assert files(tmp_path) == ONE | {"index.html": b"mended by hand"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("hers")
    with pytest.raises(NewsletterError, match="is a file, and the pages need a folder"):
        keep(ONE, tmp_path / "site")
    with pytest.raises(NewsletterError, match="can't be written"):
        keep(ONE, tmp_path / "site/below")
    assert (tmp_path / "site").read_text() == "hers"


@pytest.mark.parametrize("name", ["p", "p/one", "m", "m/0a"])
def test_a_link_that_leads_elsewhere_is_not_followed(tmp_path: Path, name: str) -> None:
    folder, other = tmp_path / "site", tmp_path / "other"
    other.mkdir()
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(other)
    with pytest.raises(NewsletterError, match="is no folder of this archive"):
        keep(ONE, folder)
    assert not list(other.iterdir())


@pytest.mark.parametrize("name", ["index.html", "p/one/index.html", LIST])
def test_a_linked_file_is_not_followed(tmp_path: Path, name: str) -> None:
    folder, other = tmp_path / "site", tmp_path / "other.html"
    other.write_bytes(b"{}")
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(other)
    with pytest.raises(NewsletterError, match="is a link"):
        keep(ONE, folder)
    assert other.read_bytes() == b"{}"


def test_a_link_that_came_later_keeps_what_lies_behind_it(tmp_path: Path) -> None:
    folder, other = tmp_path / "site", tmp_path / "other"
    keep(ONE, folder)
    (folder / "p").rename(other)
    (folder / "p").symlink_to(other)
    assert keep({}, folder).removed == ("index.html", "m/0a/hat.png")
    assert files(other) == {"one/index.html": b"<p>one", "two/index.html": b"<p>two"}


@pytest.mark.parametrize(
    "name", ["../victim", "/victim", "p/../../victim", "p/x/../../../victim", "", ".", "p//index.html"]
)
def test_a_forged_list_removes_nothing_elsewhere(tmp_path: Path, name: str) -> None:
    from hashlib import sha256

    folder, victim = tmp_path / "site", tmp_path / "victim"
    victim.write_text("hers")
    folder.mkdir()
    given = str(victim) if name == "/victim" else name
    (folder / LIST).write_text(json.dumps({given: [sha256(b"hers").hexdigest()]}))
    assert keep(ONE, folder).removed == () and victim.read_text() == "hers"


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"index.html": 1}', "\0"])
def test_a_damaged_list_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / LIST).write_text(content)
    with pytest.raises(NewsletterError, match="is damaged"):
        keep(ONE, tmp_path)
    assert files(tmp_path) == {}


@pytest.mark.parametrize("writes", range(6))
def test_killed_in_the_middle_the_next_call_ends_it(
    tmp_path: Path, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.web.archive import export

    keep(ONE, tmp_path)
    put, left = export._put, [writes]

    def dying(path: Path, octets: bytes) -> bool:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return put(path, octets)

    new = {"index.html": b"<p>new", "p/one/index.html": b"<p>newer", "p/three/index.html": b"<p>three"}
    monkeypatch.setattr(export, "_put", dying)
    with contextlib.suppress(KeyboardInterrupt):
        keep(new, tmp_path)
    monkeypatch.setattr(export, "_put", put)
    keep(new, tmp_path)
    assert files(tmp_path) == new


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p/one").write_text("a file where a folder is to be")
    with pytest.raises(NewsletterError, match="is no folder of this archive"):
        keep(ONE, tmp_path)
