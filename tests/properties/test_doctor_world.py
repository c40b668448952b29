"""Whatever strangers write into the DNS, the doctor finds its words: no crash, no endless walk, nothing unprintable."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from zone import Zone

from newsletter.config import Identity, SmtpSettings
from newsletter.doctor import Case, Machine, examine
from newsletter.doctor.spf import Survey
from newsletter.keys import Algorithm, new_key, signing_key
from newsletter.lookup import Answer, Kind
from newsletter.mail import Address, Mailbox
from newsletter.providers.visits import Page, Response, Server

HOME = "thorne.net"
KEY = signing_key(new_key(Algorithm.ED25519), domain=HOME, selector="newsletter", where="here")
NAMES = [HOME, f"_dmarc.{HOME}", KEY.place, f"mail.{HOME}", "a.net", "b.net", "_dmarc.net", "5.3.2.1.in-addr.arpa"]

names = st.sampled_from([*NAMES, ".", "x" * 70, "", f"{HOME}.{HOME}", "192.0.2.1"])
junk = st.text(max_size=12)
terms = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "+", "-", "~", "?"]),
        st.sampled_from(["a", "mx", "include", "redirect", "exists", "ptr", "ip4", "ip6", "all", "exp", "x"]),
        st.sampled_from(["", ":", "=", "/"]),
        st.one_of(
            names,
            junk,
            st.sampled_from(
                ["%{i}.a.net", "%{l9r-}.%{d}", "%{p}", "%{", "1.2.3.4/24", "a.net/0//0", "9" * 5_000, "::1"]
            ),
        ),
    ),
    junk,
)
tags = st.builds("{}={}".format, st.sampled_from(["p", "sp", "np", "psd", "adkim", "aspf", "t", "rua", "k", "h", "s", "v", "pct", ""]), st.one_of(
    st.sampled_from(["none", "reject", "y", "n", "s", "", "mailto:x@a.net", "mailto:", "mailto:x@y@z!1m, https://a.net", "rsa", "AAAA", KEY.record]), junk,
))  # fmt: skip
texts = st.one_of(
    st.lists(terms, max_size=8).map(lambda words: " ".join(["v=spf1", *words])),
    st.lists(tags, max_size=6).map(lambda parts: ";".join(["v=DMARC1", *parts])),
    st.lists(tags, max_size=6).map(";".join),
    st.sampled_from([KEY.record, KEY.record[:40], "\x1b[31mred", "v=spf1", "v=DMARC1"]),
    junk,
)
records = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.just("TXT"), texts),
    st.tuples(st.sampled_from(NAMES), st.just("MX"), st.builds("10 {}".format, names)),
    st.tuples(st.sampled_from(NAMES), st.just("PTR"), names),
    st.tuples(st.sampled_from(NAMES), st.just("A"), st.sampled_from(["1.2.3.5", "10.0.0.1", "0.0.0.0"])),
    st.tuples(st.sampled_from(NAMES), st.just("AAAA"), st.sampled_from(["2a00:1::5", "::", "fe80::1"])),
)


class World(Zone):
    """A zone of records as they come, white space and all."""

    def ask(self, name: str, kind: Kind) -> Answer:
        assert len(self.asked) < 2_000, "a walk without an end"
        return super().ask(name, kind)


def world(found: list[tuple[str, str, str]]) -> World:
    zone = World()
    for name, kind, value in found:
        zone.records.setdefault((name, kind), []).append(value)
    return zone


CASE = Case(
    identity=Identity("N", Mailbox("", Address("maya", HOME)), "12 Birch Lane", url=f"https://{HOME}"),
    dns=Zone(),
    at=datetime(2026, 3, 3, tzinfo=UTC),
    provider="smtp",
    smtp=SmtpSettings(host=f"mail.{HOME}"),
    keys=(KEY,),
    selectors=("newsletter",),
    server=Server("1.2.3.5", f"mail.{HOME}", "TLSv1.3"),
    page=Page(Response(302, "\x1b[2J", timedelta(0)), Response(200)),
    machine=Machine(address="1.2.3.5"),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(records, max_size=14), st.sampled_from(["smtp", "folder", "postmark", "mailgun"]))
def test_any_world_is_judged(found: list[tuple[str, str, str]], provider: str) -> None:
    case = replace(CASE, dns=world(found), provider=provider, smtp=CASE.smtp if provider == "smtp" else None)
    for finding in examine(case):
        record = (finding.record.name, finding.record.value) if finding.record else ()
        for words in (finding.place, finding.problem, finding.remedy, *record):
            assert words.isprintable()
        assert finding.problem and finding.remedy


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a.net", "b.net", HOME]), st.just("TXT"), texts), max_size=8))
def test_any_spf_forest_has_an_end_and_counts_what_it_asks(found: list[tuple[str, str, str]]) -> None:
    walk = Survey(world(found), HOME)
    assert walk.lookups == sum(walk.costs.values()) <= 61
    assert walk.voids == len(walk.void_names)
