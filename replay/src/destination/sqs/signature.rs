//! Signature Version 4 of AWS, of a POST to `/` without a query: who signs, for where, when.
//!
//! The signer of `object_store` reads the system's clock and signs its own kind of requests, and a
//! whole SDK only for this would be most of what this destination is made of.

use std::fmt;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use ring::{digest, hmac};

/// The keys that sign.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    /// For keys that expire.
    pub(super) session_token: Option<String>,
}

/// Says whose they are, and no secret.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The value of `x-amz-date`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

impl Keys {
    /// The value of `Authorization`: `headers` are signed (their names in lower case and in order,
    /// `host` and `x-amz-date` among them), and so is the body.
    pub(super) fn authorization(
        &self,
        (service, region): (&str, &str),
        at: DateTime<Utc>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut request = String::from("POST\n/\n\n");
        for (name, value) in headers {
            // A string takes any text.
            let _ = writeln!(request, "{name}:{}", value.trim());
        }
        let _ = write!(request, "\n{names}\n{}", sha256(body));
        let day = at.format("%Y%m%d").to_string();
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let moment = moment(at);
        let signed = sha256(request.as_bytes());
        let text = format!("{ALGORITHM}\n{moment}\n{scope}\n{signed}");
        let secret = format!("AWS4{}", self.secret_access_key);
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        for part in [&*day, region, service, "aws4_request"] {
            let tag = hmac::sign(&key, part.as_bytes());
            key = hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref());
        }
        let signature = hexadecimal(hmac::sign(&key, text.as_bytes()).as_ref());
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        )
    }
}

fn sha256(bytes: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn keys() -> Keys {
        Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    /// `post-vanilla` and `post-x-www-form-urlencoded` of the test suite that AWS publishes.
    #[test]
    fn a_signature_is_that_of_the_published_examples() {
        let at = DateTime::parse_from_rfc3339("2015-08-30T12:36:00Z").unwrap();
        let at = at.with_timezone(&Utc);
        let host = ("host", "example.amazonaws.com");
        let date = ("x-amz-date", "20150830T123600Z");
        assert_eq!(moment(at), date.1);
        let vanilla = keys().authorization(("service", "us-east-1"), at, &[host, date], b"");
        assert_eq!(
            vanilla,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let form = keys().authorization(
            ("service", "us-east-1"),
            at,
            &[kind, host, date],
            b"Param1=value1",
        );
        let signature = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        assert!(form.ends_with(signature), "{form}");
    }

    #[test]
    fn keys_do_not_show_their_secret() {
        assert!(!format!("{:?}", keys()).contains("EXAMPLEKEY"));
    }
}
