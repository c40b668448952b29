"""Subscribers: the law of consent, and what spreadsheets do to a file of addresses."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.errors import SubscriberError
from newsletter.mail import Address
from newsletter.subscribers import (
    TRANSITIONS,
    BadRow,
    Cause,
    EmptyFileError,
    Pause,
    Row,
    Status,
    may,
    read_rows,
    rows_in,
    write_rows,
)

CORPUS = Path(__file__).parent.parent / "corpus" / "csv"
HEADER = "email,name,timezone,tags,confirmed_at,had_through\n"
ANA = Address("ana", "example.org")
BEN = Address("ben", "example.org")


def rows(text: str | bytes) -> list[Row | BadRow]:
    octets = text.encode() if isinstance(text, str) else text
    return list(rows_in(io.BytesIO(octets), "list.csv"))


def only(text: str) -> Row | BadRow:
    (row,) = rows(text)
    return row


def good(text: str) -> Row:
    row = only(text)
    assert isinstance(row, Row), row
    return row


def bad(text: str) -> BadRow:
    row = only(text)
    assert isinstance(row, BadRow), row
    return row


# The law of consent


@pytest.mark.parametrize("to", Status)
@pytest.mark.parametrize("from_", [Status.UNSUBSCRIBED, Status.SUPPRESSED])
@pytest.mark.parametrize("cause", [Cause.IMPORTED, Cause.ADDED, Cause.REQUESTED])
@pytest.mark.parametrize("reason", [None, Cause.BOUNCED, Cause.COMPLAINED])
def test_neither_import_nor_owner_nor_a_form_moves_a_person_who_left(
    from_: Status, to: Status, cause: Cause, reason: Cause | None
) -> None:
    assert not may(from_, to, cause, suppressed_for=reason)


@pytest.mark.parametrize("to", set(Status) - {Status.MERGED})  # the record that stands for both takes it over
@pytest.mark.parametrize("cause", Cause)
def test_a_complaint_is_for_ever(to: Status, cause: Cause) -> None:
    assert not may(Status.SUPPRESSED, to, cause, suppressed_for=Cause.COMPLAINED)


@pytest.mark.parametrize("cause", set(Cause) - {Cause.CONFIRMED})
def test_only_the_person_comes_back_from_unsubscribed(cause: Cause) -> None:
    assert not may(Status.UNSUBSCRIBED, Status.ACTIVE, cause)
    assert may(Status.UNSUBSCRIBED, Status.ACTIVE, Cause.CONFIRMED)


def test_a_path_of_imports_and_lifts_never_brings_back_a_person_who_left() -> None:
    reached: set[Status | None] = {Status.UNSUBSCRIBED}
    own_word = {Cause.CONFIRMED}
    for _ in Status:
        for (from_, to), causes in TRANSITIONS.items():
            complained = causes == {Cause.COMPLAINED} or from_ is Status.SUPPRESSED
            if from_ in reached and causes - own_word and not complained:
                reached.add(to)
    assert Status.ACTIVE not in reached
    assert Status.PENDING not in reached


@pytest.mark.parametrize(
    ("from_", "to", "cause", "reason"),
    [
        pytest.param(None, Status.ACTIVE, Cause.IMPORTED, None, id="the owner's file is her word"),
        pytest.param(None, Status.PENDING, Cause.REQUESTED, None, id="a form makes a pending person"),
        pytest.param(Status.PENDING, Status.ACTIVE, Cause.CONFIRMED, None, id="the person confirms"),
        pytest.param(Status.ACTIVE, Status.UNSUBSCRIBED, Cause.UNSUBSCRIBED, None, id="the person leaves"),
        pytest.param(Status.ACTIVE, Status.SUPPRESSED, Cause.BOUNCED, None, id="a dead mailbox is suppressed"),
        pytest.param(Status.UNSUBSCRIBED, Status.SUPPRESSED, Cause.COMPLAINED, None, id="a late complaint counts"),
        pytest.param(
            Status.SUPPRESSED, Status.SUPPRESSED, Cause.COMPLAINED, Cause.BOUNCED, id="a complaint outranks a bounce"
        ),
        pytest.param(Status.SUPPRESSED, Status.ACTIVE, Cause.LIFTED, Cause.BOUNCED, id="a wrong bounce is lifted"),
    ],
)
def test_what_may_happen(from_: Status | None, to: Status, cause: Cause, reason: Cause | None) -> None:
    assert may(from_, to, cause, suppressed_for=reason)


@pytest.mark.parametrize(
    ("from_", "to", "cause"),
    [
        pytest.param(None, Status.ACTIVE, Cause.REQUESTED, id="a form alone makes nobody active"),
        pytest.param(Status.PENDING, Status.ACTIVE, Cause.REQUESTED, id="asking twice is no confirmation"),
        pytest.param(Status.UNSUBSCRIBED, Status.SUPPRESSED, Cause.BOUNCED, id="a late bounce hides no unsubscribe"),
        pytest.param(Status.SUPPRESSED, Status.ACTIVE, Cause.LIFTED, id="nothing unknown is lifted"),
        pytest.param(Status.ACTIVE, Status.PENDING, Cause.IMPORTED, id="an import confirms, it does not doubt"),
    ],
)
def test_what_may_not_happen(from_: Status | None, to: Status, cause: Cause) -> None:
    assert not may(from_, to, cause)


def test_each_reason_to_pause_is_lifted_by_itself() -> None:
    paused = Pause.OWNER | Pause.FILE
    assert paused & ~Pause.FILE == Pause.OWNER
    assert [reason.value for reason in Pause] == [1, 2, 4, 8]


# Files as spreadsheets write them


ANA_IN_FULL = Row(
    2, ANA, "Ana Müller", "Europe/Berlin", frozenset({"Gruppe", "Freunde"}), datetime(2026, 3, 1, 10, tzinfo=UTC), 3
)


@pytest.mark.parametrize(
    "name", ["excel_semicolon_windows1252.csv", "excel_sep_line_bom.csv", "excel_unicode_text_utf16.txt"]
)
def test_a_german_excel_is_read_in_each_of_its_formats(name: str) -> None:
    assert list(read_rows(CORPUS / name)) == [ANA_IN_FULL, Row(3, BEN, "Ben “the” Ünal")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "plain.csv",
            [
                Row(
                    2,
                    ANA,
                    "Ana Lima",
                    "Europe/Lisbon",
                    frozenset({"group", "friends"}),
                    datetime(2026, 3, 1, tzinfo=UTC),
                    3,
                ),
                Row(3, BEN, "Ben"),
            ],
            id="the documented form",
        ),
        pytest.param("mac_line_ends.csv", [Row(2, ANA, "Ana"), Row(3, BEN, "Ben")], id="carriage returns alone"),
        pytest.param(
            "excel_trailing_columns_and_rows.csv",
            [Row(2, ANA, "Ana"), Row(4, BEN, "Ben")],
            id="blank columns and rows are passed over but counted",
        ),
        pytest.param(
            "padded.csv",
            [Row(2, ANA, "Lima, Ana"), Row(3, BEN, "Ben")],
            id="padding, invisible characters and mailto: come off",
        ),
        pytest.param(
            "quoted_line_breaks.csv",
            [
                Row(2, ANA, "Ana Lima"),
                BadRow(3, '"nobody" is not an email address: it needs one @ with something on either side'),
                Row(4, Address("clara", "example.org"), "Clara"),
            ],
            id="a cell with line breaks is one row",
        ),
    ],
)
def test_good_files(name: str, expected: list[Row | BadRow]) -> None:
    assert list(read_rows(CORPUS / name)) == expected


def test_an_open_quotation_mark_costs_its_own_row_only() -> None:
    found = list(read_rows(CORPUS / "open_quotation_mark.csv"))
    assert [row.row for row in found if isinstance(row, BadRow)] == [3]
    assert [row.row for row in found] == list(range(2, 204))
    assert isinstance(found[1], BadRow)
    assert found[1].address == BEN, "known, so that nobody takes Ben for gone"


def test_a_damaged_letter_costs_its_own_row_only() -> None:
    ana, ben = read_rows(CORPUS / "utf8_with_one_damaged_letter.csv")
    assert ana == Row(2, ANA, "Ana Müller")
    assert isinstance(ben, BadRow)
    assert str(ben).startswith("row 3: a letter of the name")
    assert ben.address == BEN, "known, so that nobody takes Ben for gone"


@pytest.mark.parametrize("first", [pytest.param("utf-8", id="UTF-8 above"), pytest.param("cp1252", id="UTF-8 below")])
def test_of_two_encodings_in_one_file_the_other_one_is_listed(first: str) -> None:
    text = [f"{name}@example.org,{name} Müller\n" for name in ("ana", "ben")]
    content = b"email,name\n" + text[0].encode(first) + text[1].encode("cp1252" if first == "utf-8" else "utf-8")
    found = list(rows_in(io.BytesIO(content), "list.csv"))
    assert [type(row) for row in found] == ([Row, BadRow] if first == "utf-8" else [BadRow, Row])


def test_windows_1252_that_reads_as_utf_8_in_one_place_is_still_windows_1252() -> None:
    names = ["CAFÉ”", *["Müller"] * 12]
    content = "email,name\n" + "".join(f"{at}@example.org,{name}\n" for at, name in enumerate(names))
    found = list(rows_in(io.BytesIO(content.encode("cp1252")), "list.csv"))
    assert [row.name for row in found if isinstance(row, Row)] == names


def test_a_file_that_was_read_before_is_read_from_its_beginning() -> None:
    file = (CORPUS / "excel_unicode_text_utf16.txt").open("rb")
    with file:
        file.read()
        assert next(rows_in(file, "list.txt")) == ANA_IN_FULL


def test_a_cell_of_very_many_lines_is_taken_for_an_open_quotation_mark() -> None:
    found = rows('email,notes\nana@example.org,"' + "and so on\n" * 70 + '"\n')
    assert isinstance(found[0], BadRow)
    assert "quotation marks" in found[0].problem


def test_a_row_knows_what_its_file_does_not_say() -> None:
    assert good("email,Full name,\nana@example.org,,\n").silent == {"timezone", "tags", "confirmed_at", "had_through"}


def test_blank_rows_above_the_header_are_counted() -> None:
    assert good("\n,,\nemail,name\nana@example.org,Ana\n").row == 4


def test_every_bad_row_is_listed_with_its_number_and_the_good_ones_are_taken() -> None:
    found = list(read_rows(CORPUS / "mixed_trouble.csv"))
    assert [row.row for row in found] == list(range(2, 16))
    assert [row.row for row in found if isinstance(row, Row)] == [2, 15]
    words = {row.row: str(row) for row in found if isinstance(row, BadRow)}
    for number, part in {
        3: '"nina@@example.org"',
        4: "no email address",
        5: "already in row 2",
        6: "letters before the @",
        7: 'did you mean "Europe/Berlin"?',
        8: "2026-03-01",
        9: '"four" is no number',
        10: "7 columns and the header 6",
        11: "formula",
        12: "quotation marks",
        13: "characters that can't be shown",
        14: "more than one address",
    }.items():
        assert words[number].startswith(f"row {number}: ")
        assert part in words[number]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        pytest.param("workbook_named_csv.csv", "is a spreadsheet or an archive, not text", id="a workbook"),
        pytest.param("no_header.csv", "put a row above it: email,name", id="no header"),
        pytest.param("no_email_column.csv", 'is it "e_mails"? Then rename', id="a column that is nearly email"),
        pytest.param("utf16_without_bom.csv", "not plain text", id="UTF-16 without a mark"),
        pytest.param("there_is_none.csv", "there is no file", id="no file"),
        pytest.param(".", "is a folder", id="a folder"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused_with_the_remedy(name: str, part: str) -> None:
    with pytest.raises(SubscriberError) as caught:
        list(read_rows(CORPUS / name))
    assert part in str(caught.value)
    assert not isinstance(caught.value, EmptyFileError)


@pytest.mark.parametrize("name", ["empty.csv", "only_bom_and_blank_rows.csv", "only_header.csv"])
def test_an_empty_file_is_told_from_a_broken_one(name: str) -> None:
    with pytest.raises(EmptyFileError):
        list(read_rows(CORPUS / name))


@pytest.mark.parametrize(
    ("octets", "part"),
    [
        pytest.param(b"email\n" + b"x" * 200_000, "longer than any row", id="a line without an end"),
        pytest.param(b"\xff\xfeabc", "not text in an encoding known here", id="UTF-16 cut in half"),
        pytest.param(b"email,E-Mail\na@example.org,b@example.org\n", "two columns", id="two columns of addresses"),
        pytest.param(b"\x81\x8d\n", "not text", id="octets no encoding here has"),
        pytest.param(b'email,"na"me\na@example.org,x\n', "in the first row, the quotation marks", id="a broken header"),
        pytest.param(b"street;city\nx;y\n", '"street", "city"', id="the columns that were found"),
    ],
)
def test_octets_that_are_no_list_are_refused(octets: bytes, part: str) -> None:
    with pytest.raises(SubscriberError) as caught:
        rows(octets)
    assert part in str(caught.value)


def test_a_file_that_changes_while_it_is_read_is_refused() -> None:
    class Changing(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(-1 if size is None else size).replace(b"Ana", b"\x81")

    with pytest.raises(SubscriberError, match="was changed while it was read"):
        list(rows_in(Changing("email,name\nana@example.org,Ana Müller\n".encode("cp1252")), "list.csv"))


def test_the_rows_of_a_file_are_read_as_they_are_asked_for() -> None:
    class Counting(io.BytesIO):
        octets = 0

        def read1(self, size: int | None = -1, /) -> bytes:
            block = super().read1(-1 if size is None else size)
            self.octets += len(block)
            return block

    file = Counting(b"email\n" + b"".join(b"reader%d@example.org\n" % number for number in range(50_000)))
    found: Iterator[Row | BadRow] = rows_in(file, "list.csv")
    next(found)
    assert 0 < file.octets < 100_000


# Cells


@pytest.mark.parametrize(
    ("cell", "address", "name"),
    [
        pytest.param("ana@EXAMPLE.org", ANA, "", id="the domain is lower case"),
        pytest.param("Ana Lima <ana@example.org>", ANA, "Ana Lima", id="a name before the address"),
        pytest.param("ana@example.org <ana@example.org>", ANA, "ana@example.org", id="an address as the name"),
        pytest.param("<ana@example.org>", ANA, "", id="angle brackets alone"),
        pytest.param("MAILTO:ana@example.org", ANA, "", id="a link"),
        pytest.param("ana@example.org;", ANA, "", id="a semicolon behind it"),
        pytest.param('"ana@\u200bexample.org"', ANA, "", id="an invisible space within"),
        pytest.param('"=""ana@example.org"""', ANA, "", id="Excel's text in a formula"),
        pytest.param("'=ana@example.org", Address("=ana", "example.org"), "", id="an address kept from calculating"),
        pytest.param("ana@bücher.example", Address("ana", "xn--bcher-kva.example"), "", id="an IDN domain"),
    ],
)
def test_an_email_cell_is_read(cell: str, address: Address, name: str) -> None:
    assert good(f"email;name\n{cell};\n") == Row(2, address, name)


