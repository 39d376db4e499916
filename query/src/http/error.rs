//! Errors as every route of the query listener answers them:
//! `{"error": {"code", "message", "hint", "position", "query_id"}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};

/// The inside of `{"error": ...}`, for other routers on the same listener.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorBody {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Value>,
    /// The query, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
}

impl ErrorBody {
    /// The body of a query's error.
    pub fn of(error: &Error, query_id: Option<Uuid>) -> Self {
        Self {
            code: error.kind().code().to_owned(),
            message: error.message().to_owned(),
            hint: error.hint().map(str::to_owned),
            position: error
                .position()
                .map(|place| json!({"line": place.line, "column": place.column})),
            query_id: query_id.map(|id| id.to_string()),
        }
    }
}

/// The answer for an error, with its status.
pub fn error_response(status: StatusCode, body: &ErrorBody) -> Response {
    (status, Json(json!({"error": body}))).into_response()
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = ErrorBody::of(&self, self.query_id());
        let mut response = error_response(status(self.kind()), &body);
        let told = match self.kind() {
            ErrorKind::Busy => (header::RETRY_AFTER, RETRY_AFTER_S),
            ErrorKind::Unauthorized => (header::WWW_AUTHENTICATE, "Bearer"),
            _ => return response,
        };
        let value = HeaderValue::from_static(told.1);
        response.headers_mut().insert(told.0, value);
        response
    }
}

/// When someone who was refused for want of a turn may try again, in seconds.
const RETRY_AFTER_S: &str = "2";

/// The status of the answer for an error of this kind.
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Syntax
        | ErrorKind::NotSupported
        | ErrorKind::Invalid
        | ErrorKind::UnknownTable
        | ErrorKind::UnknownColumn
        | ErrorKind::Execution => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::TooManyRows | ErrorKind::TooManyBytes => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Timeout | ErrorKind::WaitForTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Cancelled => StatusCode::GONE,
        ErrorKind::OutOfMemory | ErrorKind::SpillFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Busy | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Data | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
