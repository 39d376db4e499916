//! A request for SQL, from JSON, plain text or a URL.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::format::{Format, Int64};
use crate::error::{Error, Result};
use crate::query::{Front, Request};
use crate::statement::Params;

/// The body of `POST /api/v1/sql`, and the parameters of the `GET`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    sql: Option<String>,
    /// The short name that the `GET` has.
    q: Option<String>,
    params: Option<Box<RawValue>>,
    format: Option<String>,
    as_of: Option<Json>,
    wait_for: Option<Json>,
    timeout: Option<Json>,
    limit: Option<Json>,
    int64: Option<String>,
}

/// What was asked, and how the answer is written.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) format: Format,
    pub(super) int64: Int64,
}

/// Reads a `POST`.
pub(super) fn of_post(headers: &HeaderMap, body: &Bytes) -> Result<Asked> {
    let content = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    let content = content.split(';').next().unwrap_or_default().trim();
    let body = match content {
        "application/sql" | "text/plain" => Body {
            sql: Some(utf8(body)?.to_owned()),
            ..Body::default()
        },
        "application/json" | "application/x-www-form-urlencoded" => {
            serde_json::from_str(utf8(body)?).map_err(|error| {
                Error::invalid(format!("the body isn't understood: {error}")).with_hint(
                    "send `{\"sql\": \"SELECT ...\"}`, or plain SQL as `application/sql`",
                )
            })?
        }
        other => {
            return Err(
                Error::invalid(format!("the content type `{other}` is not known"))
                    .with_hint("send `application/json` or `application/sql`"),
            );
        }
    };
    asked(body, headers)
}

/// Reads the query string of a `GET`.
pub(super) fn of_get(headers: &HeaderMap, pairs: Vec<(String, String)>) -> Result<Asked> {
    let mut object = BTreeMap::new();
    for (name, value) in pairs {
        let json = match name.as_str() {
            "as_of" | "wait_for" | "params" | "limit" => serde_json::from_str(&value)
                .map_err(|error| Error::invalid(format!("`{name}` must be JSON: {error}")))?,
            _ => serde_json::value::to_raw_value(&value).map_err(not_understood)?,
        };
        object.insert(name, json);
    }
    // As text, in which numbers have all of their digits.
    let object: BTreeMap<String, Box<RawValue>> = object;
    let text = serde_json::to_string(&object).map_err(not_understood)?;
    let body = serde_json::from_str(&text).map_err(not_understood)?;
    let mut asked = asked(body, headers)?;
    asked.request.read_only = true;
    Ok(asked)
}

fn not_understood(error: serde_json::Error) -> Error {
    Error::invalid(format!("the query string isn't understood: {error}"))
}

fn asked(body: Body, headers: &HeaderMap) -> Result<Asked> {
    let sql = body
        .sql
        .or(body.q)
        .ok_or_else(|| Error::invalid("there is no statement").with_hint("send it as `sql`"))?;
    let params = match body.params {
        None => Params::None,
        Some(params) => Params::of_json(&params)?,
    };
    let limit = match body.limit {
        None | Some(Json::Null) => None,
        Some(limit) => Some(
            limit
                .as_u64()
                .and_then(|limit| usize::try_from(limit).ok())
                .ok_or_else(|| Error::invalid("`limit` is a number of rows"))?,
        ),
    };
    let present = |json: Option<Json>| json.filter(|json| !json.is_null());
    Ok(Asked {
        request: Request {
            sql,
            params,
            as_of: present(body.as_of),
            wait_for: present(body.wait_for),
            timeout: present(body.timeout)
                .map(|text| duration(&text))
                .transpose()?,
            limit,
            read_only: false,
            front: Front::Http,
        },
        format: match body.format {
            Some(name) => Format::of_name(&name)?,
            None => Format::of_accept(headers)?,
        },
        int64: match body.int64.as_deref() {
            None | Some("number") => Int64::Number,
            Some("string") => Int64::String,
            Some(other) => {
                return Err(Error::invalid(format!(
                    "`int64` is `number` or `string`, not `{other}`"
                )));
            }
        },
    })
}

/// `"30s"`, `"500ms"`, `"2m"`, or a number of seconds.
fn duration(json: &Json) -> Result<Duration> {
    let wrong = || {
        Error::invalid(format!("the timeout `{json}` is not understood"))
            .with_hint("write `\"30s\"`, `\"500ms\"` or `\"2m\"`")
    };
    let seconds =
        |number: f64, unit: f64| Duration::try_from_secs_f64(number * unit).map_err(|_| wrong());
    match json {
        Json::Number(number) => seconds(number.as_f64().ok_or_else(wrong)?, 1.0),
        Json::String(text) => {
            let text = text.trim();
            let end = text
                .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
                .unwrap_or(text.len());
            let (number, unit) = text.split_at(end);
            let number: f64 = number.parse().map_err(|_| wrong())?;
            match unit.trim() {
                "ms" => seconds(number, 0.001),
                "s" | "" => seconds(number, 1.0),
                "m" | "min" => seconds(number, 60.0),
                "h" => seconds(number, 3_600.0),
                _ => Err(wrong()),
            }
        }
        _ => Err(wrong()),
    }
}

fn utf8(body: &Bytes) -> Result<&str> {
    std::str::from_utf8(body).map_err(|_| Error::invalid("the body isn't UTF-8"))
}
