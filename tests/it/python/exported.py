"""What DuckDB reads in the files of an export, on local disk or S3.

Input: {"files": URL with a star, "options": {object_store keys}}
Output: [[partition, offset, id, value as text], ...] in order of partition and offset
"""

import json
import sys

import readers


def main():
    request = json.load(sys.stdin)
    connection = readers.connect(request["options"])
    files = readers.literal(readers.local(request["files"]))
    if request["files"].endswith(".parquet"):
        value, rows = "decode(value)", f"read_parquet({files})"
    else:
        value = "CAST(value AS VARCHAR)"
        rows = (
            f"read_ndjson({files}, columns = {{partition: 'INTEGER', \"offset\": 'BIGINT', "
            "id: 'VARCHAR', value: 'JSON'})"
        )
    rows = connection.execute(
        f'SELECT partition, "offset", id, {value} FROM {rows} ORDER BY ALL'
    ).fetchall()
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
