//! HTTP as a destination: a request for each record, or for a batch of them.
//!
//! At least once: a request whose answer got lost is sent again, with the same `Idempotency-Key`,
//! within a run and after a restart. A request is tried until it is taken or refused, as often as
//! the replay's `attempts` say; `answer` has what each status means, `letter` and `line` what goes
//! out. Requests go out several at a time where the replay's order allows it: with `ordering =
//! 'partition'` (the default) the records of a partition one after the other, with `'key'` those
//! of a key, with `'none'` any.
//!
//! A batch that is refused is sent again in halves, down to the record that is refused.
//!
//! Redirects are followed within one host and only by 307 and 308, which keep method and body.
//! Addresses are checked as `reach` says. Proxies of the environment are not used: behind one the
//! address could not be checked.

mod answer;
mod letter;
mod oauth;
mod settings;
mod signature;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use eddy_engine::Clock;
use reqwest_tls::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest_tls::redirect::Policy;
use reqwest_tls::{Client, Response, Url};
use tokio_util::sync::CancellationToken;

use self::answer::{Verdict, judge};
use self::letter::Letter;
use self::oauth::{Grant, Tokens};
use self::settings::{Settings, WHAT};
use super::client::{Connecting, away, refuses};
use super::given::Given;
use super::lanes::{Carrier, Lanes, fail_rest};
use super::packed::Packed;
use super::patience::{Patience, Tries};
use super::reach::Reach;
use super::said::{SAID_MAX, excerpt};
use super::veil::Veil;
use super::{Checked, Delivery, Destination, Landed, Outgoing};
use crate::error::{ErrorKind, Result};
use crate::request::{OnError, Options};

/// Destinations of type `http`.
#[derive(Clone)]
pub(crate) struct Http {
    clock: Clock,
    reach: Reach,
}

/// The status of an answer to somebody unknown.
const UNAUTHORIZED: u16 = 401;
/// Hops of redirects that are followed.
const REDIRECTS_MAX: usize = 3;
/// What is read of an answer, so that the connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 << 10;

impl Http {
    /// The kind; `clock` is the lake's, `reach` the operator's.
    pub(crate) fn new(clock: Clock, reach: Reach) -> Self {
        Self { clock, reach }
    }

    /// Whether the options can be right.
    ///
    /// # Errors
    /// `Invalid`, naming the option.
    pub(super) fn validate(&self, options: &BTreeMap<String, String>) -> Result<()> {
        if let Some(url) = settings::validate(options)? {
            self.reach.check_host(url.host())?;
        }
        match Grant::read(&Given::written(WHAT, options))? {
            Some(grant) => self.reach.check_host(grant.host()),
            None => Ok(()),
        }
    }

