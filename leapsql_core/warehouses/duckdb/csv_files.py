"""CSV files as DuckDB reads them: those of seeds."""

from __future__ import annotations

import csv
import re
from typing import Final

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column
from leapsql_core.warehouses.duckdb.parser import SETTINGS

_BLANK_UP_TO: Final = 64 * 1024
_GLOB: Final = re.compile(r"[*?\[]")
_CSV_LINE: Final = re.compile(r"CSV Error on Line: (\d+)")
#: How the CSV file of a seed is read. Nothing is guessed by which rows could be lost: where the header stands, how
#: texts are quoted, what might be a comment. The whole file decides the types and what parts the columns.
READ_SEED: Final = (
    "SELECT * FROM read_csv(?, header = true, skip = 0, comment = '', quote = '\"', escape = '\"',"
    " sample_size = -1, hive_partitioning = false)"
)
_LONGEST: Final = 200
_DELIMITERS: Final = ",;|\t"


def describe_csv(path: str) -> tuple[Column, ...]:
    """Return names and types of a CSV file's columns, as DuckDB makes them out from the whole file.

    Raises:
        WarehouseError: the file is missing, empty, or no CSV that DuckDB can read.
    """
    import duckdb

    try:
        with open(path, "rb") as file:
            if not file.read(_BLANK_UP_TO).lstrip(b"\xef\xbb\xbf").strip():
                raise WarehouseError("the file is empty", mend="Give it a header line at least.")
        with duckdb.connect(":memory:", config=SETTINGS) as connection:
            rows = connection.execute(f"DESCRIBE {READ_SEED}", [literal_path(path)]).fetchall()
        if len(rows) == 1:
            _check_one_column(path, rows[0][0])
    except (duckdb.Error, OSError) as exc:
        said = str(exc.strerror) if isinstance(exc, OSError) and exc.strerror else _said_of(exc)
        at = _CSV_LINE.search(str(exc))
        raise WarehouseError(f"the file cannot be read as CSV: {said}", line=int(at[1]) if at else None) from exc
    return tuple(Column(name, type_) for name, type_, *_ in rows)


def literal_path(path: str) -> str:
    """Return a path as DuckDB's readers take it for itself, and not for a pattern.

    >>> literal_path("/seeds/[ab]*.csv")
    '/seeds/[[]ab][*].csv'
    """
    return _GLOB.sub(r"[\g<0>]", path)


def _check_one_column(path: str, name: str) -> None:
    """Refuse a file whose header holds what parts columns though its rows do not come out: they would be one text."""
    held = [mark for mark in _DELIMITERS if mark in name]
    if not held:
        return
    with open(path, encoding="utf-8-sig", newline="") as file:
        if file.read(1) == '"':
            return
        file.seek(0)
        rows = csv.reader(file, delimiter=held[0], strict=True)
        try:
            wanted = len(next(rows))
            wrong = next(((rows.line_num, len(row)) for row in rows if row and len(row) != wanted), None)
        except csv.Error as exc:
            raise WarehouseError(f"a quote does not end, or stands within a text: {exc}", line=rows.line_num) from exc
    if wrong is not None:
        line, found = wrong
        raise WarehouseError(f"the header has {wanted} columns, this line has {found}", line=line)


def _said_of(exc: Exception) -> str:
    """Return what DuckDB said of a CSV file, without the line itself and its many ways to mend it."""
    said = [line for line in str(exc).splitlines() if line and not line.startswith("Original Line: ")]
    first = said[0].partition("Error: ")[2] or said[0]
    return first if _CSV_LINE.search(first) is None or len(said) == 1 else said[1][:_LONGEST]
