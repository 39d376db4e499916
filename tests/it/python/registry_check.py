"""Compares rows with what was written: `{form, rows, table, options}`, the rows as SQL answered, and
the table as DuckDB reads it.

Answers `{sql, duckdb, count, keys}`: the first differences of each, the good rows that DuckDB saw,
and those whose decoded key is theirs.
"""

import json
import sys

import readers
import registry_records as records


def main():
    asked = json.load(sys.stdin)
    connection = readers.connect(asked["options"])
    source = f"delta_scan({readers.literal(readers.local(asked['table']))})"
    table = connection.sql(f"FROM {source}").arrow()
    rows = (table.read_all() if hasattr(table, "read_all") else table).to_pylist()
    good = [row for row in rows if row["_error"] is None]
    keys = [row for row in good if row.get("_key_fields") == key(row["_offset"])]
    answer = {
        "sql": records.differences(asked["form"], asked["rows"])[:3],
        "duckdb": records.differences(asked["form"], good)[:3],
        "count": len(good),
        "keys": len(keys),
    }
    json.dump(answer, sys.stdout)


def key(n):
    return {"id": n, "part": f"p{n}"}


main()
