//! Debezium's `ExtractNewRecordState`: a change's row in place of the change.
//!
//! Debezium itself leaves changes without a schema as they are; here an object that has the members
//! of a change is one, since JSON without schemas is what many topics of changes hold.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::members::{Members, field, fields_of, get, in_order, put};
use super::retype::{Retyped, like};
use super::settings::Settings;
use crate::data::{ConnectRecord, Datum, Field, Kind, Schema};
use crate::error::Result;

/// The transform.
#[derive(Debug)]
pub(super) struct NewRecordState {
    deletes: Deletes,
    /// Tombstones go.
    drop_tombstones: bool,
    fields: Vec<Added>,
    headers: Vec<Added>,
    /// The field of the row that names the topic to go to.
    route: Option<String>,
    replace: bool,
    rows: Retyped,
}

/// What becomes of the change that deletes a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletes {
    Drop,
    /// The row as it was, with `__deleted`.
    Rewrite,
    /// A tombstone.
    Tombstone,
}

/// Something of the change that is added to the row or its headers.
#[derive(Debug)]
struct Added {
    /// `source.ts_ms`: one or two names.
    path: Vec<String>,
    name: String,
}

const DELETED: &str = "__deleted";

impl NewRecordState {
    /// Takes the options of before Debezium 2.5 too, `drop.tombstones` and
    /// `delete.handling.mode`.
    ///
    /// # Errors
    /// `Invalid` for unknown words.
    pub(super) fn read(settings: &Settings<'_>) -> Result<Self> {
        let modes = [
            ("tombstone", (Deletes::Drop, false)),
            ("drop", (Deletes::Drop, true)),
            ("rewrite", (Deletes::Rewrite, true)),
            ("rewrite-with-tombstone", (Deletes::Rewrite, false)),
            ("delete-to-tombstone", (Deletes::Tombstone, true)),
        ];
        let before = [
            ("drop", Deletes::Drop),
            ("rewrite", Deletes::Rewrite),
            ("none", Deletes::Tombstone),
        ];
        let is_old = ["drop.tombstones", "delete.handling.mode"]
            .iter()
            .any(|key| settings.text(key).is_some());
        let key = "delete.tombstone.handling.mode";
        let (deletes, drop_tombstones) = match is_old && settings.text(key).is_none() {
            true => (
                settings.choice("delete.handling.mode", &before, Deletes::Drop)?,
                settings.flag("drop.tombstones", true)?,
            ),
            false => settings.choice(key, &modes, (Deletes::Drop, false))?,
        };
        Ok(Self {
            deletes,
            drop_tombstones,
            fields: Added::read(settings, "add.fields"),
            headers: Added::read(settings, "add.headers"),
            route: settings.text("route.by.field").map(str::to_owned),
            replace: settings.replace_null()?,
            rows: Retyped::default(),
        })
    }

    fn unwrap(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let change = std::mem::replace(&mut record.value, Datum::null());
        let Some(members) = members_of_change(&change) else {
            record.value = change;
            return Ok(Some(record));
        };
        let operation = match get(members, "op") {
            Some(Value::Text(operation)) => operation.as_str(),
            _ => "",
        };
        let side = match operation {
            "d" if self.deletes == Deletes::Drop => return Ok(None),
            "d" => "before",
            // They are about a table or about nothing, not about a row.
            "t" | "m" => return Ok(None),
            _ => "after",
        };
        let row = get(members, side).cloned().unwrap_or(Value::Null);
        if let Some(field) = &self.route
            && let Value::Object(row) = &row
            && let Some(Value::Text(topic)) = get(row, field)
        {
            record.topic.clone_from(topic);
        }
        for added in &self.headers {
            record
                .headers
                .push((added.name.clone(), added.datum(&change, members)));
        }
        if operation == "d" && self.deletes == Deletes::Tombstone {
            return Ok(Some(record));
        }
        let row = match row {
            Value::Object(row) => row,
            // A table whose changes don't say what was before.
            Value::Null if operation == "d" => Members::new(),
            _ => {
                return Err(Failure::data(format!(
                    "a change of kind `{operation}` has no row in `{side}`"
                )));
            }
        };
        record.value = self.row(&change, members, row, side, operation == "d")?;
        Ok(Some(record))
    }

