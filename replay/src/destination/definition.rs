//! A destination as it is written down: a name, a type, options.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::secret;
use crate::error::{Error, Result};
use crate::request::is_name;

/// A destination as it is written down. `Debug` hides secrets; `Serialize` does not, it is for
/// the register, which only takes definitions without literal secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// What SELECT INTO calls it.
    pub name: String,
    /// The type, as `kafka`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The type's own options; values may be or hold references.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl Definition {
    /// The options as they may be shown.
    pub fn shown_options(&self) -> BTreeMap<String, String> {
        secret::shown(&self.options)
    }

    /// Refuses names that can't stand in a URL or an object key.
    pub(crate) fn check_name(&self) -> Result<()> {
        let name = self.name.as_str();
        if is_name(name) {
            return Ok(());
        }
        Err(
            Error::invalid(format!("`{name}` can't be a destination's name")).with_hint(
                "use up to 128 letters, digits, `-`, `_` and `.`, a letter or digit first",
            ),
        )
    }

    /// Refuses literal secrets: the lake stores no secrets, only references to them.
    pub(crate) fn check_storable(&self) -> Result<()> {
        let literal = self
            .options
            .iter()
            .find(|(key, value)| secret::is_secret(key, value) && !secret::is_reference(value));
        let Some((key, _)) = literal else {
            return Ok(());
        };
        Err(Error::invalid(format!(
            "option `{key}` is a secret and would be stored as it is"
        ))
        .with_hint(format!(
            "set `{key}` to ${{env:NAME}} or ${{file:/path}}, or declare the destination \
                     in the configuration file"
        )))
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition")
            .field("name", &self.name)
            .field("type", &self.kind)
            .field("options", &self.shown_options())
            .finish()
    }
}
