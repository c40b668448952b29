"""What the doctor finds: a project in order, and one thing at a time that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from zone import Zone

from newsletter.config import Identity, SmtpSettings
from newsletter.doctor import RULES, Case, Machine, examine
from newsletter.findings import Finding, Record, Severity
from newsletter.keys import Algorithm, SigningKey, new_key, signing_key
from newsletter.mail import Address, Mailbox
from newsletter.providers.visits import Account, Page, Response, Server

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)
HOME = "thorne.net"


def a_key(algorithm: Algorithm, selector: str, domain: str = HOME) -> SigningKey:
    return signing_key(new_key(algorithm), domain=domain, selector=selector, where="here")


KEY, SMALL = a_key(Algorithm.RSA, "newsletter"), a_key(Algorithm.ED25519, "newsletter-ed25519")
OTHER = a_key(Algorithm.RSA, "newsletter")

SPF, DMARC = f"{HOME} TXT v=spf1 ip4:1.2.3.5 -all", f"_dmarc.{HOME} TXT v=DMARC1; p=reject"
DKIM = f"{KEY.place} TXT {KEY.record}"
MX, PTR = f"{HOME} MX 10 mail.{HOME}", f"5.3.2.1.in-addr.arpa PTR mail.{HOME}"
HOST = f"mail.{HOME} A 1.2.3.5"
WORLD = "\n".join([SPF, DMARC, DKIM, MX, PTR, HOST])

IDENTITY = Identity(
    name="Letters",
    sender=Mailbox("Maya Thorne", Address("maya", HOME)),
    postal_address="12 Birch Lane",
    url=f"https://letters.{HOME}",
)
OWN = SmtpSettings(host=f"mail.{HOME}", port=587)
SERVER = Server("1.2.3.5", f"mail.{HOME}", "TLSv1.3", NOW + timedelta(days=60))
OPEN = Page(Response(200, ahead=timedelta(seconds=1)), Response(200, ahead=timedelta(seconds=1)))


def case(world: str = WORLD, *, without: str = "", more: str = "", **changes: object) -> Case:
    """A project in order, but for *changes*; *without* a line of the DNS, and with *more*."""
    assert without in world
    zone = Zone(f"{world.replace(without, '') if without else world}\n{more}")
    healthy = Case(
        identity=IDENTITY,
        dns=zone,
        at=NOW,
        provider="smtp",
        smtp=OWN,
        keys=(KEY,),
        server=SERVER,
        page=OPEN,
        machine=Machine(free=10**10, database=10**6, folder="/home/maya/letters"),
        readers={"gmail.com": 40},
    )
    return replace(healthy, **changes)  # type: ignore[arg-type]  # fields by name


def found(case: Case) -> list[tuple[str, Severity]]:
    return [(finding.rule, finding.severity) for finding in examine(case)]


def only(case: Case, rule: str) -> Finding:
    """The one finding there is, which *rule* made."""
    (finding,) = examine(case)
    assert finding.rule == rule
    return finding


def the(case: Case, rule: str) -> Finding:
    """The one finding of *rule*."""
    (finding,) = [f for f in examine(case) if f.rule == rule]
    return finding


E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE


def test_a_project_in_order_has_nothing_to_say() -> None:
    assert examine(case()) == []


def test_findings_are_sentences_with_a_place_and_what_weighs_most_comes_first() -> None:
    silent = replace(case(), dns=Zone(), readers={"gmail.com": 4_500}, identity=replace(IDENTITY, url=""), page=None)
    findings = examine(silent)
    assert [f.severity for f in findings] == sorted((f.severity for f in findings), key=list(Severity).index)
    assert {f.severity for f in findings} == {E, W, N}
    for finding in findings:
        assert finding.place
        assert finding.rule in RULES
        for sentence in (finding.problem, finding.remedy):
            assert sentence[0].isupper() or not sentence[0].isalpha() or sentence.startswith((HOME, "mail.")), sentence
            assert sentence.endswith((".", "?", "true")) or sentence.startswith("Type: "), sentence


def test_a_fresh_project_hears_of_its_sample_address_and_of_nothing_that_follows_from_it() -> None:
    fresh = Case(
        identity=replace(IDENTITY, sender=Mailbox("", Address("maya", "letters.example.org")), url=""),
        dns=Zone(),
        at=NOW,
    )
    assert found(fresh) == [("from-domain", E), ("provider", N)]
    assert fresh.dns.asked == []  # type: ignore[attr-defined]


# -- From


@pytest.mark.parametrize("domain", ["gmail.com", "googlemail.com", "yahoo.fr", "web.de", "me.com", "proton.me"])
def test_from_with_a_free_mail_service(domain: str) -> None:
    free = case(identity=replace(IDENTITY, sender=Mailbox("", Address("maya", domain))), keys=(), without=DKIM)
    free = replace(free, dns=Zone(f"{WORLD}\n{domain} MX 10 mx.{domain}\nmx.{domain} A 9.9.9.9"))
    finding = only(free, "free-mail")
    assert finding.severity is E
    assert f"maya@{domain}" in finding.remedy, "it may stay as reply_to"


@pytest.mark.parametrize(
    ("domain", "host"),
    [("gmail.com", "smtp.gmail.com"), ("yahoo.com", "smtp.mail.yahoo.com"), ("icloud.com", "smtp.mail.me.com")],
)
def test_a_free_mail_service_s_own_server_may_send_in_its_name(domain: str, host: str) -> None:
    free = case(
        identity=replace(IDENTITY, sender=Mailbox("", Address("maya", domain))),
        smtp=SmtpSettings(host=host),
        keys=(),
        more=f"{domain} MX 10 mx.{domain}\nmx.{domain} A 9.9.9.9",
    )
    assert only(free, "free-mail").severity is W


# -- mail that comes in


@pytest.mark.parametrize(
    ("mx", "severity", "words"),
    [
        pytest.param(f"{HOME} MX 0 .", E, "takes no mail at all. Many servers refuse letters", id="null MX"),
        pytest.param(f"{HOME} MX 10 gone.{HOME}", E, f"names gone.{HOME}, which has no address", id="a dead server"),
        pytest.param(f"{HOME} MX 10 1.2.3.5", E, "names 1.2.3.5, which has no address", id="a number"),
        pytest.param(f"{MX}\n{HOME} MX 20 gone.{HOME}", W, f"names gone.{HOME}", id="a dead second server"),
        pytest.param(f"{HOME} A 1.2.3.4", N, "has no MX record", id="only an address"),
        pytest.param("", E, "has no mail server", id="nothing"),
    ],
)
def test_mail_for_the_from_domain(mx: str, severity: Severity, words: str) -> None:
    finding = only(case(without=MX, more=mx), "mail-in")
    assert (finding.severity, finding.place) == (severity, HOME)
    assert words in finding.problem


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(
            {"identity": replace(IDENTITY, reply_to=Mailbox("", Address("maya", "quiet.net")))}, id="reply_to"
        ),
        pytest.param({"identity": replace(IDENTITY, unsubscribe_to=Address("out", "quiet.net"))}, id="unsubscribe_to"),
        pytest.param({"identity": replace(IDENTITY, bounces_to=Address("back", "quiet.net"))}, id="bounces_to"),
        pytest.param({"alerts_to": Address("maya", "quiet.net")}, id="to in [alerts]"),
    ],
)
def test_mail_for_answers(who: dict[str, object], request: pytest.FixtureRequest) -> None:
    finding = only(case(more="quiet.net MX 0 .", **who), "mail-in")
    assert finding.problem == "quiet.net says that it takes no mail at all."
    assert f"`{request.node.callspec.id}`" in finding.remedy


def test_a_domain_that_is_not_there() -> None:
    lost = case(identity=replace(IDENTITY, reply_to=Mailbox("", Address("maya", "throne.net"))))
    assert only(lost, "mail-in").problem == "There is no domain throne.net."


# -- SPF


@pytest.mark.parametrize(
    ("spf", "rule", "severity", "words"),
    [
        pytest.param("v=spf1 +all", "spf-record", E, "everybody may send", id="+all"),
        pytest.param("v=spf1 ip4:1.2.3.5 ?all", "spf-record", W, "protects nobody", id="?all"),
        pytest.param("v=spf1 ip4:1.2.3.5", "spf-record", W, "protects nobody", id="no end"),
        pytest.param("v=spf1 ip4:1.2.3.5 -all mx", "spf-record", W, "no effect: mx", id="something behind the end"),
        pytest.param("v=spf1 ip4:1.2.3.5 ptr -all", "spf-record", W, "uses ptr", id="ptr"),
        pytest.param("v=spf1 ip4:1.2.3.5 inlcude:x.net -all", "spf-record", E, "inlcude:x.net is nothing", id="a slip"),
        pytest.param("v=spf1 ip4:1.2.3.5 a:gone.net -all", "spf-lookups", W, "gone.net", id="one look-up in vain"),
        pytest.param("v=spf1 a:a.x a:b.x a:c.x -all", "spf-lookups", E, "a.x, b.x, c.x", id="three look-ups in vain"),
        pytest.param("v=spf1 mx:other.net -all", "spf-sender", E, "does not let mail.thorne.net, port 587", id="not ours"),
        pytest.param("v=spf1 -all", "spf-sender", E, "does not let", id="nobody"),
        pytest.param("v=SPF2 a", "spf-record", E, "must begin with v=spf1", id="a version that is none"),
    ],
)  # fmt: skip
def test_the_spf_record(spf: str, rule: str, severity: Severity, words: str) -> None:
    other = "other.net MX 10 mx.other.net\nmx.other.net A 9.9.9.9"
    finding = the(case(without=SPF, more=f"{HOME} TXT {spf}\n{other}"), rule)
    assert finding.severity is severity
    assert words in finding.problem


def test_a_missing_spf_record_is_there_to_copy() -> None:
    finding = the(case(without=SPF), "spf-record")
    assert (finding.severity, finding.record) == (W, Record(HOME, "v=spf1 ip4:1.2.3.5 ~all"))
    unsigned = case(without=SPF, keys=(), selectors=("s1",), more=f"s1._domainkey.{HOME} TXT {KEY.record}")
    assert the(unsigned, "spf-record").severity is E, "nothing else of ours proves a letter"


def test_two_spf_records_become_one() -> None:
    finding = the(case(more=f"{HOME} TXT v=spf1 include:_spf.google.com ~all"), "spf-record")
    assert finding.severity is E
    assert finding.record == Record(HOME, "v=spf1 ip4:1.2.3.5 include:_spf.google.com ~all")


def test_a_server_that_is_left_out_is_put_in() -> None:
    finding = the(case(without=SPF, more=f"{HOME} TXT v=spf1 ip4:9.9.9.9 -all"), "spf-sender")
    assert finding.record == Record(HOME, "v=spf1 ip4:1.2.3.5 ip4:9.9.9.9 -all")


def test_too_many_look_ups_name_what_costs_most() -> None:
    chain = "\n".join(f"n{i}.net TXT v=spf1 include:n{i + 1}.net -all" for i in range(10)) + "\nn10.net TXT v=spf1 -all"
    finding = the(case(without=SPF, more=f"{HOME} TXT v=spf1 mx include:n0.net -all\n{chain}"), "spf-lookups")
    assert (finding.severity, "12 look-ups" in finding.problem) == (E, True)
    assert "include:n0.net 11, mx 1" in finding.remedy
    ten = case(without=SPF, more=f"{HOME} TXT v=spf1 ip4:1.2.3.5 include:n1.net -all\n{chain}")
    assert only(ten, "spf-lookups").severity is N


GOOGLE = SmtpSettings(host="smtp-relay.gmail.com", port=587)
_GOOGLE = "_spf.google.com TXT v=spf1 ip4:9.9.9.0/24 ~all"


@pytest.mark.parametrize(
    ("spf", "severity"),
    [
        pytest.param("v=spf1 include:_spf.google.com -all", None, id="included"),
        pytest.param("v=spf1 include:deep.net -all", None, id="included by what is included"),
        pytest.param("v=spf1 mx -all", E, id="left out"),
        pytest.param("v=spf1 ip4:9.9.9.0/24 -all", W, id="perhaps written out"),
    ],
)
def test_a_mail_service_has_to_be_included(spf: str, severity: Severity | None) -> None:
    more = f"{HOME} TXT {spf}\n{_GOOGLE}\ndeep.net TXT v=spf1 include:_spf.google.com -all"
    hosted = case(without=SPF, more=more, smtp=GOOGLE)
    assert [f.severity for f in examine(hosted) if f.rule == "spf-sender"] == ([severity] if severity else [])
    if severity:
        rest = spf.removeprefix("v=spf1 ")
        assert the(hosted, "spf-sender").record == Record(HOME, f"v=spf1 include:_spf.google.com {rest}")


def test_a_service_with_a_return_address_of_its_own_needs_no_spf() -> None:
    hosted = case(without=SPF, provider="postmark", smtp=None, server=None)
    assert only(hosted, "spf-record").severity is N
    assert examine(case(provider="postmark", smtp=None, server=None)) == []


def test_spf_is_looked_for_at_the_domain_of_the_reverse_path() -> None:
    elsewhere = case(without=SPF, reverse_path=f"bounces.{HOME}", more=f"bounces.{HOME} TXT v=spf1 ip4:1.2.3.5 -all")
    assert examine(elsewhere) == []
    missing = replace(elsewhere, dns=Zone(WORLD))
    assert [(f.rule, f.place) for f in examine(missing)] == [("spf-record", f"bounces.{HOME}")]


def test_a_reverse_path_of_another_owner_proves_nothing_for_from() -> None:
    alone = case(without=DKIM, more="other.net TXT v=spf1 ip4:1.2.3.5 -all", reverse_path="other.net")
    assert [f.rule for f in examine(alone) if f.severity is E] == ["dkim-key", "dmarc-alignment"]
    bare = case(without=DKIM, keys=(), more=f"b.{HOME} TXT v=spf1 ip4:1.2.3.5 -all", reverse_path=f"b.{HOME}")
    assert not [f for f in examine(bare) if f.rule == "dmarc-alignment"], "relaxed: below one domain"
    aspf = replace(bare, dns=Zone(bare.dns.text.replace("p=reject", "p=reject; aspf=s")))  # type: ignore[attr-defined]
    assert [f.severity for f in examine(aspf) if f.rule == "dmarc-alignment"] == [W]
    strict = case(
        without=DMARC, more=f"b.{HOME} TXT v=spf1 ip4:1.2.3.5 -all\n{DMARC}; aspf=s", reverse_path=f"b.{HOME}"
    )
    assert examine(strict) == [], "the signature speaks for it"


def test_a_server_elsewhere_may_hand_on_from_another_address() -> None:
    far = case(
        smtp=SmtpSettings(host="smtp.host.net"), more="smtp.host.net A 5.5.5.5", server=replace(SERVER, address="5.5.5.5")
    )  # fmt: skip
    assert (only(far, "spf-sender").severity) is W


def test_behind_a_router_nobody_knows_the_address() -> None:
    local = SmtpSettings(host="127.0.0.1", port=25)
    hidden = case(smtp=local, machine=replace(case().machine, address="192.168.1.7"))
    assert only(hidden, "spf-sender").severity is N
    assert examine(case(smtp=local, machine=replace(case().machine, address="1.2.3.5"))) == []


# -- DKIM


def changed(**tags: str | None) -> str:
    """The key's record with other tags, or without some."""
    found = {"v": "DKIM1", "k": "rsa", "p": KEY.record.partition("p=")[2]} | tags
    return "; ".join(f"{name}={value}" for name, value in found.items() if value is not None)


