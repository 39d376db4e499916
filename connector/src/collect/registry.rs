//! The collections there are: declared in the configuration file (read-only), or made by REST and
//! stored in the lake.
//!
//! All of the stored ones are one numbered object, `_eddy/collections/`: a change is the next
//! number (P23), so names and ids of tokens are unique whoever makes them, and whoever follows
//! needs one look. A process looks again when what it knows is [`FRESH_FOR`] old.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use eddy_engine::state::Register;
use eddy_engine::{Clock, Lake};
use serde::{Deserialize, Serialize};

use super::collection::{Collection, Issued, State, check_name, check_rate, check_topic};
use super::declared::Declared;
use super::snapshot::Snapshot;
use super::tokens::{Digest, Hashed, Token};
use super::within;
use crate::error::{Error, ErrorKind, Result};

/// How old what a process knows of the collections may be: a token that another process revoked
/// opens this one's door for at most as long, while the lake can be read.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// How long a request waits for a look; then it goes by what was known.
const LOOK: Duration = Duration::from_secs(3);
/// How many there may be, so that all of them are one small object.
const COLLECTIONS_MOST: usize = 1_000;
const TOKENS_MOST: usize = 32;
/// How often a change is made anew because another one came first.
const ATTEMPTS: u32 = 5;
/// How often an object is put until it is known whether it is there.
const PUTS: u32 = 4;
const BETWEEN_PUTS: Duration = Duration::from_millis(200);

/// The collections there are. Cheap to clone.
#[derive(Clone)]
pub struct Collections(Arc<Inner>);

struct Inner {
    register: Register,
    clock: Clock,
    declared: Vec<Declared>,
    known: Mutex<Option<Arc<Snapshot>>>,
    looking: tokio::sync::Mutex<()>,
}

/// What the register holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// What two writers put must differ.
    attempt: String,
    collections: Vec<Collection>,
}

impl Collections {
    /// The collections of a lake, and those that the configuration file declares. Nothing is read.
    ///
    /// # Errors
    /// `Invalid` when two declared ones have the same name or token.
    pub fn open(lake: &Lake, declared: Vec<Declared>) -> Result<Self> {
        let mut seen: HashMap<Digest, &str> = HashMap::new();
        for one in &declared {
            for (_, token) in &one.tokens {
                if let Some(other) = seen.insert(token.digest(), &one.name) {
                    return Err(Error::invalid(format!(
                        "collections `{other}` and `{}` have the same token",
                        one.name
                    )));
                }
            }
        }
        Ok(Self(Arc::new(Inner {
            register: Register::new(lake, "collections"),
            clock: lake.clock().clone(),
            declared,
            known: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        })))
    }

    /// Whether a collection of that name could be made now, asked before its topic is made.
    ///
    /// # Errors
    /// As [`Collections::create`].
    pub(super) async fn could_create(&self, name: &str) -> Result<()> {
        self.refuse_declared(name)?;
        let (_, all) = self.stored().await?;
        has_room(&all, name)
    }

    /// Makes a collection with its first token, which nobody can learn later.
    ///
    /// # Errors
    /// `Fenced` when the name is taken, `Invalid` when it can't be right.
    pub(super) async fn create(&self, name: &str, topic: &str) -> Result<(Collection, Token)> {
        check_name(name)?;
        check_topic(topic)?;
        let (issued, token) = self.issue(None, None).await?;
        let made = Collection {
            name: name.to_owned(),
            topic: topic.to_owned(),
            state: State::Active,
            tokens: vec![issued],
            declared: false,
        };
        let change = |all: &mut BTreeMap<String, Collection>| {
            has_room(all, name)?;
            all.insert(name.to_owned(), made.clone());
            Ok(made.clone())
        };
        Ok((self.change(name, change).await?, token))
    }