    /// Opens the destination: `written` are the options with their references.
    ///
    /// # Errors
    /// `Invalid` when the options can't be used.
    pub(super) fn open(
        &self,
        written: &BTreeMap<String, String>,
        options: &BTreeMap<String, String>,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>> {
        let settings = Settings::new(options, replay)?;
        self.reach.check_host(settings.url.host())?;
        let client = client(&settings, &self.reach)?;
        let tokens = match Grant::read(&Given::resolved(WHAT, options))? {
            Some(grant) => {
                self.reach.check_host(grant.host())?;
                Some(Tokens::new(grant, client.clone(), self.clock.clone()))
            }
            None => None,
        };
        let tokens = tokens.map(Arc::new);
        let halt = CancellationToken::new();
        let carrier = Sender {
            client: client.clone(),
            tokens: tokens.clone(),
            settings: settings.clone(),
            patience: Patience::new(self.clock.clone(), replay.attempts, halt.clone()),
            clock: self.clock.clone(),
            stops: replay.on_error == OnError::Stop,
            hides_path: written.get("url").is_some_and(|url| url.contains("${")),
            veil: Veil::between(written, options),
        };
        let clock = self.clock.clone();
        let lanes = Lanes::start(carrier, settings.sizes, replay, clock, halt);
        Ok(Arc::new(Target {
            target: target(written, &settings),
            settings,
            client,
            tokens,
            lanes,
        }))
    }
}

/// What the destination stands for, as it is written: a reference stays one, and a query, which
/// may hold a secret, is left out.
fn target(written: &BTreeMap<String, String>, settings: &Settings) -> String {
    let url = written.get("url").map_or("", |url| url.trim());
    let url = url.split('?').next().unwrap_or_default();
    format!("http {} {url}", settings.method)
}

fn client(settings: &Settings, reach: &Reach) -> Result<Client> {
    let redirects = Policy::custom(|hop| {
        let keeps = matches!(hop.status().as_u16(), 307 | 308);
        let stays = hop
            .previous()
            .first()
            .is_some_and(|first| first.origin() == hop.url().origin());
        if keeps && stays && hop.previous().len() <= REDIRECTS_MAX {
            hop.follow()
        } else {
            hop.stop()
        }
    });
    let connecting = Connecting {
        timeout: settings.timeout,
        connect_timeout: settings.connect_timeout,
        idle: settings.sizes.lanes,
        trusted: settings.trusted.as_deref(),
        identity: settings.identity.as_deref(),
    };
    connecting.client(reach, redirects)
}

/// An opened HTTP destination.
struct Target {
    target: String,
    settings: Settings,
    client: Client,
    tokens: Option<Arc<Tokens>>,
    lanes: Lanes,
}

#[async_trait]
impl Destination for Target {
    fn target(&self) -> String {
        self.target.clone()
    }

    /// `HEAD`, whose every answer says that somebody is there: what a server makes of the real
    /// method can't be asked without sending something.
    async fn check(&self) -> Result<Checked> {
        let mut headers = self.settings.headers.clone();
        if let Some(tokens) = &self.tokens {
            headers.insert(AUTHORIZATION, tokens.get().await?);
        }
        let asked = self.client.head(self.settings.url.reachable());
        let answer = asked.headers(headers).send().await;
        let answer = answer.map_err(|error| away(&error))?;
        Ok(Checked {
            target: self.target(),
            status: Some(answer.status().as_u16()),
            ..Checked::default()
        })
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        self.lanes.send(record).await
    }

    fn window(&self) -> Option<usize> {
        Some(self.settings.sizes.window())
    }

    fn tells_origin(&self) -> bool {
        true
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn halt(&self) {
        self.lanes.halt();
    }
}

/// Sends the requests of all lanes.
struct Sender {
    client: Client,
    /// What gives requests their `Authorization`, if that isn't written down.
    tokens: Option<Arc<Tokens>>,
    settings: Settings,
    patience: Patience,
    clock: Clock,
    /// Whether nothing follows a refused record.
    stops: bool,
    /// Whether the URL's path may be a secret, since it comes from a reference.
    hides_path: bool,
    /// Over what references stand for, before the text is cut: no piece of it is known afterwards.
    veil: Veil,
}

impl Carrier for Sender {
    async fn carry(&self, batch: &[Packed]) -> Vec<Result<Landed>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        // The parts that are still to go, the next one last.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match self.deliver(part).await {
                Ok(()) => outcomes.extend(part.iter().map(|_| Ok(Landed::default()))),
                Err(error) if error.kind() == ErrorKind::Rejected && part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(error) => {
                    let ends = self.stops || error.kind() != ErrorKind::Rejected;
                    let place = part.first().map(Packed::place).unwrap_or_default();
                    outcomes.push(Err(error.of_record(&place)));
                    if ends {
                        fail_rest(&mut outcomes, batch.len());
                        return outcomes;
                    }
                }
            }
        }
        outcomes
    }
}

