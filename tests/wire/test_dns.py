"""The DNS over real sockets: what is an answer, what is none, and that each question ends."""

from __future__ import annotations

import socket

import pytest
from nameserver import Fault, serving
from zone import Zone

from newsletter.errors import ConfigError
from newsletter.lookup import Answer, Kind, Resolver, Unanswered
from newsletter.providers.dns import Dns

LONG = "v=DKIM1; k=rsa; p=" + "A" * 700
ZONE = f"""
thorne.net A 1.2.3.4
thorne.net AAAA 2a00:1::5
thorne.net MX 10 Mail.Thorne.net
thorne.net MX 0 .
thorne.net TXT v=spf1 a -all
thorne.net TXT another "word" of 100% truth; \N{LATIN SMALL LETTER E WITH ACUTE}
key._domainkey.thorne.net TXT {LONG}
4.3.2.1.in-addr.arpa PTR Host.Thorne.net
alias.thorne.net CNAME target.thorne.net
target.thorne.net TXT found
lost.thorne.net CNAME gone.thorne.net
"""
QUESTIONS: list[tuple[str, Kind]] = [
    ("thorne.net", "A"),
    ("Thorne.NET", "AAAA"),
    ("thorne.net", "TXT"),
    ("thorne.net", "PTR"),
    ("key._domainkey.thorne.net", "TXT"),
    ("_domainkey.thorne.net", "TXT"),
    ("gone.thorne.net", "TXT"),
    ("alias.thorne.net", "TXT"),
    ("alias.thorne.net", "A"),
    ("lost.thorne.net", "A"),
]


def same(answer: Answer) -> tuple[list[str], bool]:
    return sorted(answer.records), answer.exists


@pytest.mark.parametrize(("name", "kind"), QUESTIONS)
def test_the_network_and_the_zone_of_the_tests_say_the_same(name: str, kind: Kind) -> None:
    zone: Resolver = Zone(ZONE)
    with serving(ZONE) as server:
        network: Resolver = Dns(server.address)
        assert same(network.ask(name, kind)) == same(zone.ask(name, kind))


def test_names_lose_their_last_dot_and_their_capitals() -> None:
    with serving(ZONE) as server:
        dns = Dns(server.address)
        assert sorted(dns.ask("thorne.net", "MX").records) == ["0 .", "10 mail.thorne.net"]
        assert dns.ask("4.3.2.1.in-addr.arpa", "PTR").records == ("host.thorne.net",)


def test_what_does_not_fit_is_asked_for_again_over_tcp() -> None:
    with serving(ZONE, {"key._domainkey.thorne.net": Fault.TRUNCATED}) as server:
        assert Dns(server.address).ask("key._domainkey.thorne.net", "TXT").records == (LONG,)
    assert [over for over, *_ in server.asked] == ["udp", "tcp"]


def test_what_was_asked_is_remembered_silence_too() -> None:
    with serving(ZONE, {"bad.net": Fault.SERVFAIL}) as server:
        dns = Dns(server.address)
        for _ in range(3):
            dns.ask("thorne.net", "A")
            with pytest.raises(Unanswered):
                dns.ask("bad.net", "A")
        asked = len(server.asked)
        dns.ask("THORNE.net", "A")
        with pytest.raises(Unanswered):
            dns.ask("bad.net", "A")
        assert len(server.asked) == asked


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Fault.SERVFAIL, "its DNS servers failed (SERVFAIL)"), (Fault.REFUSED, "its DNS servers refused to answer (REFUSED)")],
)  # fmt: skip
def test_a_failure_is_not_taken_for_nothing_being_there(fault: Fault, words: str) -> None:
    with serving(ZONE, {"bad.net": fault}) as server, pytest.raises(Unanswered) as silence:
        Dns(server.address).ask("bad.net", "TXT")
    assert (silence.value.name, silence.value.kind, silence.value.why) == ("bad.net", "TXT", words)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.GARBAGE, Fault.STRANGER, Fault.LAME])
def test_no_answer_that_can_be_used_is_silence(fault: Fault) -> None:
    with (
        serving(ZONE, {"bad.net": fault}) as server,
        pytest.raises(Unanswered, match="did not answer|could not be asked"),
    ):
        Dns(server.address, seconds=1).ask("bad.net", "TXT")


def test_all_questions_together_have_an_end() -> None:
    with serving(ZONE, {f"n{i}.net": Fault.SILENT for i in range(9)}) as server:
        dns = Dns(server.address, seconds=1)
        for i in range(9):
            with pytest.raises(Unanswered):
                dns.ask(f"n{i}.net", "A")
    assert {name for _, name, _ in server.asked} == {"n0.net"}, "the second was for all of them"


def test_a_server_that_stays_silent_is_given_up() -> None:
    silent = {f"n{i}.net": Fault.SILENT for i in range(9)}
    with serving(ZONE, silent) as server:
        dns = Dns(server.address, each=0.1)
        for i in range(3):
            with pytest.raises(Unanswered):
                dns.ask(f"n{i}.net", "A")
        asked = len(server.asked)
        with pytest.raises(Unanswered, match="in time"):
            dns.ask("thorne.net", "A")
        assert len(server.asked) == asked


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Unanswered):
        Dns(f"127.0.0.1:{port}", seconds=1).ask("thorne.net", "A")


@pytest.mark.parametrize("name", ["a..net", "x" * 64 + ".net", "." * 3, "\N{SNOWMAN}" * 70 + ".net"])
def test_a_name_that_can_t_be_one_is_no_crash(name: str) -> None:
    with serving(ZONE) as server, pytest.raises(Unanswered):
        Dns(server.address).ask(name, "A")
    assert server.asked == []


@pytest.mark.parametrize("server", ["localhost", "1.2.3.4:x", "1.2.3.4:99999", "", "dns.example.org:53", "1.2.3"])
def test_what_is_no_server_is_said(server: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a DNS server"):
        Dns(server)


@pytest.mark.parametrize(
    ("server", "end"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
    ],
)
def test_servers_by_address_and_port(server: str, end: tuple[str, int]) -> None:
    dns = Dns(server)
    assert dns._resolver.nameservers == [end[0]]
    assert dns._resolver.nameserver_ports == {end[0]: end[1]}
