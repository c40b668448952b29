"""`newsletter init`, in a checkout and from an installed wheel; and what is said where no project is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typist import CHECKOUT, Typed

WRITTEN = {
    ".gitignore",
    "newsletter.toml",
    "subscribers.csv",
    "subscribers.example.csv",
    "posts/001-the-first-hour.md",
    "posts/images/gate-at-dawn.jpg",
    "templates/email/post.html",
    "templates/email/post.txt",
    "templates/email/parts/layout.html",
}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_new_project_is_complete_and_at_peace(newsletter: Typed, tmp_path: Path) -> None:
    made = newsletter("init", "my letters", cwd=tmp_path)
    assert made.status == 0, made.said
    assert files(tmp_path / "my letters").keys() >= WRITTEN
    for step in (
        "cd 'my letters'",
        "newsletter preview 4",
        "newsletter subscribers add you@example.org",
        "newsletter plan",
    ):
        assert step in made.out
    sent = newsletter("send", cwd=tmp_path / "my letters")
    assert (sent.status, sent.err.count("\n")) == (0, 1)
    assert "subscribers.csv has nobody in it yet" in sent.err
    listed = newsletter("posts", "--json", cwd=tmp_path / "my letters").json()
    assert [(p["number"], p["state"]) for p in listed["posts"]] == [(n, "live") for n in range(1, 7)]
    assert not listed["problems"] and not listed["warnings"]


@pytest.mark.parametrize("found", [False, True])
def test_a_shell_that_does_not_find_the_program_is_told_where_it_is(tmp_path: Path, found: bool) -> None:
    program = tmp_path / "bin" / "newsletter"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom newsletter.cli import main\nmain()\n")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.defpath}" if found else os.defpath
    made = subprocess.run(
        ["bin/newsletter", "init", "letters"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert (f'export PATH="{program.parent}:$PATH"' in made.stdout) is not found


def test_an_empty_list_is_no_matter_once_there_are_readers(typed: Typed) -> None:
    typed("subscribers", "add", "ana@example.org")
    assert typed("send").err == ""
    assert typed("subscribers", "list").err == ""


def test_init_keeps_every_file_that_is_there(typed: Typed, project: Path) -> None:
    (project / "newsletter.toml").write_text("mine")
    (project / "templates/email/post.txt").unlink()
    (project / "posts/002-the-two-oclock-worries.md").unlink()
    again = typed("init")
    assert again.status == 0
    assert (project / "newsletter.toml").read_text() == "mine"
    assert (project / "templates/email/post.txt").exists()
    assert not (project / "posts/002-the-two-oclock-worries.md").exists(), "a sample post would go to real readers"
    assert "There already, and kept:" in again.err and "newsletter.toml" in again.err
    assert "nothing was written" in typed("init").out


def test_own_posts_get_no_samples_beside_them(typed: Typed, tmp_path: Path) -> None:
    posts = tmp_path / "blog" / "posts"
    posts.mkdir(parents=True)
    (posts / "001-mine.md").write_text("---\ntitle: Mine\n---\n\nWords.\n")
    assert typed("init", str(tmp_path / "blog")).status == 0
    assert [path.name for path in posts.iterdir()] == ["001-mine.md"]
    assert (tmp_path / "blog" / "newsletter.toml").exists()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        pytest.param(("init", "taken"), 2, "taken is a file", id="init refuses a file"),
        pytest.param(("init", "taken/below"), 2, "taken/below", id="init below a file"),
        pytest.param(("posts",), 2, "run `newsletter init` to make a project", id="a command where no project is"),
        pytest.param(("--root", "nowhere", "posts"), 2, "nowhere", id="a root that is not there"),
        pytest.param(("post",), 2, "did you mean `newsletter posts`?", id="a misspelt command"),
        pytest.param(("qqq",), 2, "`newsletter --help` lists", id="a command like no other"),
        pytest.param(("posts", "--jsn"), 2, "--json", id="a misspelt option"),
        pytest.param(("new",), 2, "Missing argument 'TITLE'", id="a missing argument"),
        pytest.param(("posts", "extra"), 2, "extra", id="an argument too many"),
        pytest.param(("subscribers", "lst"), 2, "did you mean `newsletter subscribers list`?", id="a wrong subcommand"),
        pytest.param(("subscribers",), 2, "newsletter subscribers COMMAND -h", id="a group alone shows its help"),
    ],
)  # fmt: skip
def test_outside_a_project(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, sentence: str
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.chdir(tmp_path)
    before = files(tmp_path)
    answer = typed(*words)
    assert (answer.status, sentence in answer.err) == (status, True), answer.err
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param("every =", "evry =", "did you mean every?", id="a misspelt key"),
        pytest.param('"7 days"', '"7 dayz"', "every", id="a value of the wrong kind"),
        pytest.param("[store]", "[store", "", id="a section left open"),
    ],
)
def test_settings_that_are_wrong(typed: Typed, project: Path, old: str, new: str, sentence: str) -> None:
    path = project / "newsletter.toml"
    text = path.read_text()
    place = f"newsletter.toml, line {text[: text.index(old)].count(chr(10)) + 1}"
    path.write_text(text.replace(old, new, 1))
    for words in (("posts",), ("subscribers", "list"), ("new", "Title"), ("subscribers", "add", "ana@example.org")):
        answer = typed(*words)
        assert answer.status == 2
        assert place in answer.err and sentence in answer.err
    assert not (project / "newsletter.db").exists()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and unpacked as an installation would."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (archive,) = folder.glob("*.whl")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder / "site")
    return folder / "site"


def test_an_installed_wheel_makes_a_project_far_from_any_checkout(
    newsletter: Typed, wheel: Path, tmp_path: Path
) -> None:
    made = newsletter("init", "letters", cwd=tmp_path, path=wheel)
    assert made.status == 0, made.said
    assert files(tmp_path / "letters").keys() >= WRITTEN
    assert not [name for name in files(wheel) if name.startswith("newsletter/starter/") and "__pycache__" in name]
    letters = tmp_path / "letters"
    listed = newsletter("posts", "--json", cwd=letters, path=wheel).json()
    assert [p["number"] for p in listed["posts"]] == [1, 2, 3, 4, 5, 6]
    (letters / "templates/email/post.html").unlink()  # then the one in the wheel serves
    assert (
        newsletter("subscribers", "add", "ana@example.org", "--had-through", "3", cwd=letters, path=wheel).status == 0
    )
    nowhere = newsletter("posts", cwd=tmp_path, path=wheel)
    assert (nowhere.status, "newsletter init" in nowhere.err) == (2, True)
    where = subprocess.run(
        [sys.executable, "-c", "import newsletter.starter as s; print(s.builtin_templates())"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()) == wheel / "newsletter/starter/templates/email"


def test_a_wheel_that_lost_its_files_says_so(newsletter: Typed, wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(wheel), str(copy)], check=True)
    (copy / "newsletter/starter/newsletter.toml").unlink()
    answer = newsletter("init", "new", cwd=tmp_path, path=copy)
    assert (answer.status, "install it again" in answer.err) == (2, True)
    assert not (tmp_path / "new").exists()
