"""Writes records with a registry's own serializers: `{kafka, registry, form, topic, from, to}`.

Every hundredth can't be read. Answers the offsets of those.
"""

import json
import struct
import sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import registry_records as records


def main():
    asked = json.load(sys.stdin)
    client = SchemaRegistryClient({"url": asked["registry"]})
    serialize, key = serializers(client, asked["form"])
    producer = Producer({"bootstrap.servers": asked["kafka"], "linger.ms": 20})
    topic, poison = asked["topic"], []
    value_of = SerializationContext(topic, MessageField.VALUE)
    key_of = SerializationContext(topic, MessageField.KEY)
    for n in range(asked["from"], asked["to"]):
        value = serialize(n, value_of)
        if records.is_poison(n):
            value = records.poison(asked["form"], n, value)
            poison.append(n)
        producer.produce(topic, value=value, key=key(n, key_of), partition=0)
        producer.poll(0)
    if producer.flush(60):
        raise SystemExit("not everything was delivered")
    json.dump(poison, sys.stdout)


def serializers(client, form):
    def plain_key(n, _):
        return struct.pack(">q", n)

    if form == "avro":
        client.register_schema("shop.Address", Schema(json.dumps(records.ADDRESS), "AVRO"))
        refers = [SchemaReference("shop.Address", "shop.Address", 1)]
        values = [
            AvroSerializer(client, Schema(json.dumps(records.avro_schema(version)), "AVRO", refers))
            for version in range(2)
        ]
        keys = AvroSerializer(client, json.dumps(records.AVRO_KEY))

        def avro(n, context):
            version = records.version_of(n)
            return values[version](records.avro_value(n, version), context)

        return avro, lambda n, context: keys({"id": n, "part": f"p{n}"}, context)
    if form == "protobuf":
        classes = records.proto_classes()
        options = {"use.deprecated.format": False}
        values = [ProtobufSerializer(of, client, options) for of in classes]

        def protobuf(n, context):
            version = records.version_of(n)
            return values[version](records.proto_value(n, version, classes), context)

        return protobuf, plain_key
    client.register_schema("address", Schema(json.dumps(records.JSON_ADDRESS), "JSON"))
    refers = [SchemaReference("address.json", "address", 1)]
    values = [
        JSONSerializer(Schema(json.dumps(records.json_schema(version)), "JSON", refers), client)
        for version in range(2)
    ]

    def json_of(n, context):
        version = records.version_of(n)
        return values[version](records.json_value(n, version), context)

    return json_of, plain_key


main()
