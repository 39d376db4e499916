//! Of how many events a body is, by its content type and `?batch=true`: pure.

use axum::http::{HeaderMap, header};

use super::answer::Refusal;

/// How events lie in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The body is one event, whatever is in it.
    One,
    /// Each line is one.
    Lines,
    /// Each element of a JSON array is one, a structured CloudEvent.
    CloudEvents,
    /// Each element if it begins as an array does, else each line.
    Detected,
}

/// The shape of a request's body.
///
/// # Errors
/// 415 where `?batch=true` is asked of something that nobody can split.
pub(super) fn of(headers: &HeaderMap, query: Option<&str>) -> Result<Shape, Refusal> {
    let is_batch = matches!(
        parameter(query, "batch").as_deref(),
        Some("true" | "1" | "")
    );
    let kind = media_type(headers);
    match kind.as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Ok(Shape::Lines),
        "application/cloudevents-batch+json" => Ok(Shape::CloudEvents),
        _ if !is_batch => Ok(Shape::One),
        // The last is what `curl --data-binary` says of anything.
        "" | "application/json" | "text/plain" | "application/x-www-form-urlencoded" => {
            Ok(Shape::Detected)
        }
        kind if kind.ends_with("+json") => Ok(Shape::Detected),
        _ => Err(Refusal::unsupported(
            "a batch is NDJSON or a JSON array; send other content one event a request",
        )),
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

/// The first value of a query's parameter, its escapes undone.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&');
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(unescaped(value))
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = match byte {
            b'+' => Some(b' '),
            b'%' => {
                let ahead = rest.clone();
                let digits: Vec<u8> = ahead.take(2).collect();
                let digits = std::str::from_utf8(&digits).ok();
                let value = digits
                    .filter(|digits| digits.len() == 2)
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                if value.is_some() {
                    rest.nth(1);
                }
                value
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shape(kind: &str, query: &str) -> Result<Shape, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        of(&headers, Some(query)).map_err(|refusal| refusal.told().0)
    }

    #[test]
    fn the_content_type_or_the_query_makes_many_of_a_body() {
        for (kind, query, expected) in [
            ("application/json", "", Ok(Shape::One)),
            ("application/octet-stream", "", Ok(Shape::One)),
            ("application/cloudevents+json", "", Ok(Shape::One)),
            ("application/x-ndjson; charset=utf-8", "", Ok(Shape::Lines)),
            ("Application/X-NDJSON", "batch=false", Ok(Shape::Lines)),
            (
                "application/cloudevents-batch+json",
                "",
                Ok(Shape::CloudEvents),
            ),
            ("application/json", "a=b&batch=true", Ok(Shape::Detected)),
            ("text/plain", "batch", Ok(Shape::Detected)),
            ("application/json", "batch=false", Ok(Shape::One)),
            ("image/png", "batch=true", Err(415)),
        ] {
            assert_eq!(shape(kind, query), expected, "{kind} {query}");
        }
    }

    #[test]
    fn a_parameter_is_found_and_its_escapes_are_undone() {
        let query = Some("batch=true&key=%2Fa%2fb+c%&key=x");
        assert_eq!(parameter(query, "key").as_deref(), Some("/a/b c%"));
        assert_eq!(parameter(query, "kex"), None);
        assert_eq!(parameter(None, "key"), None);
    }
}
