//! `[platform]`: the management API of the old platform.

use serde::Deserialize;

/// `[platform]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PlatformSettings {
    /// Serve `/v1/` beside `/api/v1/`, to whom that is served. Off unless somebody's clients need
    /// it: a second way to everything is a second thing to look after.
    pub(crate) enabled: bool,
}
