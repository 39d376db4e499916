//! Media types: JSON comes in, JSON goes out.

use axum::http::{HeaderMap, header};

use super::answer::Answer;

/// Refuses a body that isn't JSON, and a client that doesn't take JSON.
pub(super) fn check(headers: &HeaderMap, has_body: bool) -> Result<(), Answer> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let unsupported = || Answer::error(415, "HTTP 415 Unsupported Media Type");
    match text(header::CONTENT_TYPE) {
        None if has_body => return Err(unsupported()),
        Some(kind) if has_body => {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if !kind.contains('/') {
                return Err(Answer::error(400, "HTTP 400 Bad Request"));
            }
            if !kind.eq_ignore_ascii_case("application/json") {
                return Err(unsupported());
            }
        }
        _ => {}
    }
    let accepted = text(header::ACCEPT).is_none_or(|accept| accept.split(',').any(takes_json));
    if accepted {
        return Ok(());
    }
    Err(Answer::error(406, "HTTP 406 Not Acceptable"))
}

fn takes_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let json = ["*/*", "application/*", "application/json"];
    let fits = json.iter().any(|json| json.eq_ignore_ascii_case(kind));
    let refused = |part: &str| {
        let quality = part
            .strip_prefix("q=")
            .and_then(|quality| quality.parse::<f32>().ok());
        quality.is_some_and(|quality| quality <= 0.0)
    };
    fits && !parts.any(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn status(content_type: Option<&'static str>, accept: Option<&'static str>) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::CONTENT_TYPE, content_type),
            (header::ACCEPT, accept),
        ] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        check(&headers, true).map_or_else(|answer| answer.status, |()| 200)
    }

    #[test]
    fn only_json_comes_in_and_only_json_goes_out() {
        let json = Some("application/json");
        for (content_type, accept, wanted) in [
            (json, None, 200),
            (Some("Application/JSON; charset=utf-8"), Some("*/*"), 200),
            (json, Some("application/xml, */*;q=0.1"), 200),
            (json, Some("text/html, application/json;q=0"), 406),
            (Some("text/plain"), Some("text/plain"), 415),
            (Some("application/vnd.api+json"), None, 415),
            (Some("json"), None, 400),
            (None, None, 415),
        ] {
            assert_eq!(
                status(content_type, accept),
                wanted,
                "{content_type:?} {accept:?}"
            );
        }
        assert!(check(&HeaderMap::new(), false).is_ok());
    }
}
