//! A role that is taken on before S3 is asked: the store's own credentials, or the environment's,
//! ask AWS' STS for those of the role (AssumeRole), and ask again before these end.
//!
//! object_store has roles of service accounts (`aws_web_identity_token_file`), tasks and instances,
//! and not this one. `answer` reads what STS says.

mod answer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use object_store::aws::{
    AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredential, AwsCredentialProvider,
};
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector as _, HttpRequest, ReqwestConnector,
};
use object_store::{ClientOptions, CredentialProvider};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::lake::transit::is_private;
use answer::Refusal;

const PREFIX: &str = "aws_assume_role_";
/// The names of the options behind [`PREFIX`].
const KEYS: [&str; 6] = [
    "arn",
    "external_id",
    "session_name",
    "duration_seconds",
    "endpoint",
    "region",
];

/// Attempts to ask STS, and the wait before the second, doubled before each further one.
const ATTEMPTS: u32 = 3;
const AGAIN: Duration = Duration::from_millis(200);
/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Credentials are renewed so long before they end, or a quarter of their time if that is less.
const EARLY: Duration = Duration::from_mins(5);
/// Before credentials that count still, but could not be renewed, are tried to be again.
const RENEW_AGAIN: Duration = Duration::from_secs(30);
/// The most bytes of an answer.
const ANSWER_MOST: usize = 64 << 10;

/// Which role, and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    arn: String,
    external_id: Option<String>,
    session: String,
    seconds: u32,
    endpoint: Option<String>,
    region: Option<String>,
}

impl Role {
    /// Takes the options of a role out of those of the store; `None` where there is no role.
    ///
    /// # Errors
    /// `Invalid`, naming the option and what is allowed.
    pub(super) fn take(options: &mut BTreeMap<String, String>) -> Result<Option<Self>> {
        let mut found = BTreeMap::new();
        for key in KEYS {
            let name = format!("{PREFIX}{key}");
            let written = options.keys().find(|had| had.eq_ignore_ascii_case(&name));
            if let Some(written) = written.cloned() {
                let value = options.remove(&written).unwrap_or_default();
                let value = value.trim().to_owned();
                found.insert(key, value);
            }
        }
        let mut take = |key| found.remove(key).filter(|value| !value.is_empty());
        let wrong = |key: &str, value: &str, allowed: &str| {
            Error::invalid(format!(
                "`{PREFIX}{key}` under [lake.options] is `{value}`; allowed is {allowed}"
            ))
        };
        let Some(arn) = take("arn") else {
            return match found.keys().next() {
                None => Ok(None),
                Some(key) => Err(Error::invalid(format!(
                    "`{PREFIX}{key}` under [lake.options] is of no role; set `{PREFIX}arn`"
                ))),
            };
        };
        if !arn.starts_with("arn:") {
            let allowed = "a role such as `arn:aws:iam::123456789012:role/lake`";
            return Err(wrong("arn", &arn, allowed));
        }
        let session = take("session_name").unwrap_or_else(|| "eddy".to_owned());
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(2..=64).contains(&session.len()) || !session.chars().all(is_word) {
            let allowed = "2 to 64 letters, digits and `_+=,.@-`";
            return Err(wrong("session_name", &session, allowed));
        }
        let seconds = take("duration_seconds").unwrap_or_else(|| "3600".to_owned());
        let number = seconds.parse().ok();
        let number = number.filter(|number| (900..=43_200).contains(number));
        Ok(Some(Self {
            arn,
            external_id: take("external_id"),
            session,
            seconds: number
                .ok_or_else(|| wrong("duration_seconds", &seconds, "from 900 to 43200"))?,
            endpoint: take("endpoint"),
            region: take("region"),
        }))
    }

    /// The store that `builder` makes, as whoever has the role.
    ///
    /// # Errors
    /// What `builder` doesn't take; an endpoint that is none.
    pub(super) fn taken_on(
        self,
        builder: AmazonS3Builder,
        clock: Clock,
    ) -> Result<AmazonS3Builder> {
        let region = self.region.clone();
        let region = region.or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Region));
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = self.endpoint.clone();
        let endpoint = endpoint.unwrap_or_else(|| format!("https://sts.{region}.amazonaws.com"));
        let endpoint = match endpoint.contains("://") {
            true => endpoint,
            false => format!("https://{endpoint}"),
        };
        if !is_private(&endpoint) {
            tracing::warn!(endpoint, "the role's credentials come without TLS");
        }
        let mut client = ClientOptions::new()
            .with_allow_http(endpoint.starts_with("http://"))
            .with_connect_timeout(TIMEOUT / 2)
            .with_timeout(TIMEOUT);
        let proxy = AmazonS3ConfigKey::Client(ClientConfigKey::ProxyUrl);
        if let Some(proxy) = builder.get_config_value(&proxy) {
            client = client.with_proxy_url(proxy);
        }
        let arn = self.arn.clone();
        let refused = |error: object_store::Error| {
            Error::invalid(format!("the role `{arn}` can't be asked for")).with_source(error)
        };
        // Whoever it would be without the role asks for it.
        let base = builder
            .clone()
            .build()
            .map_err(refused)?
            .credentials()
            .clone();
        let credentials = RoleCredentials {
            client: ReqwestConnector::default()
                .connect(&client)
                .map_err(refused)?,
            base,
            role: self,
            region,
            endpoint,
            clock,
            held: Mutex::new(None),
        };
        // Also refuses what is no address, before anything is sent.
        credentials.request(String::new())?;
        Ok(builder.with_credentials(Arc::new(credentials)))
    }
}

