//! P15: whether the files that a rewrite removes are still what it read.

use std::collections::BTreeSet;

use crate::commit::actions::{self, Actions};
use crate::commit::cut::Rewrite;
use crate::commit::log::TableLog;
use crate::error::{Error, Result};

impl TableLog {
    /// Looks through the versions that came after `checked` for one that removed or added again a
    /// file of `rewrite`, and notes how far it looked.
    ///
    /// # Errors
    /// `Fenced` when there is one, or when the log doesn't say any more; `Unavailable`.
    pub(super) fn still_live(&self, rewrite: &Rewrite, checked: &mut u64) -> Result<()> {
        if self.version() < *checked {
            return Err(Error::unavailable(format!(
                "table `{}` is listed at version `{}`, before that of the plan",
                self.table.topic(),
                self.version()
            )));
        }
        let removed: BTreeSet<&str> = rewrite
            .removes
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        while *checked < self.version() {
            let version = *checked + 1;
            let bytes = actions::read(&self.lake, &self.table, version)?.ok_or_else(|| {
                Error::fenced(format!(
                    "version `{version}` of table `{}` was cleaned away; plan the rewrite anew",
                    self.table.topic()
                ))
            })?;
            let actions = Actions::parse(&bytes)?;
            let gone = actions.removes.iter().map(|removed| &removed.path);
            let again = actions.adds.iter().map(|added| &added.path);
            if let Some(path) = gone
                .chain(again)
                .find(|path| removed.contains(path.as_str()))
            {
                return Err(Error::fenced(format!(
                    "version `{version}` of table `{}` changed `{path}` meanwhile; plan the \
                     rewrite anew (P15)",
                    self.table.topic()
                )));
            }
            *checked = version;
        }
        Ok(())
    }
}
