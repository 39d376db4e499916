//! What an answer means for the record: a pure function of status and headers.
//!
//! | answer | what |
//! |---|---|
//! | 2xx | taken |
//! | 408, 425, 429, 5xx, none | again: `Retry-After` is honoured, and nothing goes out before |
//! | 401, 403, 407, 1xx, 3xx | the replay fails: it isn't about the record |
//! | other 4xx | the record is refused: `on_error` says what follows |

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};

use crate::error::{Error, ErrorKind, Result};

/// What to do after an answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The record is acknowledged.
    Taken,
    /// This record will never be taken.
    Refused(Error),
    /// Nothing will be taken as it is.
    Broken(Error),
    /// Later, and not before `after`.
    Again {
        after: Option<Duration>,
        error: Error,
    },
}

/// Judges an answer; `told` is the beginning of its body.
pub(super) fn judge(status: u16, retry_after: Option<&str>, told: &str, now_us: i64) -> Verdict {
    let answered = if told.is_empty() {
        format!("the answer is {status}")
    } else {
        format!("the answer is {status}: {told}")
    };
    match status {
        200..=299 => Verdict::Taken,
        408 | 425 | 429 | 500.. => Verdict::Again {
            after: retry_after.and_then(|text| wait(text, now_us)),
            error: Error::unavailable(answered),
        },
        401 | 403 | 407 => Verdict::Broken(
            Error::new(ErrorKind::Invalid, answered)
                .with_hint("mend the destination's credentials, then resume the replay"),
        ),
        300..=399 => Verdict::Broken(
            Error::new(ErrorKind::Invalid, answered)
                .with_hint("redirects are followed within one host and by 307 and 308 only"),
        ),
        400..=499 => Verdict::Refused(Error::rejected(answered)),
        _ => Verdict::Broken(Error::new(ErrorKind::Invalid, answered)),
    }
}

impl Verdict {
    /// The outcome, where there is one.
    pub(super) fn settled(self) -> std::result::Result<Result<()>, (Option<Duration>, Error)> {
        match self {
            Self::Taken => Ok(Ok(())),
            Self::Refused(error) | Self::Broken(error) => Ok(Err(error)),
            Self::Again { after, error } => Err((after, error)),
        }
    }
}

/// `Retry-After`: seconds, or a date in one of HTTP's three forms.
fn wait(text: &str, now_us: i64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until_us = date(text)?;
    let wait = u64::try_from(until_us.saturating_sub(now_us)).unwrap_or(0);
    Some(Duration::from_micros(wait))
}

/// Microseconds since the Unix epoch.
fn date(text: &str) -> Option<i64> {
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.timestamp_micros());
    }
    let forms = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let mut dates = forms
        .iter()
        .map(|form| NaiveDateTime::parse_from_str(text, form));
    let date = dates.find_map(|date| date.ok())?;
    Some(date.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    /// 1994-11-06 08:49:37 UTC.
    const THEN_US: i64 = 784_111_777_000_000;

    #[test]
    fn each_status_has_its_meaning() {
        let meaning = |status| match judge(status, None, "", 0) {
            Verdict::Taken => "taken",
            Verdict::Refused(error) => error.kind().code(),
            Verdict::Broken(error) => error.kind().code(),
            Verdict::Again { error, .. } => error.kind().code(),
        };
        for (statuses, wanted) in [
            (&[200, 201, 202, 204, 299][..], "taken"),
            (
                &[400, 404, 405, 409, 410, 413, 415, 422, 431, 451],
                "rejected",
            ),
            (
                &[401, 403, 407, 300, 301, 302, 303, 304, 307, 308, 101],
                "invalid",
            ),
            (
                &[408, 425, 429, 500, 501, 502, 503, 504, 599],
                "unavailable",
            ),
        ] {
            for status in statuses {
                assert_eq!(meaning(*status), wanted, "{status}");
            }
        }
    }

    #[test]
    fn what_the_server_says_is_in_the_error() {
        let Verdict::Refused(error) = judge(422, None, "no field `x`", 0) else {
            panic!("not refused");
        };
        assert_eq!(error.to_string(), "the answer is 422: no field `x`");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_in_any_of_its_forms() {
        let seven = Some(Duration::from_secs(7));
        let now_us = THEN_US - 7_000_000;
        for text in [
            "7",
            " 7 ",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(wait(text, now_us), seven, "{text}");
        }
        // One that has passed asks for no more waiting, nonsense asks for nothing.
        let passed = wait("Sun, 06 Nov 1994 08:49:37 GMT", THEN_US + 1);
        assert_eq!(passed, Some(Duration::ZERO));
        for text in ["", "soon", "-7", "7.5"] {
            assert_eq!(wait(text, now_us), None, "{text}");
        }
    }
}
