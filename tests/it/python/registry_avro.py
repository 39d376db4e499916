"""Compares files of Avro, and of their keys beside them, with what was written through a registry:
`{bucket, options, topic}`.

Answers `{values, keys, count, schemas}`: the first differences of each, the records, and how many
schemas their files have.
"""

import io
import json
import sys

import buckets
import fastavro
import pyarrow.fs
import registry_records as records


def main():
    asked = json.load(sys.stdin)
    files = dict(read(*buckets.opened(asked), asked["topic"]))
    values, keys, seen, schemas = [], [], set(), set()
    for key, (schema, rows) in files.items():
        if ".keys." in key:
            continue
        schemas.add(schema)
        version = int('"note"' in schema)
        beside = files[key.replace(".avro", ".keys.avro")][1]
        if len(beside) != len(rows):
            keys.append([key, len(beside)])
        for row, its in zip(rows, beside):
            n = row["id"] - version * 2**40
            seen.add(n)
            if row != expected(n, version):
                values.append([key, repr(row), repr(expected(n, version))])
            if its != {"id": n, "part": f"p{n}"}:
                keys.append([key, repr(its)])
    answer = {"values": values[:3], "keys": keys[:3], "count": len(seen), "schemas": len(schemas)}
    json.dump(answer, sys.stdout)


def read(store, bucket, topic):
    selector = pyarrow.fs.FileSelector(f"{bucket}/topics/{topic}/partition=0", recursive=True)
    for info in store.get_file_info(selector):
        with store.open_input_stream(info.path) as source:
            reader = fastavro.reader(io.BytesIO(source.read()))
            yield info.path, (reader.metadata["avro.schema"], list(reader))


def expected(n, version):
    value = records.avro_value(n, version)
    if value["either"] is not None:
        value["either"] = value["either"][1]
    return value


main()
