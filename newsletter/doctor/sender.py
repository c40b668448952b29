"""Rules about the From address: whose it is, where answers go, and which servers may send in its name (SPF)."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.destinations import domains_of, group_of
from newsletter.doctor import spf
from newsletter.doctor.case import Case, is_address
from newsletter.doctor.spfrecord import Term, added, ending, merged, terms
from newsletter.findings import Finding, Record, error, note, warning

_IN_TOML = "in newsletter.toml"


def from_domain(case: Case) -> Iterator[Finding]:
    """The From address is one of your own, not a sample's (RFC 2606)."""
    if case.is_sample:
        yield error(
            "from-domain",
            str(case.identity.sender.address),
            f"{case.domain} is a name for examples, which nobody can send from.",
            f"Write your own address as `from` {_IN_TOML}; the rest of the DNS is looked at then.",
        )


def free_mail(case: Case) -> Iterator[Finding]:
    """From is not an address with a free mail service: those say that mail from elsewhere is to be refused."""
    if not case.is_free:
        return
    place, host = str(case.identity.sender.address), case.smtp.host.lower() if case.smtp else ""
    if any(f".{host}".endswith(f".{domain}") for domain in domains_of(group_of(case.domain))):
        yield warning(
            "free-mail",
            place,
            f"{case.domain} is a mail service for everybody; it lets one person send some hundred letters a day.",
            "For more readers, or to be found under your own name, use an address in a domain of your own.",
        )
        return
    yield error(
        "free-mail",
        place,
        f"{case.domain} tells every mail server to distrust letters in its name that come from elsewhere.",
        f"Write an address in a domain of your own as `from` {_IN_TOML}; {place} may stay as `reply_to`.",
    )


def mail_in(case: Case) -> Iterator[Finding]:
    """From and the addresses for answers can get mail: an MX with an address, and no null MX (RFC 5321, RFC 7505)."""
    if case.is_sample:
        return
    places = {case.domain: "from"}
    identity = case.identity
    for key, address in (
        ("reply_to", identity.reply_to.address if identity.reply_to else None),
        ("unsubscribe_to", identity.unsubscribe_to),
        ("bounces_to", identity.bounces_to),
        ("to in [alerts]", case.alerts_to),
    ):
        if address is not None:
            places.setdefault(address.domain, key)
    for domain, key in places.items():
        yield from _mail_in(case, domain, key)


def _mail_in(case: Case, domain: str, key: str) -> Iterator[Finding]:
    answer = case.dns.ask(domain, "MX")
    hosts = [record.partition(" ")[2] for record in answer.records]
    where = f"`{key}` {_IN_TOML}"
    if not answer.exists:
        yield error("mail-in", domain, f"There is no domain {domain}.", f"Look for a slip of the pen in {where}.")
    elif hosts == ["."]:
        refused = " Many servers refuse letters from such a domain (RFC 7505)." if domain == case.domain else ""
        yield error(
            "mail-in",
            domain,
            f"{domain} says that it takes no mail at all.{refused}",
            f"Delete the MX record “0 .” at {domain} and name your mail server there, or change {where}.",
        )
    elif not hosts and not _addresses(case, domain):
        yield error(
            "mail-in",
            domain,
            f"{domain} has no mail server, so nobody can answer, and servers distrust letters from it.",
            f"Name your mail host's server in an MX record at {domain}, or change {where}.",
        )
    elif not hosts:
        yield note(
            "mail-in",
            domain,
            f"{domain} has no MX record; mail for it is tried at its web server.",
            "If answers reach you, nothing is to do; else name your mail host's server in an MX record.",
        )
    else:
        dead = [host for host in hosts if is_address(host) or not _addresses(case, host)]
        if dead:
            weigh = error if len(dead) == len(hosts) else warning
            yield weigh(
                "mail-in",
                domain,
                f"The MX record of {domain} names {dead[0]}, which has no address.",
                "Name the server as your mail host calls it: a name, not a number.",
            )


def _addresses(case: Case, name: str) -> tuple[str, ...]:
    return case.dns.ask(name, "A").records or case.dns.ask(name, "AAAA").records


# -- SPF


def spf_record(case: Case) -> Iterator[Finding]:
    """The domain has one SPF record that can be read, and it does not let everybody in (RFC 7208)."""
    if not case.owns_domain:
        return
    found = spf.records(case.dns, case.path)
    if len(found) > 1:
        yield error(
            "spf-record",
            case.path,
            f"{case.path} has {len(found)} SPF records; with more than one, none counts.",
            "Delete them and put this one in their place.",
            Record(case.path, merged(found)),
        )
    elif not found:
        yield from _no_record(case)
    else:
        yield from _one_record(case, found[0])


def _no_record(case: Case) -> Iterator[Finding]:
    near = [t for t in case.dns.ask(case.path, "TXT").records if t.lower().lstrip("\"' ").startswith(("v=spf", "spf"))]
    if near:
        yield error(
            "spf-record",
            case.path,
            f"“{near[0][:60]}” looks like an SPF record, but must begin with v=spf1 and a space.",
            "Correct its beginning.",
        )
    elif case.service and case.service.own_path:
        yield note(
            "spf-record",
            case.path,
            f"{case.path} has no SPF record; {case.service.name} has a return address of its own and needs none.",
            f"A record helps all the same against those who write in your name; {case.service.name} says which.",
        )
    else:
        weigh = error if case.bulk or not case.keys else warning
        mechanisms = case.mechanisms()
        yield weigh(
            "spf-record",
            case.path,
            f"{case.path} has no SPF record, so nothing says which servers may send in its name.",
            "Add this record, and what else sends mail for you."
            if mechanisms
            else "Ask your mail host for the record.",
            Record(case.path, added("", mechanisms)) if mechanisms else None,
        )


