//! `[replay]`: what replays may do.

use anyhow::{Context, Result};
use eddy_replay::{Reach, SHARDS_AT_ONCE};
use serde::Deserialize;

/// `[replay]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReplaySettings {
    /// Networks of this machine or its surroundings that HTTP destinations may be in, with commas
    /// between: `10.1.0.0/16, 127.0.0.1`. None unless given: whoever may make a destination could
    /// reach what is not meant for them.
    pub(crate) allow_internal: String,
    /// How many shards of divided replays the process sends at once. More send faster, and each has
    /// up to 32 MiB under way; with none it leaves them to others.
    pub(crate) shards: usize,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        Self {
            allow_internal: String::new(),
            shards: SHARDS_AT_ONCE,
        }
    }
}

impl ReplaySettings {
    /// The same as the replay crate takes it.
    ///
    /// # Errors
    /// Names what is no network.
    pub(crate) fn reach(&self) -> Result<Reach> {
        Reach::parse(&self.allow_internal).context("`replay.allow_internal`")
    }
}
