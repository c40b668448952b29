"""Tables that come from elsewhere: other services' exports, and columns that the owner names."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from newsletter.errors import SubscriberError
from newsletter.subscribers import BadRow, Row, Status, rows_in
from newsletter.subscribers.services import SERVICES, recognised, standing
from newsletter.subscribers.table import open_table

ACTIVE, PENDING, LEFT, SUPPRESSED = Status.ACTIVE, Status.PENDING, Status.UNSUBSCRIBED, Status.SUPPRESSED
MARCH = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)

EXPORTS = {
    "Mailchimp": (
        'Email Address,First Name,Last Name,Address,"MEMBER_RATING","OPTIN_TIME","OPTIN_IP","CONFIRM_TIME","CONFIRM_IP",'
        "LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS\n"
        'ana@example.org,Ana,Lucero,"1 Way",2,,,"2026-03-01 12:30:05",192.0.2.1,0,0,-8,-7,America/Los_Angeles,us,ca,'
        '"2026-03-01 12:30:05",1,2,,"""grief"",""sleep"""\n'
        "ben@example.org,,,,2,,,03/01/2026 12:30,,,,,,America/Nowhere,,,,3,4,,\n"
    ),
    "Substack": (
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
        "ana@example.org,false,,other,false,2026-03-01T12:30:05.000Z,\n"
        "left@example.org,false,,other,true,2026-03-01T12:30:05.000Z,\n"
    ),
    "Ghost": (
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n"
        '1,ana@example.org,Ana,,true,false,,2026-03-01T12:30:05.000Z,,"grief,sleep",\n'
        "2,left@example.org,Lee,,false,false,,2026-03-01T12:30:05.000Z,,,\n"
    ),
    "listmonk": (
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        '8f0,ana@example.org,Ana,"{""city"": ""Lisbon""}",enabled,2026-03-01 12:30:05+00:00,2026-03-01 12:30:05+00:00\n'
        "8f1,left@example.org,Lee,{},blocklisted,2026-03-01 12:30:05+00:00,\n"
    ),
    "Buttondown": (
        "email,notes,tags,metadata,creation_date,source,type,unsubscription_date\n"
        'ana@example.org,,"grief,sleep",{},2026-03-01T12:30:05.000000Z,organic,regular,\n'
        "left@example.org,,,{},2026-03-01T12:30:05.000000Z,organic,unsubscribed,2026-03-02T00:00:00Z\n"
        "wait@example.org,,,{},2026-03-01T12:30:05.000000Z,organic,unactivated,\n"
    ),
    "Kit": (
        "id,email,first_name,created_at,status,tags\n"
        '1,ana@example.org,Ana,2026-03-01 12:30:05 UTC,active,"grief, sleep"\n'
        "2,left@example.org,Lee,2026-03-01 12:30:05 UTC,cancelled,\n"
        "3,wait@example.org,Wim,2026-03-01 12:30:05 UTC,inactive,\n"
    ),
}


def rows(text: str | bytes, **chosen: str) -> list[Row | BadRow]:
    octets = text if isinstance(text, bytes) else text.encode()
    return list(rows_in(io.BytesIO(octets), "list.csv", chosen))


def test_each_service_has_an_export_here() -> None:
    assert set(EXPORTS) == {service.name for service in SERVICES}


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_export_is_recognised_and_read(name: str, encoding: str) -> None:
    with open_table(io.BytesIO(EXPORTS[name].encode(encoding)), "list.csv", {}) as (header, _):
        assert header.service is not None and header.service.name == name
    ana, *others = rows(EXPORTS[name].encode(encoding))
    assert isinstance(ana, Row), ana
    assert str(ana.address) == "ana@example.org"
    assert ana.name == ("" if name in ("Substack", "Buttondown") else "Ana")
    assert ana.confirmed_at == MARCH
    assert ana.tags == (frozenset() if name in ("Substack", "listmonk") else {"grief", "sleep"})
    assert ana.timezone == ("America/Los_Angeles" if name == "Mailchimp" else "")
    assert ana.status in (None, ACTIVE)
    for other in others:
        assert isinstance(other, Row), other
        who = other.address.local
        expected = {"left": (LEFT, SUPPRESSED), "wait": (PENDING,)}.get(who, (None,))
        assert other.status in expected


def test_what_another_service_wrote_and_cannot_be_read_says_nothing() -> None:
    ben = rows(EXPORTS["Mailchimp"])[1]
    assert isinstance(ben, Row)
    assert (ben.timezone, ben.confirmed_at) == ("", None)
    chosen = rows(EXPORTS["Mailchimp"], confirmed_at="CONFIRM_TIME")[1]
    assert isinstance(chosen, BadRow) and "is no date" in chosen.problem, "unless the owner asked for it"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("UNSUB_TIME", "2026-03-02 10:00:00", id="of Mailchimp's file of the unsubscribed"),
        pytest.param("CLEAN_TIME", "2026-03-02 10:00:00", id="of Mailchimp's file of the cleaned"),
    ],
)
def test_a_time_of_leaving_is_a_leaving(column: str, value: str) -> None:
    (row,) = rows(f"Email Address,First Name,{column},LEID,EUID\nana@example.org,Ana,{value},1,2\n")
    assert isinstance(row, Row) and row.status is LEFT


def test_a_status_that_nobody_knows_takes_nobody_in() -> None:
    (row,) = rows("uuid,email,name,attributes,status\n1,ana@example.org,Ana,{},frozen\n")
    assert isinstance(row, BadRow) and '"frozen" is no status that is known here' in row.problem
    (own,) = rows("email,status\nana@example.org,VIP\n")
    assert isinstance(own, Row) and own.status is None, "in a table of nobody's it is the owner's own matter"


@pytest.mark.parametrize("first", ["subscribed", "unsubscribed"])
def test_of_two_rows_the_one_that_left_is_heard(first: str) -> None:
    second = {"subscribed": "unsubscribed", "unsubscribed": "subscribed"}[first]
    found = rows(f"email,status\nana@example.org,{first}\nANA@example.org,{second}\n")
    assert [row.status for row in found if isinstance(row, Row)][-1] is LEFT
    assert all(row.twin for row in found if isinstance(row, BadRow))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_columns_that_the_owner_names(delimiter: str, encoding: str) -> None:
    text = "Nr;E-Mail-Adresse;Vorname;Für;Bemerkung\n1;ana@bücher.example;Änne;Trauer|Schlaf;email\n"
    octets = text.replace(";", delimiter).encode(encoding)
    (row,) = rows(octets, email="E-Mail-Adresse", name="Vorname", tags="für")
    assert isinstance(row, Row), row
    assert (str(row.address), row.name, row.tags) == ("ana@xn--bcher-kva.example", "Änne", {"Trauer", "Schlaf"})


def test_a_named_column_stands_above_a_recognised_one() -> None:
    (row,) = rows(
        "email,work email,name,nickname\na@example.org,b@example.org,Ana,Nan\n", email="work email", name="nickname"
    )
    assert isinstance(row, Row) and (str(row.address), row.name) == ("b@example.org", "Nan")


def test_a_first_name_serves_where_there_is_no_whole_one() -> None:
    (row,) = rows("email,First name,Last name\nana@example.org,Ana,Lucero\n")
    assert isinstance(row, Row) and row.name == "Ana"
    (row,) = rows("email,First name,name\nana@example.org,Ana,Ana Lucero\n")
    assert isinstance(row, Row) and row.name == "Ana Lucero"


@pytest.mark.parametrize(
    ("header", "chosen", "sentence"),
    [
        pytest.param("Mail-Adresse,Vorname", "E-Mail-Adresse", 'did you mean "Mail-Adresse"?', id="a misspelt one"),
        pytest.param("a,b", "zz", 'has no column "zz"; its columns are "a", "b"', id="one that is not there"),
        pytest.param("Mail!,mail", "MAIL", 'has 2 columns "MAIL"; rename all but one', id="one that is there twice"),
    ],
)
def test_a_column_that_cannot_be_found(header: str, chosen: str, sentence: str) -> None:
    with pytest.raises(SubscriberError) as caught:
        rows(f"{header}\nana@example.org,x\n", email=chosen)
    assert sentence in str(caught.value)


def test_a_table_without_a_column_of_addresses_says_how_to_name_it() -> None:
    with pytest.raises(SubscriberError, match='--column email="…"'):
        rows("Adresse,Vorname\nana@example.org,Ana\n")


@pytest.mark.parametrize("said", ["Subscribed", "non-subscribed", "UNSUBSCRIBED", "cleaned", "Hard bounced"])
def test_words_for_a_standing_in_any_spelling(said: str) -> None:
    assert standing(said) is {"s": ACTIVE, "n": PENDING, "u": LEFT, "c": SUPPRESSED, "h": SUPPRESSED}[said[0].lower()]


def test_a_table_of_nobodys_is_nobodys() -> None:
    assert recognised(["email", "name", "timezone", "tags", "confirmed_at", "had_through", "status"]) is None
