//! Requests to a registry: schemas by id or GUID, and what they refer to by subject and version.

use std::collections::HashSet;

use eddy_engine::Clock;
use reqwest_tls::{Client, StatusCode, Url};
use serde_json::Value as Json;

use super::Registered;
use super::auth::Token;
use super::settings::RegistrySettings;
use super::tls::secured;
use crate::convert::wire::SchemaKey;
use crate::error::{Error, Result};

/// Why there is no schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The registry has none: a verdict on the record.
    Missing(String),
    /// It doesn't answer, or not to us: nothing that a record could help.
    Away(String),
}

/// Schemas that one refers to, and levels of them.
const REFERENCES_MOST: usize = 500;
/// The most bytes of an answer.
const ANSWER_MOST: usize = 64 << 20;

/// Asks one registry.
pub(super) struct RegistryClient {
    settings: RegistrySettings,
    client: Client,
    token: Token,
    clock: Clock,
    /// The address that answered last.
    current: usize,
}

impl RegistryClient {
    /// # Errors
    /// `Invalid` for TLS files or a proxy that can't work.
    pub(super) fn new(settings: RegistrySettings, clock: Clock) -> Result<Self> {
        let mut builder = Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.connect_timeout + settings.read_timeout)
            .read_timeout(settings.read_timeout)
            // Requests are few and far between: a kept connection would be a stale one.
            .pool_max_idle_per_host(0);
        builder = match &settings.proxy {
            Some(proxy) => builder.proxy(reqwest_tls::Proxy::all(proxy).map_err(|error| {
                Error::invalid(format!("`proxy.host` can't be `{proxy}`")).with_source(error)
            })?),
            None => builder.no_proxy(),
        };
        let client = secured(builder, &settings.tls)?.build().map_err(|error| {
            Error::invalid("the registry's client can't be made").with_source(error)
        })?;
        Ok(Self {
            settings,
            client,
            token: Token::default(),
            clock,
            current: 0,
        })
    }

    /// The schema of a key with all that it refers to.
    pub(super) async fn fetch(&mut self, key: SchemaKey) -> Result<Registered, Refusal> {
        let path = match key {
            SchemaKey::Id(id) => vec!["schemas".into(), "ids".into(), id.to_string()],
            SchemaKey::Guid(_) => vec!["schemas".into(), "guids".into(), key.to_string()],
        };
        let answer = self.get(&path).await?;
        let missing = |what: &str| Refusal::Missing(format!("schema {key}: {what}"));
        let schema = answer.get("schema").and_then(Json::as_str);
        let schema = schema.ok_or_else(|| missing("the registry's answer has no `schema`"))?;
        let kind = answer.get("schemaType").and_then(Json::as_str);
        let id = match key {
            SchemaKey::Id(id) => Some(id),
            SchemaKey::Guid(_) => {
                let id = answer.get("id").and_then(Json::as_i64);
                id.and_then(|id| i32::try_from(id).ok())
            }
        };
        Ok(Registered {
            id,
            kind: kind.unwrap_or("AVRO").to_owned(),
            schema: schema.to_owned(),
            references: self.references(&answer).await?,
        })
    }

    /// What a schema refers to, the innermost first.
    async fn references(&mut self, root: &Json) -> Result<Vec<(String, String)>, Refusal> {
        // Depth first without recursion: a schema comes out behind all that it refers to.
        let mut out: Vec<(String, String)> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        let mut open: Vec<Step> = listed(root);
        while let Some(step) = open.pop() {
            match step {
                Step::Done(name, text) => out.push((name, text)),
                Step::Fetch {
                    name,
                    subject,
                    version,
                } => {
                    if !seen.insert(name.clone()) {
                        continue;
                    }
                    if seen.len() > REFERENCES_MOST {
                        return Err(Refusal::Missing(format!(
                            "the schema refers to more than {REFERENCES_MOST} others"
                        )));
                    }
                    let path = ["subjects", &subject, "versions", &version];
                    let answer = self.get(&path.map(str::to_owned)).await?;
                    let Some(text) = answer.get("schema").and_then(Json::as_str) else {
                        return Err(Refusal::Missing(format!(
                            "the registry has no text of `{subject}`, version {version}"
                        )));
                    };
                    open.push(Step::Done(name, text.to_owned()));
                    open.extend(listed(&answer));
                }
            }
        }
        Ok(out)
    }

    /// One answer, asked for as often as the settings say.
    async fn get(&mut self, path: &[String]) -> Result<Json, Refusal> {
        let mut last = Refusal::Away("no address of the registry was asked".to_owned());
        for attempt in 0..=self.settings.retries {
            if attempt > 0 {
                self.clock.sleep(self.settings.retry_wait).await;
            }
            for _ in 0..self.settings.urls.len() {
                match self.ask(path).await {
                    Err(Refusal::Away(why)) => {
                        last = Refusal::Away(why);
                        self.current = (self.current + 1) % self.settings.urls.len().max(1);
                    }
                    answer => return answer,
                }
            }
        }
        Err(last)
    }

    async fn ask(&mut self, path: &[String]) -> Result<Json, Refusal> {
        let base = self.settings.urls.get(self.current).cloned();
        let base = base.unwrap_or_default();
        let away = |why: String| Refusal::Away(format!("the schema registry `{base}` {why}"));
        let mut url =
            Url::parse(&base).map_err(|error| away(format!("has no address: {error}")))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut request = self.client.get(url).header(
            "accept",
            "application/vnd.schemaregistry.v1+json, application/json",
        );
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        let now = self.clock.monotonic();
        let request = self
            .token
            .sign(&self.client, &self.settings.auth, now, request);
        let request = request.await?;
        let failed =
            |error: reqwest_tls::Error| away(format!("does not answer: {}", chain(&error)));
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if answer.content_length().unwrap_or(0) > ANSWER_MOST as u64 {
            return Err(Refusal::Missing("the schema is too large".to_owned()));
        }
        let body = answer.bytes().await.map_err(failed)?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| away(format!("answers what is no JSON: {error}")));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.token.forget();
        }
        Err(refused(&base, status, &body))
    }
}

/// What an error means: only that a schema doesn't exist is the record's own matter.
fn refused(base: &str, status: StatusCode, body: &[u8]) -> Refusal {
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    let code = body.get("error_code").and_then(Json::as_i64).unwrap_or(0);
    let message = body.get("message").and_then(Json::as_str).unwrap_or("");
    let says = format!("the schema registry `{base}` answers {status}: {message}");
    // A proxy's 404 has no code of the registry's.
    let known = matches!(code, 404 | 40_401 | 40_402 | 40_403);
    match status {
        StatusCode::NOT_FOUND if known => Refusal::Missing(says),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Refusal::Missing(says),
        _ => Refusal::Away(says),
    }
}

enum Step {
    Fetch {
        name: String,
        subject: String,
        version: String,
    },
    Done(String, String),
}

fn listed(schema: &Json) -> Vec<Step> {
    let references = schema.get("references").and_then(Json::as_array);
    let references = references.into_iter().flatten().rev();
    let step = |reference: &Json| {
        let text = |key: &str| reference.get(key)?.as_str().map(str::to_owned);
        Some(Step::Fetch {
            name: text("name")?,
            subject: text("subject")?,
            version: reference.get("version")?.to_string(),
        })
    };
    references.filter_map(step).collect()
}

/// The innermost cause says why, the outer ones only that.
fn chain(error: &reqwest_tls::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
