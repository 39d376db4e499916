//! Collections as others in this process manage them: `rest`, and what stands beside it.

use super::Collector;
use super::collection::{Collection, State, check_name, check_topic};
use super::tokens::Token;
use crate::error::{Error, Result};

/// Partitions of a topic that is made for a request, which a slip of the finger would make a burden
/// to the broker.
const PARTITIONS_MOST: i32 = 1_000;

impl Collector {
    /// All collections by name, those of the configuration file among them.
    ///
    /// # Errors
    /// `Unavailable` when the lake was never read and doesn't answer.
    pub async fn collections(&self) -> Result<Vec<Collection>> {
        let snapshot = self.0.collections.current().await?;
        Ok(snapshot.collections.values().cloned().collect())
    }

    /// One collection.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when the lake was never read and doesn't answer.
    pub async fn collection(&self, name: &str) -> Result<Collection> {
        self.0.collections.get(name).await
    }

    /// Makes a collection, its topic where there is none, and its first token: the text is shown
    /// this once.
    ///
    /// # Errors
    /// `Invalid` for a name or a topic that can't be right, or where the broker doesn't let the
    /// topic be made; `Fenced` when the name is taken; `Unavailable` when no broker answers.
    pub async fn create_collection(
        &self,
        name: &str,
        topic: &str,
        partitions: Option<i32>,
    ) -> Result<(Collection, String)> {
        let (made, token) = self.create(name, topic, partitions).await?;
        Ok((made, token.reveal().to_owned()))
    }

    /// Pauses, resumes or archives a collection.
    ///
    /// # Errors
    /// `NotFound`, and `Fenced` for one of the configuration file.
    pub async fn set_collection_state(&self, name: &str, state: State) -> Result<Collection> {
        self.0.collections.set_state(name, state).await
    }

    /// As [`Collector::create_collection`].
    pub(super) async fn create(
        &self,
        name: &str,
        topic: &str,
        partitions: Option<i32>,
    ) -> Result<(Collection, Token)> {
        check_name(name)?;
        check_topic(topic)?;
        if partitions.is_some_and(|partitions| !(1..=PARTITIONS_MOST).contains(&partitions)) {
            return Err(Error::invalid(format!(
                "`partitions` must be between 1 and {PARTITIONS_MOST}; make a topic with more by \
                 hand"
            )));
        }
        // A request that is refused leaves no topic behind.
        self.0.collections.could_create(name).await?;
        self.0.topics.make(topic, partitions).await?;
        self.0.collections.create(name, topic).await
    }
}