@pytest.mark.parametrize(
    ("record", "severity", "words"),
    [
        pytest.param("", E, "is not in the DNS", id="nothing there"),
        pytest.param(OTHER.record, E, "is another one in the DNS", id="another key"),
        pytest.param(changed(p=""), E, "is revoked", id="revoked"),
        pytest.param(changed(p=None), E, "without a key", id="no key in it"),
        pytest.param(changed(k="ed25519"), E, "k=ed25519 and not k=rsa", id="another kind"),
        pytest.param(changed(v="DKIM2"), E, "must begin with v=DKIM1", id="another version"),
        pytest.param("k=rsa; v=DKIM1; p=AAAA", E, "must begin with v=DKIM1", id="the version elsewhere"),
        pytest.param(changed(h="sha1"), E, "may not be used with SHA-256", id="only SHA-1"),
        pytest.param(changed(s="tlsrpt"), E, "may not be used for mail", id="not for mail"),
        pytest.param(changed(p="!!!"), E, "is damaged", id="no base64"),
        pytest.param(KEY.record[:255], E, "is cut off", id="cut off at 255 characters"),
        pytest.param(f"{changed()}; p=AAAA", E, "p= stands there twice", id="a tag twice"),
        pytest.param(changed(t="y:s"), W, "marked as a test", id="a test"),
        pytest.param(changed(h="sha1:sha256", s="*", t="s", n="x"), None, "", id="all that may be there"),
        pytest.param(changed(v=None, k=None), None, "", id="no more than has to be there"),
        pytest.param(KEY.record[:100] + " " + KEY.record[100:], None, "", id="white space in the key"),
    ],
)
def test_the_key_in_the_dns(record: str, severity: Severity | None, words: str) -> None:
    judged = case(without=DKIM, more=f"{KEY.place} TXT {record}" if record else "")
    assert [f.severity for f in examine(judged) if f.rule == "dkim-key"] == ([severity] if severity else [])
    if severity:
        finding = the(judged, "dkim-key")
        assert words in finding.problem
        assert finding.record == Record(KEY.place, KEY.record)


