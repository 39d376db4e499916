//! Refuses a foreign `Host` or `Origin`.
//!
//! A page that someone opens in a browser can reach a listener on loopback; it can't choose these
//! two headers. An address can't be rebound to another host, a name can.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

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

    fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
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

/// Puts the guard around every route of a router.
pub fn protect(router: Router, guard: HostGuard) -> Router {
    router.layer(from_fn_with_state(guard, refuse_foreign))
}

async fn refuse_foreign(State(guard): State<HostGuard>, request: Request, next: Next) -> Response {
    match guard.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
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
}