def _one_record(case: Case, text: str) -> Iterator[Finding]:
    walk = case.survey()
    if walk.fault:
        yield error(
            "spf-record",
            case.path,
            f"Servers can't carry out your SPF record: {walk.fault}.",
            "Correct or delete that word of it, or ask whoever runs the domain that it names.",
        )
        return
    words = terms(text)
    ends = [term for term in words if term.name == "all"]
    onward = any(not term.sign and term.name == "redirect" for term in words)
    if ends and ends[0].sign == "+":
        yield error(
            "spf-record",
            case.path,
            "Your SPF record ends in +all: everybody may send in your name.",
            "Write ~all in place of it.",
            Record(case.path, ending(words)),
        )
    elif not onward and (not ends or ends[0].sign == "?"):
        yield warning(
            "spf-record",
            case.path,
            "Your SPF record does not say what to do with other servers, so it protects nobody.",
            "End it in ~all, or in -all when you are sure of it.",
            Record(case.path, ending(words)),
        )
    yield from _odd_words(case, words, ends)


def _odd_words(case: Case, words: list[Term], ends: list[Term]) -> Iterator[Finding]:
    """Words without effect, and one that servers skip."""
    lost = words[words.index(ends[0]) + 1 :] if ends else []
    if any(term.sign or term.name == "redirect" for term in lost):
        yield warning(
            "spf-record",
            case.path,
            f"What stands behind {ends[0].text} in your SPF record has no effect: {lost[0].text}.",
            "Move it in front.",
        )
    if any(term.name == "ptr" for term in words):
        yield warning(
            "spf-record",
            case.path,
            "Your SPF record uses ptr, which is slow and which many servers skip (RFC 7208 section 5.5).",
            "Write the addresses of your server instead, as ip4: or ip6:.",
        )


def spf_lookups(case: Case) -> Iterator[Finding]:
    """What the SPF record includes can be looked up: ten look-ups at most, two in vain (RFC 7208 section 4.6.4)."""
    if not case.owns_domain or len(spf.records(case.dns, case.path)) != 1:
        return
    walk = case.survey()
    costs = ", ".join(f"{word} {count}" for word, count in walk.costs.most_common())
    if walk.lookups > spf.LOOKUPS_MOST:
        yield error(
            "spf-lookups",
            case.path,
            f"Your SPF record costs {walk.lookups} look-ups and 10 is the most: servers stop, and it is broken.",
            f"Take out what you no longer send with. What each costs: {costs}.",
        )
    elif walk.lookups == spf.LOOKUPS_MOST:
        yield note(
            "spf-lookups",
            case.path,
            "Your SPF record costs 10 look-ups, the most there may be: a word more there, and it counts as broken.",
            f"Take out what you no longer send with. What each costs: {costs}.",
        )
    if walk.voids > spf.VOIDS_MOST:
        names = ", ".join(dict.fromkeys(walk.void_names))
        yield error(
            "spf-lookups",
            case.path,
            f"Your SPF record names what is not there ({names}); after two such servers stop, and it is broken.",
            "Take those words out.",
        )
    elif walk.voids:
        yield warning(
            "spf-lookups",
            case.path,
            f"Your SPF record names {walk.void_names[0]}, and there is nothing.",
            "Take that word out, or correct it.",
        )


def spf_sender(case: Case) -> Iterator[Finding]:
    """The SPF record speaks for the server that sends your letters."""
    found = spf.records(case.dns, case.path) if case.owns_domain and case.provider != "folder" else []
    if len(found) != 1 or case.survey().result is spf.Result.BROKEN or case.authorised:
        return
    mechanisms = case.mechanisms()
    record = Record(case.path, added(found[0], mechanisms)) if mechanisms else None
    service = case.service
    if service and service.spf:
        weigh = error if case.authorised is False else warning
        unless = "" if case.authorised is False else ", unless its addresses are written out there"
        yield weigh(
            "spf-sender",
            case.path,
            f"Your SPF record does not include {service.name}, which sends your letters{unless}.",
            "Put this in place of the record that is there.",
            record,
        )
    elif case.authorised is False:
        weigh = error if case.runs_server else warning
        sure = "" if case.runs_server else ", if it hands letters on from its own address"
        yield weigh(
            "spf-sender",
            case.path,
            f"Your SPF record does not let {case.server_place} send in your name{sure}.",
            "Put this in place of the record that is there."
            if case.runs_server
            else "Ask your mail host what belongs into the record; this is what it could be.",
            record,
        )
    elif service is None and case.smtp is not None:
        yield note(
            "spf-sender",
            case.path,
            f"From which address {case.server_place} sends can't be seen from here.",
            "`newsletter test` sends you a letter; look in its source for spf=pass.",
        )


RULES = {
    "from-domain": from_domain,
    "free-mail": free_mail,
    "mail-in": mail_in,
    "spf-record": spf_record,
    "spf-lookups": spf_lookups,
    "spf-sender": spf_sender,
}