def test_a_key_under_a_name_with_the_domain_twice() -> None:
    finding = the(case(without=DKIM, more=f"{KEY.place}.{HOME} TXT {KEY.record}"), "dkim-key")
    assert f"stands at {KEY.place}.{HOME}" in finding.problem


def test_two_records_at_one_name() -> None:
    assert "has 2 records" in the(case(more=f"{KEY.place} TXT {OTHER.record}"), "dkim-key").problem


def test_each_of_two_keys_is_looked_at() -> None:
    assert the(case(keys=(KEY, SMALL)), "dkim-key").place == SMALL.place
    assert examine(case(keys=(KEY, SMALL), more=f"{SMALL.place} TXT {SMALL.record}")) == []


def weak(bits: int) -> str:
    from base64 import b64encode

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65_537, key_size=bits).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={b64encode(der).decode()}"


@pytest.mark.parametrize(
    ("record", "severity", "words"),
    [
        (weak(1_024), W, "has 1024 bits; 2048 are wanted today"),
        ("v=DKIM1; p=", E, "is revoked"),
        ("", E, "There is no key s1"),
        (KEY.record, None, ""),
    ],
    ids=["short", "revoked", "not there", "in order"],
)
def test_a_key_of_the_mail_host_s_that_is_named(record: str, severity: Severity | None, words: str) -> None:
    judged = case(keys=(), selectors=("s1",), more=f"s1._domainkey.{HOME} TXT {record}" if record else "")
    rest = [f for f in examine(judged) if f.rule == "dkim-key"]
    assert [(f.severity, words in f.problem) for f in rest] == ([(severity, True)] if severity else [])


