//! Who asks the registry: credentials on each request, a token that is renewed in time.

use std::time::Duration;

use reqwest_tls::{Client, RequestBuilder};
use serde_json::Value as Json;

use super::client::Refusal;
use super::settings::Auth;

/// A token is renewed so long before it ends.
const EARLY: Duration = Duration::from_secs(30);
/// How long a token lasts that doesn't say so.
const LASTS: Duration = Duration::from_secs(300);

/// The token of an issuer, and until when it counts.
#[derive(Default)]
pub(super) struct Token {
    issued: Option<(String, Duration)>,
}

impl Token {
    /// The request with credentials.
    ///
    /// # Errors
    /// When the issuer of tokens refuses or doesn't answer.
    pub(super) async fn sign(
        &mut self,
        client: &Client,
        auth: &Auth,
        now: Duration,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, Refusal> {
        Ok(match auth {
            Auth::None => request,
            Auth::Basic { user, password } => request.basic_auth(user, Some(password)),
            Auth::Bearer(token) => request.bearer_auth(token),
            Auth::Issued { .. } => request.bearer_auth(self.issued(client, auth, now).await?),
        })
    }

    /// Forgets the token: the registry doesn't take it.
    pub(super) fn forget(&mut self) {
        self.issued = None;
    }

    async fn issued(
        &mut self,
        client: &Client,
        auth: &Auth,
        now: Duration,
    ) -> Result<String, Refusal> {
        if let Some((token, until)) = &self.issued
            && now < *until
        {
            return Ok(token.clone());
        }
        let Auth::Issued {
            url,
            client: id,
            secret,
            scope,
        } = auth
        else {
            return Ok(String::new());
        };
        let scope = scope
            .as_deref()
            .map(|scope| format!("&scope={}", encoded(scope)));
        let form = format!("grant_type=client_credentials{}", scope.unwrap_or_default());
        let request = client
            .post(url)
            .basic_auth(id, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let away = |error: reqwest_tls::Error| {
            Refusal::Away(format!(
                "the issuer of tokens does not answer: {}",
                error.without_url()
            ))
        };
        let answer = request.send().await.map_err(away)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(away)?;
        let body: Option<Json> = serde_json::from_slice(&body).ok();
        let body = body.filter(|_| status.is_success()).unwrap_or_default();
        let Some(token) = body.get("access_token").and_then(Json::as_str) else {
            return Err(Refusal::Away(format!(
                "the issuer of tokens answers {status} without `access_token`"
            )));
        };
        let lasts = body.get("expires_in").and_then(Json::as_u64);
        let lasts = lasts.map_or(LASTS, Duration::from_secs);
        self.issued = Some((token.to_owned(), now + lasts.saturating_sub(EARLY)));
        Ok(token.to_owned())
    }
}

/// A text as a form has it.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_forms_have_it() {
        assert_eq!(
            encoded("api://x/.default é"),
            "api%3A%2F%2Fx%2F.default%20%C3%A9"
        );
    }
}
