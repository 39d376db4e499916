"""Reads one table with DuckDB (twice), deltalake and Polars, and says what each of them saw.

Input: {"table": URL, "options": {object_store keys}, "sum": [column, ...]}
Output: {reader: {"rows": N, "sum": {column: N or null}, "values": {column: N}}}, the last the number
of values that are not null, of each column after reading it whole, for the readers `duckdb_delta` (delta_scan),
`duckdb_parquet` (read_parquet over the files that the log names), `deltalake` and `polars`.
A column that a table doesn't have is reported as null.
"""

import importlib.util
import json
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import deltalake
import duckdb
import polars
import pyarrow.compute


def main():
    request = json.load(sys.stdin)
    options = storage_options(request["options"])
    columns = request.get("sum", [])
    url = request["table"]
    table = deltalake.DeltaTable(url, storage_options=options)
    connection = connect(request["options"])
    files = ", ".join(literal(file) for file in absolute_files(table))
    parquet = f"read_parquet([{files}], union_by_name = true, hive_partitioning = true)"
    result = {
        "duckdb_delta": in_duckdb(connection, f"delta_scan({literal(local(url))})", columns),
        "duckdb_parquet": in_duckdb(connection, parquet, columns),
        "deltalake": in_arrow(table.to_pyarrow_table(), columns),
        "polars": in_polars(polars.scan_delta(table), columns),
    }
    json.dump(result, sys.stdout)


def storage_options(options):
    """deltalake takes object_store's keys too, in capitals."""
    return {key.upper(): value for key, value in options.items()}


def connect(options):
    connection = duckdb.connect()
    for name in ("httpfs", "delta"):
        load(connection, name)
    if "aws_endpoint" in options:
        address = urlparse(options["aws_endpoint"])
        connection.execute(
            "CREATE SECRET lake (TYPE s3, URL_STYLE 'path', USE_SSL false, "
            f"ENDPOINT {literal(address.netloc)}, REGION {literal(options['aws_region'])}, "
            f"KEY_ID {literal(options['aws_access_key_id'])}, "
            f"SECRET {literal(options['aws_secret_access_key'])})"
        )
    return connection


def load(connection, name):
    """The wheel brings the extension along; nothing is downloaded."""
    package = importlib.util.find_spec(f"duckdb_extension_{name}").submodule_search_locations[0]
    file = next(Path(package).glob(f"extensions/*/{name}.duckdb_extension"))
    connection.execute(f"INSTALL {literal(str(file))}; LOAD {name};")


def absolute_files(table):
    """deltalake answers paths for a table on local disk, URLs for others."""
    return [local(file) for file in table.file_uris()]


def local(url):
    return unquote(urlparse(url).path) if url.startswith("file://") else url


def in_duckdb(connection, source, columns):
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    known = {row[0] for row in described}
    rows = connection.execute(f"SELECT count(*) FROM {source}").fetchone()[0]
    sums = {}
    for column in columns:
        sums[column] = None
        if column in known:
            query = f"SELECT sum({identifier(column)}) FROM {source}"
            sums[column] = plain(connection.execute(query).fetchone()[0])
    return {"rows": rows, "sum": sums, "values": values(connection.sql(f"FROM {source}").arrow())}


def in_arrow(table, columns):
    sums = {
        column: plain(pyarrow.compute.sum(table.column(column)).as_py())
        if column in table.column_names
        else None
        for column in columns
    }
    return {"rows": table.num_rows, "sum": sums, "values": values(table)}


def in_polars(frame, columns):
    known = frame.collect_schema().names()
    rows = frame.select(polars.len()).collect().item()
    sums = {
        column: plain(frame.select(polars.col(column).sum()).collect().item())
        if column in known
        else None
        for column in columns
    }
    return {"rows": rows, "sum": sums, "values": values(frame.collect().to_arrow())}


def values(table):
    """Of an Arrow table, or of a reader of its batches."""
    table = table.read_all() if hasattr(table, "read_all") else table
    columns = zip(table.column_names, table.columns)
    return {name: len(column) - column.null_count for name, column in columns}


def plain(number):
    """DuckDB sums integers to hugeint or decimals; JSON has one kind of number."""
    if number is None or isinstance(number, (int, float)):
        return number
    return int(number) if number == int(number) else float(number)


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