def test_who_signs() -> None:
    unsigned = {"keys": (), "without": DKIM}
    assert found(case(**unsigned)) == [("dkim-signer", W)]  # type: ignore[arg-type]
    assert found(case(**unsigned, provider="folder", smtp=None, server=None)) == [("provider", N)]  # type: ignore[arg-type]
    mailjet = {"provider": "mailjet", "smtp": None, "server": None}
    assert the(case(**unsigned, **mailjet), "dkim-signer").severity is W  # type: ignore[arg-type]
    assert examine(case(keys=(), more=f"mailjet._domainkey.{HOME} TXT {KEY.record}", **mailjet)) == []
    ses = {"provider": "ses", "smtp": None, "server": None}
    assert the(case(**unsigned, **ses), "dkim-signer").severity is N  # type: ignore[arg-type]


def test_a_vendor_that_signs_says_so_and_nothing_is_left_to_doubt() -> None:
    ses = case(provider="ses", smtp=None, server=None, keys=(), without=DKIM, account=Account(signs=True))
    assert examine(ses) == []


# -- DMARC


@pytest.mark.parametrize(
    ("record", "severity", "words"),
    [
        pytest.param("", W, "has no DMARC record", id="nothing"),
        pytest.param(f"_dmarc.{HOME} TXT v=DMARC1; p=none", N, "asks for nothing", id="p=none"),
        pytest.param(f"_dmarc.{HOME} TXT v=DMARC1; p=block", E, "none of it counts", id="a word that is none"),
        pytest.param(f"_dmarc.{HOME} TXT v=dmarc1; p=reject", E, "must begin with v=DMARC1", id="small letters"),
        pytest.param(f"{DMARC}\n{DMARC} ; t=n", E, "2 DMARC records", id="two"),
        pytest.param(f"{HOME} TXT v=DMARC1; p=reject", W, f"stands at {HOME}, where nobody looks", id="misplaced"),
        pytest.param(f"_dmarc.{HOME}.{HOME} TXT v=DMARC1; p=reject", W, f"stands at _dmarc.{HOME}.{HOME}", id="twice"),
        pytest.param(f"{DMARC}; psd=y", W, "a registry's domain", id="psd=y"),
        pytest.param(f"{DMARC}; adkim=relaxed", W, "adkim=relaxed", id="a mode that is none"),
        pytest.param(f"{DMARC}; nonsense", W, "Part of your DMARC record is skipped", id="a tag that is none"),
        pytest.param(f"{DMARC}; t=y", N, "marked as a test", id="a test"),
        pytest.param(f"{DMARC}; pct=50", N, "pct in your DMARC record is of the past", id="pct"),
        pytest.param("_dmarc.net TXT v=DMARC1; p=reject; psd=y", None, "", id="the registry's own will do"),
    ],
)  # fmt: skip
def test_the_dmarc_record(record: str, severity: Severity | None, words: str) -> None:
    judged = case(without=DMARC, more=record)
    assert [f.severity for f in examine(judged) if f.rule == "dmarc-record"] == ([severity] if severity else [])
    if severity:
        assert words in the(judged, "dmarc-record").problem


