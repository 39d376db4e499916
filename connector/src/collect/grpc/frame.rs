//! Messages as gRPC frames them: a byte that says whether it is compressed, four for its length,
//! and itself. The length is known before the message, so room for it is, too.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::BodyDataStream;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use http_body::Frame;
use prost::Message;
use tonic::Status;
use tonic::body::Body;

use crate::collect::room::Held;
use crate::collect::{Collector, within};

/// The largest message that is taken. Clients split nothing, and send up to 100 MiB.
pub(super) const MESSAGE_BYTES_MAX: usize = 128 << 20;
const HEAD: usize = 5;

/// Reads the one message of a call, for which there is room from before its first byte on.
///
/// # Errors
/// `UNIMPLEMENTED` for a compressed one, `RESOURCE_EXHAUSTED` for one that is too large,
/// `DEADLINE_EXCEEDED` for one that doesn't go on, `INVALID_ARGUMENT` for none, half or two.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    collector: &Collector,
) -> Result<(Bytes, Held), Status> {
    let encoding = headers.get("grpc-encoding").map(HeaderValue::as_bytes);
    let mut arriving = Arriving {
        parts: axum::body::Body::new(body).into_data_stream(),
        read: BytesMut::new(),
        collector,
    };
    while arriving.read.len() < HEAD {
        if !arriving.more().await? {
            return Err(Status::invalid_argument("the call has no message"));
        }
    }
    let head = arriving.read.split_to(HEAD);
    let (is_compressed, length) = match head.as_ref() {
        [flag, length @ ..] => {
            let length = length
                .iter()
                .fold(0_usize, |all, byte| (all << 8) | usize::from(*byte));
            (*flag != 0, length)
        }
        [] => (false, 0),
    };
    if is_compressed || !matches!(encoding, None | Some(b"identity" | b"gzip")) {
        let mut refused = Status::unimplemented("messages must not be compressed");
        let known = tonic::metadata::MetadataValue::from_static("identity");
        refused.metadata_mut().insert("grpc-accept-encoding", known);
        return Err(refused);
    }
    if length > MESSAGE_BYTES_MAX {
        return Err(Status::resource_exhausted(format!(
            "a message may have {MESSAGE_BYTES_MAX} bytes, and this one has {length}"
        )));
    }
    let room = collector.0.room.enter(length).await;
    let room = room.map_err(|error| Status::unavailable(error.to_string()))?;
    // Memory that nothing is written to costs nothing.
    arriving
        .read
        .reserve(length.saturating_sub(arriving.read.len()));
    while arriving.more().await? {
        if arriving.read.len() > length {
            return Err(Status::invalid_argument(
                "the call has more than one message",
            ));
        }
    }
    if arriving.read.len() != length {
        return Err(Status::invalid_argument(
            "the message is shorter than it says, or longer",
        ));
    }
    Ok((arriving.read.freeze(), room))
}

/// What a client is told whose message doesn't arrive.
pub(super) fn slow() -> Status {
    Status::deadline_exceeded("the message did not arrive in time")
}

struct Arriving<'a> {
    parts: BodyDataStream,
    read: BytesMut,
    collector: &'a Collector,
}

impl Arriving<'_> {
    /// Reads on; no at the end.
    async fn more(&mut self) -> Result<bool, Status> {
        let limit = self.collector.0.options.body_timeout;
        let next = within(&self.collector.0.clock, limit, self.parts.next()).await;
        match next.ok_or_else(slow)? {
            Some(Ok(part)) => {
                self.read.extend_from_slice(&part);
                Ok(true)
            }
            Some(Err(_)) => Err(Status::cancelled("the message broke off")),
            None => Ok(false),
        }
    }
}

/// `events.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Went {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What every Add answers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Added {
    #[prost(int64, tag = "1")]
    records: i64,
    #[prost(message, optional, tag = "2")]
    status: Option<Went>,
}

impl Added {
    /// So many records are in Kafka.
    pub(super) fn ok(records: i64) -> Self {
        let status = Some(Went::ok());
        Self { records, status }
    }
}

/// What `Test` answers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Tested {
    #[prost(message, optional, tag = "1")]
    status: Option<Went>,
}

impl Tested {
    /// The token opens a collection.
    pub(super) fn ok() -> Self {
        let status = Some(Went::ok());
        Self { status }
    }
}

impl Went {
    fn ok() -> Self {
        let message = "OK".to_owned();
        Self { code: 0, message }
    }
}

/// The answer of a call that went well.
pub(super) fn answer(message: &impl Message) -> Response<Body> {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(HEAD + length);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).unwrap_or_default());
    framed.put_slice(&message.encode_to_vec());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Answer {
        message: Some(framed.freeze()),
        trailers: Some(trailers),
    };
    let mut response = Response::new(Body::new(body));
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// One message, and the trailers that say that it is all.
struct Answer {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.message.take() {
            Some(message) => Some(Frame::data(message)),
            None => self.trailers.take().map(Frame::trailers),
        };
        Poll::Ready(next.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}
