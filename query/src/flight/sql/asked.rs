//! A request for a statement: the text, and what the headers of its call say of time. Clients set
//! headers where they have no other way: ADBC by options, JDBC by its URL.

use serde_json::Value as Json;
use tonic::metadata::MetadataMap;

use crate::error::{Error, Result};
use crate::query::{Front, Request};
use crate::statement::Params;

/// Which rows are seen, as `as_of` over HTTP.
const AS_OF: &str = "eddy-as-of";
/// Offsets that must be visible first, as `wait_for` over HTTP.
const WAIT_FOR: &str = "eddy-wait-for";

/// What a call asks for.
///
/// # Errors
/// `Invalid` when a header isn't understood.
pub(super) fn request(given: &MetadataMap, sql: &str, params: Params) -> Result<Request> {
    Ok(Request {
        params,
        as_of: json(given, AS_OF)?,
        wait_for: json(given, WAIT_FOR)?,
        front: Front::Flight,
        ..Request::new(sql)
    })
}

/// About how much memory a request takes while it is kept, in bytes.
pub(super) fn bytes(request: &Request) -> usize {
    let header = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.to_string().len());
    let values = match &request.params {
        Params::List(values) => super::parameters::bytes(values),
        _ => 0,
    };
    request.sql.len() + header(&request.as_of) + header(&request.wait_for) + values
}

fn json(given: &MetadataMap, name: &str) -> Result<Option<Json>> {
    let Some(value) = given.get(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let read = value.to_str().ok().map(serde_json::from_str);
    let wrong = |said: String| Error::invalid(format!("the header `{name}` must be JSON{said}"));
    match read {
        Some(Ok(json)) => Ok(Some(json)),
        Some(Err(error)) => Err(wrong(format!(": {error}"))),
        None => Err(wrong(String::new())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_say_which_rows_are_seen() {
        let mut given = MetadataMap::new();
        let asked = request(&given, "SELECT 1", Params::None).unwrap();
        assert_eq!((asked.as_of, asked.wait_for), (None, None));
        assert_eq!(asked.front, Front::Flight);
        given.insert(AS_OF, "{\"version\": 7}".parse().unwrap());
        given.insert(WAIT_FOR, "{\"0\": 5}".parse().unwrap());
        let asked = request(&given, "SELECT 1", Params::None).unwrap();
        assert_eq!(asked.as_of, Some(json!({"version": 7})));
        assert_eq!(asked.wait_for, Some(json!({"0": 5})));
        given.insert(AS_OF, "yesterday".parse().unwrap());
        let refused = request(&given, "SELECT 1", Params::None).unwrap_err();
        assert!(refused.message().contains(AS_OF), "{refused}");
    }
}
