//! Which collection a token opens: by its digest if the configuration file declares it, else by
//! its id and its hash.

use std::time::Duration;

use eddy_engine::Clock;
use tokio::sync::Semaphore;

use super::collection::State;
use super::registry::Collections;
use super::tokens::{Digest, Hashed, Memory, Token};
use crate::error::{Error, ErrorKind, Result};

/// Tokens that are remembered, right ones and wrong ones apart, so that wrong ones push out none
/// that is right.
const REMEMBERED: usize = 4_096;
/// How long.
const KEEP: Duration = Duration::from_secs(300);
/// Tokens that are hashed at once: whoever sends wrong ones gets no more of the processor.
const HASHING: usize = 1;

/// Finds what tokens open.
pub(super) struct Door {
    collections: Collections,
    clock: Clock,
    right: Memory,
    wrong: Memory,
    hashing: Semaphore,
}

/// What a token opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) collection: String,
    pub(super) topic: String,
    pub(super) state: State,
    /// Of the collection and the token, for its rate.
    pub(super) token: String,
    /// Events per second.
    pub(super) rate: Option<u32>,
}

impl Door {
    pub(super) fn new(collections: Collections, clock: Clock) -> Self {
        Self {
            collections,
            clock,
            right: Memory::new(REMEMBERED, KEEP),
            wrong: Memory::new(REMEMBERED, KEEP),
            hashing: Semaphore::new(HASHING),
        }
    }

    /// What the token opens; nothing for one that is unknown, revoked or expired.
    ///
    /// # Errors
    /// `Unavailable` when the lake was never read and doesn't answer.
    pub(super) async fn open(&self, token: Token) -> Result<Option<Opened>> {
        let snapshot = self.collections.current().await?;
        let digest = token.digest();
        if let Some((collection, id, rate)) = snapshot.declared(&digest) {
            return Ok(Some(Opened {
                collection: collection.name.clone(),
                topic: collection.topic.clone(),
                state: collection.state,
                token: format!("{}/{id}", collection.name),
                rate,
            }));
        }
        let Some((collection, issued)) = token.id().and_then(|id| snapshot.issued(id)) else {
            return Ok(None);
        };
        let now_ms = self.clock.now_us() / 1_000;
        if issued.expires_ms.is_some_and(|expires| now_ms >= expires) {
            return Ok(None);
        }
        let opened = Opened {
            collection: collection.name.clone(),
            topic: collection.topic.clone(),
            state: collection.state,
            token: format!("{}/{}", collection.name, issued.id),
            rate: issued.rate,
        };
        let is_right = self.is_of(&issued.hash, token, digest).await?;
        Ok(is_right.then_some(opened))
    }

    async fn is_of(&self, hash: &Hashed, token: Token, digest: Digest) -> Result<bool> {
        let remembered = || {
            let now = self.clock.monotonic();
            let is_right = self.right.has(now, &digest, hash);
            (is_right || self.wrong.has(now, &digest, hash)).then_some(is_right)
        };
        if let Some(is_right) = remembered() {
            return Ok(is_right);
        }
        let permit = self.hashing.acquire().await;
        let _permit = permit.map_err(|_| Error::unavailable("the collector is closed"))?;
        // Whoever was before may have asked the same.
        if let Some(is_right) = remembered() {
            return Ok(is_right);
        }
        let hashed = hash.clone();
        let asked = tokio::task::spawn_blocking(move || hashed.is_of(&token)).await;
        let is_right = asked.map_err(|error| {
            Error::new(ErrorKind::Internal, "a token can't be hashed").with_source(error)
        })??;
        let memory = if is_right { &self.right } else { &self.wrong };
        memory.note(self.clock.monotonic(), digest, hash.clone());
        Ok(is_right)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use eddy_engine::testing::memory_lake;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_opens_its_collection_until_it_expires_or_is_revoked() {
        let clock = Clock::manual(1_000_000);
        let lake = memory_lake(clock.clone());
        let collections = Collections::open(&lake, Vec::new()).unwrap();
        let door = Door::new(collections.clone(), clock.clone());
        let (_, first) = collections.create("clicks", "web").await.unwrap();
        let (_, short) = collections
            .add_token("clicks", Some(3_000), Some(7))
            .await
            .unwrap();
        let opened = door.open(short.clone()).await.unwrap().unwrap();
        assert_eq!((opened.topic.as_str(), opened.rate), ("web", Some(7)));
        let forged = format!("{}x", first.reveal());
        for wrong in ["", "eddy_", "eddy_0123456789abcdef_x", forged.as_str()] {
            // The second time it is remembered.
            for _ in 0..2 {
                assert_eq!(
                    door.open(Token::given(wrong)).await.unwrap(),
                    None,
                    "{wrong}"
                );
            }
        }
        clock.advance(Duration::from_secs(2));
        assert_eq!(door.open(short).await.unwrap(), None);
        assert!(door.open(first.clone()).await.unwrap().is_some());
        collections
            .revoke("clicks", first.id().unwrap())
            .await
            .unwrap();
        assert_eq!(door.open(first).await.unwrap(), None);
    }
}
