//! `RegexRouter`: another topic where its whole name matches a pattern.

use super::Transform;
use super::failure::Failure;
use super::java::Replacement;
use super::settings::{JavaPattern, Settings};
use crate::data::ConnectRecord;
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct RegexRouter {
    regex: JavaPattern,
    replacement: Replacement,
}

impl RegexRouter {
    /// # Errors
    /// `Invalid` for a pattern or replacement that Java wouldn't take.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        let regex = settings.pattern("regex")?;
        let text = settings.required_raw("replacement")?;
        let replacement = Replacement::parse(text, &regex.anywhere)
            .map_err(|why| settings.wrong("replacement", text, &why))?;
        Ok(Self { regex, replacement })
    }
}

impl Transform for RegexRouter {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.regex.matches(&record.topic) {
            record.topic = self.replacement.first(&self.regex.anywhere, &record.topic);
        }
        Ok(Some(record))
    }
}
