"""Walks a table's log from version 0 and checks what must hold at every version, from outside.

It shares no code with Eddy: the log is read as JSON, the files with pyarrow. The numbers are those
of the invariants at the end of the commit protocol.

1  Each (topic id, partition, offset) below the position is there once, and is one that the broker has.
2  A position moves forward, or its epoch rises; a commit's rows lie between the position before it
   and its own.
3  Every file of a readable version exists, with its logged size.
4  Removes name files that are live; a rewrite (`dataChange` false) keeps the number of rows.
7  A file's columns are columns of the table, with their types; names differ by more than case.
12 Key, value, headers and timestamp are those that the broker has.

Input:  {"table": URL, "options": {object_store keys}, "complete": bool,
         "broker": {partition: [[offset, key, value, [[header, value], ...], timestamp_ms], ...]}}
        with bytes in base64 and null for null; without `broker`, what needs it isn't checked;
        `complete` means that every record of the broker must be there.
Output: {"findings": [text, ...], "version": N, "rows": N, "positions": {"id/partition": offset}}
"""

import base64
import json
import re
import sys
from collections import Counter
from urllib.parse import unquote, urlparse

import pyarrow
import pyarrow.fs
import pyarrow.parquet
import pyarrow.types as types

ENVELOPE = ["_topic_id", "_partition", "_offset", "_timestamp", "_key", "_headers", "_value"]
POSITION = re.compile(r"^eddy/([^/]+)/(\d+)$")
EPOCH = re.compile(r"^eddy/([^/]+)/(\d+)/epoch$")
LOG_FILE = re.compile(r"/(\d{20})\.json$")
# Beyond these many the list says nothing more.
FINDINGS_MAX = 40


