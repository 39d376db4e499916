//! The key of an event: the header `Eddy-Key`, or what a JSON pointer (RFC 6901) finds in it: pure.

use std::fmt;

use axum::http::HeaderMap;
use bytes::Bytes;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::answer::Refusal;
use super::shape::parameter;
use crate::collect::produce::Event;

/// The events with their keys. The header is of all of them; `?key=/a/b` is looked for in each,
/// and one that has nothing or null there has no key.
///
/// # Errors
/// 400 for what is no pointer, and where it leads to an object, to an array or through text that
/// isn't JSON, naming the event.
pub(super) fn with_keys(
    events: Vec<Bytes>,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Vec<Event>, Refusal> {
    let of_all = headers.get("eddy-key");
    if let Some(key) = of_all.map(|key| Bytes::copy_from_slice(key.as_bytes())) {
        let keyed = events.into_iter();
        let keyed = keyed.map(|value| Event::new(Some(key.clone()), value));
        return Ok(keyed.collect());
    }
    let pointer = match parameter(query, "key") {
        Some(pointer) => steps(&pointer)?,
        None => {
            let keyless = events.into_iter().map(|value| Event::new(None, value));
            return Ok(keyless.collect());
        }
    };
    let keyed = events.into_iter().enumerate().map(|(number, value)| {
        let found = std::str::from_utf8(&value).map_err(|_| "it is not UTF-8".to_owned());
        let found = found.and_then(|text| find(text, &pointer));
        let key = found.map_err(|why| {
            Refusal::invalid(format!(
                "event {number} (counted from 0) has no key: {why}; nothing of the request was sent"
            ))
        })?;
        Ok(Event::new(key.map(Bytes::from), value))
    });
    keyed.collect()
}

fn steps(pointer: &str) -> Result<Vec<String>, Refusal> {
    let Some(steps) = pointer.strip_prefix('/') else {
        return Err(Refusal::invalid(format!(
            "`key={pointer}` is no JSON pointer; one begins with `/`, as `/user/id`"
        )));
    };
    let steps = steps.split('/');
    let steps = steps.map(|step| step.replace("~1", "/").replace("~0", "~"));
    Ok(steps.collect())
}

/// The text of a string, a number as it is written, or nothing.
fn find(text: &str, pointer: &[String]) -> Result<Option<String>, String> {
    let broken = |error: serde_json::Error| format!("it is not JSON: {error}");
    let mut at: &str = serde_json::from_str::<&RawValue>(text)
        .map_err(broken)?
        .get();
    for step in pointer {
        if !at.starts_with(['{', '[']) {
            return Ok(None);
        }
        let mut whole = serde_json::Deserializer::from_str(at);
        let Some(next) = whole.deserialize_any(Step(step)).map_err(broken)? else {
            return Ok(None);
        };
        at = next.get();
    }
    match at.as_bytes().first() {
        Some(b'"') => serde_json::from_str(at).map(Some).map_err(broken),
        Some(b'{' | b'[') => Err("an object or an array is there".to_owned()),
        Some(b'n') => Ok(None),
        _ => Ok(Some(at.to_owned())),
    }
}

/// A step into an object or an array, of which nothing else is kept, however much there is. Of
/// members of the same name the last one counts.
struct Step<'s>(&'s str);

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            if name == self.0 {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let wanted = self.0.parse::<usize>().ok();
        let mut found = None;
        for index in 0.. {
            if Some(index) == wanted {
                found = elements.next_element()?;
                if found.is_none() {
                    break;
                }
            } else if elements.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(event: &'static str, pointer: &str) -> Result<Option<String>, String> {
        let events = vec![Bytes::from_static(event.as_bytes())];
        let keyed = with_keys(events, &HeaderMap::new(), Some(&format!("key={pointer}")));
        let keyed = keyed.map_err(|refusal| refusal.told().1.to_owned())?;
        let key = keyed.into_iter().next().unwrap().key;
        Ok(key.map(|key| String::from_utf8(key.to_vec()).unwrap()))
    }

    #[test]
    fn a_pointer_finds_a_key_as_it_is_written() {
        let event = r#"{"a":{"b/c":["x","\u00e4",12345678901234567890.10]},"n":null,"t":true}"#;
        for (pointer, expected) in [
            ("/a/b~1c/1", Some("ä")),
            ("/a/b~1c/2", Some("12345678901234567890.10")),
            ("/t", Some("true")),
            ("/n", None),
            ("/a/none", None),
            ("/t/deeper", None),
        ] {
            assert_eq!(
                key(event, pointer).unwrap().as_deref(),
                expected,
                "{pointer}"
            );
        }
        assert!(key(event, "/a").unwrap_err().contains("event 0"));
        assert!(key("{\"a\":", "/a").unwrap_err().contains("not JSON"));
        assert!(key(event, "a").unwrap_err().contains("pointer"));
    }

    #[test]
    fn the_header_is_the_key_of_all() {
        let mut headers = HeaderMap::new();
        headers.insert("eddy-key", "k".parse().unwrap());
        let events = vec![Bytes::from_static(b"1"), Bytes::from_static(b"2")];
        let keyed = with_keys(events, &headers, Some("key=/a")).unwrap();
        assert!(keyed.iter().all(|event| event.key.as_deref() == Some(b"k")));
    }
}
