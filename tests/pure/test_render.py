"""Rendering: what a post becomes, what it can't do, and what it is told when something is wrong."""

import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from lxml import html as lxml_html
from PIL import Image

from newsletter.config import Design, Identity
from newsletter.errors import PostError, TemplateError
from newsletter.mail import Mailbox
from newsletter.posts import Post, PostStatus
from newsletter.render import Rendered, builtin_templates, direction, render
from newsletter.render.images import ImageError, load
from newsletter.render.markdown import quotes
from newsletter.render.plaintext import width, wrap

IDENTITY = Identity(
    name="Letters from the Practice",
    sender=Mailbox.parse("Maya Thorne <maya@letters.example.org>"),
    postal_address="12 Birch Lane, Portland, OR 97201",
    url="https://letters.example.org",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "posts" / "images").mkdir(parents=True)
    (tmp_path / "templates" / "email").mkdir(parents=True)
    return tmp_path


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


def letter(result: Rendered) -> str:
    """The part of the HTML that the post itself became, without styles."""
    inner = result.html.partition('<div class="letter">')[2].partition("</div>\n<table role")[0]
    return re.sub(r""" (style=("[^"]*"|'[^']*')|class="[^"]*"|align="\w+"|bgcolor="[^"]*")""", "", inner)


# What a post can't do


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param("{{ 7 * 7 }} {% include 'x' %}", "{{ 7 * 7 }} {% include 'x' %}", id="template syntax is text"),
        pytest.param("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", id="a script is text"),
        pytest.param("x <img src=x onerror=y> z", "x &lt;img src=x onerror=y&gt; z", id="an event handler is text"),
        pytest.param("[a](javascript:alert(1))", "[a](javascript:alert(1))", id="a script link is text"),
    ],
)
def test_a_post_is_data(body: str, shown: str) -> None:
    result = rendered(body)
    assert shown.replace("'", "’") in letter(result).replace("'", "’").replace("‘", "’")
    assert "49" not in letter(result)


def test_the_shape_of_a_token_in_a_post_is_not_a_token() -> None:
    result = rendered("@@UNSUBSCRIBE_URL@@ and @@GREETING@@", title="@@GREETING@@", subject="s")
    assert result.html.count("@@UNSUBSCRIBE_URL@@") == result.text.count("@@UNSUBSCRIBE_URL@@") == 1
    assert result.html.count("@@GREETING@@") == result.text.count("@@GREETING@@") == 1


# Structure


@pytest.mark.parametrize(
    ("levels", "become"),
    [
        pytest.param("1 2 3", "2 3 4", id="a post that begins with h1 moves down one"),
        pytest.param("4 6 4", "2 3 2", id="a post that begins deep moves up"),
        pytest.param("3 2 4", "2 2 3", id="the shallowest is h2 wherever it stands"),
        pytest.param("2 6 6 2 5", "2 3 4 2 3", id="no step is deeper than one"),
    ],
)
def test_headings_step_down_one_by_one(levels: str, become: str) -> None:
    result = rendered("\n\n".join(f"{'#' * int(level)} Heading" for level in levels.split()))
    assert re.findall(r"<h(\d)>", letter(result)) == become.split()
    assert result.html.count("<h1") == 1


def test_footnotes_have_numbers_and_no_jump_links() -> None:
    result = rendered("Said.[^a] Again.[^b]\n\n[^a]: First.\n\n[^b]: Second.\n")
    assert "<sup>1</sup>" in letter(result)
    assert 'href="#' not in result.html
    assert "(1) First." in result.text
    assert "Again. (2)" in result.text


def test_task_lists_are_characters_not_form_fields() -> None:
    result = rendered("- [ ] one\n- [x] two\n")
    assert "<input" not in result.html
    assert "<li>☐\xa0one</li>" in letter(result)
    assert "- ☑\xa0two" in result.text


def test_a_data_table_has_header_cells_and_every_other_table_a_role() -> None:
    tree = lxml_html.fromstring(rendered("> q\n\n| a | b |\n|---|--:|\n| c | 1 |\n").html)
    tables = tree.xpath("//table")
    assert [table.get("role") for table in tables].count(None) == 1
    assert [cell.get("scope") for cell in tree.xpath("//th")] == ["col", "col"]


def test_typography_is_that_of_the_language_and_leaves_lists_and_addresses_alone() -> None:
    result = rendered('Er sagte "ja" -- und... (c) https://example.org/a--b\n', language="de")
    assert "„ja“ – und… (c)" in letter(result)
    assert 'href="https://example.org/a--b">https://example.org/a--b<' in letter(result)
    assert quotes("de-CH")[0] == "«"
    assert quotes("pt-BR") == ("“", "”", "‘", "’")


