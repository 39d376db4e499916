"""Answers queries with DuckDB, over views in the text that Eddy prints.

Input: {"options": {object_store keys}, "views": ["CREATE VIEW ...", ...], "queries": [SQL, ...]}
Output: [{"columns": [name, ...], "rows": [[value, ...], ...]}, ...]; decimals as numbers, bytes in
base64, members of structs that are null left out.
"""

import base64
import datetime
import decimal
import json
import sys

from readers import connect


def main():
    request = json.load(sys.stdin)
    connection = connect(request["options"])
    connection.execute("SET TimeZone = 'UTC'")
    for view in request["views"]:
        connection.execute(view)
    json.dump([answer(connection, query) for query in request["queries"]], sys.stdout)


def answer(connection, query):
    try:
        cursor = connection.execute(query)
    except Exception as error:
        raise ValueError(f"DuckDB refuses {query}") from error
    return {
        "columns": [column[0] for column in cursor.description],
        "rows": [[plain(value) for value in row] for row in cursor.fetchall()],
    }


def plain(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items() if member is not None}
    return value


if __name__ == "__main__":
    main()
