"""Asks over Arrow Flight SQL, with ADBC: what other fronts are asked.

Input: {"uri": ..., and any of "statements": [SQL, ...], "with_parameters": SQL, "parameters":
[value, ...], "refusals": [SQL, ...], "table": name, "cancel": SQL, "leave": SQL}
Output: {"answers": [{"columns", "rows"}, ...], "parameters": {how: rows}, "refusals": [text, ...],
"table": {"listed", "columns", "server"}, "cancelled": text, "after_cancel": rows, "left": true},
each where it was asked for. Values are as HTTP's JSON has them.
"""

import base64
import datetime
import decimal
import json
import os
import re
import sys
import threading

import adbc_driver_flightsql.dbapi as flight


def connect(uri):
    return flight.connect(uri, autocommit=True)


def plain(value):
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc)
        spec = "auto" if not value.microsecond else "milliseconds"
        if value.microsecond % 1000:
            spec = "microseconds"
        return value.replace(tzinfo=None).isoformat(timespec=spec) + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        # HTTP's JSON leaves out what is null.
        return {name: plain(member) for name, member in value.items() if member is not None}
    return value


def rows(cursor):
    return [[plain(value) for value in row] for row in cursor.fetchall()]


def answers(connection, statements):
    told = []
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            columns = [column[0] for column in cursor.description]
            told.append({"columns": columns, "rows": rows(cursor)})
    return told


def with_parameters(connection, statement, parameters):
    how = {}
    with connection.cursor() as cursor:
        for _ in range(3):
            how["numbered"] = rows(cursor.execute(statement, parameters))
        # Its parameters are in their order.
        marks = re.sub(r"\$\d", "?", statement)
        how["marks"] = rows(cursor.execute(marks, parameters))
    return how


def refusals(connection, statements):
    told = []
    for statement in statements:
        with connection.cursor() as cursor:
            try:
                cursor.execute(statement)
                cursor.fetchall()
                told.append(None)
            except flight.Error as error:
                told.append(str(error))
    return told


def table(connection, name):
    listed = []
    for catalog in connection.adbc_get_objects(depth="tables").read_all().to_pylist():
        for schema in catalog["catalog_db_schemas"]:
            for found in schema["db_schema_tables"]:
                within = [catalog["catalog_name"], schema["db_schema_name"]]
                listed.append(within + [found["table_name"], found["table_type"]])
    columns = connection.adbc_get_table_schema(name)
    return {
        "listed": listed,
        "columns": {field.name: str(field.type) for field in columns},
        "server": connection.adbc_get_info()["vendor_name"],
    }


def running(uri, statement, there):
    """Waits until the server runs the statement."""
    with connect(uri) as other, other.cursor() as cursor:
        asked = "SELECT count(*) FROM system.queries WHERE state = 'running' AND sql = '%s'"
        while there():
            if cursor.execute(asked % statement).fetchone()[0]:
                return


def cancelled(uri, statement):
    with connect(uri) as connection, connection.cursor() as cursor:
        told = []

        def ask():
            try:
                cursor.execute(statement)
                cursor.fetchall()
            except flight.Error as error:
                told.append(str(error))

        asking = threading.Thread(target=ask)
        asking.start()
        running(uri, statement, asking.is_alive)
        cursor.adbc_cancel()
        asking.join()
        with connection.cursor() as after:
            return told[0], rows(after.execute("SELECT 1"))


def leave(uri, statement):
    """A process that is killed while its query runs."""
    child = os.fork()
    if child == 0:
        with connect(uri) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            cursor.fetchall()
        os._exit(1)
    running(uri, statement, lambda: True)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return True


def main():
    request = json.load(sys.stdin)
    uri = request["uri"]
    answer = {}
    # Before there are threads: what has some can't be forked.
    if "leave" in request:
        answer["left"] = leave(uri, request["leave"])
    with connect(uri) as connection:
        if "statements" in request:
            answer["answers"] = answers(connection, request["statements"])
        if "with_parameters" in request:
            answer["parameters"] = with_parameters(
                connection, request["with_parameters"], request["parameters"]
            )
        if "refusals" in request:
            answer["refusals"] = refusals(connection, request["refusals"])
        if "table" in request:
            answer["table"] = table(connection, request["table"])
    if "cancel" in request:
        answer["cancelled"], answer["after_cancel"] = cancelled(uri, request["cancel"])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