def test_the_page_says_its_language_and_direction() -> None:
    result = rendered("שלום", language="he")
    tree = lxml_html.document_fromstring(result.html)
    article = tree.xpath("//body/div")[0]
    assert (tree.get("lang"), tree.get("dir"), article.get("dir"), article.get("role")) == (
        "he",
        "rtl",
        "rtl",
        "article",
    )
    assert "text-align:right" in result.html
    assert [direction(tag) for tag in ("ar-EG", "az-Arab", "az", "en", "ar-Latn")] == [
        "rtl",
        "rtl",
        "ltr",
        "ltr",
        "ltr",
    ]


def test_the_title_element_is_the_subject_and_the_heading_is_the_title() -> None:
    result = rendered("Words.", title="A & B", subject="Another <subject>")
    assert "<title>Another &lt;subject&gt;</title>" in result.html
    assert "A &amp; B</h1>" in result.html


# Preheader


@pytest.mark.parametrize(
    ("body", "preheader"),
    [
        pytest.param("Given words.", "Given words. Letters from the Practice, Maya Thorne", id="filled up with names"),
        pytest.param("# Head\n\nOne sentence here.\n\n* a\n\nAnother comes along after it.", None, id="no headings"),
        pytest.param("word " * 60, " ".join(["word"] * 26) + "…", id="cut at a word"),
        pytest.param("A first sentence that is long enough to stand alone. " + "more " * 40,
                     "A first sentence that is long enough to stand alone.", id="cut at a sentence"),
        pytest.param("字" * 300, "字" * 129 + "…", id="cut where there are no spaces"),
    ],
)  # fmt: skip
def test_a_preheader_is_made_from_the_first_words(body: str, preheader: str | None) -> None:
    made = rendered(body).preheader
    assert 40 <= len(made) <= 130
    assert made == preheader if preheader else made.startswith("One sentence here.")


def test_the_preheader_comes_first_hidden_and_its_filler_stays_out_of_the_text() -> None:
    result = rendered("Words.", preheader="A given preheader, short & sweet.")
    first = lxml_html.document_fromstring(result.html).xpath("//body/div/*")[0]
    assert first.text.startswith("A given preheader, short & sweet.\u034f")
    assert "display:none" in first.get("style")
    assert result.preheader not in result.text
    assert "\u034f" not in result.text


# Links


def test_links_from_the_root_get_the_newsletters_address() -> None:
    assert '<a href="https://letters.example.org/about?x=1">' in letter(rendered("[about](/about?x=1)"))


@pytest.mark.parametrize(
    ("link", "url", "says"),
    [
        pytest.param("[a](#top)", "https://x.example.org", "jumps within the page", id="an anchor"),
        pytest.param("[a](other.md)", "https://x.example.org", "write the whole address", id="a file"),
        pytest.param("[a](//example.org/x)", "", "needs a website", id="a double slash without a scheme"),
        pytest.param("[a](/about)", "", "set url in newsletter.toml", id="a path without a website"),
        pytest.param("[a](ftp://example.org)", "", "beginning with https://", id="another scheme"),
    ],
)
def test_a_link_that_leads_nowhere_is_refused_with_its_line(link: str, url: str, says: str) -> None:
    identity = Identity("N", Mailbox.parse("n@example.org"), "1 Road", url=url)
    with pytest.raises(PostError, match=re.escape(says)) as caught:
        render(a_post(f"First.\n\nSecond\nthird {link}\n"), identity, Design())
    assert caught.value.line == 8
    assert "posts/004-endings.md, line 8" in str(caught.value)


# Images


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
    image = load("images/a.jpg", post=project / "posts" / "1.md", domain="example.org")
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
    image = load("images/a.png", post=project / "posts" / "1.md", domain="example.org")
    assert image.data == png(4, 4, (b"pHYs", bytes(9)))


