//! `[replay]`: what replays may do.

use anyhow::{Context, Result};
use eddy_replay::Reach;
use serde::Deserialize;

/// `[replay]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReplaySettings {
    /// Networks of this machine or its surroundings that HTTP destinations may be in, with commas
    /// between: `10.1.0.0/16, 127.0.0.1`. None unless given: whoever may make a destination could
    /// reach what is not meant for them.
    pub(crate) allow_internal: String,
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