def test_the_name_column_comes_before_the_name_in_the_email_cell() -> None:
    assert good("email,name\nAna <ana@example.org>,Ana Lima\n").name == "Ana Lima"


@pytest.mark.parametrize(
    ("header", "column"),
    [
        pytest.param("E-Mail,Time Zone", "timezone", id="hyphen and space"),
        pytest.param("EMAIL ADDRESS,TIMEZONE", "timezone", id="upper case"),
        pytest.param('"email_address","time_zone"', "timezone", id="underscores in quotation marks"),
    ],
)
def test_header_words_are_known_in_any_dress(header: str, column: str) -> None:
    assert getattr(good(f"{header}\nana@example.org,Europe/Berlin\n"), column) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC), id="a date is its midnight in UTC"),
        pytest.param("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC), id="an instant in UTC"),
        pytest.param("2026-03-01 10:00", datetime(2026, 3, 1, 10, tzinfo=UTC), id="no offset is UTC"),
        pytest.param("2026-03-01T10:00:00-08:00", datetime(2026, 3, 1, 18, tzinfo=UTC), id="another offset"),
    ],
)
def test_confirmed_at_is_read(cell: str, expected: datetime) -> None:
    confirmed = good(f"email,confirmed_at\nana@example.org,{cell}\n").confirmed_at
    assert confirmed == expected
    assert confirmed is not None
    assert confirmed.tzinfo is UTC