def test_a_record_of_one_s_own_that_nobody_reads_is_told_also_when_the_domain_above_has_one() -> None:
    letters = case(identity=LETTERS, more=f"{_LETTERS}\n_dmarc.letters.{HOME} TXT v=dmarc1; p=none")
    assert (finding := only(letters, "dmarc-record")).severity is E
    assert finding.place == f"_dmarc.letters.{HOME}"


def test_a_missing_dmarc_record_is_there_to_copy_and_an_error_for_bulk_senders() -> None:
    assert only(case(without=DMARC), "dmarc-record").record == Record(f"_dmarc.{HOME}", "v=DMARC1; p=none")
    bulk = case(without=DMARC, readers={"gmail.com": 5_000})
    assert found(bulk) == [("dmarc-record", E), ("bulk-sender", N)]


LETTERS = replace(IDENTITY, sender=Mailbox("", Address("maya", f"letters.{HOME}")))
_LETTERS = f"letters.{HOME} MX 10 mail.{HOME}\nletters.{HOME} TXT v=spf1 ip4:1.2.3.5 -all"


def test_a_signature_by_the_domain_above_counts_unless_adkim_is_strict() -> None:
    assert examine(case(identity=LETTERS, more=_LETTERS)) == []
    strict = case(identity=LETTERS, without=DMARC, more=f"{_LETTERS}\n{DMARC}; adkim=s")
    assert (finding := only(strict, "dmarc-alignment")).severity is W, "SPF still speaks for it"
    assert f"signed by {HOME}" in finding.problem
    alone = replace(strict, dns=Zone(strict.dns.text.replace("v=spf1 ip4:1.2.3.5", "v=spf1 ip4:9.9.9.9")))  # type: ignore[attr-defined]
    assert [f.severity for f in examine(alone) if f.rule == "dmarc-alignment"] == [E, E]


