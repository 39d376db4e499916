"""Reads the objects of a bucket that hold records one behind the other, with Python's own libraries.

Input: {"bucket": NAME, "options": {object_store keys}, "put": {key: text}}
Output: {key: text}: every object outside of `_eddy/` and Delta's logs, decompressed if its name says
that it is; bytes that are no UTF-8 as Latin-1; Avro, by fastavro, as lines of JSON.
"""

import gzip
import io
import json
import sys

import buckets
import fastavro
import pyarrow.fs


def main():
    request = json.load(sys.stdin)
    store, bucket = buckets.opened(request)
    found = {}
    for info in store.get_file_info(pyarrow.fs.FileSelector(bucket, recursive=True)):
        key = info.path.split("/", 1)[1]
        if not info.is_file or key.startswith("_eddy/") or "_delta_log" in key:
            continue
        # As the bytes are: a stream by that name would be decompressed by itself.
        with store.open_input_stream(info.path, compression=None) as source:
            data = source.read()
        if key.endswith(".gz"):
            data = gzip.decompress(data)
        if data.startswith(b"Obj\x01"):
            records = fastavro.reader(io.BytesIO(data))
            lines = [json.dumps(record, separators=(",", ":")) + "\n" for record in records]
            data = "".join(lines).encode()
        try:
            found[key] = data.decode()
        except UnicodeDecodeError:
            found[key] = data.decode("latin-1")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