    /// Pauses, resumes or archives a collection.
    ///
    /// # Errors
    /// `NotFound`, and `Fenced` for a declared one.
    pub(super) async fn set_state(&self, name: &str, state: State) -> Result<Collection> {
        self.change(name, |all| {
            let found = all.get_mut(name).ok_or_else(|| unknown(name))?;
            found.state = state;
            Ok(found.clone())
        })
        .await
    }

    /// Hands out one more token, which nobody can learn later.
    ///
    /// # Errors
    /// As [`Collections::set_state`]; `Invalid` for a rate of zero, a time that is over, or one
    /// token too many.
    pub(super) async fn add_token(
        &self,
        name: &str,
        expires_ms: Option<i64>,
        rate: Option<u32>,
    ) -> Result<(Issued, Token)> {
        check_rate(rate)?;
        let now_ms = self.0.clock.now_us() / 1_000;
        if expires_ms.is_some_and(|expires| expires <= now_ms) {
            return Err(Error::invalid("the token would have expired already"));
        }
        let (issued, token) = self.issue(expires_ms, rate).await?;
        self.change(name, |all| {
            let found = all.get_mut(name).ok_or_else(|| unknown(name))?;
            if found.tokens.len() >= TOKENS_MOST {
                return Err(Error::invalid(format!(
                    "collection `{name}` has {TOKENS_MOST} tokens; revoke one first"
                )));
            }
            found.tokens.push(issued.clone());
            Ok(())
        })
        .await?;
        Ok((issued, token))
    }