@pytest.mark.parametrize(
    ("wish", "severity"),
    [("none", None), ("quarantine", E), ("reject", E)],
)
def test_letters_that_prove_nothing_under_a_policy(wish: str, severity: Severity | None) -> None:
    bare = "\n".join([f"{HOME} TXT v=spf1 ip4:9.9.9.9 -all", f"_dmarc.{HOME} TXT v=DMARC1; p={wish}", MX, PTR, HOST])
    got = [f.severity for f in examine(case(bare)) if f.rule == "dmarc-alignment"]
    assert got == ([severity] if severity else [])


def test_letters_whose_proof_can_t_be_seen_under_a_policy() -> None:
    hosted = case(provider="ses", smtp=None, server=None, keys=(), without=DKIM)
    assert [f.severity for f in examine(hosted) if f.rule == "dmarc-alignment"] == [W]


@pytest.mark.parametrize(
    ("rua", "more", "speaks"),
    [
        pytest.param(f"mailto:dmarc@{HOME}", "", False, id="to oneself"),
        pytest.param(f"mailto:dmarc@reports.{HOME}", "", False, id="to oneself, below"),
        pytest.param("mailto:x@watch.net", "", True, id="to others who did not agree"),
        pytest.param("mailto:x@watch.net!10m", f"{HOME}._report._dmarc.watch.net TXT v=DMARC1", False, id="who agreed"),
        pytest.param("dmarc@thorne.net", "", True, id="no address at all"),
    ],
)
def test_where_reports_go(rua: str, more: str, speaks: bool) -> None:
    judged = case(without=DMARC, more=f"{DMARC}; rua={rua}\n{more}")
    assert found(judged) == ([("dmarc-reports", W)] if speaks else [])
    if "watch.net" in rua and speaks:
        assert only(judged, "dmarc-reports").record == Record(f"{HOME}._report._dmarc.watch.net", "v=DMARC1")


