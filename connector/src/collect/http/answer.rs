//! What clients are told: `{"message": ...}` and a status by which they know what to do.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

use crate::collect::collection::State;

/// When to come again where nobody knows.
const LATER: Duration = Duration::from_secs(1);

/// Why a request was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

/// Every event is in Kafka. The text is what clients of the old platform know.
pub(super) fn collected() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let body = r#"{"message":"event has been successfully collected"}"#;
    (kind, body).into_response()
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
        }
    }

    pub(super) fn not_found() -> Self {
        let text = "there is nothing here; events are sent to `POST /v1/collection`";
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(super) fn not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "events are sent by POST")
    }

    pub(super) fn unauthorized() -> Self {
        let text = "unauthorized: the request carries no token that is known here; send it as \
                    `Batch-Token` or `Authorization: Bearer`";
        Self::new(StatusCode::UNAUTHORIZED, text)
    }

    pub(super) fn closed(state: State) -> Self {
        let text = format!("collection is {}", state.as_str());
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time",
        )
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    pub(super) fn another_request() -> Self {
        let text = "this `Idempotency-Key` came with another request before: another body, key, \
                    `Content-Type` or `ce-*` header";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    pub(super) fn too_many(rate: u32, wait: Duration) -> Self {
        let text = format!("the token may send {rate} events per second");
        Self {
            retry_after: Some(wait),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, text)
        }
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(LATER),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }

    #[cfg(test)]
    pub(super) fn told(&self) -> (u16, &str) {
        (self.status.as_u16(), &self.message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "message": self.message });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(wait) = self.retry_after {
            // Whole seconds, and never so few that it is too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            let known = HeaderValue::from_static("gzip, zstd");
            response
                .headers_mut()
                .insert(header::ACCEPT_ENCODING, known);
        }
        response
    }
}
