//! `Flatten`: the fields of structs within structs beside each other, their names joined.

use std::sync::Arc;

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::members::{Members, fields_of, get, or_default, put, require};
use super::retype::{Retyped, like};
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Datum, Field, Kind, Schema};
use crate::error::Result;

const PURPOSE: &str = "flattening";
/// Deeper than any schema; a value that goes on is refused instead of the stack.
const DEPTH_MAX: usize = 200;

/// The transform.
#[derive(Debug)]
pub(super) struct Flatten {
    side: Side,
    delimiter: String,
    retyped: Retyped,
}

impl Flatten {
    /// # Errors
    /// None, at present.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        Ok(Self {
            side,
            delimiter: settings.raw("delimiter").unwrap_or(".").to_owned(),
            retyped: Retyped::default(),
        })
    }

    fn flatten(&self, datum: Datum) -> Result<Datum, Failure> {
        let Some(schema) = datum.schema.clone() else {
            let members = require(datum, PURPOSE)?;
            let mut flat = Members::new();
            self.values(members, "", 0, &mut flat)?;
            return Ok(Datum::schemaless(Value::Object(flat)));
        };
        let retyped = self.retyped.of(&schema, |schema| self.retype(schema))?;
        let members = require(datum, PURPOSE)?;
        let mut flat = Members::new();
        self.fields(&schema, &members, "", 0, &mut flat)?;
        Ok(Datum {
            schema: Some(retyped),
            value: Value::Object(flat),
        })
    }

    fn values(
        &self,
        members: Members,
        prefix: &str,
        depth: usize,
        flat: &mut Members,
    ) -> Result<(), Failure> {
        check_depth(prefix, depth)?;
        for (name, value) in members {
            let name = self.name(prefix, &name);
            match value {
                Value::Object(below) => self.values(below, &name, depth + 1, flat)?,
                value => put(flat, &name, value),
            }
        }
        Ok(())
    }

    fn fields(
        &self,
        schema: &Schema,
        members: &[(String, Value)],
        prefix: &str,
        depth: usize,
        flat: &mut Members,
    ) -> Result<(), Failure> {
        check_depth(prefix, depth)?;
        for field in fields_of(schema) {
            let name = self.name(prefix, &field.name);
            let value = get(members, &field.name).cloned().unwrap_or(Value::Null);
            let value = or_default(value, &field.schema, true);
            match (&field.schema.kind, value) {
                (Kind::Struct(_), Value::Object(below)) => {
                    self.fields(&field.schema, &below, &name, depth + 1, flat)?;
                }
                (Kind::Struct(_), _) => {}
                (_, value) => put(flat, &name, value),
            }
        }
        Ok(())
    }

    fn retype(&self, schema: &Schema) -> Result<Schema, Failure> {
        let mut fields = Vec::new();
        self.schemas(
            schema,
            "",
            schema.optional,
            schema.default.as_ref(),
            &mut fields,
        )?;
        Ok(like(schema, Kind::Struct(fields)))
    }

    /// The flat fields of a struct. One is optional when anything around it is, and its default may
    /// be what the default of something around it has in its place.
    fn schemas(
        &self,
        schema: &Schema,
        prefix: &str,
        optional: bool,
        around: Option<&Value>,
        fields: &mut Vec<Field>,
    ) -> Result<(), Failure> {
        for one in fields_of(schema) {
            let name = self.name(prefix, &one.name);
            let optional = optional || one.schema.optional;
            let of_around = match around {
                Some(Value::Object(members)) => get(members, &one.name),
                _ => None,
            };
            let default = one.schema.default.as_ref().or(of_around);
            let default = default.filter(|default| **default != Value::Null);
            match &one.schema.kind {
                Kind::Struct(_) => {
                    self.schemas(&one.schema, &name, optional, default, fields)?;
                }
                Kind::Map(..) => {
                    return Err(Failure::data(format!(
                        "the map `{name}` can't be flattened where values have schemas; take it \
                         out before, or leave it"
                    )));
                }
                kind => {
                    let mut made = like(&one.schema, kind.clone());
                    made.optional = optional;
                    made.default = default.cloned();
                    fields.push(Field {
                        name,
                        schema: Arc::new(made),
                    });
                }
            }
        }
        Ok(())
    }

    fn name(&self, prefix: &str, name: &str) -> String {
        match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}{}{name}", self.delimiter),
        }
    }
}

impl Transform for Flatten {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value == Value::Null {
            return Ok(Some(record));
        }
        self.side.change(record, |datum| self.flatten(datum))
    }
}

fn check_depth(prefix: &str, depth: usize) -> Result<(), Failure> {
    if depth < DEPTH_MAX {
        return Ok(());
    }
    let start: String = prefix.chars().take(60).collect();
    Err(Failure::data(format!(
        "`{start}...` is more than {DEPTH_MAX} objects deep, which can't be flattened"
    )))
}
