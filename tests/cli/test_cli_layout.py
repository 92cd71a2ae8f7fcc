"""How pages are laid out: as text of a width, as text without one, as Markdown."""

from __future__ import annotations

from leapsql_core.cli.markdown import write_markdown
from leapsql_core.cli.pages import Cell, Column, Excerpt, Page, Paragraph, Table, Tree, line, row
from leapsql_core.cli.text import write_text


def text(page: Page, width: int | None = None) -> list[str]:
    """Return the lines of a page as text."""
    return write_text(page, width=width, colour=False).splitlines()


NAME = Column("name")
WRAPPED = Column("detail", fit="wrap")
SHORTENED = Column("detail", fit="shorten", least=10)


def table(*columns: Column, rows: list[tuple[str, ...]]) -> Table:
    """Return a table of plain cells."""
    return Table(columns, tuple(row(*cells) for cells in rows))


def test_columns_are_as_wide_as_what_they_hold() -> None:
    """Texts stand left, numbers right, two spaces apart, and no line ends in spaces."""
    page = [table(NAME, Column("rows", align="right"), Column("x"), rows=[("orders", "1,204", ""), ("a", "7", "y")])]
    assert text(page) == ["name     rows  x", "orders  1,204", "a           7  y"]


def test_wide_letters_are_counted_as_wide() -> None:
    """A table of Japanese names is straight on a terminal."""
    assert text([table(NAME, Column("n"), rows=[("注文", "1"), ("abcd", "2")])])[1:] == ["注文  1", "abcd  2"]


def test_a_long_detail_is_wrapped_below_itself() -> None:
    """The lines of a wrapped cell stand under its first."""
    page = [table(NAME, WRAPPED, rows=[("orders", "one two three four five six seven")])]
    assert text(page, 34) == ["name    detail", "orders  one two three four five", "        six seven"]


def test_a_detail_without_room_stands_below_its_row() -> None:
    """Where less than its least is left, a detail gets lines of its own; an empty one none."""
    page = [table(NAME, WRAPPED, rows=[("a_name_that_is_long", "one two three four five"), ("b", "")])]
    assert text(page, 30) == ["name", "a_name_that_is_long", "    one two three four five", "b"]


def test_a_shortened_cell_ends_in_dots() -> None:
    """What does not fit is left out, in one line."""
    page = [table(NAME, SHORTENED, Column("n", align="right"), rows=[("orders", "one two three four", "1")])]
    assert text(page, 24) == ["name    detail         n", "orders  one two thre…  1"]


def test_names_are_never_cut() -> None:
    """A table that cannot fit is wider than the terminal rather than cut."""
    page = [table(NAME, SHORTENED, NAME, rows=[("a_name_that_is_long", "something", "another_long_name")])]
    assert text(page, 20)[1] == "a_name_that_is_long  something  another_long_name"


def test_columns_that_can_be_spared_are_left_out_and_named() -> None:
    """The most dispensable goes first; one that is empty everywhere goes silently."""
    columns = (NAME, Column("file", dispensable=2), Column("owner", dispensable=1), Column("note", dispensable=3))
    page = [table(*columns, rows=[("orders", "models/orders.sql", "sales", "")])]
    assert text(page)[0] == "name    file               owner"
    assert text(page, 20) == ["name    owner", "orders  sales", "(no room for: file)"]


def test_a_sentence_is_wrapped_and_indented() -> None:
    """The second line of a paragraph's line is indented, so that lines can be told apart."""
    page = [Paragraph((line("one two three four"), line("five")))]
    assert text(page, 10) == ["one two", "    three", "    four", "five"]


def test_blocks_stand_a_line_apart() -> None:
    """Between two blocks there is an empty line."""
    assert text([Paragraph((line("a"),)), Paragraph((line("b"),))]) == ["a", "", "b"]


def test_a_tree_is_drawn_with_guides_also_where_its_text_goes_on() -> None:
    """Lines below a node are joined to it; wrapped text leaves the guides whole."""
    tree = Tree(((0, line("a")), (1, line("b " + "word " * 8)), (2, line("c")), (1, line("d"))), title="tree")
    assert text([tree], 30) == [
        "tree",
        "a",
        "├─ b word word word word word",
        "│      word word word",
        "│  └─ c",
        "└─ d",
    ]


def test_code_is_not_wrapped_and_prose_is() -> None:
    """A line of code stays one line, for it may be copied."""
    long = "one two three four"
    assert text([Excerpt(long, "sql")], 10) == [long]
    assert text([Excerpt(long, headline=line("x"))], 12) == ["x", "  one two", "    three", "    four"]


def test_what_would_steer_a_terminal_is_taken_out() -> None:
    """A message from elsewhere cannot colour or clear the screen."""
    page = [Paragraph((line("a\x1b[31mb"),)), Excerpt("c\x1b[2Jd")]
    assert text(page) == ["a[31mb", "", "c[2Jd"]
    assert "\x1b" not in write_markdown(page)


def test_markdown_tables_say_how_they_align_and_keep_their_bars() -> None:
    """A bar, a line end or a star in a cell is a character, and code in backticks stays as it is."""
    page = [table(NAME, Column("n", align="right"), rows=[("a|b\nc", "1"), ("`x * y` * _z_ <t>", "22")])]
    assert write_markdown(page).splitlines() == [
        "| name                  |  n |",
        "| --------------------- | -: |",
        "| a\\|b c                |  1 |",
        "| `x * y` \\* \\_z\\_ \\<t> | 22 |",
    ]


def test_markdown_leaves_a_long_last_column_ragged() -> None:
    """One long detail does not make every line as long."""
    lines = write_markdown([table(NAME, Column("detail"), rows=[("a", "x" * 50), ("b", "y")])]).splitlines()
    assert lines[-1] == "| b    | y      |"


def test_markdown_of_the_other_blocks() -> None:
    """Lines become a list, a tree a nested one, an excerpt a fenced block that nothing inside can end."""
    page = [
        Paragraph((line(Cell("a", "strong"), " b"), line("c"))),
        Tree(((0, line("x")), (1, line("y"))), title="tree"),
        Excerpt("```\ninside", headline=line("said")),
        Table((NAME,), (row("n"),), title="titled"),
    ]
    assert write_markdown(page).splitlines() == [
        *("- **a** b", "- c", ""),
        *("**tree**", "", "- x", "  - y", ""),
        *("said", "", "````text", "```", "inside", "````", ""),
        *("**titled**", "", "| name |", "| ---- |", "| n    |"),
    ]


def test_an_empty_page_is_empty() -> None:
    """Nothing to say is nothing said."""
    assert (text([]), write_markdown([])) == ([], "")
