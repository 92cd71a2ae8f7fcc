"""Settings of a target: they reach every cursor, a wrong one is named, and those that change answers are told apart."""

from __future__ import annotations

import threading
from typing import Any

import duckdb
import pytest

from leapsql_core.errors import WarehouseError
from leapsql_core.warehouses.duckdb.settings import _CHANGE_NO_ANSWER, settings_that_count


def setting(warehouse: Any, name: str) -> str:
    with warehouse._cursor() as cursor:
        return str(cursor.execute("SELECT current_setting(?)", [name]).fetchone()[0])


def test_the_zone_is_utc_unless_the_target_says_otherwise(open_warehouse: Any) -> None:
    """Answers do not depend on the machine's zone."""
    assert setting(open_warehouse(), "TimeZone") == "UTC"
    assert setting(open_warehouse(settings={"TimeZone": "Asia/Tokyo"}), "TimeZone") == "Asia/Tokyo"
    assert setting(open_warehouse(settings={"timezone": "Asia/Tokyo"}), "TimeZone") == "Asia/Tokyo"


def test_nothing_is_downloaded_unless_the_target_says_so(open_warehouse: Any) -> None:
    """Extensions are not installed behind the user's back."""
    assert setting(open_warehouse(), "autoinstall_known_extensions") == "False"
    asked = open_warehouse(settings={"autoinstall_known_extensions": True})
    assert setting(asked, "autoinstall_known_extensions") == "True"


def test_settings_reach_every_cursor(open_warehouse: Any) -> None:
    """Transactions that are open at the same time, each on a cursor of its own, all see the target's settings."""
    warehouse = open_warehouse(settings={"TimeZone": "Asia/Tokyo", "default_null_order": "nulls_first", "threads": 2})
    barrier = threading.Barrier(4)
    seen: list[tuple[str, ...]] = []

    def look() -> None:
        with warehouse.transaction() as transaction:
            barrier.wait(30)
            query = "SELECT current_setting('TimeZone'), lower(current_setting('default_null_order'))"
            seen.append(transaction._cursor.execute(query).fetchone())

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == [("Asia/Tokyo", "nulls_first")] * 4


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"errors_as_json": True}, "True"),
        ({"errors_as_json": False}, "False"),
        ({"TimeZone": "Europe/Berlin"}, "Europe/Berlin"),
        ({"progress_bar_time": 7}, "7"),
        ({"index_scan_percentage": 0.25}, "0.25"),
    ],
)
def test_settings_are_of_any_plain_kind(open_warehouse: Any, settings: dict[str, Any], shown: str) -> None:
    """Texts, whole numbers, fractions and booleans of YAML are understood."""
    [name] = settings
    assert setting(open_warehouse(settings=settings), name) == shown


def test_an_unknown_setting_is_named_with_the_nearest(open_warehouse: Any) -> None:
    """A typing error is told with what was probably meant."""
    with pytest.raises(WarehouseError, match="the warehouse refuses the setting `temp_directry`") as caught:
        open_warehouse(settings={"temp_directry": "/tmp"})
    assert caught.value.mend.startswith("Did you mean temp_directory")


def test_a_setting_like_no_other_is_named(open_warehouse: Any) -> None:
    """Where no name is near, the place to correct it is."""
    with pytest.raises(WarehouseError, match="`qqqqqqqq`") as caught:
        open_warehouse(settings={"qqqqqqqq": 1})
    assert caught.value.mend == "Correct `target.settings` in leapsql.yaml."


def test_a_wrong_value_of_a_known_setting_is_no_wrong_name(open_warehouse: Any) -> None:
    """The name is not offered as its own correction, in whatever case it was written."""
    with pytest.raises(WarehouseError, match=r"the warehouse refuses the setting `TIMEZONE`.*Mars") as caught:
        open_warehouse(settings={"TIMEZONE": "Mars/Olympus"})
    assert "Did you mean" not in caught.value.mend


def test_a_value_is_a_value_whatever_it_holds(open_warehouse: Any) -> None:
    """Quotes in a value end nothing."""
    with pytest.raises(WarehouseError, match="`TimeZone`"):
        open_warehouse(settings={"TimeZone": "UTC'; DROP TABLE x; --"})


def test_settings_that_change_answers_count() -> None:
    """A zone, an order of NULLs, a way to divide: what comes out hangs on them."""
    said = {"TimeZone": "Asia/Tokyo", "default_null_order": "nulls_first", "integer_division": True, "pivot_limit": 9}
    assert settings_that_count(said) == {
        "default_null_order": "nulls_first",
        "integer_division": "true",
        "pivot_limit": "9",
        "timezone": "Asia/Tokyo",
    }


def test_settings_of_speed_and_talk_do_not_count() -> None:
    """More threads or memory, a progress bar, a password: what comes out is the same."""
    assert (
        settings_that_count({"threads": 8, "memory_limit": "4GB", "enable_progress_bar": True, "password": "p"}) == {}
    )


def test_what_is_as_usual_does_not_count() -> None:
    """To write down what holds anyway changes nothing."""
    assert settings_that_count({"TimeZone": "utc", "autoinstall_known_extensions": False}) == {}


def test_a_setting_that_nobody_knows_yet_counts() -> None:
    """A setting of a later DuckDB counts as one that changes answers until it is known not to."""
    assert settings_that_count({"brand_new": 1}) == {"brand_new": "1"}


def test_settings_that_are_known_to_change_answers_are_not_taken_for_harmless() -> None:
    """Of all settings that this DuckDB has, those whose name or description speaks of results count."""
    harmless = set(_CHANGE_NO_ANSWER.split())
    must_count = {
        *("calendar", "timezone", "default_collation", "default_null_order", "default_order", "integer_division"),
        *("ieee_floating_point_ops", "order_by_non_integer_literal", "scalar_subquery_error_on_multiple_rows"),
        *(
            "search_path",
            "schema",
            "preserve_insertion_order",
            "old_implicit_casting",
            "pivot_limit",
            "file_search_path",
        ),
    }
    assert not harmless & must_count
    known = {name.casefold() for (name,) in duckdb.connect().execute("SELECT name FROM duckdb_settings()").fetchall()}
    assert {"threads", "max_memory", "temp_directory"} <= harmless & known