@pytest.mark.parametrize(
    ("column", "cell", "part"),
    [
        pytest.param("confirmed_at", "3/1/2026", "2026-03-01", id="a date that reads two ways"),
        pytest.param("confirmed_at", "46082", "2026-03-01", id="a day as a spreadsheet counts it"),
        pytest.param("confirmed_at", "2026-13-01", "2026-03-01", id="the thirteenth month"),
        pytest.param("confirmed_at", "0001-01-01T00:00+14:00", "2026-03-01", id="before the first year"),
        pytest.param("had_through", "-1", "is no number", id="a number below zero"),
        pytest.param("had_through", '"1,000"', "is no number", id="a thousands mark"),
        pytest.param("had_through", "9" * 5000, "is no number", id="five thousand digits"),
        pytest.param("timezone", "Los Angeles", 'did you mean "America/Los_Angeles"?', id="a city for its zone"),
        pytest.param("timezone", "america/new_york", '"America/New_York"', id="a zone in lower case"),
        pytest.param("timezone", "localtime", "no time zone", id="whatever the machine has"),
        pytest.param("timezone", "../../etc/passwd", "no time zone", id="a path for a zone"),
        pytest.param("name", "x" * 501, "more than 500 letters", id="a name without end"),
        pytest.param("name", "Ana\x1b[31m", "can't be shown", id="a terminal's commands in a name"),
        pytest.param("name", '"Ana\nben@example.org,"', "another row got into the name", id="a swallowed row"),
        pytest.param("name", "=1+1", "formula", id="a formula for a name"),
        pytest.param("tags", "a|b\x00", "can't be shown", id="a NUL in a tag"),
    ],
)
def test_a_cell_that_can_not_be_taken_makes_a_bad_row_that_knows_its_address(column: str, cell: str, part: str) -> None:
    row = bad(f"email,{column}\nana@example.org,{cell}\n")
    assert part in row.problem
    assert row.address == ANA


