//! Messages as gRPC frames them: a byte that says whether it is compressed, four for its length,
//! and itself. The length is known before the message, so room for it is, too.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

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
/// The least at which a message has to arrive, beside the time that any body has.
const BYTES_PER_SECOND: usize = 1 << 20;

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
    // It holds its room from here on, and others wait for that.
    let limit = time_for(length, collector.0.options.body_timeout);
    let rest = within(&collector.0.clock, limit, arriving.rest(length)).await;
    rest.ok_or_else(slow)??;
    Ok((arriving.read.freeze(), room))
}

/// How long a message of so many bytes may take to arrive: as long as any, and as a slow line of
/// [`BYTES_PER_SECOND`] takes for it.
fn time_for(length: usize, any: Duration) -> Duration {
    let seconds = u64::try_from(length / BYTES_PER_SECOND).unwrap_or(u64::MAX);
    any.saturating_add(Duration::from_secs(seconds))
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
    /// Reads what is left of a message of so many bytes, and of the call.
    async fn rest(&mut self, length: usize) -> Result<(), Status> {
        // Memory that nothing is written to costs nothing.
        self.read.reserve(length.saturating_sub(self.read.len()));
        while self.more().await? {
            if self.read.len() > length {
                return Err(Status::invalid_argument(
                    "the call has more than one message",
                ));
            }
        }
        match self.read.len() == length {
            true => Ok(()),
            false => Err(Status::invalid_argument(
                "the message is shorter than it says, or longer",
            )),
        }
    }

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use eddy_engine::Clock;
    use eddy_engine::testing::memory_lake;
    use futures::FutureExt;

    use super::*;
    use crate::collect::CollectorOptions;
    use crate::kafka::KafkaConfig;

    /// A message of so many bytes, one of which comes each 29 seconds.
    fn dripping(clock: &Clock, length: u32) -> Body {
        let mut head = BytesMut::new();
        head.put_u8(0);
        head.put_u32(length);
        let clock = clock.clone();
        let parts = futures::stream::unfold(Some(head.freeze()), move |head| {
            let clock = clock.clone();
            async move {
                tokio::task::yield_now().await;
                clock.advance(Duration::from_secs(29));
                let part = head.unwrap_or_else(|| Bytes::from_static(b"x"));
                Some((Ok::<_, Infallible>(part), None))
            }
        });
        Body::new(axum::body::Body::from_stream(parts))
    }

    #[tokio::test]
    async fn a_message_that_drips_gives_its_room_back() {
        let clock = Clock::manual(0);
        let lake = memory_lake(clock.clone());
        let kafka = KafkaConfig::default().with("bootstrap.servers", "127.0.0.1:1");
        let options = CollectorOptions {
            memory_bytes: 1 << 20,
            ..CollectorOptions::default()
        };
        let collector = Collector::open(&lake, &kafka, None, Vec::new(), options).unwrap();
        let body = dripping(&clock, 4_096);
        let refused = read(&HeaderMap::new(), body, &collector).await;
        let status = refused.err().unwrap();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        let room = collector.0.room.enter(1 << 20).now_or_never();
        assert!(room.unwrap().is_ok());
    }

    #[test]
    fn a_large_message_has_longer() {
        let any = Duration::from_secs(30);
        assert_eq!(time_for(100, any), any);
        let largest = time_for(MESSAGE_BYTES_MAX, any);
        assert_eq!(largest, Duration::from_secs(158));
    }
}
