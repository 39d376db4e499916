//! SQL and JSON over HTTP from an `eddy` process.

use std::time::Duration;

use serde_json::{Value, json};

use super::block_on;

/// A client of one process.
#[derive(Clone)]
pub struct Http {
    base: String,
    client: reqwest::Client,
}

/// An answer that isn't a success.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    /// The body: `{"error": {"code", "message", ...}}`, or its text where it isn't JSON.
    pub body: Value,
}

impl Refused {
    /// `error.code`, or nothing.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// `error.message`, or nothing.
    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

impl Http {
    pub fn new(base: &str) -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("an HTTP client");
        Self {
            base: base.to_owned(),
            client,
        }
    }

    /// The rows of a statement; panics if it is refused.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> Vec<Value> {
        self.ask(&json!({"sql": sql}))
            .unwrap_or_else(|refused| panic!("`{sql}` was refused: {refused:?}"))
    }

    /// The rows of a statement, or why not.
    pub fn try_sql(&self, sql: &str) -> Result<Vec<Value>, Refused> {
        self.ask(&json!({"sql": sql}))
    }

    /// The one number that a statement answers; panics on anything else.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        let rows = self.sql(sql);
        let first = rows.first().and_then(Value::as_object);
        let value = first.and_then(|row| row.values().next());
        value
            .and_then(Value::as_i64)
            .unwrap_or_else(|| panic!("`{sql}` answered {rows:?}, not a number"))
    }

    /// The rows of a whole request (`as_of`, `wait_for`, `params`, ...), asked as ndjson.
    pub fn ask(&self, request: &Value) -> Result<Vec<Value>, Refused> {
        let text = self.send(self.client.post(self.to("/api/v1/sql")).json(request))?;
        let rows: Vec<Value> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect();
        match rows.last() {
            // An error after the first row is the last line.
            Some(last) if last.get("eddy_error").is_some() => Err(Refused {
                status: 200,
                body: json!({"error": last["eddy_error"]}),
            }),
            _ => Ok(rows),
        }
    }

    /// `GET` of a JSON resource.
    pub fn get(&self, path: &str) -> Result<Value, Refused> {
        self.send(self.client.get(self.to(path)))
            .map(|text| json_or_text(&text))
    }

    /// `POST` of a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send(self.client.post(self.to(path)).json(body))
            .map(|text| json_or_text(&text))
    }

    /// `DELETE` of a resource.
    pub fn delete(&self, path: &str) -> Result<Value, Refused> {
        self.send(self.client.delete(self.to(path)))
            .map(|text| json_or_text(&text))
    }

    /// The status of a `GET`; `None` when nobody answers.
    pub fn status(&self, path: &str) -> Option<u16> {
        let request = self
            .client
            .get(self.to(path))
            .timeout(Duration::from_secs(5));
        block_on(async {
            request
                .send()
                .await
                .ok()
                .map(|answer| answer.status().as_u16())
        })
    }

    /// The body of a `POST /api/v1/sql` in another format, and its content type.
    pub fn raw(&self, request: &Value) -> Result<(String, Vec<u8>), Refused> {
        let request = self.client.post(self.to("/api/v1/sql")).json(request);
        let (status, kind, body) = self.exchange(request)?;
        if (200..300).contains(&status) {
            return Ok((kind, body));
        }
        let body = json_or_text(&String::from_utf8_lossy(&body));
        Err(Refused { status, body })
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<String, Refused> {
        let (status, _, body) = self.exchange(request)?;
        let text = String::from_utf8_lossy(&body).into_owned();
        if (200..300).contains(&status) {
            Ok(text)
        } else {
            let body = json_or_text(&text);
            Err(Refused { status, body })
        }
    }

    /// Status 0 stands for no answer at all, or one that was cut off.
    fn exchange(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(u16, String, Vec<u8>), Refused> {
        let answer = block_on(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let kind = answer.headers().get("content-type");
            let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let kind = kind.to_owned();
            Ok::<_, reqwest::Error>((status, kind, answer.bytes().await?.to_vec()))
        });
        answer.map_err(|error| Refused {
            status: 0,
            body: Value::from(error.to_string()),
        })
    }

    fn to(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