class Table:
    """The state of the table while its log is walked."""

    def __init__(self, store, root):
        self.store = store
        self.root = root
        self.findings = []
        self.live = {}
        self.columns = {}
        self.partition_columns = []
        self.positions = {}
        self.epochs = {}
        self.envelopes = {}
        self.version = -1

    def wrong(self, number, text):
        self.findings.append(f"invariant {number} at version {self.version}: {text}")

    def apply(self, version, actions):
        if version != self.version + 1:
            self.wrong(3, f"the log goes on with version {version}")
        self.version = version
        by_kind = {"metaData": [], "txn": [], "remove": [], "add": []}
        for action in actions:
            for kind, value in action.items():
                if kind in by_kind:
                    by_kind[kind].append(value)
        for metadata in by_kind["metaData"]:
            self.read_schema(metadata)
        before = dict(self.positions)
        self.move(by_kind["txn"])
        self.exchange(by_kind["remove"], by_kind["add"])
        for add in by_kind["add"]:
            # What is removed in the same commit was rewritten without some of its rows.
            self.read_file(add, None if by_kind["remove"] else before)

    def read_schema(self, metadata):
        fields = json.loads(metadata["schemaString"])["fields"]
        self.partition_columns = metadata["partitionColumns"]
        self.columns = {field["name"]: field["type"] for field in fields}
        self.distinct_names("", fields)

    def distinct_names(self, path, fields):
        counted = Counter(field["name"].lower() for field in fields)
        for name, count in counted.items():
            if count > 1:
                self.wrong(7, f"{count} columns are called `{path}{name}`, but for case")
        for field in fields:
            kind = field["type"]
            while isinstance(kind, dict) and kind["type"] == "array":
                kind = kind["elementType"]
            if isinstance(kind, dict):
                self.distinct_names(f"{path}{field['name']}.", kind["fields"])

    def move(self, txns):
        epochs = dict(self.epochs)
        for txn in txns:
            match = EPOCH.match(txn["appId"])
            if match:
                key = (match[1], int(match[2]))
                if txn["version"] < self.epochs.get(key, 0):
                    self.wrong(2, f"the epoch of {key} falls to {txn['version']}")
                epochs[key] = txn["version"]
        for txn in txns:
            match = POSITION.match(txn["appId"])
            if not match:
                continue
            key = (match[1], int(match[2]))
            known = self.positions.get(key)
            raised = epochs.get(key, 0) > self.epochs.get(key, 0)
            if known is not None and txn["version"] < known and not raised:
                self.wrong(2, f"the position of {key} falls from {known} to {txn['version']}")
            self.positions[key] = txn["version"]
        self.epochs = epochs

    def exchange(self, removes, adds):
        grown = 0
        for remove in removes:
            path = remove["path"]
            if path not in self.live:
                self.wrong(4, f"`{path}` is removed, but isn't live")
                continue
            rows = self.live.pop(path)
            if not remove["dataChange"]:
                grown -= rows
        for add in adds:
            if add["path"] in self.live:
                self.wrong(4, f"`{add['path']}` is added twice")
            rows = json.loads(add["stats"])["numRecords"]
            self.live[add["path"]] = rows
            if not add["dataChange"]:
                grown += rows
        if grown:
            self.wrong(4, f"a rewrite changes the number of rows by {grown}")

    def read_file(self, add, before):
        path = f"{self.root}/{unquote(add['path'])}"
        info = self.store.get_file_info(path)
        if info.type == pyarrow.fs.FileType.NotFound:
            # A later version may have removed it; the walk's end looks again at what is live.
            return
        if info.size != add["size"]:
            self.wrong(3, f"`{add['path']}` has {info.size} bytes, not {add['size']}")
        try:
            with self.store.open_input_file(path) as file:
                parquet = pyarrow.parquet.ParquetFile(file)
                self.compare_columns(add["path"], parquet.schema_arrow)
                known = [name for name in ENVELOPE if name in parquet.schema_arrow.names]
                rows = envelope(parquet.read(columns=known, use_threads=False))
        except (OSError, pyarrow.ArrowException) as error:
            self.wrong(3, f"`{add['path']}` can't be read: {error}")
            return
        missing = set(ENVELOPE) - set(rows)
        if missing:
            self.wrong(7, f"`{add['path']}` lacks {sorted(missing)}")
            return
        rows["rows"] = len(rows["_offset"])
        self.envelopes[add["path"]] = rows
        if self.live.get(add["path"]) != rows["rows"]:
            self.wrong(3, f"`{add['path']}` has {rows['rows']} rows, its statistics say otherwise")
        if add["dataChange"] and before is not None:
            self.compare_range(add["path"], rows, before)

    def compare_columns(self, path, schema):
        for field in schema:
            if field.name in self.partition_columns:
                self.wrong(7, f"`{path}` holds the partition column `{field.name}`")
            elif field.name not in self.columns:
                self.wrong(7, f"`{path}` has `{field.name}`, the table doesn't")
            else:
                self.compare_type(path, field.name, field.type, self.columns[field.name])

    def compare_type(self, path, name, found, declared):
        if types.is_struct(found) and isinstance(declared, dict) and declared["type"] == "struct":
            members = {field["name"]: field["type"] for field in declared["fields"]}
            for member in found:
                if member.name not in members:
                    self.wrong(7, f"`{path}` has `{name}.{member.name}`, the table doesn't")
                else:
                    inner = f"{name}.{member.name}"
                    self.compare_type(path, inner, member.type, members[member.name])
        elif types.is_list(found) and isinstance(declared, dict) and declared["type"] == "array":
            self.compare_type(path, f"{name}[]", found.value_type, declared["elementType"])
        elif delta_type(found) != declared:
            self.wrong(7, f"`{name}` is {found} in `{path}` and {declared} in the table")

    def compare_range(self, path, rows, before):
        """The rows of a commit come after the position before it and before its own."""
        outside = Counter()
        for key_and_offset in zip(rows["_topic_id"], rows["_partition"], rows["_offset"]):
            key, offset = key_and_offset[:2], key_and_offset[2]
            if offset < before.get(key, 0) or offset >= self.positions.get(key, -1):
                outside[key] += 1
        for key, count in outside.items():
            bounds = f"[{before.get(key)}, {self.positions.get(key)})"
            self.wrong(2, f"{count} rows of {key} in `{path}` lie outside {bounds}")

    def finish(self, broker, complete):
        seen = Counter()
        for path in self.live:
            if path not in self.envelopes:
                self.wrong(3, f"`{path}` is live, but isn't there")
                continue
            rows = self.envelopes[path]
            seen.update(zip(rows["_topic_id"], rows["_partition"], rows["_offset"]))
        for record, count in seen.items():
            if count > 1:
                self.wrong(1, f"{record} is there {count} times")
            if record[2] >= self.positions.get(record[:2], -1):
                self.wrong(1, f"{record} lies beyond the position")
        if broker is not None:
            self.compare_broker(broker, seen, complete)
        return sum(seen.values())

    def compare_broker(self, broker, seen, complete):
        """For a topic of one incarnation: its records have one topic id."""
        by_position = {}
        for path in self.live:
            rows = self.envelopes.get(path)
            if rows is None:
                continue
            for index, place in enumerate(zip(rows["_partition"], rows["_offset"])):
                by_position[place] = (rows, index)
        expected = {}
        for partition, records in broker.items():
            for record in records:
                expected[(int(partition), record[0])] = record[1:]
        positions = {key[1]: position for key, position in self.positions.items()}
        for place, record in expected.items():
            if place in by_position:
                rows, index = by_position[place]
                self.compare_record(place, record, rows, index)
            elif complete or place[1] < positions.get(place[0], 0):
                self.wrong(1, f"(partition, offset) {place} is missing")
        for place in by_position.keys() - expected.keys():
            self.wrong(1, f"(partition, offset) {place} is a row, but the broker has no such record")

    def compare_record(self, place, record, rows, index):
        key, value, headers, timestamp_ms = record
        stored_headers = [
            [header["key"], encoded(header["value"])] for header in rows["_headers"][index] or []
        ]
        stored_us = rows["_timestamp"][index]
        stored_ms = None if stored_us is None else stored_us // 1000
        for name, found, wanted in [
            ("key", encoded(rows["_key"][index]), key),
            ("value", encoded(rows["_value"][index]), value),
            ("headers", stored_headers, headers),
            ("timestamp", stored_ms, timestamp_ms),
        ]:
            if found != wanted:
                short = f"{str(found)[:80]} instead of {str(wanted)[:80]}"
                self.wrong(12, f"the {name} of {place} is {short}")


