//! `ReplaceField`: without some fields, with some only, or under other names.

use std::collections::{BTreeMap, BTreeSet};

use eddy_engine::Value;

use super::Transform;
use super::failure::Failure;
use super::members::{Members, fields_of, put, require, value_of};
use super::retype::{Retyped, like};
use super::settings::Settings;
use super::side::Side;
use crate::data::{ConnectRecord, Datum, Field, Kind};
use crate::error::Result;

const PURPOSE: &str = "replacing fields";

/// The transform.
#[derive(Debug)]
pub(super) struct ReplaceField {
    side: Side,
    exclude: BTreeSet<String>,
    include: BTreeSet<String>,
    renames: BTreeMap<String, String>,
    replace: bool,
    retyped: Retyped,
}

impl ReplaceField {
    /// Takes `blacklist` and `whitelist` too, as Connect did before 4.0.
    ///
    /// # Errors
    /// `Invalid` for `renames` that are no pairs.
    pub(super) fn read(side: Side, settings: &Settings<'_>) -> Result<Self> {
        let either = |key: &str, before: &str| -> BTreeSet<String> {
            let names = match settings.text(key) {
                Some(_) => settings.list(key),
                None => settings.list(before),
            };
            names.into_iter().map(str::to_owned).collect()
        };
        let mut renames = BTreeMap::new();
        for pair in settings.list("renames") {
            let parts: Vec<&str> = pair.split(':').collect();
            let [from, to] = parts.as_slice() else {
                return Err(settings.wrong("renames", pair, "pairs as `old:new` with commas"));
            };
            renames.insert((*from).to_owned(), (*to).to_owned());
        }
        Ok(Self {
            side,
            exclude: either("exclude", "blacklist"),
            include: either("include", "whitelist"),
            renames,
            replace: settings.replace_null()?,
            retyped: Retyped::default(),
        })
    }

    fn stays(&self, name: &str) -> bool {
        !self.exclude.contains(name) && (self.include.is_empty() || self.include.contains(name))
    }

    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.renames.get(name).map_or(name, String::as_str)
    }

    fn change(&self, datum: Datum) -> Result<Datum, Failure> {
        let schema = datum.schema.clone();
        let members = require(datum, PURPOSE)?;
        let Some(schema) = schema else {
            let mut kept = Members::new();
            for (name, value) in members.into_iter().filter(|(name, _)| self.stays(name)) {
                put(&mut kept, self.renamed(&name), value);
            }
            return Ok(Datum::schemaless(Value::Object(kept)));
        };
        let retyped = self.retyped.of(&schema, |schema| {
            let stay = fields_of(schema)
                .iter()
                .filter(|field| self.stays(&field.name));
            let fields = stay.map(|field| Field {
                name: self.renamed(&field.name).to_owned(),
                schema: field.schema.clone(),
            });
            let fields: Vec<Field> = fields.collect();
            let mut names = BTreeSet::new();
            match fields.iter().find(|field| !names.insert(&field.name)) {
                None => Ok(like(schema, Kind::Struct(fields))),
                Some(twice) => Err(Failure::data(format!(
                    "`renames` gives the name `{}` to a field although another has it",
                    twice.name
                ))),
            }
        })?;
        let stay = fields_of(&schema)
            .iter()
            .filter(|field| self.stays(&field.name));
        let kept = stay.map(|field| {
            let name = self.renamed(&field.name).to_owned();
            (name, value_of(&members, field, self.replace))
        });
        Ok(Datum {
            schema: Some(retyped),
            value: Value::Object(kept.collect()),
        })
    }
}

impl Transform for ReplaceField {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value == Value::Null {
            return Ok(Some(record));
        }
        self.side.change(record, |datum| self.change(datum))
    }
}
