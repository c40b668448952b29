"""Subscribers: who may become what, and the file the owner keeps them in.

`status` has the states of consent and the one table of their transitions, `table` turns the octets of a
spreadsheet's file into numbered records, `rows` turns records into `Row` or `BadRow` and writes them again.
"""

from newsletter.subscribers.rows import BadRow, Listed, Row, read_rows, rows_in, write_rows
from newsletter.subscribers.status import TRANSITIONS, Cause, Pause, Status, may
from newsletter.subscribers.table import COLUMNS, EmptyFileError

__all__ = [
    "COLUMNS",
    "TRANSITIONS",
    "BadRow",
    "Cause",
    "EmptyFileError",
    "Listed",
    "Pause",
    "Row",
    "Status",
    "may",
    "read_rows",
    "rows_in",
    "write_rows",
]