def judge(request):
    store, root = open_store(request["table"], request["options"])
    table = Table(store, root)
    for version, path in log_files(store, root):
        with store.open_input_stream(path) as file:
            lines = file.read().decode().splitlines()
        table.apply(version, [json.loads(line) for line in lines if line])
    rows = table.finish(request.get("broker"), request.get("complete", False))
    findings = table.findings[:FINDINGS_MAX]
    if len(table.findings) > FINDINGS_MAX:
        findings.append(f"and {len(table.findings) - FINDINGS_MAX} more")
    positions = {f"{key[0]}/{key[1]}": value for key, value in table.positions.items()}
    return {
        "findings": findings,
        "version": table.version,
        "rows": rows,
        "positions": positions,
    }


def envelope(table):
    """Lists by column; the timestamp as a number, for Python's dates end with the year 9999."""
    if "_timestamp" in table.column_names:
        index = table.column_names.index("_timestamp")
        numbers = table.column(index).cast(pyarrow.int64())
        table = table.set_column(index, "_timestamp", numbers)
    return table.to_pydict()


def open_store(url, options):
    address = urlparse(url)
    if address.scheme == "file":
        return pyarrow.fs.LocalFileSystem(), unquote(address.path)
    endpoint = urlparse(options["aws_endpoint"])
    store = pyarrow.fs.S3FileSystem(
        access_key=options["aws_access_key_id"],
        secret_key=options["aws_secret_access_key"],
        region=options["aws_region"],
        scheme=endpoint.scheme,
        endpoint_override=endpoint.netloc,
    )
    return store, f"{address.netloc}{address.path}"


def log_files(store, root):
    selector = pyarrow.fs.FileSelector(f"{root}/_delta_log", allow_not_found=True)
    matches = ((LOG_FILE.search(f"/{info.path}"), info.path) for info in store.get_file_info(selector))
    return sorted((int(match[1]), path) for match, path in matches if match)


def delta_type(arrow):
    if types.is_string(arrow) or types.is_large_string(arrow):
        return "string"
    if types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    if types.is_timestamp(arrow):
        return "timestamp" if arrow.tz else "timestamp_ntz"
    names = {"int64": "long", "int32": "integer", "bool": "boolean", "large_binary": "binary"}
    return names.get(str(arrow), str(arrow))


def encoded(value):
    return None if value is None else base64.b64encode(value).decode()


if __name__ == "__main__":
    json.dump(judge(json.load(sys.stdin)), sys.stdout)
