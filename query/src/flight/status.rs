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
    Status::new(code(error.kind()), shortened(text))
}

/// The longest message, in bytes. It comes as a header, escaped to three times as much at most, and
/// some clients take 8 KiB of headers.
const TEXT_BYTES_MAX: usize = 2_000;

fn shortened(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push_str(" ...");
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_hint_the_place_and_the_query_and_is_no_flood() {
        let id = uuid::Uuid::nil();
        let error = Error::new(ErrorKind::UnknownColumn, "no column `pricee`")
            .with_hint("did you mean `price`?")
            .with_query_id(id);
        let status = refused(&error);
        assert_eq!(status.code(), Code::InvalidArgument);
        let text =
            format!("no column `pricee` (did you mean `price`?) [unknown_column, query {id}]");
        assert_eq!(status.message(), text);
        let long = refused(&Error::invalid("ä".repeat(10_000)));
        let escaped = 3 * long.message().len();
        assert!(escaped < 7_000, "{escaped}");
        assert!(long.message().ends_with("ä ..."));
    }
}
