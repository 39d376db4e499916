//! Errors as Postgres' clients know them: SQLSTATE, message, hint, position.

use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::ErrorResponse;

use crate::error::{Error, ErrorKind, TextPosition};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// The statement has failed.
    Error,
    /// The connection ends.
    Fatal,
}

/// The message for an error of a statement that begins at byte `from` of `text`.
pub(super) fn response(
    error: &Error,
    severity: Severity,
    text: &str,
    from: usize,
) -> PgWireBackendMessage {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', sqlstate(error.kind()).to_owned()),
        (b'M', error.message().to_owned()),
    ];
    if let Some(id) = error.query_id() {
        fields.push((b'D', format!("query {id} of system.queries")));
    }
    if let Some(hint) = error.hint() {
        fields.push((b'H', hint.to_owned()));
    }
    if let Some(at) = error.position() {
        fields.push((b'P', character(text, from, at).to_string()));
    }
    for (_, value) in &mut fields {
        // A text ends at its first zero byte.
        value.retain(|letter| letter != '\0');
    }
    PgWireBackendMessage::ErrorResponse(ErrorResponse::new(fields))
}

/// A place in a statement as Postgres counts: characters from the beginning of all that was sent,
/// from 1.
fn character(text: &str, from: usize, at: TextPosition) -> usize {
    let (before, statement) = text.split_at_checked(from).unwrap_or(("", text));
    let line = usize::try_from(at.line).unwrap_or(1).max(1);
    let column = usize::try_from(at.column).unwrap_or(1).max(1);
    let lines = statement.split_inclusive('\n').take(line - 1);
    let above: usize = lines.map(|line| line.chars().count()).sum();
    before.chars().count() + above + column
}

/// The SQLSTATE of a kind.
fn sqlstate(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Syntax => "42601",
        ErrorKind::NotSupported => "0A000",
        ErrorKind::Invalid => "42000",
        ErrorKind::UnknownTable => "42P01",
        ErrorKind::UnknownColumn => "42703",
        ErrorKind::NotFound => "42704",
        ErrorKind::Conflict => "42710",
        ErrorKind::Execution => "22000",
        ErrorKind::Timeout | ErrorKind::WaitForTimeout | ErrorKind::Cancelled => "57014",
        ErrorKind::OutOfMemory => "53200",
        ErrorKind::TooManyRows | ErrorKind::TooManyBytes | ErrorKind::TooLarge => "54000",
        ErrorKind::SpillFull => "53100",
        ErrorKind::Busy => "53300",
        ErrorKind::Unauthorized => "28P01",
        ErrorKind::Forbidden => "42501",
        ErrorKind::Unavailable => "58030",
        ErrorKind::Data => "XX001",
        ErrorKind::Internal => "XX000",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn a_place_is_counted_in_characters_from_the_beginning_of_what_was_sent() {
        let at = |line, column| TextPosition { line, column };
        assert_eq!(character("SELECT x", 0, at(1, 8)), 8);
        assert_eq!(character("SELECT 'é',\nx", 0, at(2, 1)), 13);
        let both = "SELECT 'é'; SELECT x";
        let second = both.find(" SELECT x").map_or(0, |at| at + 1);
        assert_eq!(character(both, second, at(1, 8)), 20);
    }

    #[test]
    fn an_error_keeps_its_words_and_its_hint() {
        let error = Error::new(ErrorKind::UnknownColumn, "there is no column `x\0`")
            .with_hint("did you mean `y`?")
            .with_position(Some(TextPosition { line: 1, column: 8 }));
        let PgWireBackendMessage::ErrorResponse(told) =
            response(&error, Severity::Error, "SELECT x", 0)
        else {
            panic!("another message");
        };
        let field = |code| {
            let found = told.fields.iter().find(|(known, _)| *known == code);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(field(b'C'), Some("42703"));
        assert_eq!(field(b'M'), Some("there is no column `x`"));
        assert_eq!(field(b'H'), Some("did you mean `y`?"));
        assert_eq!(field(b'P'), Some("8"));
    }
}
