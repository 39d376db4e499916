//! What an answer of SQS means: a pure function of its status and body.
//!
//! | answer | what |
//! |---|---|
//! | `Successful` | taken |
//! | `Failed`, the sender's fault | the record is refused: `on_error` says what follows |
//! | `Failed`, not the sender's fault or throttled | that record again |
//! | throttled, 408, 429, 5xx, none | all of them again |
//! | keys, permissions, encryption | the replay fails |
//! | no such queue | the replay fails |
//! | other 4xx | a message may be at fault: one by one |

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::round::{Fate, Sent, Trouble};
use super::super::said::{SAID_MAX, excerpt};
use crate::error::{Error, ErrorKind};

/// What an answer that is an error says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: u16,
    /// As `QueueDoesNotExist`; empty where it says none.
    pub(super) code: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    successful: Vec<Successful>,
    #[serde(default)]
    failed: Vec<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Successful {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    #[serde(default)]
    sender_fault: bool,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

/// What became of so many messages, whose entries are numbered from 0.
pub(super) fn fates(messages: usize, body: &[u8]) -> Sent {
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        let error = Error::unavailable("the answer is not that of SQS");
        return Sent::nothing(messages, Trouble::Again(error));
    };
    let taken = answer.successful.into_iter();
    let taken = taken.map(|entry| (entry.id, Fate::Taken));
    let failed = answer.failed.into_iter();
    let failed = failed.map(|entry| (entry.id.clone(), fate(entry)));
    let mut told: BTreeMap<String, Fate> = taken.chain(failed).collect();
    let fates = (0..messages).map(|number| told.remove(&number.to_string()));
    let fates: Vec<Fate> = fates.map(|fate| fate.unwrap_or(Fate::Open)).collect();
    let open = fates.iter().any(|fate| matches!(fate, Fate::Open));
    let lacks = || Trouble::Again(Error::unavailable("the answer leaves messages out"));
    Sent {
        fates,
        trouble: open.then(lacks),
    }
}

fn fate(failed: Failed) -> Fate {
    let message = failed.message.unwrap_or_default();
    let told = excerpt(&format!("{}: {message}", failed.code), SAID_MAX);
    if failed.sender_fault && !is_throttled(&failed.code) {
        return Fate::Refused(Error::rejected(told));
    }
    Fate::Later(Error::unavailable(told))
}

impl Said {
    /// Reads the body of an error.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |names: [&str; 2]| {
            let mut values = names.iter().filter_map(|name| said.get(name)?.as_str());
            values.next().unwrap_or_default().to_owned()
        };
        let code = text(["__type", "code"]);
        // As `com.amazonaws.sqs#QueueDoesNotExist`.
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        let message = text(["message", "Message"]);
        Self {
            status,
            code,
            message,
        }
    }

    /// What follows from it.
    pub(super) fn judge(&self) -> Trouble {
        let Self { status, code, .. } = self;
        let told = self.told();
        let again = matches!(status, 408 | 429 | 500..) || is_throttled(code);
        if again {
            return Trouble::Again(Error::unavailable(told));
        }
        if is_missing(code) {
            return Trouble::Broken(
                Error::not_found(told).with_hint("make the queue, then resume the replay"),
            );
        }
        if matches!(status, 401 | 403) || is_credential(code) {
            return Trouble::Broken(Error::new(ErrorKind::Invalid, told).with_hint(
                "mend the destination's keys, their rights or this machine's clock, then resume \
                 the replay",
            ));
        }
        match status {
            400 | 413 => Trouble::Message(Error::rejected(told)),
            _ => Trouble::Broken(Error::invalid(told)),
        }
    }

    fn told(&self) -> String {
        let parts = [&*self.code, &*self.message];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            return format!("the answer is {}", self.status);
        }
        let said = excerpt(&parts.join(": "), SAID_MAX);
        format!("the answer is {}: {said}", self.status)
    }
}

fn is_throttled(code: &str) -> bool {
    let code = code.to_ascii_lowercase();
    let words = [
        "throttl",
        "overlimit",
        "toomanyrequests",
        "requestlimitexceeded",
        "slowdown",
    ];
    words.iter().any(|word| code.contains(word))
}

fn is_missing(code: &str) -> bool {
    [
        "QueueDoesNotExist",
        "NonExistentQueue",
        "QueueDeletedRecently",
    ]
    .iter()
    .any(|missing| code.ends_with(missing))
}

