"""SPF: what a record says of an address, and where its limits are (RFC 7208)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from zone import Zone

from newsletter.doctor.spf import Result, Survey, records
from newsletter.doctor.spfrecord import added, ending, merged, terms
from newsletter.lookup import Unanswered

HOME = "thorne.net"
WORLD = """
thorne.net A 1.2.3.4
thorne.net MX 10 mail.thorne.net
thorne.net MX 20 spare.thorne.net
mail.thorne.net A 1.2.3.5
mail.thorne.net AAAA 2a00:1::5
spare.thorne.net A 1.2.3.6
5.3.2.1.in-addr.arpa PTR mail.thorne.net
6.3.2.1.in-addr.arpa PTR mail.thorne.net
host.example.com TXT v=spf1 ip4:5.6.7.0/24 ip6:2a00:2::/32 -all
soft.example.com TXT v=spf1 ~all
everybody.example.com TXT v=spf1 +all
twice.example.com TXT v=spf1 a -all
twice.example.com TXT v=spf1 mx -all
maya.thorne.net.allowed.example.com A 127.0.0.2
4.3.2.1.allowed.example.com A 127.0.0.2
"""


def survey(record: str, address: str = "", *, world: str = WORLD, silent: tuple[str, ...] = ()) -> Survey:
    zone = Zone(f"{world}\n{HOME} TXT {record}", silent=silent)
    return Survey(zone, HOME, ip_address(address) if address else None, f"maya@{HOME}")


# What it says


@pytest.mark.parametrize(
    ("record", "address", "result"),
    [
        pytest.param("v=spf1 -all", "1.2.3.4", Result.FAIL, id="nobody may"),
        pytest.param("v=spf1", "1.2.3.4", Result.NEUTRAL, id="a record that ends says nothing"),
        pytest.param("v=spf1 a -all", "1.2.3.4", Result.PASS, id="the domain's own address"),
        pytest.param("v=spf1 a -all", "1.2.3.5", Result.FAIL, id="not the domain's own address"),
        pytest.param("v=spf1 a/24 -all", "1.2.3.99", Result.PASS, id="the addresses around it"),
        pytest.param("v=spf1 a:mail.thorne.net/32//64 -all", "2a00:1::9", Result.PASS, id="the IPv6 ones around it"),
        pytest.param("v=spf1 mx -all", "1.2.3.6", Result.PASS, id="a mail server of the domain"),
        pytest.param("v=spf1 mx -all", "2a00:1::5", Result.PASS, id="a mail server by IPv6"),
        pytest.param("v=spf1 ip4:1.2.0.0/16 -all", "1.2.200.1", Result.PASS, id="a network"),
        pytest.param("v=spf1 ip4:1.2.3.4 -all", "::ffff:1.2.3.4", Result.PASS, id="IPv4 in IPv6's clothes"),
        pytest.param("v=spf1 ip6:2a00:1::/32 -all", "1.2.3.4", Result.FAIL, id="the other kind of address"),
        pytest.param("v=spf1 include:host.example.com -all", "5.6.7.8", Result.PASS, id="who is included may"),
        pytest.param("v=spf1 include:host.example.com ?all", "9.9.9.9", Result.NEUTRAL, id="a -all in there ends nothing"),
        pytest.param("v=spf1 include:soft.example.com -all", "9.9.9.9", Result.FAIL, id="a ~all in there is no match"),
        pytest.param("v=spf1 include:everybody.example.com -all", "9.9.9.9", Result.PASS, id="a +all in there is"),
        pytest.param("v=spf1 redirect=host.example.com", "9.9.9.9", Result.FAIL, id="another record instead"),
        pytest.param("v=spf1 ~all redirect=host.example.com", "5.6.7.8", Result.SOFTFAIL, id="all beats redirect"),
        pytest.param("v=spf1 exists:%{i}.allowed.example.com -all", "4.3.2.1", Result.PASS, id="a macro of the address"),
        pytest.param("v=spf1 exists:%{ir}.allowed.example.com -all", "1.2.3.4", Result.PASS, id="turned round"),
        pytest.param("v=spf1 exists:%{l}.%{o}.allowed.example.com -all", "9.9.9.9", Result.PASS, id="of the sender"),
        pytest.param("v=spf1 ptr -all", "1.2.3.5", Result.PASS, id="a name that leads back"),
        pytest.param("v=spf1 ptr -all", "1.2.3.6", Result.FAIL, id="a name that does not lead back"),
        pytest.param("v=SPF1 A -ALL", "1.2.3.4", Result.PASS, id="capitals"),
        pytest.param("v=spf10 a", "1.2.3.4", Result.NONE, id="another version"),
    ],
)  # fmt: skip
def test_what_a_record_says_of_an_address(record: str, address: str, result: Result) -> None:
    assert survey(record, address).result is result


@pytest.mark.parametrize(
    ("record", "words"),
    [
        pytest.param("v=spf1 ipv4:1.2.3.4 -all", "ipv4:1.2.3.4 is nothing that SPF knows", id="a slip of the pen"),
        pytest.param("v=spf1 ip4:mail.thorne.net", "ip4:mail.thorne.net holds no address", id="a name for an address"),
        pytest.param("v=spf1 ip4:2a00:1::5", "holds an address of the other kind", id="IPv6 as ip4"),
        pytest.param("v=spf1 ip4:1.2.3.4/33", "wrong number behind the slash", id="33 bits of 32"),
        pytest.param("v=spf1 a/033", "wrong number behind the slash", id="a zero in front"),
        pytest.param("v=spf1 all:example.com", "says more than all", id="all of somebody"),
        pytest.param("v=spf1 include: -all", "names no domain", id="an include of nobody"),
        pytest.param("v=spf1 include:192.0.2.1 -all", "names no domain", id="an include of an address"),
        pytest.param("v=spf1 exists:%{i -all", "names no domain", id="half a macro"),
        pytest.param("v=spf1 redirect=a.example.com redirect=b.example.com", "redirect= stands there twice", id="twice"),
        pytest.param("v=spf1 include:none.example.com -all", "which has no SPF record", id="an include of nothing"),
        pytest.param("v=spf1 redirect=none.example.com", "which has no SPF record", id="a redirect to nothing"),
        pytest.param("v=spf1 include:twice.example.com -all", "twice.example.com has 2 SPF records", id="two included"),
        pytest.param("v=spf1 include:thorne.net -all", "round and round", id="itself"),
        pytest.param("v=spf1 a\N{NO-BREAK SPACE}mx -all", "may not stand there", id="a blank that is none"),
    ],
)  # fmt: skip
def test_what_can_t_be_carried_out_and_why(record: str, words: str) -> None:
    found = survey(record, "9.9.9.9")
    assert found.result is Result.BROKEN
    assert words in found.fault


def test_a_loop_over_others_ends() -> None:
    world = "one.example.com TXT v=spf1 include:two.example.com\ntwo.example.com TXT v=spf1 include:one.example.com"
    found = survey("v=spf1 include:one.example.com -all", world=world)
    assert found.fault == "two.example.com leads back to one.example.com, round and round"


def test_silence_of_the_dns_is_not_an_answer() -> None:
    with pytest.raises(Unanswered):
        survey("v=spf1 include:host.example.com -all", "1.2.3.4", silent=("host.example.com",))


# What it costs (section 4.6.4)


def nested(count: int) -> str:
    """Records that include one another, *count* look-ups in all."""
    lines = [f"n{i}.example.com TXT v=spf1 include:n{i + 1}.example.com -all" for i in range(1, count)]
    return "\n".join([*lines, f"n{count}.example.com TXT v=spf1 -all"])


@pytest.mark.parametrize(("count", "broken"), [(10, False), (11, True), (13, True)])
def test_ten_look_ups_wherever_they_stand(count: int, broken: bool) -> None:
    found = survey("v=spf1 include:n1.example.com -all", "9.9.9.9", world=nested(count))
    assert found.lookups == count
    assert (found.result is Result.BROKEN) is broken


def test_each_word_is_told_what_it_costs_with_all_below_it() -> None:
    found = survey("v=spf1 a mx include:n1.example.com ip4:1.1.1.1 -all", world=WORLD + nested(3))
    assert found.lookups == 5
    assert found.costs == {"a": 1, "mx": 1, "include:n1.example.com": 3}
    assert found.domains == {HOME, "n1.example.com", "n2.example.com", "n3.example.com"}


def test_a_redirect_counts_and_so_does_what_it_leads_to() -> None:
    found = survey("v=spf1 mx redirect=n1.example.com", world=WORLD + nested(3))
    assert found.costs == {"mx": 1, "redirect=n1.example.com": 3}


def test_what_is_written_out_costs_nothing() -> None:
    found = survey("v=spf1 ip4:1.2.3.4 ip6:2a00::/16 exp=why.example.com -all")
    assert (found.lookups, found.voids, found.networks) == (0, 0, True)


def test_an_endless_forest_ends() -> None:
    """Each record includes two others: 2^40 look-ups, if anybody made them."""
    world = "\n".join(
        f"n{i}.example.com TXT v=spf1 include:n{i + 1}.example.com include:n{i + 1}.example.com -all" for i in range(40)
    )
    found = survey("v=spf1 include:n0.example.com -all", world=world)
    assert found.result is Result.BROKEN
    assert found.lookups < 100


@pytest.mark.parametrize(
    ("record", "voids"),
    [
        pytest.param("v=spf1 a:x.thorne.net -all", 1, id="no such name"),
        pytest.param("v=spf1 mx:mail.thorne.net -all", 1, id="a name without that record"),
        pytest.param("v=spf1 a:x.thorne.net a:y.thorne.net -all", 2, id="two are borne"),
        pytest.param("v=spf1 a:x.thorne.net a:y.thorne.net exists:z.thorne.net -all", 3, id="three are not"),
        pytest.param("v=spf1 a:mail.thorne.net a:spare.thorne.net -all", 0, id="an address of either kind will do"),
        pytest.param("v=spf1 exists:%{i}.example.com -all", 0, id="what depends on the client is not asked"),
    ],
)
def test_look_ups_in_vain(record: str, voids: int) -> None:
    found = survey(record)
    assert (found.voids, found.result is Result.BROKEN) == (voids, voids > 2)


@pytest.mark.parametrize(("count", "broken"), [(10, False), (11, True)])
def test_ten_mail_servers_of_one_mx(count: int, broken: bool) -> None:
    world = "\n".join(f"{HOME} MX {i} m{i}.thorne.net\nm{i}.thorne.net A 1.1.1.{i}" for i in range(count))
    assert (survey("v=spf1 mx -all", "9.9.9.9", world=world).result is Result.BROKEN) is broken


# The text


def test_records_are_told_from_what_only_looks_like_one() -> None:
    zone = Zone(f"{HOME} TXT v=spf1 a -all\n{HOME} TXT v=spf1a\n{HOME} TXT spf2.0/pra a\n{HOME} TXT v=spf1")
    assert records(zone, HOME) == ["v=spf1 a -all", "v=spf1"]


@pytest.mark.parametrize(
    ("record", "mechanism", "wanted"),
    [
        ("", "ip4:1.2.3.4", "v=spf1 ip4:1.2.3.4 ~all"),
        ("v=spf1", "ip4:1.2.3.4", "v=spf1 ip4:1.2.3.4 ~all"),
        ("v=spf1 mx -all", "include:_spf.google.com", "v=spf1 include:_spf.google.com mx -all"),
    ],
)
def test_one_more_mechanism(record: str, mechanism: str, wanted: str) -> None:
    assert added(record, mechanism) == wanted


def test_several_records_become_one() -> None:
    assert merged(["v=spf1 a mx -all", "v=spf1 mx include:h.example.com ~all"]) == (
        "v=spf1 a mx include:h.example.com ~all"
    )
    assert merged(["v=spf1 a +all", "v=spf1 mx"]) == "v=spf1 a mx ~all", "nobody is let in by accident"


def test_an_end_that_lets_everybody_in_is_replaced() -> None:
    assert ending(terms("v=spf1 a +all")) == "v=spf1 a ~all"
