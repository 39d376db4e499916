//! The schemas that a writer's records came with, by numbers that its rows have instead.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Schemas of either side that are known at a time. Values beyond them are written by a schema made
/// of themselves.
const SCHEMAS_MOST: usize = 1_000;

/// The schemas of one writer's values and keys. They stay as long as the writer, since rows go by
/// them until their file is made.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Schemas>);

#[derive(Debug, Default)]
struct Schemas {
    values: Vec<Arc<str>>,
    /// By the registry's id.
    keys: BTreeMap<i32, Arc<str>>,
}

impl Book {
    /// The number of a value's schema; `None`: there are too many.
    pub(crate) fn value(&self, schema: &Arc<str>) -> Option<u32> {
        let mut schemas = self.lock();
        let values = &mut schemas.values;
        let same = |known: &Arc<str>| Arc::ptr_eq(known, schema);
        let at = match values.iter().position(same) {
            Some(at) => at,
            None => match values.iter().position(|known| known == schema) {
                Some(at) => {
                    if let Some(known) = values.get_mut(at) {
                        // The next record's is found at a glance.
                        known.clone_from(schema);
                    }
                    at
                }
                None if values.len() >= SCHEMAS_MOST => return None,
                None => {
                    values.push(Arc::clone(schema));
                    values.len() - 1
                }
            },
        };
        u32::try_from(at).ok()
    }

    /// Notes the schema of keys that have the id.
    pub(crate) fn note_key(&self, id: i32, schema: &Arc<str>) {
        let mut schemas = self.lock();
        if schemas.keys.len() < SCHEMAS_MOST {
            schemas.keys.entry(id).or_insert_with(|| Arc::clone(schema));
        }
    }

    pub(super) fn schema_of_value(&self, number: u32) -> Option<Arc<str>> {
        let at = usize::try_from(number).ok()?;
        self.lock().values.get(at).cloned()
    }

    pub(super) fn schema_of_key(&self, id: i32) -> Option<Arc<str>> {
        self.lock().keys.get(&id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Schemas> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