@pytest.mark.parametrize(
    "cell",
    [
        "-ana@example.org",
        "ana@example.org\nbcc:x",
        "a" * 70_000 + "@example.org",
        "<" * 90_000 + ">",
        "x" * 9 + " " * 90_000,
    ],
    ids=["a leading dash", "a line break", "an endless local part", "endless brackets", "endless white space"],
)
def test_a_hostile_address_is_a_bad_row(cell: str) -> None:
    row = bad(f'email,name\n"{cell}",Ana\n')
    assert row.address is None
    assert len(row.problem) < 250


def test_a_domain_without_end_is_not_even_looked_at() -> None:
    assert "too long for an email address" in bad(f"email\nana@{'a.' * 1000}org\n").problem


def test_numbers_from_spreadsheets_and_tags_with_padding_are_taken() -> None:
    row = good("email,had_through,tags\nana@example.org,4.0, group | |friends \n")
    assert row.had_through == 4
    assert row.tags == {"group", "friends"}


def test_a_second_row_for_one_person_names_the_first() -> None:
    found = rows("email\nana@example.org\nben@example.org\nAna@Example.org\n")
    assert found[2] == BadRow(
        4, '"Ana@example.org" is already in row 2; delete one of them', Address("Ana", "example.org")
    )


def test_a_bad_row_does_not_stand_in_the_way_of_a_good_one_for_the_same_person() -> None:
    found = rows("email,had_through\nana@example.org,many\nana@example.org,3\n")
    assert isinstance(found[0], BadRow)
    assert found[1] == Row(3, ANA, had_through=3)


