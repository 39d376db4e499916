//! Who may come in: requests with the token, as `Bearer`, or as the password of `Basic`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::http::Token;

/// The header that carries the token.
pub(super) const AUTHORIZATION: &str = "authorization";

/// Asked before each request.
#[derive(Debug, Clone)]
pub(super) struct Door(pub(super) Option<Token>);

impl Interceptor for Door {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match &self.0 {
            Some(token) if !opens(token, request.metadata()) => Err(Status::unauthenticated(
                "the request carries no token that is known here (send `authorization: Bearer \
                 TOKEN`, or any user with TOKEN as password)",
            )),
            _ => Ok(request),
        }
    }
}

/// What a client sends as [`AUTHORIZATION`] from its handshake on: the same that it sent.
pub(super) fn bearer(given: &MetadataMap) -> Option<MetadataValue<Ascii>> {
    format!("Bearer {}", password(given)?).parse().ok()
}

fn opens(token: &Token, given: &MetadataMap) -> bool {
    password(given).is_some_and(|password| token.is(password.as_bytes()))
}

/// The token or the password of a request.
fn password(given: &MetadataMap) -> Option<String> {
    let value = given.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_token_opens_as_bearer_or_as_a_password() {
        let mut door = Door(Some(Token::new("secret")));
        let mut comes_in = |value: Option<&str>| {
            let mut request = Request::new(());
            if let Some(value) = value {
                let metadata = request.metadata_mut();
                metadata.insert(AUTHORIZATION, value.parse().unwrap());
            }
            door.call(request).is_ok()
        };
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        assert!(comes_in(Some("Bearer secret")));
        assert!(comes_in(Some("bearer secret")));
        assert!(comes_in(Some(&basic("anyone:secret"))));
        assert!(comes_in(Some(&basic(":secret"))));
        for wrong in [
            "",
            "secret",
            "Bearer",
            "Bearer ",
            "Bearer secre",
            "Bearer secret2",
            "Basic secret",
            &basic("secret"),
            &basic("secret:"),
            &basic("secret:other"),
        ] {
            assert!(!comes_in(Some(wrong)), "{wrong}");
        }
        assert!(!comes_in(None));
        assert!(Door(None).call(Request::new(())).is_ok());
    }
}
