//! Refuses what a page in somebody's browser could send without their knowing.
//!
//! Such a page can reach a listener, on loopback too; it can't choose `Origin` and `Host`. Where
//! only this machine reaches the listener a `Host` that is neither an address nor `localhost` was
//! rebound to it.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use super::answer::Answer;

/// Refuses a foreign `Origin` that isn't `invited`, and on loopback a foreign `Host`.
pub(super) fn check(headers: &HeaderMap, loopback: bool, invited: bool) -> Result<(), Answer> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST);
    if let Some(host) = host
        && loopback
        && !is_local(host)
    {
        return Err(foreign("Host", host));
    }
    if let Some(origin) = text(header::ORIGIN).filter(|_| !invited) {
        let (_, authority) = origin.split_once("://").unwrap_or_default();
        if host != Some(authority) {
            return Err(foreign("Origin", origin));
        }
    }
    Ok(())
}

fn is_local(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn foreign(what: &str, value: &str) -> Answer {
    Answer::error(403, format!("the {what} `{value}` is not this worker's"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_page_of_another_site_is_refused_and_a_tool_is_not() {
        let allowed = |host: &'static str, origin: Option<&'static str>, loopback| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            check(&headers, loopback, false).is_ok()
        };
        assert!(allowed("127.0.0.1:8083", None, true));
        assert!(allowed("[::1]:8083", None, true));
        assert!(allowed("LOCALHOST", Some("http://LOCALHOST"), true));
        assert!(!allowed("evil.example:8083", None, true));
        assert!(allowed("connect.example:8083", None, false));
        assert!(!allowed(
            "connect.example:8083",
            Some("http://evil.example"),
            false
        ));
        let foreign = [(header::ORIGIN, HeaderValue::from_static("http://a.example"))];
        let foreign: HeaderMap = foreign.into_iter().collect();
        assert!(check(&foreign, true, true).is_ok() && check(&foreign, true, false).is_err());
    }
}
