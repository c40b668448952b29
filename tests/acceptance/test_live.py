"""`newsletter preview 4 --serve`: a live page for this computer alone, and a test message from it."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlencode

import pytest
from mailserver import MailServer
from typist import CHECKOUT, Typed

from newsletter.cli.start import make_project

READER = "ana.lucero@example.org"
ROUTES = ("/", "/4", "/4?show=text", "/4/letter", "/4/post.eml", "/preview.js", "/events", "/nothing")


@dataclass
class Live:
    """A running preview of the project in *root*."""

    process: subprocess.Popen[str]
    root: Path
    port: int
    url: str

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, text and header fields of one answer; a stream is left after its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, {"Host": f"127.0.0.1:{self.port}"} | given)
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        streams = fields.get("content-type", "").startswith("text/event-stream")
        text = "" if streams else answer.read().decode("utf-8", "replace")
        connection.close()
        return answer.status, text, fields

    def get(self, path: str) -> str:
        """A page that must be there."""
        status, text, _ = self.ask("GET", path)
        assert status == 200, text
        return text

    def submit(self, path: str, **form: str) -> str:
        """What the page says after its form was sent."""
        body = urlencode(form)
        status, _, fields = self.ask(
            "POST", path, body, Content_Type="application/x-www-form-urlencoded",
            Origin=f"http://127.0.0.1:{self.port}", Sec_Fetch_Site="same-origin",
        )  # fmt: skip
        assert status == 303
        page = self.get(fields["location"].partition("#")[0])
        (said,) = re.findall(r'<p class="said[^"]*" role="status">(.*?)</p>', page)
        return str(said)

    @contextmanager
    def hearing(self) -> Iterator[Callable[[], str]]:
        """The stream of what was saved: each call waits for the next event and answers with its data."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/events", headers={"Host": f"localhost:{self.port}"})
        answer = connection.getresponse()

        def event() -> str:
            while not (line := answer.readline().decode()).startswith("data: "):
                assert line, "the stream ended"
            return line.removeprefix("data: ").strip()

        yield event
        connection.close()

    def end(self, how: int) -> tuple[int, str, str]:
        """End it; exit status and what it printed since."""
        self.process.send_signal(how)
        out, err = self.process.communicate()
        return self.process.returncode, out, err


@contextmanager
def live(root: Path, *words: str) -> Iterator[Live]:
    """A preview of the project in *root*, served until the test is over."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "preview", "4", "--serve", "--no-open", *words],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = process.stdout.readline().partition(": ")[2].strip()
        yield Live(process, root, int(re.findall(r":(\d+)/", url)[0]), url)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One preview for the tests that only ask."""
    root = tmp_path_factory.mktemp("shared")
    make_project(root)
    shutil.copyfile(root / "subscribers.example.csv", root / "subscribers.csv")
    with live(root) as running:
        yield running


@pytest.fixture
def own(project: Path) -> Iterator[Live]:
    """A preview for a test that changes files."""
    shutil.copyfile(project / "subscribers.example.csv", project / "subscribers.csv")
    with live(project) as running:
        yield running


