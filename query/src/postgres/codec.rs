//! Messages on the socket, of bounded size.

use bytes::BytesMut;
use pgwire::error::PgWireError;
use pgwire::messages::{
    DecodeContext, PgWireBackendMessage, PgWireFrontendMessage, ProtocolVersion,
};
use tokio_util::codec::{Decoder, Encoder};

/// The largest message: a statement of the most that is parsed, with its parameters.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// How messages are read and written.
pub(super) struct Codec(DecodeContext);

impl Codec {
    /// For a new connection, which may ask for encryption first.
    pub(super) fn new() -> Self {
        let mut context = DecodeContext::default();
        // The version is always brought down to this one.
        context.protocol_version = ProtocolVersion::PROTOCOL3_0;
        Self(context)
    }

    /// What comes now says who the client is.
    pub(super) fn expect_startup(&mut self) {
        self.0.awaiting_frontend_ssl = false;
    }

    /// From now on messages have types.
    pub(super) fn started(&mut self) {
        self.0.awaiting_frontend_startup = false;
    }
}

impl Decoder for Codec {
    type Item = PgWireFrontendMessage;
    type Error = PgWireError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, PgWireError> {
        let typed = usize::from(!self.0.awaiting_frontend_startup);
        let length = bytes.get(typed..typed + 4);
        let length = length.and_then(|length| <[u8; 4]>::try_from(length).ok());
        let length = length.map(|length| i64::from(i32::from_be_bytes(length)));
        match length.map(usize::try_from) {
            // Without its length it is no message yet.
            None => Ok(None),
            Some(Ok(length)) if (4..=MESSAGE_BYTES_MAX).contains(&length) => {
                PgWireFrontendMessage::decode(bytes, &self.0)
            }
            Some(length) => Err(PgWireError::MessageTooLarge(
                MESSAGE_BYTES_MAX,
                length.unwrap_or(usize::MAX),
            )),
        }
    }
}

impl Encoder<PgWireBackendMessage> for Codec {
    type Error = PgWireError;

    fn encode(
        &mut self,
        message: PgWireBackendMessage,
        bytes: &mut BytesMut,
    ) -> Result<(), PgWireError> {
        message.encode(bytes)
    }
}