# -- the mail server


def test_a_server_that_refuses_is_quoted_in_two_sentences() -> None:
    shut = case(server=None, server_fault="the mail server refused the login; check username")
    assert (finding := only(shut, "mail-server")).severity is E
    assert (finding.problem, finding.remedy) == ("The mail server refused the login.", "Check username.")


@pytest.mark.parametrize(
    ("server", "rule", "severity"),
    [
        pytest.param(replace(SERVER, expires=NOW + timedelta(days=3)), "certificate", W, id="soon over"),
        pytest.param(replace(SERVER, tls="TLSv1.1"), "mail-server", W, id="old encryption"),
        pytest.param(replace(SERVER, name="localhost"), "greeting-name", W, id="no full name"),
        pytest.param(replace(SERVER, name="[1.2.3.5]"), "greeting-name", W, id="a number"),
        pytest.param(replace(SERVER, name="other.net"), "greeting-name", W, id="a name that leads elsewhere"),
        pytest.param(replace(SERVER, name="MAIL.thorne.net."), "", None, id="the same name"),
        pytest.param(replace(SERVER, ahead=timedelta(seconds=20), tls="", expires=None), "", None, id="no encryption"),
    ],
)
def test_how_the_server_presents_itself(server: Server, rule: str, severity: Severity | None) -> None:
    assert found(case(server=server)) == ([(rule, severity)] if severity else [])


def test_an_address_without_a_name_and_one_whose_name_leads_elsewhere() -> None:
    finding = only(case(without=PTR), "reverse-name")
    assert (finding.severity, finding.record) == (E, Record("5.3.2.1.in-addr.arpa", f"mail.{HOME}", "PTR"))
    stray = case(without=PTR, more="5.3.2.1.in-addr.arpa PTR host5.provider.net\nhost5.provider.net A 9.9.9.9")
    assert only(stray, "reverse-name").record == Record("host5.provider.net", "1.2.3.5", "A")
    one_of_two = case(more="5.3.2.1.in-addr.arpa PTR host5.provider.net")
    assert examine(one_of_two) == []


def test_ipv6_counts_as_well() -> None:
    both = case(more=f"mail.{HOME} AAAA 2a00:1::5")
    assert [(f.rule, f.place) for f in examine(both)] == [
        ("spf-sender", HOME), ("reverse-name", "2a00:1::5")
    ]  # fmt: skip


def test_names_of_a_server_that_is_not_ours_are_not_our_business() -> None:
    hosted = case(smtp=GOOGLE, server=replace(SERVER, name="x"), without=SPF,
                  more=f"{HOME} TXT v=spf1 include:_spf.google.com -all\n{_GOOGLE}")  # fmt: skip
    assert examine(hosted) == []


# -- the way out


@pytest.mark.parametrize(
    ("get", "post", "words"),
    [
        pytest.param(Response(200), Response(302, f"https://www.{HOME}/"), ["The button for leaving is sent on to"], id="302"),
        pytest.param(Response(301, "x"), Response(200), ["The page for leaving is sent on to x"], id="the page moved"),
        pytest.param(Response(404), Response(404), ["page for leaving is not there", "button for leaving is not"], id="404"),
        pytest.param(Response(200), Response(405), ["takes no POST"], id="a page that is only shown"),
        pytest.param(Response(200), Response(403), ["wants a login, or proof of being human"], id="a firewall"),
        pytest.param(Response(200), Response(500), ["fails (500)"], id="broken"),
        pytest.param("refuses the connection", "refuses the connection", ["the website refuses the connection"], id="down"),
        pytest.param(Response(200), "did not answer", ["button for leaving does not work"], id="silence at the button"),
    ],
)  # fmt: skip
def test_the_way_out(get: Response | str, post: Response | str, words: list[str]) -> None:
    findings = examine(case(page=Page(get, post)))
    assert [(f.rule, f.severity) for f in findings] == [("unsubscribe-page", E)] * len(words)
    for finding, part in zip(findings, words, strict=True):
        assert part in finding.problem