class TestWhoMayAsk:
    @pytest.mark.parametrize("path", ROUTES)
    @pytest.mark.parametrize(
        "host", ["evil.example.org", "evil.example.org:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil:{port}", ""]
    )
    def test_another_host_is_refused_on_every_route(self, path: str, host: str, shared: Live) -> None:
        status, text, _ = shared.ask("GET", path, Host=host.format(port=shared.port))
        assert status in (400, 421) and "Relationship" not in text  # 400: uvicorn itself refuses no host at all

    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
    def test_this_computer_has_several_names(self, name: str, shared: Live) -> None:
        assert shared.ask("GET", "/4", Host=f"{name}:{shared.port}")[0] == 200

    def test_nobody_else_is_listened_to(self, shared: Live) -> None:
        listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert re.findall(rf" (\w+):{shared.port:04X} \w+:0000 0A", listening) == ["0100007F"]

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param(
                {"Origin": "http://evil.example.org", "Sec-Fetch-Site": "cross-site"}, id="another site's page"
            ),
            pytest.param({"Origin": "http://evil.example.org"}, id="another site's page, in an old browser"),
            pytest.param({"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, id="another port's page"),
            pytest.param({"Origin": "null"}, id="a page without an origin, as in a sandboxed frame"),
            pytest.param({"Origin": "{own}", "Sec-Fetch-Site": "cross-site"}, id="a contradiction"),
            pytest.param({}, id="nobody's page"),
        ],
    )
    def test_a_form_of_another_page_is_refused(self, fields: dict[str, str], shared: Live) -> None:
        given = {k.replace("-", "_"): v.format(own=f"http://127.0.0.1:{shared.port}") for k, v in fields.items()}
        status, _, _ = shared.ask("POST", "/4/test", "to=maya@example.org", **given)
        assert status == 403
        assert not (shared.root / "outbox").exists()

    def test_a_page_loads_from_here_alone_and_runs_nothing_inline(self, shared: Live) -> None:
        _, text, fields = shared.ask("GET", "/4")
        rules = dict(rule.strip().partition(" ")[::2] for rule in fields["content-security-policy"].split(";"))
        assert rules["default-src"] == "'none'" and rules["script-src"] == rules["connect-src"] == "'self'"
        assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
        assert re.findall(r"<script[^>]*>", text) == ['<script src="/preview.js" defer>']
        assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', text) == []
        assert (
            re.findall(r'sandbox="([^"]*)"', text)
            == ["allow-same-origin allow-popups allow-popups-to-escape-sandbox"] * 2
        )

    def test_a_letter_loads_nothing_and_runs_nothing(self, shared: Live) -> None:
        _, _, fields = shared.ask("GET", "/3/letter")
        policy_ = fields["content-security-policy"]
        assert "default-src 'none'; img-src data:" in policy_ and "script-src" not in policy_
        assert "frame-ancestors 'self'" in policy_ and fields["x-content-type-options"] == "nosniff"


class TestWhatIsShown:
    def test_the_first_page_leads_to_the_post(self, shared: Live) -> None:
        assert shared.url == f"http://127.0.0.1:{shared.port}/4"
        status, _, fields = shared.ask("GET", "/?show=text")
        assert (status, fields["location"]) == (307, "/4?show=text")

    def test_one_reader_s_letter_and_sequence(self, shared: Live) -> None:
        page = shared.get(f"/4?{urlencode({'as': READER})}")
        assert re.search(r"Ana Lucero gets this Tuesday [^.<]* 09:00 America/Los_Angeles, a week after #3\.", page)
        turns = re.findall(r"<div>#(\d) ", page.partition('<ol class="turns">')[2].partition("</ol>")[0])
        assert turns == ["1", "2", "3", "4", "5", "6"]
        assert page.count('aria-current="true"') == 1 and f'<option value="{READER}">Ana Lucero</option>' in page
        assert "Ana Lucero" in shared.get(f"/4/letter?{urlencode({'as': READER})}")
        for link in re.findall(r'<a rel="\w+" href="([^"]+)"', page):
            assert "as=ana.lucero%40example.org" in link, "who is looked at stays on the way to the next post"

    def test_a_name_serves_where_one_alone_has_it(self, shared: Live) -> None:
        assert f'name="as" list="readers" value="{READER}"' in shared.get("/4?as=ana+lucero")
        assert shared.ask("GET", "/4?as=a")[0] == 422

    def test_a_reader_who_is_called_like_the_sample_is_a_reader(self, project: Path) -> None:
        (project / "subscribers.csv").write_text("email,name\nana@example.org,Ana\n")
        with live(project) as running:
            assert "Ana gets this Tuesday" in running.get("/4?as=ana@example.org")
            assert "For a sample reader" in running.get("/4")

    def test_the_posts_before_and_after(self, shared: Live) -> None:
        assert re.findall(r'<a rel="(\w+)" href="([^"]+)"', shared.get("/4")) == [("prev", "/3"), ("next", "/5")]
        assert re.findall(r'<a rel="(\w+)" href="([^"]+)"', shared.get("/6")) == [("prev", "/5")]

    def test_the_exact_bytes(self, shared: Live) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", shared.port)
        connection.request("GET", f"/3/post.eml?{urlencode({'as': READER})}")
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.getheader("Content-Disposition") == 'attachment; filename="post-3.eml"'
        assert b"\r\nTo: Ana Lucero <ana.lucero@example.org>\r\n" in data and b"\n" not in data.replace(b"\r\n", b"")

    @pytest.mark.parametrize("show", ["nonsense", "", "light"])
    def test_an_unknown_view_is_the_first(self, show: str, shared: Live) -> None:
        assert '<a href="/4" aria-current="page">Light' in shared.get(f"/4?show={show}")

    @pytest.mark.parametrize(
        ("path", "status", "sentence"),
        [
            pytest.param("/9", 404, "There is no post 9 in posts/; there are: 1, 2, 3, 4, 5, 6.", id="no such post"),
            pytest.param("/4?as=anna.lucero@example.org", 404, READER, id="a reader whose address is mistyped"),
            pytest.param("/4?as=nonsense", 422, "nonsense", id="a reader without an address"),
            pytest.param("/0", 404, "no post 0", id="number nought"),
        ],
    )
    def test_what_is_not_there(self, path: str, status: int, sentence: str, shared: Live) -> None:
        found, text, _ = shared.ask("GET", path)
        assert found == status and sentence in text and "There is no letter to show" in text

    def test_what_a_stranger_asks_for_never_becomes_part_of_a_page(self, shared: Live) -> None:
        for key in ("as", "show", "said"):
            _, text, _ = shared.ask("GET", f"/4?{urlencode({key: '<script>alert(1)</script>'})}")
            assert "<script>alert" not in text


