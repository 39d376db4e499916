//! Records and the replay's progress in one transaction of the destination: each record is there
//! exactly once, whatever dies when.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Destination;
use crate::error::{Error, Result};
use crate::progress::{Counts, Mark};

/// A destination that was opened for records in transactions. After an error it has to be opened
/// anew; only then it is known whether the last transaction was committed.
#[async_trait]
pub trait Transactions: Destination {
    /// Begins a transaction, for all records that are handed over from now on.
    ///
    /// # Errors
    /// `Unavailable` when it can't be begun, as when somebody else has opened them.
    async fn begin(&self) -> Result<()>;

    /// Commits the transaction: its records and `marked` are there together, or neither is.
    ///
    /// # Errors
    /// `Unavailable` when it isn't committed or nobody knows, `Invalid` when `marked` can't be
    /// kept.
    async fn commit_with(&self, marked: &Marked) -> Result<()>;

    /// Takes back the transaction, so that it holds up nobody. If that fails, it is taken back when
    /// its time is over.
    async fn abort(&self);
}

/// How far a replay is, as its last transaction says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// Everything up to these marks is settled.
    pub marks: Vec<Mark>,
    /// What lies behind them.
    pub counts: Counts,
}

impl Marked {
    /// The one that is further on. Both are of one replay, whose marks only move forward.
    #[must_use]
    pub(crate) fn later(self, other: Self) -> Self {
        match other.counts.settled() > self.counts.settled() {
            true => other,
            false => self,
        }
    }
}

/// The error of a destination that takes no records in transactions.
pub(crate) fn no_transactions(target: &str) -> Error {
    Error::invalid(format!(
        "{target} has no transactions, and so can't take records exactly once"
    ))
    .with_hint(
        "exactly_once goes into Kafka; elsewhere a record that is sent twice has the same key",
    )
}
