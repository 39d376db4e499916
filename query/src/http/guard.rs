//! Refuses a foreign `Host` or `Origin` and, where a token is wanted, requests without it; answers
//! what no route does.
//!
//! A page that someone opens in a browser can reach a listener on loopback; it can't choose these
//! two headers. An address can't be rebound to another host, a name can.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::error::{ErrorBody, error_response};
use crate::error::{Error, ErrorKind};

/// Which hosts a listener answers to, besides `localhost` and addresses.
#[derive(Debug, Clone, Default)]
pub struct HostGuard {
    hosts: Arc<Vec<String>>,
}

impl HostGuard {
    /// Answers to these names too, without port.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        let lower = |host: String| host.to_lowercase();
        Self {
            hosts: Arc::new(hosts.into_iter().map(lower).collect()),
        }
    }

    /// Refuses headers of a request that wasn't meant for this listener.
    ///
    /// # Errors
    /// `Forbidden`, naming the header.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(header::HOST);
        if let Some(host) = host
            && !self.is_ours(host)
        {
            return Err(foreign("Host", host)
                .with_hint("name it in the listener's list of hosts, if it is ours"));
        }
        if let Some(origin) = text(header::ORIGIN) {
            let (_, authority) = origin.split_once("://").unwrap_or_default();
            if host != Some(authority) {
                return Err(foreign("Origin", origin));
            }
        }
        Ok(())
    }

    fn is_ours(&self, authority: &str) -> bool {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let lower = host.to_lowercase();
        lower == "localhost" || bare.parse::<IpAddr>().is_ok() || self.hosts.contains(&lower)
    }
}

/// What a request has to carry as `Authorization: Bearer TOKEN`.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// This token.
    pub fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// Whether this is it.
    pub fn is(&self, given: &[u8]) -> bool {
        same(given, self.0.as_bytes())
    }

    /// The value of `Authorization` that carries it.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `path` is free for whoever looks after the process: it tells nothing of the lake.
    fn check(&self, path: &str, headers: &HeaderMap) -> Result<(), Error> {
        if matches!(path, "/livez" | "/readyz") {
            return Ok(());
        }
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.as_bytes().split_at_checked(SCHEME.len()));
        match given {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) && self.is(token) => {
                Ok(())
            }
            _ => Err(Error::new(
                ErrorKind::Unauthorized,
                "the request carries no token that is known here",
            )
            .with_hint("send `Authorization: Bearer TOKEN`; for `eddy` set EDDY_TOKEN")),
        }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

const SCHEME: &[u8] = b"Bearer ";

/// Compares in a time that tells nothing of where the first difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

/// Puts the guards around every route of a router.
pub fn protect(router: Router, hosts: HostGuard, token: Option<Token>) -> Router {
    router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state((hosts, token), refuse))
}

async fn refuse(
    State((hosts, token)): State<(HostGuard, Option<Token>)>,
    request: Request,
    next: Next,
) -> Response {
    let allowed = hosts.check(request.headers()).and_then(|()| match &token {
        Some(token) => token.check(request.uri().path(), request.headers()),
        None => Ok(()),
    });
    match allowed {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn no_route(request: Request) -> Error {
    let text = format!("there is nothing at `{}`", request.uri().path());
    Error::new(ErrorKind::NotFound, text)
}

async fn no_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let error = Error::not_supported(format!("`{method}` is not for `{path}`"));
    let body = ErrorBody::of(&error, None);
    error_response(StatusCode::METHOD_NOT_ALLOWED, &body)
}

fn foreign(name: &str, value: &str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        format!("requests with the foreign `{name}` `{value}` are refused"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        HostGuard::new(["eddy.example".to_owned()])
            .check(&headers)
            .is_ok()
    }

    #[test]
    fn foreign_hosts_and_origins_are_refused() {
        assert!(check("127.0.0.1:8480", None));
        assert!(check("[::1]:8480", None));
        assert!(check("localhost", Some("http://localhost")));
        assert!(check("Eddy.example:443", Some("https://Eddy.example:443")));
        assert!(!check("rebound.example:8480", None));
        assert!(!check("127.0.0.1:8480", Some("https://evil.example")));
        assert!(!check("127.0.0.1:8480", Some("null")));
        assert!(!check("127.0.0.1:8480", Some("http://127.0.0.1:9999")));
    }

    #[test]
    fn only_the_token_itself_opens() {
        let token = Token::new("secret");
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            token.check("/api/v1/sql", &headers).is_ok()
        };
        assert!(with("Bearer secret") && with("bearer secret"));
        for wrong in [
            "",
            "secret",
            "Bearer",
            "Bearer ",
            "Bearer secre",
            "Bearer secret2",
        ] {
            assert!(!with(wrong), "{wrong}");
        }
        assert!(token.check("/metrics", &HeaderMap::new()).is_err());
        assert!(token.check("/readyz", &HeaderMap::new()).is_ok());
        assert!(!format!("{token:?}").contains("secret"));
    }
}
