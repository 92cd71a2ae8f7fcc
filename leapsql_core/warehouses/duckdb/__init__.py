"""DuckDB: its connection, its transactions, and its own parser."""
