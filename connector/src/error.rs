//! The connector's one public error: its kind tells the caller what to do, its message a person.

use std::error::Error as StdError;
use std::fmt;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What every fallible call of the connector returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller must do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The broker or the store did not answer: try the same call again.
    Unavailable,
    /// Another writer moved a position, another member took this one's place, or a name is taken.
    Fenced,
    /// The caller's input or configuration is wrong; a retry does not help.
    Invalid,
    /// What was asked for does not exist.
    NotFound,
    /// What the broker or the lake holds doesn't fit together.
    Data,
    /// A broken promise inside Eddy.
    Internal,
}

/// An error of the connector.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error without a cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// A retry of the same call may succeed.
    pub fn is_unavailable(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }

    /// Whether a record was refused because of its size, or that of its batch.
    pub fn says_too_large(&self) -> bool {
        self.code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
    }

    /// Whether a record, or one that was in a batch with it, was refused for what it is: without a
    /// key in a compacted topic, or against the broker's own rules. Its time isn't meant, which may
    /// be that of a clock.
    pub(crate) fn says_wrong_record(&self) -> bool {
        use RDKafkaErrorCode as Code;
        matches!(
            self.code(),
            Some(Code::InvalidRecord | Code::InvalidDifferentRecord)
        )
    }

    /// Whether the broker doesn't let this client in, or not do this: it is about no record.
    pub fn is_denied(&self) -> bool {
        self.code().is_some_and(is_denial)
    }

    fn code(&self) -> Option<RDKafkaErrorCode> {
        let kafka = self.source.as_ref();
        match kafka.and_then(|source| source.downcast_ref::<KafkaError>())? {
            KafkaError::Transaction(error) => Some(error.code()),
            error => error.rdkafka_error_code(),
        }
    }

    /// Shorthand for [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Shorthand for [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// What went wrong while talking to Kafka, with `doing` saying what was tried.
    pub(crate) fn kafka(doing: impl Into<String>, error: KafkaError) -> Self {
        let kind = match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => ErrorKind::NotFound,
            Some(RDKafkaErrorCode::FencedInstanceId) => ErrorKind::Fenced,
            Some(code) if is_denial(code) => ErrorKind::Invalid,
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidTopic
                | RDKafkaErrorCode::InvalidArgument
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidTimestamp,
            ) => ErrorKind::Invalid,
            Some(RDKafkaErrorCode::Fatal) => ErrorKind::Internal,
            _ => match error {
                KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => ErrorKind::Invalid,
                _ => ErrorKind::Unavailable,
            },
        };
        Self::new(kind, doing).with_source(error)
    }
}

/// Codes that are about who asks: a wrong or expired credential, or a right that is missing.
pub(crate) fn is_denial(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Display already prints the direct cause, so the chain goes on with the cause's own.
        self.source.as_deref().and_then(StdError::source)
    }
}

impl From<eddy_engine::Error> for Error {
    fn from(error: eddy_engine::Error) -> Self {
        let kind = match error.kind() {
            eddy_engine::ErrorKind::Unavailable => ErrorKind::Unavailable,
            eddy_engine::ErrorKind::Fenced => ErrorKind::Fenced,
            eddy_engine::ErrorKind::Invalid => ErrorKind::Invalid,
            eddy_engine::ErrorKind::NotFound => ErrorKind::NotFound,
            eddy_engine::ErrorKind::Data => ErrorKind::Data,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, "the lake refused").with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_a_clock_makes_wrong_is_not_wrong_itself() {
        let refused = |code| Error::kafka("refused", KafkaError::MessageProduction(code));
        assert!(refused(RDKafkaErrorCode::InvalidRecord).says_wrong_record());
        assert!(!refused(RDKafkaErrorCode::InvalidTimestamp).says_wrong_record());
    }
}
