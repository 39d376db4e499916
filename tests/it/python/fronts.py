"""Asks over the Postgres wire, with psycopg: what other fronts are asked, in text and in binary.

Input: {"url": ..., and any of "statements": [SQL, ...], "with_parameters": SQL, "parameters":
[value, ...], "refusals": [SQL, ...], "cancel": SQL, "leave": SQL}
Output: {"answers": [{"text": {"columns", "rows"}, "binary": ...}, ...], "parameters": {how: rows},
"refusals": [{"sqlstate", "message", "hint", "position"}, ...], "cancelled": error,
"after_cancel": rows, "left": true}, each where it was asked for. Values are as HTTP's JSON has them.
"""

import base64
import datetime
import decimal
import json
import os
import sys
import threading

import psycopg


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
    return value


def rows(cursor):
    return [[plain(value) for value in row] for row in cursor.fetchall()]


def error_of(error):
    diag = error.diag
    position = diag.statement_position
    return {
        "sqlstate": diag.sqlstate,
        "message": diag.message_primary,
        "hint": diag.message_hint,
        "position": int(position) if position else None,
    }


def answers(connection, statements):
    told = []
    for statement in statements:
        answer = {}
        for form in ("text", "binary"):
            cursor = connection.execute(statement, binary=form == "binary")
            columns = [column.name for column in cursor.description]
            answer[form] = {"columns": columns, "rows": rows(cursor)}
        told.append(answer)
    return told


def with_parameters(connection, statement, parameters):
    cursor = psycopg.RawCursor(connection)
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in parameters]
    how = {}
    how["typed"] = rows(cursor.execute(statement, parameters))
    # Texts of no type: what they are is up to the server.
    how["untyped"] = rows(cursor.execute(statement, texts))
    for _ in range(3):
        how["prepared"] = rows(cursor.execute(statement, parameters, prepare=True))
    how["in_binary"] = rows(cursor.execute(statement, parameters, binary=True))
    return how


def refusals(connection, statements):
    told = []
    for statement in statements:
        try:
            connection.execute(statement)
            told.append(None)
        except psycopg.Error as error:
            told.append(error_of(error))
    return told


def running(url, statement, there):
    """Waits until the server runs the statement."""
    with psycopg.connect(url, autocommit=True) as other:
        asked = "SELECT count(*) FROM system.queries WHERE state = 'running' AND sql = '%s'"
        while there():
            if other.execute(asked % statement).fetchone()[0]:
                return


def cancelled(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        told = []

        def ask():
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                told.append(error_of(error))

        asking = threading.Thread(target=ask)
        asking.start()
        running(url, statement, asking.is_alive)
        connection.cancel()
        asking.join()
        return told[0], rows(connection.execute("SELECT 1"))


def leave(url, statement):
    """A process that is killed while its query runs."""
    child = os.fork()
    if child == 0:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
        os._exit(1)
    running(url, statement, lambda: True)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return True


def main():
    request = json.load(sys.stdin)
    url = request["url"]
    answer = {}
    with psycopg.connect(url, autocommit=True) as connection:
        if "statements" in request:
            answer["answers"] = answers(connection, request["statements"])
        if "with_parameters" in request:
            answer["parameters"] = with_parameters(
                connection, request["with_parameters"], request["parameters"]
            )
        if "refusals" in request:
            answer["refusals"] = refusals(connection, request["refusals"])
    if "cancel" in request:
        answer["cancelled"], answer["after_cancel"] = cancelled(url, request["cancel"])
    if "leave" in request:
        answer["left"] = leave(url, request["leave"])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
