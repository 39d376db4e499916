"""What the tests of registries write and expect: record `n` of each format, in several versions."""

import datetime
import decimal
import json
import uuid

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

# Sums and forms of numbers with more digits than Python's default.
decimal.getcontext().prec = 80

POISON_EVERY = 100
EPOCH = datetime.datetime(2026, 11, 23, 10, tzinfo=datetime.timezone.utc)


def is_poison(n):
    return n % POISON_EVERY == 7


def poison(form, n, good):
    """Bytes that nobody can read, of several kinds."""
    broken = {"avro": good[: len(good) // 2], "json": good[:-1], "protobuf": good[:7] + b"\xff"}
    return [
        b"\x00\x00\x0f\x42\x40" + good[5:],  # a schema that doesn't exist
        broken[form],
        b"plain text",
        b"\x00\x00",
    ][n // POISON_EVERY % 4]


def moment(n):
    return EPOCH + datetime.timedelta(microseconds=n)


def price(n):
    # 36 digits, four of them behind the point.
    return (decimal.Decimal(n) + 10**31).quantize(decimal.Decimal("1.0000"))


# ---- Avro ----

ADDRESS = {
    "type": "record",
    "name": "Address",
    "namespace": "shop",
    "fields": [
        {"name": "street", "type": "string"},
        {"name": "zip", "type": ["null", "int"], "default": None},
    ],
}
AVRO_KEY = {
    "type": "record",
    "name": "Key",
    "fields": [{"name": "id", "type": "long"}, {"name": "part", "type": "string"}],
}


def avro_schema(version):
    """Version 1 widens `id`, renames `ref`, loses `name` and gains `note`."""
    fields = [
        {"name": "id", "type": "int" if version == 0 else "long"},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 36, "scale": 4}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "uid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["NEW", "OLD"]}},
        {"name": "address", "type": "shop.Address"},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
        {"name": "either", "type": ["null", "string", "long", "shop.Address"]},
        {
            "name": "tree",
            "type": {
                "type": "record",
                "name": "Node",
                "fields": [
                    {"name": "v", "type": "int"},
                    {"name": "next", "type": ["null", "Node"], "default": None},
                ],
            },
        },
    ]
    if version == 0:
        fields += [{"name": "name", "type": "string"}, {"name": "ref", "type": ["null", "double"]}]
    else:
        fields += [
            {"name": "note", "type": ["null", "string"], "default": None},
            {"name": "reference", "type": ["null", "double"], "aliases": ["ref"]},
        ]
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": fields}


def avro_value(n, version):
    address = {"street": f"Street {n}", "zip": n if n % 2 else None}
    either = [None, ("string", f"text {n}"), ("long", n), ("shop.Address", address)][n % 4]
    value = {
        "id": n if version == 0 else n + 2**40,
        "price": price(n),
        "at": moment(n),
        "day": moment(n * 3_600_000_000).date(),
        "uid": uuid.UUID(int=n),
        "kind": "OLD" if n % 3 else "NEW",
        "address": address,
        "tags": [f"t{at}" for at in range(n % 3)],
        "counts": {"a": n, "b": -n},
        "either": either,
        "tree": {"v": n, "next": {"v": n + 1, "next": None} if n % 5 == 0 else None},
    }
    extra = {"name": f"name {n}", "ref": n / 4} if version == 0 else {"note": None if n % 2 else "n", "reference": n / 8}
    return value | extra


def avro_expected(n, version):
    value = avro_value(n, version)
    if value["either"] is not None:
        branch, of = value["either"]
        value["either"] = {branch.rsplit(".")[-1]: of}
    value["uid"] = str(value["uid"])
    return value


# ---- Protobuf ----


def proto_classes():
    """The message of each version, and the file that both import."""
    money = descriptor_pb2.FileDescriptorProto(name="money.proto", package="shop", syntax="proto3")
    message = money.message_type.add(name="Money")
    add_field(message, "units", 1, "TYPE_INT64")
    add_field(message, "currency", 2, "TYPE_STRING")
    return [proto_class(version, money) for version in range(2)]


def proto_class(version, money):
    file = descriptor_pb2.FileDescriptorProto(
        name=f"order{version}.proto", package="shop", syntax="proto3"
    )
    file.dependency.extend(["money.proto", "google/protobuf/timestamp.proto"])
    color = file.enum_type.add(name="Color")
    for number, name in enumerate(["NONE", "RED", "GREEN"]):
        color.value.add(name=name, number=number)
    # Not the file's first message: its index must be written.
    file.message_type.add(name="Unused")
    order = file.message_type.add(name="Order")
    add_field(order, "id", 1, "TYPE_INT32" if version == 0 else "TYPE_INT64")
    add_field(order, "total" if version == 0 else "amount", 3, "TYPE_MESSAGE", ".shop.Money")
    order.oneof_decl.add(name="pay")
    add_field(order, "card", 4, "TYPE_STRING").oneof_index = 0
    add_field(order, "cash", 5, "TYPE_DOUBLE").oneof_index = 0
    add_field(order, "at", 6, "TYPE_MESSAGE", ".google.protobuf.Timestamp")
    add_field(order, "color", 7, "TYPE_ENUM", ".shop.Color")
    add_field(order, "tags", 8, "TYPE_STRING").label = 3
    add_field(order, "big", 9, "TYPE_UINT64")
    if version == 0:
        add_field(order, "name", 2, "TYPE_STRING")
    else:
        add_field(order, "fresh", 11, "TYPE_BOOL")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(money)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Order"))


def add_field(message, name, number, kind, of=None):
    field = message.field.add(name=name, number=number, label=1)
    field.type = getattr(descriptor_pb2.FieldDescriptorProto, kind)
    if of:
        field.type_name = of
    return field


def proto_value(n, version, classes):
    order = classes[version]()
    order.id = n if version == 0 else n + 2**40
    total = order.total if version == 0 else order.amount
    total.units, total.currency = n, "EUR"
    if n % 3 == 1:
        order.card = f"card {n}"
    elif n % 3 == 2:
        order.cash = n / 4
    order.at.seconds = int(EPOCH.timestamp())
    order.at.nanos = n * 1_000
    order.color = n % 3
    order.tags.extend([f"t{at}" for at in range(n % 3)])
    order.big = 2**64 - 1 if n % 10 == 0 else n
    if version == 0:
        order.name = f"name {n}"
    else:
        order.fresh = True
    return order


def proto_expected(n, version):
    return {
        "id": n if version == 0 else n + 2**40,
        "total" if version == 0 else "amount": {"units": n, "currency": "EUR"},
        "pay_0": [None, {"card": f"card {n}"}, {"cash": n / 4}][n % 3],
        "at": moment(n),
        "color": ["NONE", "RED", "GREEN"][n % 3],
        "tags": [f"t{at}" for at in range(n % 3)],
        "big": 2**64 - 1 if n % 10 == 0 else n,
    } | ({"name": f"name {n}"} if version == 0 else {"fresh": True})


# ---- JSON Schema ----

JSON_ADDRESS = {
    "$id": "address.json",
    "title": "Address",
    "type": "object",
    "properties": {"street": {"type": "string"}, "lat": {"type": "number"}},
}


def json_schema(version):
    properties = {
        "id": {"type": "integer"},
        "price": {"type": "number"},
        "address": {"$ref": "address.json"},
        "tags": {"type": "array", "items": {"type": "number"}},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    }
    if version == 0:
        properties["name"] = {"type": "string"}
    else:
        properties["title"] = {"type": "string"}
        properties["note"] = {"oneOf": [{"type": "null"}, {"type": "string"}]}
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object", "properties": properties}


def json_value(n, version):
    value = {
        "id": n,
        "price": n if n % 2 else n / 4,
        "address": {"street": f"Street {n}", "lat": n},
        "tags": [1, 2.5][: n % 3],
        "either": n if n % 2 else f"text {n}",
    }
    return value | ({"name": f"name {n}"} if version == 0 else {"title": "t", "note": None})


# ---- what came back ----


def version_of(n):
    # They alternate: no file and no row group has records of one version alone.
    return n % 2


def expected(form, n):
    version = version_of(n)
    if form == "avro":
        return avro_expected(n, version)
    return proto_expected(n, version) if form == "protobuf" else json_value(n, version)


def normal(value):
    """A value without what is nothing, and with one form for each kind of scalar."""
    if isinstance(value, dict):
        members = {key: normal(of) for key, of in value.items()}
        return {key: of for key, of in members.items() if of is not None} or None
    if isinstance(value, (list, tuple)):
        elements = [normal(of) for of in value]
        return elements if any(of is not None for of in elements) else None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (int, float, decimal.Decimal)):
        return number(value)
    if isinstance(value, str):
        return text(value)
    return str(value)


def number(value):
    value = decimal.Decimal(str(value)).normalize()
    return f"number {value:f}"


def text(value):
    """Answers as JSON have moments and exact numbers as text."""
    try:
        if "T" in value and value.endswith("Z"):
            return datetime.datetime.fromisoformat(value[:-1] + "+00:00").isoformat()
    except ValueError:
        pass
    try:
        return number(decimal.Decimal(value)) if value[:1].isdigit() and "-" not in value else value
    except decimal.InvalidOperation:
        return value


def differences(form, rows):
    """The rows, by offset, that aren't what record `n` says; the payload's columns alone count."""
    wrong = []
    for row in rows:
        n = row["_offset"]
        payload = merged({key: of for key, of in row.items() if not key.startswith("_")})
        found, wanted = normal(payload), normal(expected(form, n))
        if found != wanted:
            wrong.append({"n": n, "found": json.loads(json.dumps(found)), "wanted": wanted})
    return wrong


def merged(row):
    """Alternates of a key (`big__decimal` beside `big`) as the one value that they are."""
    one = {}
    for key, of in row.items():
        name = key.split("__")[0]
        if of is not None or name not in one:
            one[name] = of
    return {key: of for key, of in one.items() if key != "dt"}
