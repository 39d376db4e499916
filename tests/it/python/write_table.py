"""Writes a Delta table of three rows with deltalake: something known for the readers to read.

Input: {"table": URL, "options": {object_store keys}}
"""

import json
import sys

import deltalake
import pyarrow

request = json.load(sys.stdin)
if request["table"].startswith("file://"):
    from pathlib import Path

    Path(request["table"].removeprefix("file://")).mkdir(parents=True, exist_ok=True)
options = {key.upper(): value for key, value in request["options"].items()}
deltalake.write_deltalake(
    request["table"], pyarrow.table({"a": [1, 2, 3]}), storage_options=options
)
print("null")
