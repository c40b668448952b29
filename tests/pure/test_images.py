"""Images of a post: measured, freed of what the camera wrote, and refused with the reason when they can't be used."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from letters import IDENTITY, a_post, jpeg, png, rendered
from lxml import html as lxml_html
from PIL import Image

from newsletter.config import Design, Images
from newsletter.errors import ConfigError, PostError
from newsletter.proof import SAMPLE, pull
from newsletter.render import render
from newsletter.render.images import ImageError, Place, load

PLACE = Place("example.org")


@pytest.mark.parametrize(
    ("name", "size", "shown"),
    [
        pytest.param("a.png", (1104, 600), (552, 300), id="twice the column is shown at half its size"),
        pytest.param("a.png", (300, 200), (300, 200), id="a small one stays as it is"),
        pytest.param("a@2x.png", (300, 200), (150, 100), id="a file named for double density is halved"),
        pytest.param("a.png", (5000, 3), (552, 1), id="a line keeps a height"),
    ],
)
def test_images_get_whole_numbers_for_width_and_height(name: str, size: tuple[int, int], shown, project: Path) -> None:  # type: ignore[no-untyped-def]
    (project / "posts" / "images" / name).write_bytes(png(*size))
    result = rendered(f'![A "hill" & more](images/{name})', folder=project / "posts")
    (image,) = result.images
    assert (image.width, image.height) == shown
    (tag,) = lxml_html.fromstring(result.html).xpath("//img")
    assert (tag.get("src"), tag.get("alt")) == (f"cid:{image.cid}", 'A "hill" & more')
    assert (tag.get("width"), tag.get("height")) == tuple(map(str, shown))
    assert f"width:100%; max-width:{shown[0]}px; height:auto" in tag.get("style")
    assert '[Image: A "hill" & more]' in result.text


def test_the_lead_image_comes_first_and_the_same_picture_travels_once(project: Path) -> None:
    (project / "posts" / "images" / "a.png").write_bytes(png(10, 10))
    result = rendered("![again](images/a.png)", folder=project / "posts", image="images/a.png", image_alt="Lead")
    assert len(result.images) == 1
    assert re.findall(r'alt="(\w+)"', result.html) == ["Lead", "again"]
    assert result.text.index("[Image: Lead]") < result.text.index("Hello")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_jpeg_loses_all_that_the_camera_wrote_but_its_orientation(
    orientation: int, progressive: bool, project: Path
) -> None:
    data = jpeg((200, 100), orientation=orientation, progressive=progressive)
    path = project / "posts" / "images" / "a.jpg"
    path.write_bytes(data)
    image = load("images/a.jpg", post=project / "posts" / "1.md", place=PLACE)
    assert b"SECRET" in data
    assert b"SECRET" not in image.data
    with Image.open(BytesIO(image.data)) as clean, Image.open(BytesIO(data)) as original:
        assert list(clean.getexif()) == ([0x0112] if orientation > 1 else [])
        assert clean.getexif().get(0x0112, 1) == orientation
        assert clean.tobytes() == original.tobytes()
    assert (image.width, image.height) == ((100, 200) if orientation == 6 else (200, 100))


def test_a_png_loses_its_text_and_exif_and_what_comes_behind_it(project: Path) -> None:
    data = png(4, 4, (b"tEXt", b"Author\0SECRET"), (b"eXIf", b"SECRET"), (b"pHYs", bytes(9))) + b"SECRET"
    (project / "posts" / "images" / "a.png").write_bytes(data)
    image = load("images/a.png", post=project / "posts" / "1.md", place=PLACE)
    assert image.data == png(4, 4, (b"pHYs", bytes(9)))


@pytest.mark.parametrize(
    ("source", "data", "says"),
    [
        pytest.param("images/none.png", None, "is not there", id="missing"),
        pytest.param("images", None, "no picture but a folder", id="a folder"),
        pytest.param("../../outside.png", png(1, 1), "outside the project", id="outside the project"),
        pytest.param("/etc/hostname", None, "outside the project", id="an absolute path"),
        pytest.param("https://example.org/a.png", None, "is not in this project", id="on another site"),
        pytest.param("images/a.svg", b"<svg/>", "is no PNG, JPEG or GIF", id="another kind"),
        pytest.param("images/a.png", bytes(5 * 1024 * 1024 + 1), "5 MB is the most", id="too big"),
        pytest.param("images/a.png", png(9, 9)[:-20], "is damaged", id="a PNG cut off"),
        pytest.param("images/a.jpg", jpeg((9, 9))[:-20], "is damaged", id="a JPEG cut off"),
        pytest.param("images/a.gif", b"GIF89a", "is damaged", id="a GIF cut off"),
        pytest.param("images/a.png", png(0, 0), "is damaged", id="a PNG without a size"),
        pytest.param("images/a.png", png(4, 4).replace(b"IDAT", b"IDAX"), "is damaged", id="a PNG without a picture"),
        pytest.param(
            "images/a.png",
            png(4, 4).replace(struct.pack(">I", 4), struct.pack(">I", 60_000), 2),
            "60000 by 60000 pixels",
            id="a bomb",
        ),
        pytest.param("images/%00.png", None, "zero byte", id="a name with a zero byte"),
        pytest.param("images/" + "a" * 300 + ".png", None, "can't be read", id="a name that is too long"),
        pytest.param("data:image/png;base64,aaaa", None, "is not in this project", id="a picture within the address"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused_with_its_line(
    source: str, data: bytes | None, says: str, project: Path
) -> None:
    if data is not None:
        (project / "posts" / source).resolve().write_bytes(data)
    with pytest.raises(PostError, match=says) as caught:
        rendered(f"First.\n\n![alt]({source})\n", folder=project / "posts")
    assert caught.value.line == 7


def test_a_gif_loses_its_comments_and_keeps_its_loop(project: Path) -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (8, 8), (90 * n, 200 - 60 * n, 7)) for n in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], loop=0, comment=b"SECRETCOMMENT")
    xmp = b"\x21\xff\x0bXMP DataXMP\x06SECRET\x00"
    data = out.getvalue().replace(b"\x21\xff\x0bNETSCAPE2.0", xmp + b"\x21\xff\x0bNETSCAPE2.0") + b"SECRETTRAILER"
    assert data.count(b"SECRET") == 3
    (project / "posts" / "a.gif").write_bytes(data)
    image = load("a.gif", post=project / "posts" / "1.md", place=PLACE)
    assert b"SECRET" not in image.data
    with Image.open(BytesIO(image.data)) as clean, Image.open(BytesIO(data)) as original:
        assert (clean.n_frames, clean.info["loop"]) == (original.n_frames, 0)  # type: ignore[attr-defined]
        for frame in range(3):
            clean.seek(frame)
            original.seek(frame)
            assert clean.convert("RGB").tobytes() == original.convert("RGB").tobytes()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_out_of_the_project_is_not_followed(kind: str, project: Path, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a.png").write_bytes(png(4, 4))
    target = project / "posts" / "images" / ("a.png" if kind == "file" else "deeper")
    target.symlink_to(outside / "a.png" if kind == "file" else outside)
    with pytest.raises(PostError, match="outside the project"):
        rendered(f"![x](images/{'a.png' if kind == 'file' else 'deeper/a.png'})", folder=project / "posts")


def test_a_link_that_leads_to_itself_and_a_pipe_are_refused(project: Path) -> None:
    (project / "posts" / "round.png").symlink_to(project / "posts" / "round.png")
    os.mkfifo(project / "posts" / "pipe.png")
    for name, says in (("round.png", "(leads back to itself|can't be read)"), ("pipe.png", "is no picture")):
        with pytest.raises(PostError, match=says):
            rendered(f"![x]({name})", folder=project / "posts")


# Where they are shown from

HOSTED = Design(images=Images.HOSTED)


def test_hosted_pictures_have_an_address_of_their_own_and_stay_out_of_the_message(project: Path) -> None:
    (project / "posts" / "images" / "a b.png").write_bytes(png(10, 10))
    post = a_post("![x](<images/a b.png>)", folder=project / "posts")
    result = render(post, IDENTITY, HOSTED)
    assert result.images == ()
    (picture,) = result.media
    assert picture.data == png(10, 10)
    assert re.fullmatch(r"https://letters\.example\.org/m/[0-9a-f]{24}/a-b\.png", picture.url)
    assert f'src="{picture.url}"' in result.html
    assert "cid:" not in result.html
    travels = render(post, IDENTITY, Design())
    assert travels.images == travels.media
    assert f"cid:{travels.images[0].cid}" in travels.html


def test_a_proof_shows_hosted_pictures_without_asking_the_website(project: Path) -> None:
    (project / "posts" / "a.png").write_bytes(png(10, 10))
    date = datetime(2026, 3, 3, 17, tzinfo=UTC)
    proof = pull(a_post("![x](a.png)", folder=project / "posts"), IDENTITY, HOSTED, SAMPLE, date=date)
    assert "/m/" in proof.html
    assert "/m/" not in proof.page
    assert 'src="data:image/png;base64,' in proof.page


def test_hosted_pictures_need_a_website() -> None:
    with pytest.raises(ConfigError, match=r"set url in \[newsletter\]"):
        render(a_post(), replace(IDENTITY, url=""), HOSTED)


def test_the_logo_stands_above_every_letter_with_words_for_who_cannot_see_it(project: Path) -> None:
    logo = project / "logo@2x.png"
    logo.write_bytes(png(400, 100))
    result = render(a_post(), IDENTITY, Design(project / "templates" / "email", logo=logo))
    (tag,) = lxml_html.fromstring(result.html).xpath("//img")
    assert (tag.get("width"), tag.get("height"), tag.get("alt")) == ("200", "50", "Letters from the Practice")
    assert tag.get("src") == f"cid:{result.images[0].cid}"
    logo.write_bytes(png(600, 1200))
    tall = render(a_post(), IDENTITY, Design(logo=logo, logo_alt="A tree")).images[0]
    assert (tall.width, tall.height) == (32, 64)


@pytest.mark.parametrize(("data", "says"), [(b"<svg/>", "is no PNG, JPEG or GIF"), (None, "is not there")])
def test_a_logo_that_cannot_be_used_is_told_with_its_setting(data: bytes | None, says: str, project: Path) -> None:
    logo = project / "logo.png"
    if data:
        logo.write_bytes(data)
    with pytest.raises(ConfigError, match=rf"newsletter\.toml: \[theme\] logo: .*{says}"):
        render(a_post(), IDENTITY, Design(logo=logo))


@pytest.mark.parametrize("cut", range(0, 700, 7))
def test_a_jpeg_cut_anywhere_is_damaged_and_nothing_else(cut: int, project: Path) -> None:
    data = jpeg((9, 9)).removesuffix(b"SECRETTRAILER")
    (project / "posts" / "a.jpg").write_bytes(data[: min(cut, len(data) - 1)])
    with pytest.raises(ImageError):
        load("a.jpg", post=project / "posts" / "1.md", place=PLACE)
