//! Errors as the old platform told them: `{"errors": [{code, domain, status, raw_error, message,
//! field}]}`, with the status of the answer.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Why a request was refused, or failed.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    message: String,
    /// The part of the request that it is about, if it is about one.
    field: &'static str,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            field: "",
        }
    }

    /// What is asked can't be right.
    pub(super) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
        }
    }

    /// The same about a part of the request.
    pub(super) fn at(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    pub(super) fn unauthorized() -> Self {
        let text = "you are not authenticated: log in, with `http.token` as the password, or send \
                    it as `Authorization: Bearer`";
        Self::new(StatusCode::UNAUTHORIZED, text)
    }

    fn with_hint(status: StatusCode, message: String, hint: Option<&str>) -> Self {
        match hint {
            Some(hint) => Self::new(status, format!("{message}; {hint}")),
            None => Self::new(status, message),
        }
    }
}

impl From<eddy_connector::Error> for Failure {
    fn from(error: eddy_connector::Error) -> Self {
        use eddy_connector::ErrorKind;
        let status = match error.kind() {
            ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<eddy_replay::Error> for Failure {
    fn from(error: eddy_replay::Error) -> Self {
        use eddy_replay::ErrorKind;
        let status = match error.kind() {
            ErrorKind::Invalid | ErrorKind::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict | ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::Unavailable | ErrorKind::GaveUp => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::with_hint(status, error.to_string(), error.hint())
    }
}

impl From<eddy_query::Error> for Failure {
    fn from(error: eddy_query::Error) -> Self {
        let status = match eddy_query::http::status(error.kind()) {
            StatusCode::BAD_REQUEST => StatusCode::UNPROCESSABLE_ENTITY,
            status => status,
        };
        Self::with_hint(status, error.message().to_owned(), error.hint())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(error = %self.message, "a request failed");
        }
        let body = json!({ "errors": [{
            "code": self.status.as_u16(),
            "domain": "eddy",
            "status": self.status.canonical_reason().unwrap_or_default(),
            "raw_error": "",
            "message": self.message,
            "field": self.field,
        }] });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

/// What a body holds.
///
/// # Errors
/// Says what isn't understood of it.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::invalid(
            "",
            format!("the body is not the JSON that is expected: {error}"),
        )
    })
}

/// Answers where there is nothing.
pub(super) async fn no_route(request: Request) -> Failure {
    let path = request.uri().path();
    Failure::new(
        StatusCode::NOT_FOUND,
        format!("there is nothing at `{path}`"),
    )
}

/// Answers what isn't for a path.
pub(super) async fn no_method(request: Request) -> Failure {
    let (method, path) = (request.method(), request.uri().path());
    let text = format!("`{method}` is not for `{path}`");
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, text)
}