/// The credentials of a role.
struct RoleCredentials {
    role: Role,
    base: AwsCredentialProvider,
    client: HttpClient,
    endpoint: String,
    region: String,
    clock: Clock,
    /// Held while STS is asked: everybody else waits for the one answer.
    held: Mutex<Option<Held>>,
}

/// What STS gave, with times in microseconds since the Unix epoch.
struct Held {
    credential: Arc<AwsCredential>,
    renew_at_us: i64,
    ends_at_us: i64,
}

impl std::fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleCredentials")
            .field("role", &self.role.arn)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for RoleCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut held = self.held.lock().await;
        let now = self.clock.now_us();
        if let Some(held) = held.as_ref().filter(|held| now < held.renew_at_us) {
            return Ok(Arc::clone(&held.credential));
        }
        match (self.assumed().await, held.as_mut()) {
            (Ok(new), _) => Ok(Arc::clone(&held.insert(new).credential)),
            (Err(refusal), Some(held)) if self.clock.now_us() < held.ends_at_us => {
                tracing::warn!(role = %self.role.arn, why = %refusal.why(),
                    "a role's credentials can't be renewed yet");
                held.renew_at_us = self.clock.now_us() + microseconds(RENEW_AGAIN);
                Ok(Arc::clone(&held.credential))
            }
            (Err(refusal), _) => Err(self.error(refusal)),
        }
    }
}

impl RoleCredentials {
    /// New credentials.
    async fn assumed(&self) -> Result<Held, Refusal> {
        let mut wait = AGAIN;
        let mut attempt = 1;
        loop {
            match self.ask().await {
                Err(Refusal::Away(_)) if attempt < ATTEMPTS => {
                    self.clock.sleep(wait).await;
                    (wait, attempt) = (wait * 2, attempt + 1);
                }
                answer => return answer,
            }
        }
    }

    async fn ask(&self) -> Result<Held, Refusal> {
        let base = self.base.get_credential().await;
        let base = base.map_err(|error| {
            Refusal::Away(format!("whoever asks for it has no credentials: {error}"))
        })?;
        let request = self.request(self.form());
        let mut request = request.map_err(|error| Refusal::Denied(error.to_string()))?;
        AwsAuthorizer::new(&base, "sts", &self.region).authorize(&mut request, None);
        let away = |error: object_store::client::HttpError| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            Refusal::Away(format!("`{}` does not answer: {cause}", self.endpoint))
        };
        let response = self.client.execute(request).await.map_err(away)?;
        let status = response.status().as_u16();
        let mut parts = response.into_body().bytes_stream();
        let mut body = Vec::new();
        while let Some(part) = parts.try_next().await.map_err(away)? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_MOST {
                return Err(Refusal::Denied("the answer is too large".to_owned()));
            }
        }
        let text = String::from_utf8_lossy(&body);
        let (credential, ends_at_us) = answer::read(status, &text)?;
        let now = self.clock.now_us();
        let left = (ends_at_us - now).max(0);
        let early = microseconds(EARLY).min(left / 4);
        Ok(Held {
            credential: Arc::new(credential),
            renew_at_us: ends_at_us - early,
            ends_at_us,
        })
    }

    /// A request that nobody has signed yet.
    fn request(&self, form: String) -> Result<HttpRequest> {
        let wrong = || {
            let endpoint = &self.endpoint;
            Error::invalid(format!(
                "`{PREFIX}endpoint` under [lake.options] is `{endpoint}`; allowed is an address \
                 such as `https://sts.eu-central-1.amazonaws.com`"
            ))
        };
        // The signature is of the address as URLs are written, with their root.
        let url = url::Url::parse(&self.endpoint).map_err(|_| wrong())?;
        if !url.has_host() {
            return Err(wrong());
        }
        let mut request = HttpRequest::new(form.into());
        *request.method_mut() = "POST".parse().map_err(|_| wrong())?;
        *request.uri_mut() = url.as_str().parse().map_err(|_| wrong())?;
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        let form = form.parse().map_err(|_| wrong())?;
        request.headers_mut().insert("content-type", form);
        Ok(request)
    }

    fn form(&self) -> String {
        let role = &self.role;
        let seconds = role.seconds.to_string();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "AssumeRole")
            .append_pair("Version", "2011-06-15")
            .append_pair("RoleArn", &role.arn)
            .append_pair("RoleSessionName", &role.session)
            .append_pair("DurationSeconds", &seconds);
        if let Some(id) = &role.external_id {
            form.append_pair("ExternalId", id);
        }
        form.finish()
    }

    fn error(&self, refusal: Refusal) -> object_store::Error {
        let arn = &self.role.arn;
        let source = format!("the role `{arn}` was not given: {}", refusal.why()).into();
        match refusal {
            Refusal::Denied(_) => object_store::Error::Unauthenticated {
                path: arn.clone(),
                source,
            },
            Refusal::Away(_) => object_store::Error::Generic {
                store: "STS",
                source,
            },
        }
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
