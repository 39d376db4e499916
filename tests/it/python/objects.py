"""Puts, reads and lists the objects of a bucket, as somebody who knows nothing of Eddy.

Input: {"bucket": NAME, "options": {object_store keys}, "put": {key: text}, "get": [key, ...]}
Output: {"keys": [key, ...], "got": {key: text}, "rows": {key: N}}: all keys, the texts asked for, and
the rows of every other Parquet file outside of Delta's logs.
"""

import json
import sys

import buckets
import pyarrow.fs
import pyarrow.parquet


def main():
    request = json.load(sys.stdin)
    store, bucket = buckets.opened(request)
    got = {}
    for key in request.get("get", []):
        with store.open_input_stream(f"{bucket}/{key}") as source:
            got[key] = source.read().decode()
    listed = store.get_file_info(pyarrow.fs.FileSelector(bucket, recursive=True))
    keys = [info.path.split("/", 1)[1] for info in listed if info.is_file]
    rows = {}
    texts = request.get("put", {}).keys() | got.keys()
    for key in keys:
        if key.endswith(".parquet") and "_delta_log" not in key and key not in texts:
            metadata = pyarrow.parquet.read_metadata(f"{bucket}/{key}", filesystem=store)
            rows[key] = metadata.num_rows
    json.dump({"keys": sorted(keys), "got": got, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main()
