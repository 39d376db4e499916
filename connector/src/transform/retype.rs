//! Schemas that transforms make of schemas: each is made once and found again.

use std::sync::{Arc, Mutex, PoisonError};

use super::failure::Failure;
use crate::data::{Kind, Schema};

/// As many as Connect's own transforms keep: a topic rarely has more schemas at a time.
const KEPT: usize = 16;

/// The schemas that were made of others, by the identity of those.
#[derive(Debug, Default)]
pub(super) struct Retyped(Mutex<Vec<(Arc<Schema>, Arc<Schema>)>>);

impl Retyped {
    /// What `make` made of `schema`, now or earlier.
    pub(super) fn of(
        &self,
        schema: &Arc<Schema>,
        make: impl FnOnce(&Schema) -> Result<Schema, Failure>,
    ) -> Result<Arc<Schema>, Failure> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = known.iter().find(|(from, _)| Arc::ptr_eq(from, schema)) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make(schema)?);
        if known.len() >= KEPT {
            known.remove(0);
        }
        known.push((Arc::clone(schema), Arc::clone(&made)));
        Ok(made)
    }
}

/// A schema of another kind, that keeps the name, version, text and parameters of `source`: not
/// whether it is optional, nor its default.
pub(super) fn like(source: &Schema, kind: Kind) -> Schema {
    Schema {
        kind,
        optional: false,
        default: None,
        name: source.name.clone(),
        version: source.version,
        doc: source.doc.clone(),
        parameters: source.parameters.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_schema_is_made_once_as_long_as_few_others_come_between() {
        let retyped = Retyped::default();
        let schema = Arc::new(Schema::of(Kind::String));
        let make = |_: &Schema| Ok(Schema::of(Kind::Int8));
        let first = retyped.of(&schema, make).unwrap();
        assert!(Arc::ptr_eq(&first, &retyped.of(&schema, make).unwrap()));
        for _ in 0..KEPT {
            retyped
                .of(&Arc::new(Schema::of(Kind::String)), make)
                .unwrap();
        }
        assert!(!Arc::ptr_eq(&first, &retyped.of(&schema, make).unwrap()));
    }
}
