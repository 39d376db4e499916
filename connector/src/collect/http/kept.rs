//! What of a request stays with its events, as headers of their records: pure.
//!
//! `http-method`, `http-path`, `content-type` and `idempotency-key`; CloudEvents' attributes
//! (`ce-id`, `ce-type`, ...) as they came; and the headers that the operator chose.

use std::borrow::Cow;

use axum::http::header;
use axum::http::request::Parts;
use bytes::Bytes;

use super::shape::Shape;

/// The headers of every record of the request.
pub(super) fn headers(
    parts: &Parts,
    shape: Shape,
    chosen: &[String],
) -> Vec<(Cow<'static, str>, Bytes)> {
    let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let mut kept = vec![
        ("http-method".into(), text(parts.method.as_str())),
        ("http-path".into(), text(parts.uri.path())),
    ];
    for (name, value) in &parts.headers {
        let is_cut = *name == header::CONTENT_TYPE && shape == Shape::CloudEvents;
        let value = match is_cut {
            // Each element is what this says.
            true => text("application/cloudevents+json"),
            false => Bytes::copy_from_slice(value.as_bytes()),
        };
        let name = name.as_str();
        let is_kept = matches!(name, "content-type" | "idempotency-key")
            || name.starts_with("ce-")
            || chosen.iter().any(|chosen| chosen == name);
        if is_kept {
            let name = match name {
                "content-type" => Cow::Borrowed("content-type"),
                other => other.to_owned().into(),
            };
            kept.push((name, value));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::Request;

    use super::*;

    #[test]
    fn what_says_what_an_event_is_stays_and_secrets_dont() {
        let request = Request::post("/v1/collection?batch=true")
            .header("Content-Type", "application/cloudevents-batch+json")
            .header("CE-Id", "7")
            .header("Batch-Token", "hush")
            .header("Authorization", "hush")
            .header("X-Source", "a")
            .header("X-Other", "b")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let chosen = ["x-source".to_owned()];
        let mut kept = headers(&parts, Shape::CloudEvents, &chosen);
        kept.sort();
        let kept: Vec<(&str, &[u8])> = kept.iter().map(|(n, v)| (n.as_ref(), &v[..])).collect();
        let expected: [(&str, &[u8]); 5] = [
            ("ce-id", b"7"),
            ("content-type", b"application/cloudevents+json"),
            ("http-method", b"POST"),
            ("http-path", b"/v1/collection"),
            ("x-source", b"a"),
        ];
        assert_eq!(kept, expected);
    }
}
