"""Relays to a collector with stubs that are made of its `.proto` files, over TLS."""

import importlib
import json
import pathlib
import sys
import tempfile
import time

import grpc
from grpc_tools import protoc

given = json.load(sys.stdin)
stubs = tempfile.TemporaryDirectory()
files = ["events.proto", "records.proto", "services.proto"]
options = ["-I", given["protos"], f"--python_out={stubs.name}", f"--grpc_python_out={stubs.name}"]
assert protoc.main(["protoc", *options, *files]) == 0
sys.path.insert(0, stubs.name)
records, services = (importlib.import_module(f"{name}_pb2") for name in ("records", "services"))
service = importlib.import_module("services_pb2_grpc")

authority = pathlib.Path(given["certificate"]).read_bytes()
channel = grpc.secure_channel(given["address"], grpc.ssl_channel_credentials(authority))
grpc.channel_ready_future(channel).result(timeout=60)
collector = service.GRPCCollectorStub(channel)
token = [("streamdal-token", given["token"])]
assert collector.Test(services.TestRequest(), metadata=token, timeout=60).status.code == 0

begun = time.time_ns()
batch = [
    records.KafkaSinkRecord(
        topic="orders", partition=1, offset=10 + number, value=f"value {number}".encode(),
        timestamp=begun,
    )
    for number in range(500)
]
request = services.KafkaSinkRecordRequest(records=batch)
# Twice, as after an answer that was lost.
answers = [collector.AddKafkaRecord(request, metadata=token) for _ in range(2)]
# Records that say no time are never taken for each other.
said = [records.GenericRecord(body=body) for body in (b"a", b"", b"a")]
answers.append(collector.AddRecord(services.GenericRecordRequest(records=said), metadata=token))
assert all(answer.status.code == 0 for answer in answers)

try:
    collector.Test(services.TestRequest(), metadata=[("batch-token", "wrong")])
    unauthorized = "it was let in"
except grpc.RpcError as error:
    unauthorized = f"{error.code().name} {error.details()}"


def ask(path, body, stream=False):
    """Calls a method whose stubs aren't made here: messages as they are on the wire."""
    if not stream:
        return channel.unary_unary(path)(body, timeout=60)
    return next(channel.stream_stream(path)(iter([body]), timeout=60))


# `HealthCheckRequest{service = 1}`, and in the answer `status = 1`: 1 is SERVING.
name = b"services.GRPCCollector"
health = ask("/grpc.health.v1.Health/Check", b"\x0a" + bytes([len(name)]) + name)
# `ServerReflectionRequest{file_containing_symbol = 4}`; the answer has the file with its methods.
asked = b"\x22" + bytes([len(name)]) + name
described = ask("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", asked, stream=True)
method = services.DESCRIPTOR.services_by_name["GRPCCollector"].methods

json.dump(
    {
        "processed": [answer.num_records_processed for answer in answers],
        "unauthorized": unauthorized,
        "health": "SERVING" if health == b"\x08\x01" else repr(health),
        "methods": sum(one.name.encode() in described for one in method),
    },
    sys.stdout,
)
