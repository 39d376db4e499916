//! `{"schema": ..., "payload": ...}`: the schema of a value beside it.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::members::members;
use super::schema::parse;
use crate::data::Schema;

/// Schemas that are kept, newest first; more would cost more to look through than to read.
const KEPT_MOST: usize = 64;

/// Where the schemas of values come from.
#[derive(Debug)]
pub(super) struct Schemas {
    /// One for all, and values without envelopes.
    fixed: Option<Arc<Schema>>,
    /// Texts of schemas read before.
    known: VecDeque<(Box<str>, Option<Arc<Schema>>)>,
    kept: usize,
}

/// A value's schema, if it has one, and the text of the value.
type Found<'a> = (Option<Arc<Schema>>, Option<&'a RawValue>);

impl Schemas {
    /// # Errors
    /// What is wrong with the schema for all.
    pub(super) fn new(fixed: Option<&str>, kept: usize) -> Result<Self, String> {
        Ok(Self {
            fixed: fixed.map(parse).transpose()?.flatten(),
            known: VecDeque::new(),
            kept: kept.clamp(1, KEPT_MOST),
        })
    }

    /// The schema and the payload of a record's text.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn of<'a>(&mut self, text: &'a str) -> Result<Found<'a>, String> {
        let raw: &RawValue = serde_json::from_str(text)
            .map_err(|error| format!("the bytes are no JSON: {error}"))?;
        if let Some(fixed) = &self.fixed {
            return Ok((Some(Arc::clone(fixed)), Some(raw)));
        }
        let envelope = members(raw).unwrap_or_default();
        let find = |name: &str| envelope.iter().find(|(key, _)| key == name);
        let (2, Some((_, schema)), Some((_, payload))) =
            (envelope.len(), find("schema"), find("payload"))
        else {
            return Err(
                "the value is not exactly an object of `schema` and `payload`; for plain JSON set \
                 `schemas.enable` to `false`"
                    .to_owned(),
            );
        };
        Ok((self.schema(schema.get())?, Some(*payload)))
    }

    fn schema(&mut self, text: &str) -> Result<Option<Arc<Schema>>, String> {
        if let Some((_, schema)) = self.known.iter().find(|(known, _)| **known == *text) {
            return Ok(schema.clone());
        }
        let schema = parse(text)?;
        self.known.truncate(self.kept - 1);
        self.known.push_front((text.into(), schema.clone()));
        Ok(schema)
    }
}
