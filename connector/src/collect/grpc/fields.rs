//! What becomes of each field of each record: pure data, which a test compares with the `.proto`
//! files.
//!
//! The payload is the event's value, Kafka's key, Redis Streams' and an ordering key are its key.
//! What a client chose the names of (headers, attributes, properties) stays under these names; what
//! the bus says becomes headers named by bus and field, as `amqp-routing-key`.

use Role::{
    Attributes, DeadLetter, Id, Key, Map, Natural, Number, Offset, Pairs, Partition, Text,
    Timestamp, Topic, Value, Within, Yes,
};

/// A method: its name, and the records that it takes.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) fields: Fields,
}

/// What becomes of the fields of a message, by their numbers.
pub(super) type Fields = &'static [(u32, Role)];

/// What becomes of a field. Texts are headers' names; empty texts, zeros and false are none, since
/// nobody can tell them from what isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The event's value.
    Value,
    /// The event's key; an empty one is none.
    Key,
    /// Where the record was in Kafka: headers also if they are zero.
    Topic,
    Partition,
    Offset,
    /// A text that stands for the record, and for no other one.
    Id(&'static str),
    /// When the client says that the record was.
    Timestamp(&'static str),
    Text(&'static str),
    /// A number that may be below zero.
    Number(&'static str),
    /// One that may not.
    Natural(&'static str),
    Yes(&'static str),
    /// Names and texts, in order.
    Pairs,
    /// Names and texts in no order, behind this prefix.
    Map(&'static str),
    /// What SQS calls message attributes: names and typed values, in no order.
    Attributes,
    /// A message whose fields are the record's.
    Within(Fields),
    /// The client wants it among what is wrong.
    DeadLetter,
}

/// The method of this name.
pub(super) fn method(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// All methods that add records.
pub(super) static METHODS: [Method; 14] = [
    of("AddRecord", GENERIC),
    of("AddAMQPRecord", AMQP),
    of("AddKafkaRecord", KAFKA),
    of("AddSQSRecord", SQS),
    of("AddAzureRecord", AZURE),
    of("AddGCPRecord", GCP),
    of("AddRedisRecord", REDIS),
    of("AddRedisStreamsRecord", REDIS_STREAMS),
    of("AddMQTTRecord", MQTT),
    of("AddNSQRecord", NSQ),
    of("AddKubeMQRecord", KUBEMQ),
    of("AddNATSRecord", NATS),
    of("AddNATSStreamingRecord", NATS_STREAMING),
    of("AddNATSJetStreamRecord", NATS_JETSTREAM),
];

const fn of(name: &'static str, fields: Fields) -> Method {
    Method { name, fields }
}

const GENERIC: Fields = &[
    (1, Value),
    (2, Text("generic-source")),
    (3, Timestamp("generic-timestamp")),
    (4, Map("")),
    (5, DeadLetter),
];

const AMQP: Fields = &[
    (1, Value),
    (2, Timestamp("amqp-timestamp")),
    (3, Text("amqp-type")),
    (4, Text("amqp-exchange")),
    (5, Text("amqp-routing-key")),
    (6, Text("amqp-content-type")),
    (7, Text("amqp-content-encoding")),
    (8, Number("amqp-priority")),
    (9, Text("amqp-expiration")),
    // Whatever the sender wrote, the same for many if it likes.
    (10, Text("amqp-message-id")),
    (11, Text("amqp-user-id")),
    (12, Text("amqp-app-id")),
    (13, Text("amqp-reply-to")),
    (14, Text("amqp-correlation-id")),
    (15, Pairs),
    (16, DeadLetter),
];

const KAFKA: Fields = &[
    (1, Topic),
    (2, Key),
    (3, Value),
    (4, Timestamp("kafka-timestamp")),
    (5, Offset),
    (6, Partition),
    (7, Pairs),
    (8, DeadLetter),
];

const SQS: Fields = &[
    (1, Map("sqs-attribute-")),
    (2, Attributes),
    (3, Id("sqs-messageid")),
    (4, Text("sqs-receipt")),
    (5, Value),
    (6, Timestamp("sqs-timestamp")),
    (7, DeadLetter),
];

const AZURE: Fields = &[
    (1, Text("azure-content-type")),
    (2, Text("azure-correlation-id")),
    (3, Value),
    (4, Natural("azure-delivery-count")),
    (5, Text("azure-session-id")),
    (6, Natural("azure-group-sequence")),
    (7, Text("azure-id")),
    (8, Text("azure-label")),
    (9, Text("azure-reply-to")),
    (10, Text("azure-reply-to-group-id")),
    (11, Text("azure-to")),
    (12, Number("azure-ttl")),
    (13, Text("azure-lock-token")),
    (14, Within(AZURE_SYSTEM)),
    (15, Map("")),
    (16, Natural("azure-format")),
    (17, DeadLetter),
];

const AZURE_SYSTEM: Fields = &[
    (1, Number("azure-locked-until")),
    (2, Number("azure-sequence-number")),
    (3, Number("azure-partition-id")),
    (4, Text("azure-partition-key")),
    (5, Timestamp("azure-enqueued-time")),
    (6, Text("azure-dead-letter-source")),
    (7, Number("azure-scheduled-enqueue-time")),
    (8, Number("azure-enqueued-sequence-number")),
    (9, Text("azure-via-partition-key")),
    (10, Map("azure-annotation-")),
];

const GCP: Fields = &[
    (1, Id("gcp-id")),
    (2, Value),
    (3, Map("")),
    (4, Timestamp("gcp-publish-time")),
    (5, Number("gcp-delivery-attempt")),
    (6, Key),
    (7, DeadLetter),
];

const REDIS: Fields = &[
    (1, Value),
    (2, Text("redis-channel")),
    (3, Timestamp("redis-timestamp")),
    (4, DeadLetter),
];

const REDIS_STREAMS: Fields = &[
    (1, Text("redis-id")),
    (2, Key),
    (3, Value),
    (4, Text("redis-stream")),
    (5, Timestamp("redis-timestamp")),
    (6, DeadLetter),
];

const MQTT: Fields = &[
    (1, Natural("mqtt-id")),
    (2, Text("mqtt-topic")),
    (3, Value),
    (4, Yes("mqtt-duplicate")),
    (5, Yes("mqtt-retained")),
    (6, Natural("mqtt-qos")),
    (7, Timestamp("mqtt-timestamp")),
    (8, DeadLetter),
];

const NSQ: Fields = &[
    (1, Text("nsq-id")),
    (2, Text("nsq-topic")),
    (3, Text("nsq-channel")),
    (4, Number("nsq-attempts")),
    (5, Text("nsq-nsqd-address")),
    (6, Value),
    (7, Timestamp("nsq-timestamp")),
    (8, DeadLetter),
];

const KUBEMQ: Fields = &[
    (1, Text("kubemq-id")),
    (2, Text("kubemq-client-id")),
    (3, Text("kubemq-channel")),
    (4, Value),
    (5, Timestamp("kubemq-timestamp")),
    (6, Number("kubemq-sequence")),
    (7, DeadLetter),
];

const NATS: Fields = &[
    (1, Text("nats-subject")),
    (2, Value),
    (3, Timestamp("nats-timestamp")),
    (4, DeadLetter),
];

const NATS_STREAMING: Fields = &[
    (1, Text("nats-channel")),
    (2, Value),
    (3, Natural("nats-sequence")),
    (4, Text("nats-subject")),
    (5, Yes("nats-redelivered")),
    (6, Natural("nats-redelivery-count")),
    (7, Natural("nats-crc32")),
    (8, Timestamp("nats-timestamp")),
    (9, DeadLetter),
];

const NATS_JETSTREAM: Fields = &[
    (1, Text("nats-stream")),
    (2, Value),
    (3, Timestamp("nats-timestamp")),
    (4, DeadLetter),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use prost_reflect::{Kind, MessageDescriptor};

    use super::*;
    use crate::collect::grpc::described;

    /// Whether the role's header is called as bus and field are, and the field's kind is the
    /// role's.
    fn fits(role: Role, bus: &str, field: &prost_reflect::FieldDescriptor) -> bool {
        let kind = field.kind();
        let is_named = |given: &str| given == format!("{bus}-{}", field.name().replace('_', "-"));
        match role {
            Value => matches!(kind, Kind::Bytes | Kind::String),
            Key => matches!(kind, Kind::Bytes | Kind::String),
            Topic => kind == Kind::String && is_named("kafka-topic"),
            Partition => kind == Kind::Int32 && is_named("kafka-partition"),
            Offset => kind == Kind::Int64 && is_named("kafka-offset"),
            Id(name) | Text(name) => kind == Kind::String && is_named(name),
            Timestamp(name) => kind == Kind::Int64 && is_named(name),
            Number(name) => matches!(kind, Kind::Int32 | Kind::Int64) && is_named(name),
            Natural(name) => matches!(kind, Kind::Uint32 | Kind::Uint64) && is_named(name),
            Yes(name) => kind == Kind::Bool && is_named(name),
            DeadLetter => kind == Kind::Bool && field.name() == "force_dead_letter",
            Pairs => field.is_list() && field.name() == "headers",
            Map(_) | Attributes => field.is_map(),
            Within(_) => matches!(kind, Kind::Message(_)) && !field.is_list(),
        }
    }

    /// The first word of the names of a method's headers.
    fn bus(method: &str) -> String {
        let record = method.trim_start_matches("Add").trim_end_matches("Record");
        let plain = ["Streams", "Streaming", "JetStream"].into_iter();
        let plain = plain.fold(record, |name, kind| name.trim_end_matches(kind));
        match plain {
            "" => "generic".to_owned(),
            bus => bus.to_ascii_lowercase(),
        }
    }

    fn check(fields: Fields, bus: &str, message: &MessageDescriptor) {
        let numbers: Vec<u32> = fields.iter().map(|(number, _)| *number).collect();
        let mut described: Vec<u32> = message.fields().map(|field| field.number()).collect();
        described.sort_unstable();
        assert_eq!(numbers, described, "{}", message.full_name());
        for (number, role) in fields {
            let field = message.get_field(*number).unwrap();
            assert!(fits(*role, bus, &field), "{} {role:?}", field.full_name());
            if let (Within(inner), Kind::Message(message)) = (role, field.kind()) {
                check(inner, bus, &message);
            }
        }
    }

    #[test]
    fn methods_and_fields_are_those_of_the_proto_files() {
        let pool = described::compile().unwrap().descriptor_pool();
        let service = pool.get_service_by_name("services.GRPCCollector").unwrap();
        let names: Vec<String> = service.methods().map(|one| one.name().to_owned()).collect();
        let ours = METHODS.iter().map(|method| method.name).chain(["Test"]);
        assert_eq!(names, ours.collect::<Vec<_>>());
        for described in service.methods() {
            let Some(method) = method(described.name()) else {
                continue;
            };
            let records = described.input().get_field(1).unwrap();
            assert!(records.is_list());
            let Kind::Message(record) = records.kind() else {
                unreachable!("{}", records.full_name());
            };
            check(method.fields, &bus(method.name), &record);
            let numbers: Vec<u32> = described
                .output()
                .fields()
                .map(|one| one.number())
                .collect();
            assert_eq!(numbers, [1, 2]);
        }
    }
}
