//! The crate's one public error: its kind tells the caller what to do, its hint tells a person.

use std::error::Error as StdError;
use std::fmt;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller must do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request or the configuration is wrong; a retry does not help.
    Invalid,
    /// What was asked for does not exist.
    NotFound,
    /// It clashes with what is there: another text under this name, a state that doesn't allow it.
    Conflict,
    /// The destination will never take this record; the others are fine.
    Rejected,
    /// The destination or the store did not answer: try again.
    Unavailable,
    /// It was tried as often as allowed, without success: a person must look, then it can go on.
    GaveUp,
    /// Another worker runs this replay now (P23): stop, it goes on there.
    Fenced,
    /// A broken promise inside Eddy.
    Internal,
}

impl ErrorKind {
    /// The `code` of the error in an HTTP answer.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::GaveUp => "gave_up",
            Self::Fenced => "fenced",
            Self::Internal => "internal",
        }
    }
}

/// An error of a replay or a destination.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error without hint or cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Shorthand for [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Shorthand for [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Shorthand for [`ErrorKind::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// Shorthand for [`ErrorKind::Rejected`].
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected, message)
    }

    /// Shorthand for [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Shorthand for [`ErrorKind::Fenced`].
    pub fn fenced(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fenced, message)
    }

    /// Shorthand for [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error for somebody else whom it concerns; its cause is in the message.
    pub(crate) fn copy(&self) -> Self {
        Self {
            kind: self.kind,
            message: self.to_string(),
            hint: self.hint.clone(),
            source: None,
        }
    }

    /// The error with the record that it is about.
    pub(crate) fn of_record(self, place: &str) -> Self {
        let told = Self::new(self.kind, format!("record {place}: {self}"));
        match self.hint {
            Some(hint) => told.with_hint(hint),
            None => told,
        }
    }

    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What a person may do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
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
        use eddy_engine::ErrorKind as Engine;
        let kind = match error.kind() {
            Engine::Unavailable => ErrorKind::Unavailable,
            Engine::Fenced => ErrorKind::Fenced,
            Engine::Invalid => ErrorKind::Invalid,
            Engine::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}