class TestWhatIsSaved:
    def test_is_told_and_shown(self, own: Live) -> None:
        path = own.root / "posts/004-the-relationship-is-the-work.md"
        with own.hearing() as heard:
            before = heard()
            path.write_text(path.read_text() + "\nA word that was not there.\n")
            assert heard() != before
        assert "A word that was not there." in own.get("/4/letter")

    @pytest.mark.parametrize(
        "name", ["templates/email/parts/signoff.html", "newsletter.toml", "posts/images/x/new.png"]
    )
    def test_so_is_everything_a_letter_is_made_of(self, name: str, own: Live) -> None:
        with own.hearing() as heard:
            before = heard()
            path = own.root / name
            path.parent.mkdir(exist_ok=True)
            spare = path.with_name("spare~")  # as editors save: beside, then renamed
            spare.write_text((path.read_text() if path.exists() else "") + "\n")
            spare.replace(path)
            assert heard() != before

    def test_settings_count_at_once(self, own: Live) -> None:
        toml = own.root / "newsletter.toml"
        toml.write_text(toml.read_text().replace('name = "Letters from the Practice"', 'name = "Leaves"'))
        assert "Leaves" in own.get("/4/letter") and "Letters from the Practice" not in own.get("/4")

    @pytest.mark.parametrize(
        ("name", "old", "new", "sentence"),
        [
            pytest.param(
                "templates/email/post.html", "{{ title }}", "{{ titel }}",
                "Template post.html, line", id="a template",
            ),
            pytest.param(
                "posts/004-the-relationship-is-the-work.md", "title: ", "title: Blog #4 ",
                "posts/004-the-relationship-is-the-work.md, line 3", id="a post",
            ),
            pytest.param("newsletter.toml", "[newsletter]", "[newsletter", "newsletter.toml", id="the settings"),
        ],
    )  # fmt: skip
    def test_a_fault_is_said_and_goes_by_itself(self, name: str, old: str, new: str, sentence: str, own: Live) -> None:
        path = own.root / name
        good = path.read_text()
        path.write_text(good.replace(old, new, 1))
        status, text, _ = own.ask("GET", "/4")
        assert status in (404, 422) and sentence in text and "There is no letter to show" in text
        path.write_text(good)
        assert "The Relationship Is the Work" in own.get("/4")

    def test_all_that_is_in_the_way_is_said_beside_the_way_to_other_posts(self, own: Live) -> None:
        path = own.root / "posts/004-the-relationship-is-the-work.md"
        good = path.read_text()
        path.write_text(f"{good}\n![a hat](images/hat.jpg) and [there](there.html)\n")
        status, text, _ = own.ask("GET", "/4?as=ana.lucero@example.org")
        path.write_text(good)
        assert status == 422 and "images/hat.jpg" in text and "there.html" in text
        assert 'rel="prev" href="/3?as=ana.lucero%40example.org"' in text and 'rel="next" href="/5?' in text

    def test_looking_changes_nothing_while_it_runs_and_after(
        self, project: Path, newsletter: Typed, home: Path
    ) -> None:
        shutil.copyfile(project / "subscribers.example.csv", project / "subscribers.csv")
        assert newsletter("send").status == 0
        before = _everything(project, home)
        with live(project, "--as", READER) as running:
            for path in ("/4", f"/4?as={READER}", f"/3/letter?as={READER}", "/5?show=source", "/9", "/4/post.eml"):
                running.ask("GET", path)
            assert _everything(project, home) == before
            assert running.end(signal.SIGINT)[0] == 0
        assert _everything(project, home) == before