    fn row(
        &self,
        change: &Datum,
        members: &[(String, Value)],
        mut row: Members,
        side: &str,
        deleted: bool,
    ) -> Result<Datum, Failure> {
        let schema = match &change.schema {
            None => None,
            Some(schema) => {
                let of_row = field(schema, side)
                    .filter(|field| matches!(field.schema.kind, Kind::Struct(_)))
                    .ok_or_else(|| Failure::data(format!("a change's `{side}` is no struct")))?;
                row = in_order(&row, &of_row.schema, self.replace);
                // `before` and `after` are of one schema, so what was made for one does for both.
                Some(
                    self.rows
                        .of(schema, |schema| self.retype(schema, &of_row.schema))?,
                )
            }
        };
        for added in &self.fields {
            put(&mut row, &added.name, added.datum(change, members).value);
        }
        if self.deletes == Deletes::Rewrite {
            put(&mut row, DELETED, Value::Text(deleted.to_string()));
        }
        Ok(Datum {
            schema,
            value: Value::Object(row),
        })
    }

    fn retype(&self, change: &Schema, row: &Schema) -> Result<Schema, Failure> {
        let mut fields = fields_of(row).to_vec();
        for added in &self.fields {
            let schema = added.schema(change);
            let schema = schema.map_or_else(|| Schema::of(Kind::String), |s| s.as_ref().clone());
            fields.push(Field {
                name: added.name.clone(),
                schema: Arc::new(schema.optional()),
            });
        }
        if self.deletes == Deletes::Rewrite {
            fields.push(Field {
                name: DELETED.to_owned(),
                schema: Arc::new(Schema::of(Kind::String).optional()),
            });
        }
        let mut made = like(row, Kind::Struct(fields));
        made.optional = row.optional;
        Ok(made)
    }
}

impl Transform for NewRecordState {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if record.value.value == Value::Null {
            return Ok((!self.drop_tombstones).then_some(record));
        }
        self.unwrap(record)
    }
}

/// The members of a value that is a change: by its schema's name, or without one by what it has.
fn members_of_change(datum: &Datum) -> Option<&[(String, Value)]> {
    let Value::Object(members) = &datum.value else {
        return None;
    };
    let is_change = match &datum.schema {
        Some(schema) => schema
            .name
            .as_deref()
            .is_some_and(|name| name.ends_with("Envelope")),
        None => {
            matches!(get(members, "op"), Some(Value::Text(_)))
                && ["before", "after"]
                    .iter()
                    .any(|side| get(members, side).is_some())
        }
    };
    is_change.then_some(members)
}

impl Added {
    /// `op,source.ts_ms,op:operation`: a path each, and the name that it gets where one is given.
    fn read(settings: &Settings<'_>, key: &str) -> Vec<Self> {
        let prefix = settings.raw(&format!("{key}.prefix")).unwrap_or("__");
        let items = settings.list(key).into_iter();
        items
            .map(|item| {
                let (path, name) = match item.split_once(':') {
                    Some((path, name)) => (path, name.to_owned()),
                    None => (item, item.replace('.', "_")),
                };
                Self {
                    path: path.split('.').map(str::to_owned).collect(),
                    name: format!("{prefix}{name}"),
                }
            })
            .collect()
    }

    /// What the change has at the path; one of a single name may be in the change or its `source`.
    fn datum(&self, change: &Datum, members: &[(String, Value)]) -> Datum {
        let found = match self.path.as_slice() {
            [name] => get(members, name).or_else(|| within(members, "source", name)),
            [outer, name] => within(members, outer, name),
            _ => None,
        };
        Datum {
            schema: change
                .schema
                .as_deref()
                .and_then(|schema| self.schema(schema)),
            value: found.cloned().unwrap_or(Value::Null),
        }
    }

    fn schema(&self, change: &Schema) -> Option<Arc<Schema>> {
        let below = |outer: &str, name: &str| field(&field(change, outer)?.schema, name);
        let found = match self.path.as_slice() {
            [name] => field(change, name).or_else(|| below("source", name)),
            [outer, name] => below(outer, name),
            _ => None,
        };
        found.map(|field| Arc::clone(&field.schema))
    }
}

fn within<'v>(members: &'v [(String, Value)], outer: &str, name: &str) -> Option<&'v Value> {
    match get(members, outer)? {
        Value::Object(inner) => get(inner, name),
        _ => None,
    }
}
