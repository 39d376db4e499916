"""Each invariant is shown to be found broken: small tables made by hand, one thing wrong in each.

Needs no services. Prints the number of cases; fails at the first that isn't found.
"""

import json
import sys
import tempfile
from pathlib import Path

import invariants
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("_topic_id", pa.string()),
        ("_partition", pa.int32()),
        ("_offset", pa.int64()),
        ("_timestamp", pa.timestamp("us", "UTC")),
        ("_key", pa.binary()),
        ("_headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
        ("_value", pa.binary()),
    ]
)
FIELDS = [
    {"name": "n", "type": "long"},
    {"name": "_topic_id", "type": "string"},
    {"name": "_partition", "type": "integer"},
    {"name": "_offset", "type": "long"},
    {"name": "_timestamp", "type": "timestamp"},
    {"name": "_key", "type": "binary"},
    {
        "name": "_headers",
        "type": {
            "type": "array",
            "elementType": {
                "type": "struct",
                "fields": [{"name": "key", "type": "string"}, {"name": "value", "type": "binary"}],
            },
        },
    },
    {"name": "_value", "type": "binary"},
]


def main():
    count = 0
    for name, expected, spoil in CASES:
        with tempfile.TemporaryDirectory() as folder:
            table = Made(Path(folder))
            spoil(table)
            findings = table.judge()["findings"]
            numbers = {int(finding.split()[1]) for finding in findings}
            if numbers != expected:
                sys.exit(f"{name}: found {findings} instead of {sorted(expected)}")
            count += 1
    json.dump(count, sys.stdout)


class Made:
    """Two commits of two rows each; a case changes something before it is written."""

    def __init__(self, folder):
        self.folder = folder
        self.fields = [dict(field) for field in FIELDS]
        self.commits = [[self.txn(2), self.add("a", [0, 1])], [self.txn(4), self.add("b", [2, 3])]]
        self.broker = {"0": [record(offset) for offset in range(4)]}
        self.complete = True

    def txn(self, version, suffix=""):
        return {"txn": {"appId": f"eddy/T/0{suffix}", "version": version}}

    def add(self, name, offsets, schema=SCHEMA, data_change=True, value=b"v"):
        rows = [row(offset, value) for offset in offsets]
        path = self.folder / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
        return {
            "add": {
                "path": path.name,
                "size": path.stat().st_size,
                "dataChange": data_change,
                "stats": json.dumps({"numRecords": len(rows)}),
            }
        }

    def remove(self, name, data_change=False):
        return {"remove": {"path": f"{name}.parquet", "dataChange": data_change}}

    def judge(self):
        log = self.folder / "_delta_log"
        log.mkdir()
        schema = json.dumps({"type": "struct", "fields": self.fields})
        first = {"metaData": {"schemaString": schema, "partitionColumns": []}}
        for version, actions in enumerate([[first], *self.commits]):
            text = "\n".join(json.dumps(action) for action in actions)
            (log / f"{version:020}.json").write_text(text)
        request = {"table": f"file://{self.folder}", "options": {}, "complete": self.complete}
        return invariants.judge({**request, "broker": self.broker})


def row(offset, value):
    headers = [{"key": "h", "value": None}, {"key": "h", "value": b""}]
    return {
        "n": offset,
        "_topic_id": "T",
        "_partition": 0,
        "_offset": offset,
        "_timestamp": 1_000 * offset,
        "_key": None,
        "_headers": headers,
        "_value": value,
    }


def record(offset):
    return [offset, None, "dg==", [["h", None], ["h", ""]], offset]


def is_sound(table):
    pass


def misses_a_record(table):
    table.broker["0"].append(record(4))


def may_miss_a_record_beyond_the_position(table):
    table.broker["0"].append(record(4))
    table.complete = False


def has_a_row_too_many(table):
    del table.broker["0"][1]


def has_a_row_twice(table):
    table.commits.append([table.add("c", [3], data_change=False), table.add("d", [])])


def has_rows_below_the_position(table):
    table.commits.append([table.txn(5), table.add("c", [3])])
    table.broker["0"].append(record(4))


def moves_back(table):
    table.commits.append([table.txn(3)])


def moves_back_with_an_epoch(table):
    table.commits.append([table.txn(2), table.txn(1, "/epoch"), table.remove("b", True)])
    table.complete = False


def lacks_a_file(table):
    (table.folder / "b.parquet").unlink()
    table.complete = False
    table.broker = None


def has_a_file_of_another_size(table):
    table.commits[1][1]["add"]["size"] += 1


def removes_twice(table):
    table.commits.append([table.remove("a"), table.add("c", [0, 1], data_change=False)])
    table.commits.append([table.remove("a")])


def rewrites_with_fewer_rows(table):
    table.commits.append([table.remove("b"), table.add("c", [2], data_change=False)])


def has_an_unknown_column(table):
    table.fields.pop(0)


def has_another_type(table):
    table.fields[0]["type"] = "string"


def has_names_that_differ_by_case(table):
    table.fields.append({"name": "N", "type": "long"})


def has_another_value(table):
    table.commits[1][1] = table.add("b", [2, 3], value=b"")


def has_other_headers(table):
    table.broker["0"][0][3] = [["h", ""], ["h", None]]


CASES = [
    ("sound", set(), is_sound),
    ("missing", {1}, misses_a_record),
    ("on its way", set(), may_miss_a_record_beyond_the_position),
    ("too many", {1}, has_a_row_too_many),
    ("twice", {1, 4}, has_a_row_twice),
    ("below the position", {1, 2}, has_rows_below_the_position),
    ("back", {1, 2}, moves_back),
    ("back with an epoch", set(), moves_back_with_an_epoch),
    ("no file", {3}, lacks_a_file),
    ("another size", {3}, has_a_file_of_another_size),
    ("removed twice", {4}, removes_twice),
    ("fewer rows", {1, 4}, rewrites_with_fewer_rows),
    ("unknown column", {7}, has_an_unknown_column),
    ("another type", {7}, has_another_type),
    ("names", {7}, has_names_that_differ_by_case),
    ("value", {12}, has_another_value),
    ("headers", {12}, has_other_headers),
]


if __name__ == "__main__":
    main()