def _everything(*folders: Path) -> dict[Path, bytes | None]:
    return {p: p.read_bytes() if p.is_file() else None for folder in folders for p in folder.rglob("*")}


class TestItsEnd:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
    def test_is_clean_also_while_a_page_listens(self, how: int, own: Live) -> None:
        with own.hearing() as heard:
            heard()
            status, _, err = own.end(how)
        assert (status, err) == (0, "What you save shows there. Ctrl-C ends it.\n")

    def test_without_a_terminal_a_script_gets_files_and_goes_on(self, project: Path, newsletter: Typed) -> None:
        done = newsletter("preview", "4")
        (page,) = re.findall(r"The page: (.*)", done.out)
        assert done.status == 0 and Path(page).is_file()
        shutil.rmtree(Path(page).parent)

    def test_at_a_terminal_it_is_live(self, project: Path) -> None:
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "newsletter", "preview", "4", "--no-open"],
            cwd=project, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        said = b""
        while b"Ctrl-C ends it." not in said:
            said += os.read(ours, 1_000)
        assert re.search(rb"The live page: http://127\.0\.0\.1:\d+/4\r\n", said)
        os.write(ours, b"\x03")  # Ctrl-C reaches whom the terminal belongs to; here it has no owner
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        os.close(ours)

    def test_a_port_that_is_taken_is_named(self, shared: Live, typed: Typed) -> None:
        done = typed("preview", "4", "--no-open", "--port", str(shared.port))
        assert done.status == 1 and f"port {shared.port} can't be used" in done.err and "--port" in done.err

    @pytest.mark.parametrize("words", [["--text"], ["--json"], ["--output", "x"]])
    def test_files_and_a_live_page_are_two_things(self, words: list[str], typed: Typed) -> None:
        assert typed("preview", "4", "--serve", *words).status == 2