impl Sender {
    /// Sends one request until it is taken or refused.
    async fn deliver(&self, records: &[Packed]) -> Result<()> {
        let letter = match records {
            [record] if !self.settings.batches => Letter::of(record, &self.settings)?,
            records => Letter::of_batch(records, &self.settings)?,
        };
        let mut tries = Tries::default();
        self.patience.turn().await?;
        loop {
            match self.once(&letter).await.settled() {
                Ok(outcome) => {
                    if outcome.is_ok() {
                        self.patience.taken();
                    }
                    return outcome;
                }
                Err((after, error)) => self.patience.again(&mut tries, after, error).await?,
            }
        }
    }

    async fn once(&self, letter: &Letter) -> Verdict {
        let Some(tokens) = &self.tokens else {
            return self.send(letter, None).await.1;
        };
        let token = match self.with_token(tokens, letter).await {
            Ok((Some(UNAUTHORIZED), _, token)) => token,
            Ok((_, verdict, _)) | Err(verdict) => return verdict,
        };
        tokens.forget(&token).await;
        match self.with_token(tokens, letter).await {
            Ok((_, verdict, _)) | Err(verdict) => verdict,
        }
    }

    /// Sends a request with the token that is held, and tells the status, what it means, and the
    /// token.
    async fn with_token(
        &self,
        tokens: &Tokens,
        letter: &Letter,
    ) -> std::result::Result<(Option<u16>, Verdict, HeaderValue), Verdict> {
        let token = tokens.get().await.map_err(|error| match error.kind() {
            ErrorKind::Unavailable => Verdict::Again { after: None, error },
            _ => Verdict::Broken(error),
        })?;
        let (status, verdict) = self.send(letter, Some(&token)).await;
        Ok((status, verdict, token))
    }

    /// Sends a request, and tells the status, if there is an answer, and what it means.
    async fn send(&self, letter: &Letter, token: Option<&HeaderValue>) -> (Option<u16>, Verdict) {
        let mut headers = letter.headers.clone();
        if let Some(signer) = &self.settings.signer
            && let Some(id) = letter.headers.get("idempotency-key")
        {
            let seconds = self.clock.now_us().div_euclid(1_000_000);
            signer.sign(id, seconds, &letter.body, &mut headers);
        }
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        let request = self
            .client
            .request(self.settings.method.clone(), letter.url.clone())
            .headers(headers)
            .body(letter.body.clone());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if refuses(&error) || error.is_builder() => {
                return (None, Verdict::Broken(away(&error)));
            }
            Err(error) => {
                let after = None;
                let error = away(&error);
                return (None, Verdict::Again { after, error });
            }
        };
        let status = answer.status().as_u16();
        let after = answer.headers().get(RETRY_AFTER).cloned();
        let after = after.as_ref().and_then(|value| value.to_str().ok());
        let told = self.told(answer, token, &letter.url).await;
        let verdict = judge(status, after, &told, self.clock.now_us());
        (Some(status), verdict)
    }

    /// The beginning of an answer's body, as an error may repeat it: without our secrets, which a
    /// server may repeat to us.
    async fn told(&self, mut answer: Response, token: Option<&HeaderValue>, url: &Url) -> String {
        let mut body = Vec::new();
        let is_success = answer.status().is_success();
        // What breaks off here has been answered all the same.
        while body.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
        if is_success {
            return String::new();
        }
        let mut text = self.veil.over(&String::from_utf8_lossy(&body));
        let secrets = self.settings.headers.values().chain(token);
        for value in secrets.filter_map(|value| value.to_str().ok()) {
            // Of `Bearer x` it is the `x` that is secret.
            let secret = value.rsplit(' ').next().unwrap_or(value);
            if secret.len() >= 4 {
                text = text.replace(secret, "***");
            }
        }
        let query = url.query_pairs().map(|(_, value)| value.into_owned());
        let path = self.hides_path.then(|| url.path().to_owned());
        let parts = query.chain(path).chain(url.query().map(str::to_owned));
        for part in parts.filter(|part| part.len() >= 4) {
            text = text.replace(&part, "***");
        }
        excerpt(&text, SAID_MAX)
    }
}

#[cfg(test)]
mod tests;
