//! The decoded keys of the rows that are being collected: the column `_key_fields`.
//!
//! A structured key is a struct of its own beside the payload, grown by the same rules: a tree as
//! the payload's, whose rows are those of the envelope. Tables whose keys nobody decodes have none.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::tape::Token;
use super::tree::{ROOT, Tree};
use super::typed::Typed;
use super::walk::{Scratch, Walk};
use crate::Result;
use crate::schema::{KEY_FIELDS, Limits};
use crate::value::Value;

/// The decoded keys since the last batch.
#[derive(Debug)]
pub(super) struct KeyFields {
    tree: Tree,
    typed: Typed,
    scratch: Scratch,
    /// The rows with a structured key, in their order.
    rows: Vec<usize>,
}

impl KeyFields {
    /// With the columns that the table has of them.
    pub(super) fn new(mut limits: Limits, reserved: &Schema) -> Self {
        // The struct itself is a step.
        limits.depth = limits.depth.saturating_sub(1).max(1);
        let mut keys = Self {
            tree: Tree::new(limits),
            typed: Typed::default(),
            scratch: Scratch::default(),
            rows: Vec::new(),
        };
        keys.adopt(reserved);
        keys
    }

    /// Goes on with the columns that the table has now.
    pub(super) fn adopt(&mut self, reserved: &Schema) {
        let field = reserved.field_with_name(KEY_FIELDS);
        if let Some(DataType::Struct(fields)) = field.ok().map(Field::data_type) {
            self.tree.adopt(&Schema::new(fields.clone()));
        }
    }

    /// Takes the key of `row` if it is an object, else it has its bytes alone.
    ///
    /// # Errors
    /// Why it can't be taken.
    pub(super) fn append(&mut self, key: &Value, row: usize) -> Result<(), String> {
        if !matches!(key, Value::Object(_) | Value::Raw(_)) {
            return Ok(());
        }
        self.typed.clear();
        self.typed
            .root(key)
            .map_err(|fault| fault.replacen("value", "key", 1))?;
        let root = self.typed.tape.first().map(|root| root.token);
        if root != Some(Token::Object) {
            return Ok(());
        }
        let mut walk = Walk {
            tree: &mut self.tree,
            scratch: &mut self.scratch,
            tape: &self.typed.tape,
            text: &self.typed.text,
        };
        walk.record(row);
        self.rows.push(row);
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.tree.bytes
    }

    /// Forgets the rows.
    pub(super) fn forget(&mut self) {
        let rows = self.rows.last().map_or(0, |row| row + 1);
        drop(self.finish(rows));
    }

    /// The column of the `rows` since the last call; none where no key had a value.
    pub(super) fn finish(&mut self, rows: usize) -> Result<Option<(FieldRef, ArrayRef)>> {
        self.tree.bytes = 0;
        let present = std::mem::take(&mut self.rows);
        if present.is_empty() {
            return Ok(None);
        }
        let (fields, columns) = self.tree.take_object(ROOT, rows)?;
        if fields.is_empty() {
            return Ok(None);
        }
        let mut present = present.into_iter().peekable();
        let valid = (0..rows).map(|row| present.next_if_eq(&row).is_some());
        let valid: BooleanArray = valid.map(Some).collect();
        let nulls = NullBuffer::new(valid.values().clone());
        let keys = StructArray::try_new_with_length(fields.into(), columns, Some(nulls), rows)?;
        let field = Field::new(KEY_FIELDS, keys.data_type().clone(), true);
        Ok(Some((Arc::new(field), Arc::new(keys))))
    }
}
