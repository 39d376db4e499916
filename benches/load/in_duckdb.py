"""DuckDB beside a bench: statements in, times and rows out.

Reads one JSON text a line from standard input, `{"sql": ...}`, and answers each with one:
`{"ms": wall, "cpu_ms": all threads, "rows": [{...}]}` or `{"error": ...}`. Values that JSON doesn't
have come as text. The first argument is the number of threads.
"""

import json
import sys
import time

import duckdb


def main():
    connection = duckdb.connect()
    connection.execute(f"SET threads = {int(sys.argv[1])}")
    connection.execute("SET TimeZone = 'UTC'")
    for line in sys.stdin:
        try:
            answer = timed(connection, json.loads(line)["sql"])
        except duckdb.Error as error:
            answer = {"error": str(error)}
        print(json.dumps(answer, default=str), flush=True)


def timed(connection, sql):
    wall, cpu = time.perf_counter(), time.process_time()
    rows = connection.execute(sql).fetchall()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    columns = [column[0] for column in connection.description]
    # As Eddy writes rows: without members that are null.
    rows = [{name: value for name, value in zip(columns, row) if value is not None} for row in rows]
    return {"ms": wall * 1e3, "cpu_ms": cpu * 1e3, "rows": rows}


main()
