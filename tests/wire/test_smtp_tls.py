"""Encryption: a password and a letter leave only to the right server, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import Scripted

from newsletter.config import Security, SmtpSettings
from newsletter.errors import ProviderError
from newsletter.mail import Accepted, Message
from newsletter.providers.smtp import Smtp

if TYPE_CHECKING:
    from conftest import Authority

Make = Callable[..., Message]


def smtp(server: Scripted, security: Security, ca_file: Path | None, host: str = "127.0.0.1") -> Smtp:
    return Smtp(
        SmtpSettings(
            host=host,
            port=server.port,
            security=security,
            username="maya",
            password="secret",
            ca_file=ca_file,
            timeout=timedelta(seconds=10),
        )
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_the_right_certificate(security: Security, host: str, authority: Authority, message: Make) -> None:
    tls = authority.server("127.0.0.1", "localhost")
    with Scripted(tls=tls, implicit=security is Security.TLS, extensions=["AUTH PLAIN"]) as server:
        outcomes = list(smtp(server, security, authority.file, host).submit([message(1), message(2)]))
        assert [type(o) for _, o in outcomes] == [Accepted] * 2
        verbs = [c.split(" ")[0] for c in server.commands[:4]]
        assert verbs[:3] == (
            ["EHLO", "STARTTLS", "EHLO"] if security is Security.STARTTLS else ["EHLO", "AUTH", "MAIL"]
        )


@pytest.mark.parametrize(
    ("names", "options", "known", "words"),
    [
        pytest.param(("mail.example.org",), {}, True, "is for another name", id="for another host"),
        pytest.param(("localhost",), {"expired": True}, True, "has expired", id="expired"),
        pytest.param(("localhost",), {"by_itself": True}, True, "signed by itself", id="self-signed"),
        pytest.param(("localhost",), {}, False, "authority unknown", id="from an unknown authority"),
    ],
)
@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_a_wrong_certificate_stops_everything_and_no_password_leaves(
    names: tuple[str, ...],
    options: dict[str, bool],
    known: bool,
    words: str,
    security: Security,
    authority: Authority,
    message: Make,
) -> None:
    tls = authority.server(*names, **options)
    with Scripted(tls=tls, implicit=security is Security.TLS, extensions=["AUTH PLAIN"]) as server:
        provider = smtp(server, security, authority.file if known else None, "localhost")
        with pytest.raises(ProviderError, match=words) as caught:
            list(provider.submit([message()]))
        assert caught.value.retry_after is None
        assert not any(c.startswith(("AUTH", "MAIL")) for c in server.commands)


def test_a_certificate_for_a_name_does_not_serve_an_address(authority: Authority, message: Make) -> None:
    tls = authority.server("localhost")
    with Scripted(tls=tls) as server, pytest.raises(ProviderError, match="is for another name"):
        list(smtp(server, Security.STARTTLS, authority.file).submit([message()]))


def test_starttls_not_offered(authority: Authority, message: Make) -> None:
    with Scripted(extensions=["AUTH PLAIN"]) as server:
        with pytest.raises(ProviderError, match="offers no encryption") as caught:
            list(smtp(server, Security.STARTTLS, authority.file).submit([message()]))
        assert caught.value.retry_after is None
        assert server.commands == ["EHLO [127.0.0.1]"]


@pytest.mark.parametrize(
    ("answer", "retry"),
    [
        pytest.param(b"454 4.7.0 TLS not available\r\n", True, id="4xx: tried again"),
        pytest.param(b"502 5.5.1 no\r\n", False, id="5xx: the owner acts"),
    ],
)
def test_starttls_refused(answer: bytes, retry: bool, authority: Authority, message: Make) -> None:
    with Scripted({"STARTTLS": answer}, tls=authority.server("127.0.0.1")) as server:
        with pytest.raises(ProviderError) as caught:
            list(smtp(server, Security.STARTTLS, authority.file).submit([message()]))
        assert (caught.value.retry_after is not None) == retry


def test_text_slipped_in_before_tls_is_noticed(authority: Authority, message: Make) -> None:
    script = {"STARTTLS": b"220 go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n"}
    with Scripted(script, tls=authority.server("127.0.0.1")) as server:
        with pytest.raises(ProviderError, match="in the clear between") as caught:
            list(smtp(server, Security.STARTTLS, authority.file).submit([message()]))
        assert caught.value.retry_after is None
        assert server.commands == ["EHLO [127.0.0.1]", "STARTTLS"]


def test_what_was_offered_before_tls_counts_no_more(authority: Authority, message: Make) -> None:
    script = {"EHLO": [b"250-test\r\n250-STARTTLS\r\n250 SIZE 1\r\n"]}
    with Scripted(script, tls=authority.server("127.0.0.1"), extensions=["AUTH PLAIN"]) as server:
        ((_, outcome),) = smtp(server, Security.STARTTLS, authority.file).submit([message()])
        assert isinstance(outcome, Accepted)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_without_encryption_no_packet_leaves_this_machine(host: str, message: Make) -> None:
    with pytest.raises(ProviderError, match="not on this machine") as caught:
        list(Smtp(SmtpSettings(host=host, security=Security.NONE)).submit([message()]))
    assert caught.value.retry_after is None


def test_tls_towards_a_server_that_speaks_in_the_clear(authority: Authority, message: Make) -> None:
    with Scripted() as server, pytest.raises(ProviderError, match="does not speak TLS") as caught:
        list(smtp(server, Security.TLS, authority.file).submit([message()]))
    assert caught.value.retry_after is None


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "not a certificate"])
def test_a_ca_file_that_is_none(content: bytes | None, tmp_path: Path, message: Make) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_bytes(content)
    with pytest.raises(ProviderError, match=r"ca\.pem can't be read"):
        list(Smtp(SmtpSettings(ca_file=file)).submit([message()]))
