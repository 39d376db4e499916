//! Signed requests, as the Standard Webhooks specification has them: `webhook-id` is the
//! `Idempotency-Key`, `webhook-timestamp` the second of this try, and `webhook-signature` is `v1,`
//! and the base64 of the HMAC-SHA256 of `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest_tls::header::{HeaderMap, HeaderName, HeaderValue};
use ring::hmac;

use crate::error::{Error, Result};

/// The headers that a signature consists of.
pub(super) const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// What the specification's secrets begin with; base64 follows.
const PREFIX: &str = "whsec_";

/// Signs requests with one secret.
#[derive(Clone)]
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// Takes the secret: `whsec_` and base64, or any text of at least 16 bytes.
    ///
    /// # Errors
    /// `Invalid` for one that is neither; it isn't repeated.
    pub(super) fn new(secret: &str) -> Result<Self> {
        let bytes = match secret.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).ok(),
            None => Some(secret.as_bytes().to_vec()),
        };
        let bytes = bytes.filter(|bytes| bytes.len() >= 16).ok_or_else(|| {
            Error::invalid(
                "`signature.secret` has to be `whsec_` and base64, or text, of at least 16 bytes",
            )
        })?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Adds the signature of a body that is sent under `id` at `seconds` since the Unix epoch.
    pub(super) fn sign(&self, id: &HeaderValue, seconds: i64, body: &[u8], into: &mut HeaderMap) {
        let timestamp = HeaderValue::from(seconds);
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        let signature = format!("v1,{}", STANDARD.encode(context.sign()));
        // Base64 is always a header's value.
        let signature = HeaderValue::from_str(&signature).ok();
        let values = [Some(id.clone()), Some(timestamp), signature];
        for (name, value) in HEADERS.into_iter().zip(values) {
            if let Some(value) = value {
                into.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specifications_example() {
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut headers = HeaderMap::new();
        let id = HeaderValue::from_static("msg_p5jXN8AQM9LWM0D4loKWxJek");
        signer.sign(&id, 1_614_265_330, b"{\"test\": 2432232314}", &mut headers);
        assert_eq!(headers["webhook-id"], id);
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(
            headers["webhook-signature"],
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_repeated() {
        for bad in ["", "hunter2", "whsec_hunter2", "whsec_aHVudGVyMg=="] {
            let error = Signer::new(bad).err().unwrap().to_string();
            assert!(error.contains("`signature.secret`") && !error.contains("hunter2"));
        }
        assert!(Signer::new("sixteen bytes ok").is_ok());
    }
}
