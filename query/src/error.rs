//! The query crate's one public error: a code for programs, a message and a hint for people.
//!
//! How it becomes an HTTP answer is `http/`'s matter; what a DataFusion error means is decided
//! here, once.

use std::fmt;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use uuid::Uuid;

use crate::nearest::nearest;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as the `code` of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not SQL.
    Syntax,
    /// It is SQL, or a request, that Eddy doesn't do.
    NotSupported,
    /// The request or the statement is wrong.
    Invalid,
    /// No such table.
    UnknownTable,
    /// No such column or field.
    UnknownColumn,
    /// What was asked for (a query, a destination, a version) does not exist.
    NotFound,
    /// The name is taken by something else.
    Conflict,
    /// A row can't be computed (a cast, a division by zero).
    Execution,
    /// The query took longer than its timeout.
    Timeout,
    /// The offsets of `wait_for` didn't become visible in time.
    WaitForTimeout,
    /// The query needs more memory than queries may use.
    OutOfMemory,
    /// The answer has more rows than answers may have.
    TooManyRows,
    /// The query read more bytes than queries may read.
    TooManyBytes,
    /// What queries may keep on disk for want of memory is full.
    SpillFull,
    /// The request itself is too large.
    TooLarge,
    /// Too many queries are running and waiting.
    Busy,
    /// Someone cancelled the query.
    Cancelled,
    /// The caller doesn't say who it is.
    Unauthorized,
    /// The caller isn't allowed to ask.
    Forbidden,
    /// The lake's store did not answer: try again.
    Unavailable,
    /// What is stored is broken.
    Data,
    /// A broken promise inside Eddy.
    Internal,
}

impl ErrorKind {
    /// The text of `code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::NotSupported => "not_supported",
            Self::Invalid => "invalid",
            Self::UnknownTable => "unknown_table",
            Self::UnknownColumn => "unknown_column",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::WaitForTimeout => "wait_for_timeout",
            Self::OutOfMemory => "out_of_memory",
            Self::TooManyRows => "too_many_rows",
            Self::TooManyBytes => "too_many_bytes",
            Self::SpillFull => "spill_full",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Data => "data",
            Self::Internal => "internal",
        }
    }
}

/// A place in the statement's text; both numbers start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// An error of a query.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    position: Option<TextPosition>,
    query_id: Option<Uuid>,
}

impl Error {
    /// An error with its message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            position: None,
            query_id: None,
        }
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with the place that it is about, unless it already has one.
    #[must_use]
    pub fn with_position(mut self, position: Option<TextPosition>) -> Self {
        self.position = self.position.or(position);
        self
    }

    /// The same error of this query.
    #[must_use]
    pub(crate) fn with_query_id(mut self, query_id: Uuid) -> Self {
        self.query_id = self.query_id.or(Some(query_id));
        self
    }

    /// The query, where there was one.
    pub fn query_id(&self) -> Option<Uuid> {
        self.query_id
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Where in the statement.
    pub fn position(&self) -> Option<TextPosition> {
        self.position
    }

    /// Shorthand for [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Shorthand for [`ErrorKind::NotSupported`].
    pub fn not_supported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotSupported, message)
    }

    /// Shorthand for [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<eddy_engine::Error> for Error {
    fn from(error: eddy_engine::Error) -> Self {
        let kind = match error.kind() {
            eddy_engine::ErrorKind::Unavailable => ErrorKind::Unavailable,
            eddy_engine::ErrorKind::Fenced => ErrorKind::Conflict,
            eddy_engine::ErrorKind::Invalid => ErrorKind::Invalid,
            eddy_engine::ErrorKind::NotFound => ErrorKind::NotFound,
            eddy_engine::ErrorKind::Data => ErrorKind::Data,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::new(ErrorKind::Execution, error.to_string())
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        let position = span_of(&error);
        convert(&error).with_position(position)
    }
}

/// Our errors travel through DataFusion's streams and come back as they were.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

/// A pattern that is none, or that is too large: whoever reads a file's rows by it takes it for an
/// error of the file.
fn wrong_pattern(error: &DataFusionError) -> Option<Error> {
    let said = error.to_string();
    let (_, why) = said.split_once("Regular expression did not compile: ")?;
    let why = why.trim_end_matches(['"', ')', '\\']);
    let text = format!("the regular expression can't be used: {why}");
    Some(Error::invalid(text).with_hint("write a smaller or simpler pattern"))
}

/// Whether this is how DataFusion says that the folder for spilling is full.
fn is_full(said: &str) -> bool {
    said.contains("max_temp_directory_size")
}

fn spill_full() -> Error {
    Error::new(
        ErrorKind::SpillFull,
        "queries spilled more to disk than they may, which is `query.spill`",
    )
    .with_hint("narrow the query, or raise `query.spill`")
}

fn span_of(error: &DataFusionError) -> Option<TextPosition> {
    let span = error.diagnostic()?.span?;
    Some(TextPosition {
        line: span.start.line,
        column: span.start.column,
    })
}

fn convert(error: &DataFusionError) -> Error {
    if let Some(wrong) = wrong_pattern(error) {
        return wrong;
    }
    let text = |kind| Error::new(kind, error.strip_backtrace());
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            convert(inner)
        }
        DataFusionError::Shared(inner) => convert(inner),
        DataFusionError::Collection(all) => all
            .first()
            .map_or_else(|| Error::internal("an empty list of errors"), convert),
        DataFusionError::SchemaError(schema, _) => schema_error(schema),
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => ours.clone(),
            None => match inner.downcast_ref::<DataFusionError>() {
                Some(nested) => convert(nested),
                None => text(ErrorKind::Internal),
            },
        },
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            arrow::error::ArrowError::ExternalError(source) => {
                match source.downcast_ref::<Error>() {
                    Some(ours) => ours.clone(),
                    None => match source.downcast_ref::<DataFusionError>() {
                        Some(nested) => convert(nested),
                        None => text(ErrorKind::Execution),
                    },
                }
            }
            arrow::error::ArrowError::IoError(said, _) if is_full(said) => spill_full(),
            _ => text(ErrorKind::Execution),
        },
        DataFusionError::ParquetError(_) => text(ErrorKind::Data),
        DataFusionError::IoError(io) if is_full(&io.to_string()) => spill_full(),
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
            text(ErrorKind::Unavailable)
        }
        DataFusionError::SQL(_, _) => text(ErrorKind::Syntax),
        DataFusionError::NotImplemented(_) => text(ErrorKind::NotSupported),
        DataFusionError::Plan(_) | DataFusionError::Configuration(_) => text(ErrorKind::Invalid),
        DataFusionError::Execution(_) => text(ErrorKind::Execution),
        DataFusionError::ResourcesExhausted(said) => Error::new(ErrorKind::OutOfMemory, said)
            .with_hint(
                "narrow the query (fewer columns, a condition, a smaller side of a join), or raise \
                 the setting",
            ),
        _ => text(ErrorKind::Internal),
    }
}

fn schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let known = valid_fields.iter().map(|column| column.name.as_str());
            unknown_column(&field.name, known)
        }
        other => Error::invalid(other.to_string()),
    }
}

/// The error for a column that isn't there, with the nearest name that is.
pub(crate) fn unknown_column<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::new(
        ErrorKind::UnknownColumn,
        format!("there is no column `{name}`"),
    );
    match nearest(name, known) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    }
}
