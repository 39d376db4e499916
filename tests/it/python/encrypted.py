"""Reads encrypted Parquet files with other people's readers, with the key and without.

Input: {"files": [path, ...], "key": base64, "id": the key's name, "column": name}
Output: {"duckdb": {...}, "pyarrow": {...}}, each {"rows": N, "sum": N, "columns": [...],
"refused": how many files were refused without the key}
"""

import base64
import json
import sys

import duckdb
import pyarrow.parquet
import pyarrow.parquet.encryption


def main():
    request = json.load(sys.stdin)
    json.dump({"duckdb": in_duckdb(request), "pyarrow": in_pyarrow(request)}, sys.stdout)


def in_duckdb(request):
    connection = duckdb.connect()
    refused, tables = 0, []
    for file in request["files"]:
        try:
            connection.execute(f"SELECT count(*) FROM read_parquet('{file}')").fetchall()
        except duckdb.Error:
            refused += 1
    connection.execute(f"PRAGMA add_parquet_key('{request['id']}', '{request['key']}')")
    # One by one: DuckDB 1.5 dies of `union_by_name` over encrypted files, whoever wrote them.
    for file in request["files"]:
        key = f"encryption_config = {{footer_key: '{request['id']}'}}"
        # Columns in lists and structs are beyond it, whoever wrote them.
        source = f"(SELECT * EXCLUDE (_headers) FROM read_parquet('{file}', {key}))"
        found = connection.sql(f"FROM {source}").arrow()
        # It may answer a reader of batches.
        tables.append(found.read_all() if hasattr(found, "read_all") else found)
    return seen(tables, request["column"], refused)


def in_pyarrow(request):
    key = base64.b64decode(request["key"])
    refused, tables = 0, []
    for file in request["files"]:
        try:
            pyarrow.parquet.ParquetFile(file).read()
        except (OSError, pyarrow.ArrowException):
            refused += 1
        opened = pyarrow.parquet.encryption.create_decryption_properties(footer_key=key)
        tables.append(pyarrow.parquet.ParquetFile(file, decryption_properties=opened).read())
    return seen(tables, request["column"], refused)


def seen(tables, column, refused):
    """What whole tables hold, every page of which was opened."""
    rows, total, columns = 0, 0, []
    for table in tables:
        table.validate(full=True)
        rows += table.num_rows
        if column in table.column_names:
            total += sum(value for value in table.column(column).to_pylist() if value is not None)
        columns += [name for name in table.column_names if name not in columns]
    return {"rows": rows, "sum": total, "columns": columns, "refused": refused}


main()
