//! The engine's error without the crates that its conversions name: what is fuzzed makes few kinds.

/// What a fallible call returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can't happen.
#[derive(Debug)]
pub struct Error(#[allow(dead_code, reason = "it is printed")] String);

impl Error {
    /// A broken promise.
    pub fn internal(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What isn't what it should be.
    pub fn data(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self(error.to_string())
    }
}