class TestATestMessage:
    @pytest.fixture
    def through(self, project: Path, mail: MailServer) -> MailServer:
        """The project sends through *mail*, and has never gone live."""
        toml = project / "newsletter.toml"
        text = toml.read_text().replace('provider = "folder"', 'provider = "smtp"')
        text = re.sub(r"(?m)^port = .*$", f"port = {mail.port}", text)
        toml.write_text(re.sub(r"(?m)^security = .*$", 'security = "none"', text))
        shutil.copyfile(project / "subscribers.example.csv", project / "subscribers.csv")
        return mail

    def test_goes_to_the_owner_alone_and_says_so(self, through: MailServer, typed: Typed) -> None:
        done = typed("test", "4", "--to", "maya@example.org", "--as", READER)
        assert done.status == 0
        assert (
            done.out
            == "“[Test] The Relationship Is the Work” went to maya@example.org through 127.0.0.1 (250 2.0.0 Ok: queued).\n"
        )
        (letter,) = through.taken
        parsed = message_from_bytes(letter.data, policy=policy.default)
        assert letter.address == "maya@example.org" and str(parsed["To"]) == "Ana Lucero <maya@example.org>"
        assert str(parsed["Subject"]).startswith("[Test] ") and b"Hello=\r\n Ana Lucero=\r\n," in letter.data
        assert READER.encode() not in letter.data and b"only-a-preview" in letter.data.replace(b"=\r\n", b"")

    def test_is_otherwise_what_the_reader_gets(self, through: MailServer, typed: Typed, tmp_path: Path) -> None:
        typed("preview", "4", "--as", READER, "--output", str(tmp_path / "out"))
        typed("test", "4", "--to", "maya@example.org", "--as", READER)
        own_fields = re.compile(rb"(?m)^(To|Date|Message-ID|Subject): .*(\r\n .*)*\r\n")
        sent, shown = (
            own_fields.sub(b"", m) for m in (through.taken[0].data, (tmp_path / "out/post.eml").read_bytes())
        )
        assert sent.rstrip() == shown.rstrip()

    def test_is_another_message_each_time(self, through: MailServer, typed: Typed) -> None:
        for _ in range(2):
            typed("test", "4", "--to", "maya@example.org")
        assert len({letter.message_id for letter in through.taken}) == 2, "a mailbox drops what it has already"

    def test_leaves_no_trace(self, through: MailServer, project: Path, home: Path, newsletter: Typed) -> None:
        before = _everything(project, home)
        assert newsletter("test", "4", "--to", "maya@example.org", "--as", READER).status == 0
        assert _everything(project, home) == before and len(through.taken) == 1

    @pytest.mark.parametrize(
        ("at", "answer", "sentence"),
        [
            pytest.param("rcpt", "550 5.1.1 No such user", "was refused: 550 5.1.1 No such user", id="refused"),
            pytest.param("dot", "451 4.3.0 Later", "not taken for now: 451 4.3.0 Later", id="deferred"),
            pytest.param("dot", "hang up", "it may have left or not", id="no answer"),
        ],
    )
    def test_a_refusal_is_told_in_words(
        self, at: str, answer: str, sentence: str, through: MailServer, typed: Typed
    ) -> None:
        (through.at_rcpt if at == "rcpt" else through.at_dot)["maya@example.org"] = answer
        done = typed("test", "4", "--to", "maya@example.org")
        assert done.status == 1 and sentence in done.err and done.out == ""

    def test_no_server_no_address_no_reader(self, through: MailServer, project: Path, typed: Typed) -> None:
        assert typed("test", "4", "--to", "maya").status == 2
        assert typed("test", "4", "--to", "maya@example.org", "--as", "nobody@example.org").status == 2
        assert typed("test", "9", "--to", "maya@example.org").status == 2
        toml = project / "newsletter.toml"
        toml.write_text(re.sub(r"(?m)^port = .*$", "port = 1", toml.read_text()))
        done = typed("test", "4", "--to", "maya@example.org")
        assert done.status == 1 and "127.0.0.1" in done.err

    def test_through_the_folder_it_is_a_file(self, project: Path, typed: Typed) -> None:
        done = typed("test", "4", "--to", "maya@example.org", "--json")
        assert done.json()["provider"] == "folder" and done.json()["to"] == "maya@example.org"
        (message,) = (project / "outbox/new").iterdir()
        assert b"Subject: [Test] The Relationship" in message.read_bytes()

    def test_from_the_page(self, through: MailServer, project: Path) -> None:
        with live(project) as running:
            assert "through 127.0.0.1" in running.get("/4")
            said = running.submit("/4/test", to="maya@example.org", show="dark", **{"as": READER})
            assert said.startswith("“[Test] The Relationship Is the Work” went to maya@example.org through")
            assert "is not an email address" in running.submit("/4/test", to="maya")
            through.at_rcpt["no@example.org"] = "550 5.1.1 No such user"
            assert "was refused: 550 5.1.1" in running.submit("/4/test", to="no@example.org")
            assert through.got() == {"maya@example.org": ["[Test] The Relationship Is the Work"]}
            for _ in range(7):
                running.submit("/4/test", to="maya@example.org")
            assert "wait a little" in running.submit("/4/test", to="maya@example.org")
            assert len(through.taken) == 8

    def test_a_form_without_end_is_refused(self, shared: Live) -> None:
        own = f"http://127.0.0.1:{shared.port}"
        status, _, _ = shared.ask("POST", "/4/test", "to=" + "x" * 20_000, Origin=own, Sec_Fetch_Site="same-origin")
        assert status == 413

    def test_pages_are_made_one_at_a_time_for_many_who_ask(self, shared: Live) -> None:
        found: list[int] = []
        asking = [
            threading.Thread(target=lambda n=n: found.append(shared.ask("GET", f"/{n % 6 + 1}")[0])) for n in range(18)
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert found == [200] * 18