def test_quotation_marks_followed_by_padding_are_fine() -> None:
    assert good('email,name,tags\n"ana@example.org" , "Lima, Ana" ,x\n') == Row(
        2, ANA, "Lima, Ana", tags=frozenset({"x"})
    )


# There and back


def written(people: list[Row]) -> str:
    stream = io.StringIO()
    write_rows(stream, people)
    return stream.getvalue()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "'=", "''+"])
def test_no_cell_of_an_export_is_a_formula_and_each_comes_back(start: str) -> None:
    person = Row(2, ANA, f'{start}cmd|" /C calc"!A0', tags=frozenset({f"{start}tag"}))
    text = written([person])
    assert rows(text) == [person]
    cells = [cell.strip('"') for cell in text.splitlines()[1].split(",")]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_an_export_has_the_documented_header_and_utc() -> None:
    berlin_summer = timezone(timedelta(hours=2))
    person = Row(
        2, ANA, "Ana", "Europe/Berlin", frozenset({"b", "a"}), datetime(2026, 7, 1, 12, tzinfo=berlin_summer), 0
    )
    assert written([person]) == (
        "email,name,timezone,tags,confirmed_at,had_through,status\n"
        "ana@example.org,Ana,Europe/Berlin,a|b,2026-07-01T10:00:00Z,0,\n"
    )


_WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30).map(
    lambda text: " ".join(text.strip("\u200b\ufeff \u00a0").split()).strip("\u200b\ufeff ")
)
_LOCAL = st.from_regex(r"[a-z0-9+=']{1,10}(\.[a-z0-9+='-]{1,5}){0,2}", fullmatch=True)


@given(
    st.lists(
        st.builds(
            Row,
            row=st.just(0),
            address=st.builds(Address, _LOCAL, st.sampled_from(["example.org", "xn--bcher-kva.example"])),
            name=_WORDS,
            timezone=st.sampled_from(["", "Europe/Berlin", "America/Argentina/Buenos_Aires"]),
            tags=st.frozensets(_WORDS.filter(lambda tag: tag and "|" not in tag), max_size=3),
            confirmed_at=st.none() | st.datetimes(timezones=st.just(UTC)),
            had_through=st.none() | st.integers(0, 999_999),
            status=st.none() | st.sampled_from([s for s in Status if s is not Status.MERGED]),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row.address.key,
    )
)
def test_what_is_written_is_read_again(people: list[Row]) -> None:
    expected = [
        Row(number, row.address, row.name, row.timezone, row.tags, row.confirmed_at, row.had_through, row.status)
        for number, row in enumerate(people, start=2)
    ]
    assert rows(written(people)) == expected


_FRAGMENTS = st.lists(
    st.sampled_from(
        [
            b"email",
            b",",
            b";",
            b"\t",
            b'"',
            b"\n",
            b"\r\n",
            b"\r",
            b"\x00",
            b"sep=;",
            b"ana@example.org",
            b"\xfc",
            b"=",
            b"'",
        ]
    )
    | st.binary(max_size=8),
    max_size=40,
).map(b"".join)


@given(st.binary(max_size=400) | _FRAGMENTS | _FRAGMENTS.map(lambda body: HEADER.encode() + body))
@example(b"\xff\xfe")
@example(b'email,name\n"')
def test_any_octets_give_rows_or_one_clear_refusal(octets: bytes) -> None:
    try:
        found = rows(octets)
    except SubscriberError as error:
        assert str(error).isprintable()
        return
    numbers = [row.row for row in found]
    assert numbers == sorted(set(numbers)), "each row once, in order"
    assert all(str(row).isprintable() for row in found if isinstance(row, BadRow))
