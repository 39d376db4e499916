//! What the registry said, and whom to ask next.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;

use super::Registered;
use super::client::{Refusal, RegistryClient};
use super::settings::RegistrySettings;
use crate::convert::wire::SchemaKey;
use crate::error::{Error, ErrorKind, Result};

/// The most that a task waits for one answer before it does something else.
const PATIENCE: Duration = Duration::from_millis(500);
/// Requests that wait for their turn.
const REQUESTS_MOST: usize = 256;
/// The wait before a registry that is away is asked again, doubled while it is.
const AGAIN_LEAST: Duration = Duration::from_millis(500);
const AGAIN_MOST: Duration = Duration::from_secs(30);
/// Ids that don't exist and are remembered: broken records have any.
const MISSING_MOST: usize = 10_000;

/// A schema, or why there is none.
#[derive(Debug, Clone)]
pub(in crate::convert) enum Answer {
    /// It is there.
    Found(Arc<Registered>),
    /// There is none.
    Missing(String),
    /// It has been asked for and there is no answer yet.
    Pending(String),
    /// The registry doesn't answer.
    Away(String),
}

/// The schemas of one registry, shared by all tasks of a connector.
pub(in crate::convert) struct Registry {
    shared: Arc<Shared>,
    ask: SyncSender<SchemaKey>,
}

struct Shared {
    known: Mutex<Known>,
    answered: Condvar,
    clock: Clock,
    kept: usize,
    missing_for: Duration,
}

#[derive(Default)]
struct Known {
    found: HashMap<SchemaKey, Arc<Registered>>,
    /// Until when each counts as missing.
    missing: HashMap<SchemaKey, (String, Duration)>,
    /// Asked for since when, not answered.
    pending: HashMap<SchemaKey, Duration>,
    away: Option<Away>,
}

/// The registry doesn't answer.
#[derive(Clone)]
struct Away {
    why: String,
    wait: Duration,
    /// Not before this time is it asked again.
    until: Duration,
}

impl Registry {
    /// Starts the thread that asks the registry.
    ///
    /// # Errors
    /// `Invalid` for settings that can't work.
    pub(in crate::convert) fn start(settings: &RegistrySettings, clock: Clock) -> Result<Self> {
        let client = RegistryClient::new(settings.clone(), clock.clone())?;
        let shared = Arc::new(Shared {
            known: Mutex::default(),
            answered: Condvar::new(),
            clock,
            kept: settings.kept.max(1),
            missing_for: settings.missing_for,
        });
        let (ask, asked) = sync_channel(REQUESTS_MOST);
        let failed = |error: std::io::Error| {
            Error::new(
                ErrorKind::Internal,
                "the registry's thread can't be started",
            )
            .with_source(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let answers = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("schema-registry".to_owned())
            .spawn(move || runtime.block_on(serve(client, &asked, &answers)))
            .map_err(failed)?;
        Ok(Self { shared, ask })
    }

    /// The schema of a key; waits a moment for one that isn't known yet.
    pub(in crate::convert) fn get(&self, key: SchemaKey) -> Answer {
        let now = self.shared.clock.monotonic();
        let mut known = self.shared.lock();
        if let Some(answer) = known.answer(key, now) {
            return answer;
        }
        let asked = known.pending.get(&key).copied();
        if asked.is_none() {
            match self.ask.try_send(key) {
                Ok(()) => {
                    known.pending.insert(key, now);
                }
                Err(TrySendError::Full(_)) => {
                    return Answer::Pending("too many schemas are asked for at once".to_owned());
                }
                Err(TrySendError::Disconnected(_)) => {
                    return Answer::Away("the registry's thread has ended".to_owned());
                }
            }
        }
        // A request that somebody has waited for already isn't waited for again.
        let left = PATIENCE.saturating_sub(now.saturating_sub(asked.unwrap_or(now)));
        let waited = self
            .shared
            .answered
            .wait_timeout_while(known, left, |known| known.pending.contains_key(&key));
        let (known, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let later = || Answer::Pending(format!("the schema registry is asked for schema {key}"));
        let now = self.shared.clock.monotonic();
        known.answer(key, now).unwrap_or_else(later)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What is known of a key now.
    fn answer(&self, key: SchemaKey, now: Duration) -> Option<Answer> {
        if let Some(found) = self.found.get(&key) {
            return Some(Answer::Found(Arc::clone(found)));
        }
        if let Some((why, until)) = self.missing.get(&key)
            && now < *until
        {
            return Some(Answer::Missing(why.clone()));
        }
        match &self.away {
            Some(away) if now < away.until => Some(Answer::Away(away.why.clone())),
            _ => None,
        }
    }

    fn take(
        &mut self,
        key: SchemaKey,
        answer: Result<Registered, Refusal>,
        now: Duration,
        shared: &Shared,
    ) {
        self.pending.remove(&key);
        if !matches!(answer, Err(Refusal::Away(_))) && self.away.take().is_some() {
            tracing::info!("the schema registry answers again");
        }
        match answer {
            Ok(registered) => {
                if self.found.len() >= shared.kept {
                    // Which one goes matters little: it is fetched again when it is needed.
                    let any = self.found.keys().next().copied();
                    any.map(|any| self.found.remove(&any));
                }
                self.missing.remove(&key);
                self.found.insert(key, Arc::new(registered));
            }
            Err(Refusal::Missing(why)) => {
                if self.missing.len() >= MISSING_MOST {
                    self.missing.retain(|_, (_, until)| now < *until);
                    if self.missing.len() >= MISSING_MOST {
                        self.missing.clear();
                    }
                }
                self.missing.insert(key, (why, now + shared.missing_for));
            }
            Err(Refusal::Away(why)) => {
                let wait = self.away.as_ref().map_or(AGAIN_LEAST, |away| away.wait * 2);
                let wait = wait.min(AGAIN_MOST);
                tracing::warn!(why, again_in = ?wait, "the schema registry is away; records wait");
                self.away = Some(Away {
                    why,
                    wait,
                    until: now + wait,
                });
            }
        }
    }
}

/// Answers one request after the other, until nobody can ask any more.
async fn serve(mut client: RegistryClient, asked: &Receiver<SchemaKey>, shared: &Shared) {
    // Nothing else runs on this thread's runtime between two requests.
    while let Ok(key) = asked.recv() {
        let answer = client.fetch(key).await;
        let now = shared.clock.monotonic();
        shared.lock().take(key, answer, now, shared);
        shared.answered.notify_all();
    }
}
