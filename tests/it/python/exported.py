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
    rows = connection.execute(
        'SELECT partition, "offset", id, CAST(value AS VARCHAR) FROM '
        f"read_ndjson({files}, columns = {{partition: 'INTEGER', \"offset\": 'BIGINT', "
        "id: 'VARCHAR', value: 'JSON'}) ORDER BY ALL"
    ).fetchall()
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