/// Whether it is about who asks, or about a key of encryption that can't be used.
fn is_credential(code: &str) -> bool {
    let words = [
        "AccessDenied",
        "AuthFailure",
        "AuthorizationError",
        "ClientTokenId",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidSecurity",
        "Kms",
        "AuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
        "InvalidAccessKey",
    ];
    words.iter().any(|word| code.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, code: &str) -> (&'static str, &'static str) {
        let said = Said {
            status,
            code: code.to_owned(),
            message: String::new(),
        };
        let (name, error) = match said.judge() {
            Trouble::Message(error) => ("message", error),
            Trouble::Broken(error) => ("broken", error),
            Trouble::Again(error) => ("again", error),
        };
        (name, error.kind().code())
    }

    #[test]
    fn each_error_has_its_meaning() {
        for (status, code, wanted) in [
            (400, "InvalidMessageContents", ("message", "rejected")),
            (400, "BatchRequestTooLong", ("message", "rejected")),
            (413, "", ("message", "rejected")),
            (400, "ThrottlingException", ("again", "unavailable")),
            (403, "RequestThrottled", ("again", "unavailable")),
            (400, "KmsThrottled", ("again", "unavailable")),
            (400, "OverLimit", ("again", "unavailable")),
            (429, "", ("again", "unavailable")),
            (500, "InternalError", ("again", "unavailable")),
            (503, "", ("again", "unavailable")),
            (400, "QueueDoesNotExist", ("broken", "not_found")),
            (
                400,
                "AWS.SimpleQueueService.NonExistentQueue",
                ("broken", "not_found"),
            ),
            (403, "InvalidClientTokenId", ("broken", "invalid")),
            (400, "ExpiredTokenException", ("broken", "invalid")),
            (400, "UnrecognizedClientException", ("broken", "invalid")),
            (400, "AccessDeniedException", ("broken", "invalid")),
            (400, "KmsDisabled", ("broken", "invalid")),
            (403, "", ("broken", "invalid")),
            (404, "", ("broken", "invalid")),
            (301, "", ("broken", "invalid")),
        ] {
            assert_eq!(meaning(status, code), wanted, "{status} {code}");
        }
    }

    #[test]
    fn what_the_service_says_is_in_the_error() {
        let body = br#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no queue"}"#;
        let said = Said::read(400, body);
        assert_eq!(said.code, "QueueDoesNotExist");
        let told = said.judge().into_error().to_string();
        assert_eq!(told, "the answer is 400: QueueDoesNotExist: no queue");
        let told = Said::read(502, b"<html>").judge().into_error().to_string();
        assert_eq!(told, "the answer is 502");
    }

    #[test]
    fn little_is_kept_of_a_long_answer() {
        let long = "x".repeat(100_000);
        let body = format!(
            r#"{{"Failed": [{{"Id": "0", "SenderFault": true, "Code": "No", "Message": "{long}"}}]}}"#
        );
        let sent = fates(1, body.as_bytes());
        let told = format!("{:?}", sent.fates);
        assert!(told.starts_with("[Refused") && told.len() <= 400, "{told}");
        let body = format!(r#"{{"__type": "No\n", "message": "{long}"}}"#);
        let told = Said::read(400, body.as_bytes()).judge().into_error();
        let told = told.to_string();
        assert!(told.len() <= 300 && !told.contains('\n'), "{told}");
    }

    #[test]
    fn of_a_request_each_message_has_its_own_fate() {
        let body = br#"{"Successful": [{"Id": "0", "MessageId": "m"}], "Failed": [
            {"Id": "1", "SenderFault": true, "Code": "InvalidMessageContents", "Message": "no"},
            {"Id": "2", "SenderFault": false, "Code": "InternalError"},
            {"Id": "3", "SenderFault": true, "Code": "RequestThrottled"}]}"#;
        let sent = fates(5, body);
        let told: Vec<String> = sent.fates.iter().map(|fate| format!("{fate:?}")).collect();
        for (told, wanted) in told
            .iter()
            .zip(["Taken", "Refused", "Later", "Later", "Open"])
        {
            assert!(told.starts_with(wanted), "{told} is not {wanted}");
        }
        assert!(
            matches!(sent.trouble, Some(Trouble::Again(_))),
            "one is left out"
        );
        assert!(fates(1, body).trouble.is_none());
        assert!(matches!(
            fates(1, b"<xml/>").trouble,
            Some(Trouble::Again(_))
        ));
    }
}
