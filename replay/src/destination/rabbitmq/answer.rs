//! What an error of RabbitMQ, or of the connection to it, means: a pure function.
//!
//! | reply code | what |
//! |---|---|
//! | 311, 406 | a message may be at fault (too large, say): those under way go one by one |
//! | 403, 530 | user, permissions or virtual host are wrong: the replay fails |
//! | 404 | the exchange is gone: the replay fails |
//! | 402, 501, 502, 503, 505, 540 | it can't be spoken to: the replay fails |
//! | others (320, the broker stops, say), and none | again |

use lapin::ErrorKind as Kind;

use super::super::round::Trouble;
use crate::error::{Error, ErrorKind};

/// Judges an error.
pub(super) fn judge(error: &lapin::Error) -> Trouble {
    let Kind::ProtocolError(said) = error.kind() else {
        return match error.kind() {
            Kind::ChannelsLimitReached => Trouble::Broken(
                Error::invalid("the broker allows no more channels on a connection")
                    .with_hint("set `concurrency` lower"),
            ),
            Kind::AuthProviderError(_) => Trouble::Broken(refused(error.to_string())),
            Kind::MissingHeartbeatError => {
                Trouble::Again(Error::unavailable("the broker has gone silent"))
            }
            _ => Trouble::Again(Error::unavailable(format!(
                "the connection failed: {error}"
            ))),
        };
    };
    let told = format!("the broker says: {}", said.get_message());
    match said.get_id() {
        311 | 406 => Trouble::Message(Error::rejected(told)),
        403 | 530 => Trouble::Broken(refused(told)),
        404 => Trouble::Broken(
            Error::not_found(told).with_hint("make what is missing, then resume the replay"),
        ),
        402 | 501..=503 | 505 | 540 => Trouble::Broken(Error::invalid(told)),
        _ => Trouble::Again(Error::unavailable(told)),
    }
}

/// Whether the other side gave a reason.
pub(super) fn is_reason(error: &lapin::Error) -> bool {
    matches!(error.kind(), Kind::ProtocolError(_))
}

fn refused(told: String) -> Error {
    Error::new(ErrorKind::Invalid, told).with_hint(
        "mend the destination's user, password, virtual host or permissions, then resume the \
         replay",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lapin::protocol::AMQPError;

    use super::*;

    #[test]
    fn each_reply_code_has_its_meaning() {
        let meaning = |code: u16| {
            let said = AMQPError::from_id(code, "x".into()).unwrap();
            let (name, error) = match judge(&Kind::ProtocolError(said).into()) {
                Trouble::Message(error) => ("message", error),
                Trouble::Broken(error) => ("broken", error),
                Trouble::Again(error) => ("again", error),
            };
            assert_eq!(error.to_string(), "the broker says: x");
            (name, error.kind().code())
        };
        for (codes, wanted) in [
            (&[311, 406][..], ("message", "rejected")),
            (
                &[402, 403, 501, 502, 503, 505, 530, 540],
                ("broken", "invalid"),
            ),
            (&[404], ("broken", "not_found")),
            (&[313, 320, 405, 504, 506, 541], ("again", "unavailable")),
        ] {
            for code in codes {
                assert_eq!(meaning(*code), wanted, "{code}");
            }
        }
    }

    #[test]
    fn a_connection_that_breaks_is_made_again() {
        let broken = lapin::Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(!is_reason(&broken));
        let Trouble::Again(error) = judge(&broken) else {
            unreachable!("it is not made again");
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
