//! Logging in and out. There is one account, and no users: with `http.token` the password is that
//! token, and the cookie carries it; without, anybody is let in, as on the rest of the listener,
//! and the cookie says nothing.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{Failure, parse};
use super::guard::{COOKIE, hex};
use super::{Answer, Platform};

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// `POST /v1/login`.
pub(super) async fn login(
    State(platform): State<Platform>,
    body: Bytes,
) -> Result<Response, Failure> {
    let given: Given = parse(&body)?;
    let value = match &platform.0.token {
        Some(token) if token.is(given.password.as_bytes()) => hex(&given.password),
        Some(_) => return Err(Failure::unauthorized()),
        None => "open".to_owned(),
    };
    Ok(with_cookie(&shown(&given.email), &value, ""))
}

/// `POST /auth/logout`. The cookie was all that there is of a session.
pub(super) async fn logout() -> Response {
    with_cookie(&json!({}), "", "; Max-Age=0")
}

/// `GET /v1/account`.
pub(super) async fn account() -> Answer {
    Ok(Json(shown("")))
}

fn with_cookie(body: &Value, value: &str, more: &str) -> Response {
    let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{more}");
    let mut response = Json(body).into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

fn shown(email: &str) -> Value {
    json!({
        "id": "eddy",
        "name": "eddy",
        "email": email,
        "onboarding_state": "complete",
        "onboarding_state_status": "",
        "roles": ["member"],
        "team": { "id": "eddy", "name": "eddy" },
    })
}
