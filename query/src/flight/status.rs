//! Errors as gRPC tells them: the status that a client acts on, the message and the hint as text.

use tonic::{Code, Status};

use crate::error::{Error, ErrorKind};

/// An error of ours as a status. The message has the hint, the place and the query, since clients
/// show nothing else.
pub(super) fn refused(error: &Error) -> Status {
    let mut text = error.message().to_owned();
    if let Some(place) = error.position() {
        text.push_str(&format!(" at line {}, column {}", place.line, place.column));
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!(" ({hint})"));
    }
    text.push_str(&format!(" [{}", error.kind().code()));
    if let Some(query_id) = error.query_id() {
        text.push_str(&format!(", query {query_id}"));
    }
    text.push(']');
    Status::new(code(error.kind()), text)
}

fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Syntax
        | ErrorKind::Invalid
        | ErrorKind::UnknownTable
        | ErrorKind::UnknownColumn
        | ErrorKind::Execution => Code::InvalidArgument,
        ErrorKind::NotSupported => Code::Unimplemented,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Conflict => Code::AlreadyExists,
        ErrorKind::Timeout | ErrorKind::WaitForTimeout => Code::DeadlineExceeded,
        ErrorKind::OutOfMemory
        | ErrorKind::TooManyRows
        | ErrorKind::TooManyBytes
        | ErrorKind::SpillFull
        | ErrorKind::TooLarge
        | ErrorKind::Busy => Code::ResourceExhausted,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Unauthorized => Code::Unauthenticated,
        ErrorKind::Forbidden => Code::PermissionDenied,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Data => Code::DataLoss,
        ErrorKind::Internal => Code::Internal,
    }
}
