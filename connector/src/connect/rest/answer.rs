//! An answer: a status, a body, and how it is sent.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use crate::error::{Error, ErrorKind};

/// What a handler answers; as an error it is an answer too.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// JSON text.
    pub(super) body: Option<String>,
    location: Option<String>,
    allow: Option<&'static str>,
}

/// An answer, or the one that refuses.
pub(super) type Handled = Result<Answer, Answer>;

impl Answer {
    /// JSON.
    pub(super) fn json(status: u16, body: impl Serialize) -> Self {
        Self {
            status,
            // Maps of texts, which is all that there is, can't fail.
            body: Some(serde_json::to_string(&body).unwrap_or_default()),
            location: None,
            allow: None,
        }
    }

    /// 200 with JSON.
    pub(super) fn ok(body: impl Serialize) -> Self {
        Self::json(200, body)
    }

    /// Nothing but a status.
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            location: None,
            allow: None,
        }
    }

    /// Connect's form of an error.
    pub(super) fn error(status: u16, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self::json(status, json!({"error_code": status, "message": message}))
    }

    /// What Connect's extension for basic authentication answers: this text, though it says that it
    /// is JSON.
    pub(super) fn unauthorized() -> Self {
        Self {
            status: 401,
            body: Some("User cannot access the resource.".to_owned()),
            location: None,
            allow: None,
        }
    }

    /// Which methods a resource has.
    pub(super) fn options(allowed: &'static str) -> Self {
        Self {
            status: 200,
            body: None,
            location: None,
            allow: Some(allowed),
        }
    }

    /// The same with where the new thing is.
    pub(super) fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// What is sent.
    pub(super) fn response(self) -> Response {
        let (kind, body) = match (self.body, self.allow) {
            (Some(body), _) => (Some("application/json"), Body::from(body)),
            (None, Some(allowed)) => (Some("text/plain"), Body::from(allowed)),
            (None, None) => (None, Body::empty()),
        };
        let mut response = Response::new(body);
        let status = StatusCode::from_u16(self.status);
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(allowed) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if self.status == 401 {
            // Connect leaves it out; HTTP wants it, and some clients wait for it.
            let basic = HeaderValue::from_static("Basic realm=\"connect\"");
            headers.insert(header::WWW_AUTHENTICATE, basic);
        }
        let location = self.location.and_then(|at| HeaderValue::try_from(at).ok());
        if let Some(location) = location {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid => 400,
            ErrorKind::NotFound => 404,
            ErrorKind::Unavailable => 503,
            ErrorKind::Fenced => 409,
            ErrorKind::Data | ErrorKind::Internal => 500,
        };
        Self::error(status, error.to_string())
    }
}
