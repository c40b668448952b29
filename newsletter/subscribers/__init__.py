"""Subscribers: who may become what, and the file the owner keeps them in.

`status` has the states of consent and the one table of their transitions, `table` turns the octets of a
spreadsheet's file into numbered records, `headers` says which column is which and `services` what other services call
them, `rows` turns records into `Row` or `BadRow` and writes them again.
"""

from newsletter.subscribers.headers import COLUMNS, Header
from newsletter.subscribers.rows import BadRow, Listed, Row, header_of, read_rows, rows_in, write_rows
from newsletter.subscribers.status import STANDINGS, TRANSITIONS, Cause, Pause, Status, may, more_cautious
from newsletter.subscribers.table import EmptyFileError

__all__ = [
    "COLUMNS",
    "STANDINGS",
    "TRANSITIONS",
    "BadRow",
    "Cause",
    "EmptyFileError",
    "Header",
    "Listed",
    "Pause",
    "Row",
    "Status",
    "header_of",
    "may",
    "more_cautious",
    "read_rows",
    "rows_in",
    "write_rows",
]