def test_without_a_website_readers_write_which_is_not_enough_for_bulk_senders() -> None:
    mailto = {"identity": replace(IDENTITY, url=""), "page": None}
    assert found(case(**mailto)) == [("one-click", N)]
    assert found(case(**mailto, readers={"yahoo.com": 9_000})) == [("one-click", E), ("bulk-sender", N)]


# -- this machine


@pytest.mark.parametrize(
    ("website", "server", "severity", "words"),
    [
        (10, None, None, ""),
        (-90, None, W, "2 minutes behind that of your website"),
        (3_600, None, E, "60 minutes ahead of that of your website"),
        (3_600, 5, None, ""),
        (None, -600, E, "10 minutes behind that of your mail server"),
        (None, None, None, ""),
    ],
    ids=["right", "a bit slow", "an hour fast", "a website that is wrong", "by the mail server", "nobody to ask"],
)  # fmt: skip
def test_the_clock(website: int | None, server: int | None, severity: Severity | None, words: str) -> None:
    def off(seconds: int | None) -> timedelta | None:
        return None if seconds is None else timedelta(seconds=seconds)

    judged = case(
        page=Page(Response(200, ahead=off(website)), Response(200)), server=replace(SERVER, ahead=off(server))
    )
    assert found(judged) == ([("clock", severity)] if severity else [])
    if severity:
        assert words in only(judged, "clock").problem


def test_the_provider_s_clock_comes_first_since_a_website_may_be_on_this_machine() -> None:
    judged = case(provider="ses", smtp=None, server=None, account=Account(signs=True, ahead=timedelta(hours=1)))
    assert only(judged, "clock").severity is E


@pytest.mark.parametrize(
    ("free", "database", "severity"),
    [(20, 1, E), (300, 1, W), (900, 600, W), (1_300, 600, None)],
    ids=["full", "narrow", "no room for a copy", "enough"],
)
def test_the_disk(free: int, database: int, severity: Severity | None) -> None:
    machine = Machine(free=free * 1_000_000, database=database * 1_000_000, folder="/srv/letters")
    assert found(case(machine=machine)) == ([("disk", severity)] if severity else [])


def test_files_that_others_can_read_and_settings_that_are_odd() -> None:
    odd = case(
        machine=replace(case().machine, exposed=(Path("/srv/letters/secret.key"),)),
        notes=("newsletter.toml, line 9: something is odd; mend it",),
        faults=("the database can't be read (it is locked).",),
    )
    assert [(f.rule, f.severity, f.remedy) for f in examine(odd)] == [
        ("settings", E, "Nothing leaves before that is mended."),
        ("file-modes", W, "Type: chmod 600 /srv/letters/secret.key"),
        ("settings", W, "Mend it."),
    ]


# -- how many


@pytest.mark.parametrize(
    ("readers", "severity"),
    [({"gmail.com": 3_999}, None), ({"gmail.com": 4_000}, W), ({"gmail.com": 10, "outlook.com": 5_000}, N), ({}, None)],
)
def test_how_near_bulk_is(readers: dict[str, int], severity: Severity | None) -> None:
    assert found(case(readers=readers)) == ([("bulk-sender", severity)] if severity else [])


# -- when nobody answers


def test_a_silent_dns_is_one_finding_and_no_other_is_guessed() -> None:
    silent = replace(case(), dns=Zone(silent=["*"]))
    finding = only(silent, "dns-answer")
    assert (finding.severity, finding.place) == (E, "the DNS")
    assert "nothing that stands there was looked at" in finding.problem


@pytest.mark.parametrize("name", [HOME, f"_dmarc.{HOME}", KEY.place, "5.3.2.1.in-addr.arpa", f"mail.{HOME}"])
def test_what_one_silent_name_hides_is_said_and_the_rest_is_judged(name: str) -> None:
    half = replace(case(without="", server=replace(SERVER, tls="TLSv1.1")), dns=Zone(WORLD, silent=[name]))
    assert sorted(found(half)) == [("dns-answer", W), ("mail-server", W)]
    assert the(half, "dns-answer").place == name


def test_provider_findings_pass_through() -> None:
    said = Finding("provider", E, "Postmark", "The key is wrong.", "Make a new one.")
    assert examine(case(account=Account((said,)))) == [said]


def test_every_rule_has_a_reason() -> None:
    def reason(rule: Callable[..., object]) -> str:
        return rule.__doc__ or ""

    assert all(reason(rule).endswith(").") or reason(rule).endswith(".") for rule in RULES.values())
    assert all(reason(rule) for rule in RULES.values())
