"""Resolution: the author's own text with the names of tables replaced in place, and nothing else touched."""

from __future__ import annotations

from collections.abc import Mapping

from leapsql_core.models import QueryScan
from leapsql_core.sql.tokens import lex


def resolve(sql: str, scan: QueryScan, names: Mapping[tuple[str, ...], str]) -> str:
    r"""Replace the references of `sql` whose key is in `names` by that SQL text, and take out semicolons.

    The result can stand in ``CREATE TABLE x AS\n…\n``: comments stay, a line comment at the end included. A name that
    is put in should end with the last part of the one it replaces, for that is the table's alias where none is
    written: ``orders.id`` after ``FROM staging.orders`` goes on to mean the same.

    >>> from leapsql_core.models import Span, TableReference
    >>> scan = QueryScan((TableReference(("a", "t"), 1, (Span(14, 17),)),))
    >>> resolve("select * from a.t;", scan, {("a", "t"): '"x"."t"'})
    'select * from "x"."t"'
    """
    pieces = {
        (span.start, span.end): names[reference.key]
        for reference in scan.references
        if reference.key in names
        for span in reference.spans
    }
    if ";" in sql:
        pieces.update({(token.start, token.end): "" for token in lex(sql).tokens if token.text == ";"})
    done: list[str] = []
    position = 0
    for (start, end), piece in sorted(pieces.items()):
        done += (sql[position:start], piece)
        position = end
    return "".join((*done, sql[position:]))
