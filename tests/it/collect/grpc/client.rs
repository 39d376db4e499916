//! Whoever sends records: a gRPC client made from the `.proto` files, which knows nothing of how
//! Eddy reads them.

use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value,
};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::harness::block_on;
use crate::harness::process::free_port;

/// What clients set; their default is 4 MiB.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("connector/proto");
    let files = protox::compile(["services.proto"], [folder]).expect("the files compile");
    DescriptorPool::from_file_descriptor_set(files).expect("they fit together")
});

/// A client of one collector, on a connection of its own, with the token of its collection.
#[derive(Clone)]
pub struct Client {
    pub address: String,
    header: &'static str,
    token: String,
    channel: Option<Channel>,
}

impl Client {
    /// The `[collector]` of a configuration file with these settings, and who sends to it.
    pub fn configured(settings: &str) -> (String, Self) {
        let address = format!("127.0.0.1:{}", free_port());
        let toml =
            format!("[collector]\nhttp_listen = \"\"\ngrpc_listen = \"{address}\"\n{settings}\n");
        let client = Self {
            address,
            header: "streamdal-token",
            token: String::new(),
            channel: None,
        };
        (toml, client)
    }

    pub fn with_token(&self, token: &str) -> Self {
        self.spelled("streamdal-token", token)
    }

    /// The same under another name.
    pub fn spelled(&self, header: &'static str, token: &str) -> Self {
        Self {
            header,
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same on a connection of its own, which it makes when it is first needed.
    pub fn apart(&self) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint.expect("an address");
        // The channel spawns what serves it.
        let channel = block_on(async { endpoint.connect_lazy() });
        Self {
            channel: Some(channel),
            ..self.clone()
        }
    }

    /// Adds records by this method; the answer is how many the collector says there were.
    pub fn add(&self, method: &str, records: Vec<DynamicMessage>) -> Result<i64, Status> {
        block_on(self.adding(method, records))
    }

    pub async fn adding(&self, method: &str, records: Vec<DynamicMessage>) -> Result<i64, Status> {
        let records = records.into_iter().map(Value::Message).collect();
        let mut request = DynamicMessage::new(messages(method).0);
        request.set_field_by_name("records", Value::List(records));
        let answer = self.call(method, request).await?;
        assert_eq!(status(&answer).as_i32(), Some(0), "{answer:?}");
        let processed = answer.get_field_by_name("num_records_processed");
        Ok(processed.expect("a count").as_i64().expect("a number"))
    }

    /// Begins a call whose message never comes; the answer is what the collector says then.
    pub fn begin(&self, method: &str) -> Result<(), Status> {
        let nothing = futures::stream::pending::<DynamicMessage>();
        block_on(async {
            let mut grpc = self.ready().await?;
            let (request, path) = (self.request(nothing), path(method));
            let codec = Dynamic(messages(method).1);
            grpc.client_streaming(request, path, codec).await.map(drop)
        })
    }

    /// What every client asks first.
    pub fn test(&self) -> Result<(), Status> {
        let request = DynamicMessage::new(messages("Test").0);
        let answer = block_on(self.call("Test", request))?;
        assert_eq!(status(&answer).as_i32(), Some(0), "{answer:?}");
        Ok(())
    }

    async fn call(&self, method: &str, message: DynamicMessage) -> Result<DynamicMessage, Status> {
        let mut grpc = self.ready().await?;
        let (request, codec) = (self.request(message), Dynamic(messages(method).1));
        let answered: Response<_> = grpc.unary(request, path(method), codec).await?;
        Ok(answered.into_inner())
    }

    async fn ready(&self) -> Result<tonic::client::Grpc<Channel>, Status> {
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => {
                let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
                let connected = endpoint.expect("an address").connect().await;
                connected.map_err(|error| Status::unavailable(error.to_string()))?
            }
        };
        let mut grpc =
            tonic::client::Grpc::new(channel).max_encoding_message_size(MESSAGE_BYTES_MAX);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(grpc)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if !self.token.is_empty() {
            let token = self.token.parse().expect("a token that can be sent");
            request.metadata_mut().insert(self.header, token);
        }
        request
    }
}

fn path(method: &str) -> PathAndQuery {
    let path = format!("/services.GRPCCollector/{method}");
    path.parse().expect("a path")
}

/// An empty record for this method.
pub fn record(method: &str) -> DynamicMessage {
    let Kind::Message(record) = messages(method).0.get_field(1).expect("records").kind() else {
        unreachable!("{method}");
    };
    DynamicMessage::new(record)
}

/// An empty message of those in a record's list.
pub fn pair(method: &str, list: &str) -> DynamicMessage {
    let field = record(method).descriptor().get_field_by_name(list);
    let Kind::Message(pair) = field.expect("the list").kind() else {
        unreachable!("{method}.{list}");
    };
    DynamicMessage::new(pair)
}

/// A record with these fields for this method.
pub fn filled(method: &str, fields: &[(&str, Value)]) -> DynamicMessage {
    let mut filled = record(method);
    for (field, value) in fields {
        filled.set_field_by_name(field, value.clone());
    }
    filled
}

pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(Bytes::copy_from_slice(bytes))
}

/// A record of Kafka, as `plumber` sends it: the time is its own and never the same.
pub fn kafka(topic: &str, offset: i64, key: &str, value: &[u8]) -> DynamicMessage {
    let time = 1_790_000_000_000_000_001 + offset;
    filled(
        "AddKafkaRecord",
        &[
            ("topic", text(topic)),
            ("offset", Value::I64(offset)),
            ("partition", Value::I32(3)),
            ("key", bytes(key.as_bytes())),
            ("value", bytes(value)),
            ("timestamp", Value::I64(time)),
        ],
    )
}

fn messages(method: &str) -> (MessageDescriptor, MessageDescriptor) {
    let service = POOL.get_service_by_name("services.GRPCCollector");
    let service = service.expect("the service");
    let mut methods = service.methods();
    let found = methods.find(|described| described.name() == method);
    let found = found.unwrap_or_else(|| panic!("there is no method {method}"));
    (found.input(), found.output())
}

fn status(answer: &DynamicMessage) -> Value {
    assert!(answer.has_field_by_name("status"), "{answer:?}");
    let status = answer.get_field_by_name("status").expect("a status");
    let status = status.as_message().expect("a message");
    status
        .get_field_by_name("code")
        .expect("a code")
        .into_owned()
}

/// Messages of a kind that is known only now.
#[derive(Clone)]
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).expect("there is room");
        Ok(())
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let decoded = DynamicMessage::decode(self.0.clone(), buffer);
        decoded
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