    /// Takes a token back: here at once, in other processes within [`FRESH_FOR`].
    ///
    /// # Errors
    /// As [`Collections::set_state`]; `NotFound` when the collection has no such token.
    pub(super) async fn revoke(&self, name: &str, id: &str) -> Result<()> {
        self.change(name, |all| {
            let found = all.get_mut(name).ok_or_else(|| unknown(name))?;
            let before = found.tokens.len();
            found.tokens.retain(|token| token.id != id);
            if found.tokens.len() == before {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("collection `{name}` has no token `{id}`"),
                ));
            }
            Ok(())
        })
        .await
    }

    /// One collection.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when the lake was never read and doesn't answer.
    pub(super) async fn get(&self, name: &str) -> Result<Collection> {
        let snapshot = self.current().await?;
        let found = snapshot.collections.get(name).cloned();
        found.ok_or_else(|| unknown(name))
    }

    /// Partitions that the topic of a declared collection asks for.
    pub(super) fn partitions(&self, name: &str) -> Option<i32> {
        let declared = self.0.declared.iter();
        declared.clone().find(|one| one.name == name)?.partitions
    }

    /// The collections as they were at most [`FRESH_FOR`] ago; older while the lake can't be read,
    /// since a collector needs Kafka and not the lake.
    ///
    /// # Errors
    /// `Unavailable` when the lake was never read and doesn't answer.
    pub(super) async fn current(&self) -> Result<Arc<Snapshot>> {
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        let _one = self.0.looking.lock().await;
        if let Some(known) = self.fresh() {
            return Ok(known);
        }
        let begun = self.0.clock.monotonic();
        let looked = within(&self.0.clock, LOOK, self.stored()).await;
        let looked = looked.unwrap_or_else(|| {
            Err(Error::unavailable(
                "the lake did not say in time which collections there are",
            ))
        });
        match looked {
            Ok((number, all)) => Ok(self.know(number, all, begun)),
            Err(error) => match self.known() {
                Some(known) => {
                    tracing::warn!(%error, "collections are those that were known before");
                    // Not each request waits for a lake that is away.
                    let now = self.0.clock.monotonic();
                    Ok(self.know(known.number, known.stored(), now))
                }
                None => Err(error),
            },
        }
    }

    async fn issue(&self, expires_ms: Option<i64>, rate: Option<u32>) -> Result<(Issued, Token)> {
        let (id, token) = Token::random()?;
        let hashed = token.clone();
        let hash = tokio::task::spawn_blocking(move || Hashed::new(&hashed)).await;
        let hash = hash.map_err(|error| {
            Error::new(ErrorKind::Internal, "a token can't be hashed").with_source(error)
        })??;
        let issued = Issued {
            id,
            hash,
            expires_ms,
            rate,
            created_ms: self.0.clock.now_us() / 1_000,
        };
        Ok((issued, token))
    }

    fn refuse_declared(&self, name: &str) -> Result<()> {
        if self.0.declared.iter().any(|one| one.name == name) {
            return Err(Error::new(
                ErrorKind::Fenced,
                format!(
                    "collection `{name}` stands in the configuration file and can't be changed here"
                ),
            ));
        }
        Ok(())
    }

    /// Changes what is stored, and knows it from then on.
    async fn change<T>(
        &self,
        name: &str,
        change: impl Fn(&mut BTreeMap<String, Collection>) -> Result<T>,
    ) -> Result<T> {
        self.refuse_declared(name)?;
        for _ in 0..ATTEMPTS {
            let (number, mut all) = self.stored().await?;
            let changed = change(&mut all)?;
            let stored = Stored {
                attempt: self.0.clock.new_id().to_string(),
                collections: all.values().cloned().collect(),
            };
            let bytes = serde_json::to_vec(&stored).map_err(|error| {
                Error::new(ErrorKind::Internal, "the collections can't be written")
                    .with_source(error)
            })?;
            match self.put(number, bytes.into()).await {
                Ok(()) => {
                    self.know(number + 1, all, self.0.clock.monotonic());
                    return Ok(changed);
                }
                Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::unavailable(
            "the collections change all the while; try again",
        ))
    }

    /// Puts the object. Where nobody knows whether it landed the same put settles it; a token that
    /// was made would be lost otherwise.
    async fn put(&self, number: u64, bytes: Bytes) -> eddy_engine::Result<()> {
        for _ in 1..PUTS {
            match self.0.register.put(number, bytes.clone()).await {
                Err(error) if error.is_unavailable() => self.0.clock.sleep(BETWEEN_PUTS).await,
                put => return put,
            }
        }
        self.0.register.put(number, bytes).await
    }

    /// The number of the next object, and what the newest one holds.
    async fn stored(&self) -> Result<(u64, BTreeMap<String, Collection>)> {
        let Some((number, bytes)) = self.0.register.latest().await? else {
            return Ok((0, BTreeMap::new()));
        };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| {
            let text = format!("object {number} of `_eddy/collections` can't be read");
            Error::new(ErrorKind::Data, text).with_source(error)
        })?;
        let all = stored.collections.into_iter();
        let all = all.map(|one| (one.name.clone(), one)).collect();
        Ok((number + 1, all))
    }

    fn known(&self) -> Option<Arc<Snapshot>> {
        let known = self.0.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self) -> Option<Arc<Snapshot>> {
        let known = self.known()?;
        (self.0.clock.monotonic() < known.read_at + FRESH_FOR).then_some(known)
    }

    /// Knows this from now on, unless what is known is newer: a look may end after a change that
    /// began later.
    fn know(
        &self,
        number: u64,
        stored: BTreeMap<String, Collection>,
        read_at: Duration,
    ) -> Arc<Snapshot> {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newer) = known.as_ref().filter(|known| known.number > number) {
            return Arc::clone(newer);
        }
        let snapshot = Snapshot::new(stored, &self.0.declared, number, read_at);
        let snapshot = Arc::new(snapshot);
        *known = Some(Arc::clone(&snapshot));
        snapshot
    }
}

/// Whether one more, of that name, may be among those that are stored.
fn has_room(all: &BTreeMap<String, Collection>, name: &str) -> Result<()> {
    if all.contains_key(name) {
        return Err(Error::new(
            ErrorKind::Fenced,
            format!("there is a collection `{name}` already"),
        ));
    }
    if all.len() >= COLLECTIONS_MOST {
        return Err(Error::invalid(format!(
            "there are {COLLECTIONS_MOST} collections already, and there can't be more"
        )));
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("there is no collection `{name}`"),
    )
}

#[cfg(test)]
mod tests;