@pytest.mark.parametrize(
    ("source", "data", "says"),
    [
        pytest.param("images/none.png", None, "is not there", id="missing"),
        pytest.param("images", None, "can't be read", id="a folder"),
        pytest.param("../../outside.png", png(1, 1), "outside the project", id="outside the project"),
        pytest.param("/etc/hostname", None, "outside the project", id="an absolute path"),
        pytest.param("https://example.org/a.png", None, "is not in this project", id="on another site"),
        pytest.param("images/a.svg", b"<svg/>", "is no PNG, JPEG or GIF", id="another kind"),
        pytest.param("images/a.png", bytes(5 * 1024 * 1024 + 1), "5 MB is the most", id="too big"),
        pytest.param("images/a.png", png(9, 9)[:-20], "is damaged", id="a PNG cut off"),
        pytest.param("images/a.jpg", jpeg((9, 9))[:-20], "is damaged", id="a JPEG cut off"),
        pytest.param("images/a.gif", b"GIF89a", "is damaged", id="a GIF cut off"),
        pytest.param("images/a.png", png(0, 0), "is damaged", id="a PNG without a size"),
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


@pytest.mark.parametrize("cut", range(0, 700, 7))
def test_a_jpeg_cut_anywhere_is_damaged_and_nothing_else(cut: int, project: Path) -> None:
    data = jpeg((9, 9)).removesuffix(b"SECRETTRAILER")
    (project / "posts" / "a.jpg").write_bytes(data[: min(cut, len(data) - 1)])
    with pytest.raises(ImageError):
        load("a.jpg", post=project / "posts" / "1.md", domain="example.org")


# Templates


@pytest.mark.parametrize(
    ("name", "source", "line", "says"),
    [
        pytest.param("post.html", "a\n{{ titel }}", 2, 'did you mean "title"?', id="a misspelt variable"),
        pytest.param("post.html", "a\n\n{% if %}", 3, "correct this line", id="bad syntax"),
        pytest.param("post.txt", "{% include 'gone.txt' %}", 1, "there is no template gone.txt", id="a missing part"),
        pytest.param("parts/footer.html", "\n{{ author.nme }}", 2, 'no variable "nme"', id="an attribute in a part"),
        pytest.param("parts/signoff.html", "{{ ''.__class__.mro() }}", 1, "is unsafe", id="the way out of the sandbox"),
        pytest.param("post.html", "{{ 1 // 0 }}", 1, "by zero", id="a sum that can't be done"),
        pytest.param("post.html", "<style>@import 'https://x.example.org';</style>x", None, "kept else", id="@import"),
        pytest.param("post.html", "<link rel=stylesheet href='x.css'>x", None, "kept elsewhere", id="a style sheet"),
    ],
)  # fmt: skip
def test_a_template_fault_names_template_and_line(
    name: str, source: str, line: int | None, says: str, project: Path
) -> None:
    folder = project / "templates" / "email"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(source)
    with pytest.raises(TemplateError, match=re.escape(says)) as caught:
        render(a_post(), IDENTITY, Design(folder))
    assert (caught.value.template, caught.value.line) == (name, line)


def test_a_part_of_the_owners_replaces_one_and_keeps_the_rest(project: Path) -> None:
    folder = project / "templates" / "email"
    (folder / "parts").mkdir()
    (folder / "parts" / "signoff.txt").write_text("Bye!\n")
    result = render(a_post(), IDENTITY, Design(folder))
    assert "Bye!" in result.text
    assert "Warmly" not in result.text
    assert IDENTITY.postal_address in result.text


def test_the_templates_that_come_along_are_found() -> None:
    assert (builtin_templates() / "post.html").is_file()


def test_without_a_url_the_footer_asks_for_a_reply() -> None:
    identity = Identity("Notes", Mailbox.parse("n@example.org"), "1 Road")
    result = render(a_post(), identity, Design())
    for part in (result.html, result.text):
        assert "UNSUBSCRIBE_URL" not in part
        assert "@@UNSUBSCRIBE_MAILTO@@" in part
        assert "reply with the word “unsubscribe”" in part


# Plain text


def test_text_lines_keep_to_72_columns_by_display_width() -> None:
    text = rendered("word " * 80 + "\n\n- " + "item " * 40 + "\n\n> " + "漢字" * 90 + "\n\n" + "x" * 200).text
    assert max(width(line) for line in text.splitlines()) == 72


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("aa bb cc", ["aa bb", "cc"], id="at a space"),
        pytest.param("abcdefgh", ["abcde", "fgh"], id="a long word is broken"),
        pytest.param("https://example.org/x a", ["https://example.org/x", "a"], id="an address is not"),
        pytest.param("漢字漢字", ["漢字", "漢字"], id="wide characters need no space"),
        pytest.param("漢字。漢", ["漢", "字。", "漢"], id="a full stop never begins a line"),
        pytest.param("a\u0301" * 5, ["a\u0301" * 5], id="accents take no room"),
        pytest.param("a\xa0b c", ["a\xa0b c"], id="a no-break space holds"),
        pytest.param("", [""], id="nothing"),
    ],
)
def test_wrapping(text: str, lines: list[str]) -> None:
    assert wrap(text, 5) == lines


def test_a_table_too_wide_for_the_line_becomes_header_and_cell() -> None:
    long = "many words that go on " * 4
    text = rendered(f"| When | Say |\n|---|---|\n| first | {long} |\n| second | no |\n").text
    assert "When: first\nSay: many words that go on" in text
    assert "\n\nWhen: second\nSay: no" in text


def test_links_are_numbered_once_and_listed_at_the_end() -> None:
    text = rendered("[a](https://example.org/a) [b](https://example.org/b) [c](https://example.org/a)").text
    assert "a [1] b [2] c [1]" in text
    assert "Links\n-----\n[1] https://example.org/a\n[2] https://example.org/b" in text


def test_a_text_of_the_posts_own_takes_the_place_of_the_made_one() -> None:
    result = rendered("The HTML says [this](https://example.org).", text="Only this.\n")
    assert "Only this." in result.text
    assert "[1]" not in result.text
    assert IDENTITY.postal_address in result.text


def test_rendering_is_the_same_every_time() -> None:
    assert rendered("# A\n\nWords[^1].\n\n[^1]: note") == rendered("# A\n\nWords[^1].\n\n[^1]: note")
