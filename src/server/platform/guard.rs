//! Who may ask: the same as everywhere on the listener, by a header or by the cookie that a login
//! has set. A foreign `Host` or `Origin` is refused, so no page elsewhere can use the cookie.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use eddy_query::http::Token;

use super::Platform;
use super::failure::Failure;

/// The cookie's name, which the platform's clients look for.
pub(super) const COOKIE: &str = "auth_token";

/// Asks before every route; logging in and out is for everybody.
pub(super) async fn guard(
    State(platform): State<Platform>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if let Err(error) = platform.0.hosts.check(headers) {
        let refused = Failure::new(StatusCode::FORBIDDEN, error.message());
        return refused.into_response();
    }
    let is_free = matches!(request.uri().path(), "/v1/login" | "/auth/logout");
    match &platform.0.token {
        Some(token) if !is_free && !knows(token, headers) => {
            Failure::unauthorized().into_response()
        }
        _ => next.run(request).await,
    }
}

/// Whether the request carries the token.
fn knows(token: &Token, headers: &HeaderMap) -> bool {
    let bearer = headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| {
        let (scheme, given) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(given)
    });
    if bearer.is_some_and(|given| token.is(given)) {
        return true;
    }
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let mut cookies = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|all| all.split(';'))
        .filter_map(|one| one.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE);
    cookies.any(|(_, value)| unhex(value).is_some_and(|given| token.is(&given)))
}

/// What a cookie may hold of any text.
pub(super) fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn opens(name: header::HeaderName, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        knows(&Token::new("s;cret ü"), &headers)
    }

    #[test]
    fn the_token_opens_as_a_header_and_as_the_cookie_of_a_login_and_nothing_else_does() {
        let cookie = format!("{COOKIE}={}", hex("s;cret ü"));
        assert!(opens(header::COOKIE, &cookie));
        assert!(opens(header::COOKIE, &format!("a=b; {cookie}; c=d")));
        for wrong in [
            String::new(),
            format!("{COOKIE}="),
            format!("{COOKIE}=open"),
            format!("{COOKIE}={}", hex("s;cret")),
            format!("{cookie}0"),
            format!("x{cookie}"),
        ] {
            assert!(!opens(header::COOKIE, &wrong), "{wrong}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "bearer secret".parse().unwrap());
        assert!(knows(&Token::new("secret"), &headers));
        assert!(!knows(&Token::new("secret2"), &headers));
        assert!(!opens(header::AUTHORIZATION, "Basic x"));
    }
}
