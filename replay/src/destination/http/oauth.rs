//! OAuth 2: requests with a token that the other side's own server gives for an id and a secret
//! (client credentials, RFC 6749 section 4.4).
//!
//! A token is asked for once for all lanes and kept until shortly before it ends. One that is
//! refused (401) is forgotten, and the request goes out once more with a new one; if that is
//! refused too, it isn't the token that is wrong, and the replay fails as with any other
//! credential.

use std::time::Duration;

use eddy_engine::Clock;
use reqwest_tls::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest_tls::{Client, Response, Url};
use serde_json::Value;
use tokio::sync::Mutex;

use super::super::client::away;
use super::super::given::Given;
use super::super::percent::encoded;
use crate::error::{Error, ErrorKind, Result};

/// The options.
const NAMES: [&str; 5] = [
    "oauth.auth",
    "oauth.client.id",
    "oauth.client.secret",
    "oauth.scope",
    "oauth.url",
];

/// How long a token is kept that doesn't say how long it holds.
const UNSAID: Duration = Duration::from_mins(5);
/// A token isn't used in the last part of its time, this long at most: a request takes some itself.
const MARGIN_MAX: Duration = Duration::from_mins(1);
/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Characters of an error's name.
const ERROR_CHARS_MAX: usize = 40;

/// Who asks for tokens, and where.
#[derive(Clone)]
pub(super) struct Grant {
    url: Url,
    id: String,
    secret: String,
    scope: Option<String>,
    /// Whether id and secret stand in the body, and not in `Authorization`.
    in_body: bool,
}

impl Grant {
    /// Reads the options; `None` if there are none, or the URL can't be judged yet.
    ///
    /// # Errors
    /// `Invalid`, naming the option and never its value.
    pub(super) fn read(given: &Given<'_>) -> Result<Option<Self>> {
        if NAMES.iter().all(|name| given.text(name).is_none()) {
            return Ok(None);
        }
        let in_body = given.read(
            "oauth.auth",
            false,
            "`basic` or `body`",
            |text| match text {
                "basic" => Some(false),
                "body" => Some(true),
                _ => None,
            },
        )?;
        let url = given.needed("oauth.url")?;
        let id = given.needed("oauth.client.id")?;
        let secret = given.needed("oauth.client.secret")?;
        if given.is_open("oauth.url") {
            return Ok(None);
        }
        let url = Url::parse(url).ok();
        let url = url.filter(|url| {
            let plain = url.username().is_empty() && url.password().is_none();
            plain && matches!(url.scheme(), "http" | "https") && url.host_str().is_some()
        });
        let url = url.ok_or_else(|| {
            Error::invalid("`oauth.url` is not a URL such as `https://host/token`")
        })?;
        Ok(Some(Self {
            url,
            id: id.to_owned(),
            secret: secret.to_owned(),
            scope: given.text("oauth.scope").map(str::to_owned),
            in_body,
        }))
    }

    /// The host that gives tokens.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// The token that is held, and where others come from.
pub(super) struct Tokens {
    grant: Grant,
    client: Client,
    clock: Clock,
    /// Locked while one is asked for, so that all lanes wait for the same.
    held: Mutex<Option<Held>>,
}

struct Held {
    header: HeaderValue,
    until: Duration,
}

impl Tokens {
    /// Asks with `client`, which reaches only what it may.
    pub(super) fn new(grant: Grant, client: Client, clock: Clock) -> Self {
        Self {
            grant,
            client,
            clock,
            held: Mutex::new(None),
        }
    }

    /// The value of `Authorization`.
    ///
    /// # Errors
    /// `Unavailable` when nobody gives a token now, `Invalid` when none is given for these
    /// credentials.
    pub(super) async fn get(&self) -> Result<HeaderValue> {
        let mut held = self.held.lock().await;
        let now = self.clock.monotonic();
        if let Some(token) = held.as_ref().filter(|token| now < token.until) {
            return Ok(token.header.clone());
        }
        let (header, life) = self.fetch().await?;
        let margin = (life / 4).min(MARGIN_MAX);
        *held = Some(Held {
            header: header.clone(),
            until: now.saturating_add(life.saturating_sub(margin)),
        });
        Ok(header)
    }

    /// A token was refused: it isn't used again.
    pub(super) async fn forget(&self, refused: &HeaderValue) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|token| token.header == *refused) {
            *held = None;
        }
    }

    async fn fetch(&self) -> Result<(HeaderValue, Duration)> {
        let Grant { id, secret, .. } = &self.grant;
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.grant.scope {
            form.push_str("&scope=");
            form.push_str(&encoded(scope));
        }
        let request = self.client.post(self.grant.url.clone());
        let request = match self.grant.in_body {
            true => {
                let (id, secret) = (encoded(id), encoded(secret));
                form.push_str(&format!("&client_id={id}&client_secret={secret}"));
                request
            }
            false => request.basic_auth(encoded(id), Some(encoded(secret))),
        };
        let answer = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form)
            .send()
            .await
            .map_err(|error| no_token(&away(&error)))?;
        let status = answer.status().as_u16();
        let body = read(answer).await;
        let said: Option<Value> = serde_json::from_slice(&body).ok();
        match (status, said) {
            (200..=299, Some(said)) => token(&said),
            (200..=299, None) => Err(no_token(&Error::invalid("the answer is no JSON"))),
            (status, said) => Err(no_token(&refused(status, said.as_ref()))),
        }
    }
}

/// The token of an answer, as a header's value, and how long it holds.
fn token(said: &Value) -> Result<(HeaderValue, Duration)> {
    let unfit = || {
        no_token(&Error::invalid(
            "the answer has no `access_token` of type Bearer",
        ))
    };
    let kind = said.get("token_type").and_then(Value::as_str);
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(unfit());
    }
    let token = said.get("access_token").and_then(Value::as_str);
    let token = token.filter(|token| !token.is_empty()).ok_or_else(unfit)?;
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unfit())?;
    header.set_sensitive(true);
    let seconds = said.get("expires_in").and_then(|life| {
        // Some say it as text.
        life.as_u64().or_else(|| life.as_str()?.parse().ok())
    });
    Ok((header, seconds.map_or(UNSAID, Duration::from_secs)))
}

/// Why there is no token. What the server says in its own words may repeat what it was sent; the
/// name of its error doesn't.
fn refused(status: u16, said: Option<&Value>) -> Error {
    let name = said.and_then(|said| said.get("error")?.as_str());
    let fits = |c: char| c.is_ascii_lowercase() || c == '_';
    let name = name.filter(|name| name.len() <= ERROR_CHARS_MAX && name.chars().all(fits));
    let told = match name {
        Some(name) => format!("the answer is {status}: {name}"),
        None => format!("the answer is {status}"),
    };
    match status {
        408 | 425 | 429 | 500.. => Error::unavailable(told),
        _ => Error::invalid(told),
    }
}

fn no_token(error: &Error) -> Error {
    let told = Error::new(error.kind(), format!("`oauth.url` gives no token: {error}"));
    match error.kind() {
        ErrorKind::Unavailable => told,
        _ => told.with_hint("mend the destination's credentials, then resume the replay"),
    }
}

async fn read(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body
}
