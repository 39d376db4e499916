//! Values whose schema a registry has: which one, compiled once, and the bytes by it.

use std::collections::HashMap;
use std::sync::Arc;

use eddy_engine::Header;

use super::avro::{self, AvroOptions};
use super::json_schema;
use super::protobuf::{Compiled, ProtobufOptions};
use super::registry::{Answer, Registered, Registry};
use super::wire::{Framed, SchemaKey, frame};
use super::{AvroSource, Failure, Source};
use crate::data::{Datum, Schema};

/// What the bytes behind a schema's id are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Avro(AvroOptions),
    Protobuf(ProtobufOptions),
    JsonSchema,
}

/// Reads values of one format.
#[derive(Debug)]
pub(super) struct RegisteredConverter {
    registry: Arc<Registry>,
    /// The header that may name the schema.
    header: &'static str,
    format: Format,
    plans: HashMap<SchemaKey, Known>,
    kept: usize,
}

/// A schema of the registry's, compiled, or why it can't be.
#[derive(Debug, Clone)]
struct Known {
    id: Option<i32>,
    plan: Result<Plan, String>,
}

#[derive(Debug, Clone)]
enum Plan {
    Avro(Arc<avro::Plan>, Option<Arc<Schema>>, Arc<str>),
    Protobuf(Arc<Compiled>),
    JsonSchema(Arc<json_schema::Plan>),
}

impl RegisteredConverter {
    pub(super) fn new(
        registry: Arc<Registry>,
        header: &'static str,
        format: Format,
        kept: usize,
    ) -> Self {
        Self {
            registry,
            header,
            format,
            plans: HashMap::new(),
            kept: kept.max(1),
        }
    }

    /// Connect's class of the same.
    pub(super) fn class(&self) -> &'static str {
        match self.format {
            Format::Avro(_) => "io.confluent.connect.avro.AvroConverter",
            Format::Protobuf(_) => "io.confluent.connect.protobuf.ProtobufConverter",
            Format::JsonSchema => "io.confluent.connect.json.JsonSchemaConverter",
        }
    }

    /// The value of some bytes; `source` has what else is known of them as soon as it is.
    ///
    /// # Errors
    /// Why there is none, or not yet.
    pub(super) fn convert(
        &mut self,
        headers: &[Header<'_>],
        bytes: &[u8],
        source: &mut Source,
    ) -> Result<Datum, Failure> {
        let named = headers
            .iter()
            .rev()
            .find(|header| header.name == self.header);
        let framed = frame(named.and_then(|header| header.value), bytes);
        let framed = framed.map_err(Failure::Broken)?;
        let known = match self.plans.get(&framed.schema) {
            Some(known) => known,
            None => self.learn(framed.schema)?,
        };
        source.id = known.id;
        let plan = known.plan.as_ref();
        let plan = plan.map_err(|why| {
            Failure::Broken(format!("schema {} can't be used: {why}", framed.schema))
        })?;
        let datum = plan.convert(&framed).map_err(|why| {
            Failure::Broken(format!("not a value of schema {}: {why}", framed.schema))
        })?;
        if source.wants_avro {
            source.avro = plan.whole().map(|schema| AvroSource {
                schema,
                behind: bytes.len() - framed.payload.unwrap_or(framed.rest).len(),
            });
        }
        Ok(datum)
    }

    fn learn(&mut self, key: SchemaKey) -> Result<&Known, Failure> {
        let registered = match self.registry.get(key) {
            Answer::Found(registered) => registered,
            Answer::Missing(why) => return Err(Failure::Broken(why)),
            Answer::Pending(why) => return Err(Failure::Pending(why)),
            Answer::Away(why) => return Err(Failure::Away(why)),
        };
        if self.plans.len() >= self.kept {
            let any = self.plans.keys().next().copied();
            any.map(|any| self.plans.remove(&any));
        }
        let known = Known {
            id: registered.id,
            plan: Plan::of(&registered, self.format),
        };
        Ok(self.plans.entry(key).or_insert(known))
    }
}

impl Plan {
    fn of(registered: &Registered, format: Format) -> Result<Self, String> {
        let wanted = match format {
            Format::Avro(_) => "AVRO",
            Format::Protobuf(_) => "PROTOBUF",
            Format::JsonSchema => "JSON",
        };
        if !registered.kind.eq_ignore_ascii_case(wanted) {
            return Err(format!(
                "it is of type `{}`, not `{wanted}`",
                registered.kind
            ));
        }
        let (references, schema) = (&registered.references, &registered.schema);
        Ok(match format {
            Format::Avro(options) => {
                let plan = avro::Plan::parse(references, schema, options)?;
                let schema = avro::connect_schema(&plan);
                let whole = avro::whole(references, &registered.schema)?;
                Self::Avro(Arc::new(plan), schema, whole.into())
            }
            Format::Protobuf(options) => {
                Self::Protobuf(Arc::new(Compiled::parse(references, schema, options)?))
            }
            Format::JsonSchema => {
                Self::JsonSchema(Arc::new(json_schema::Plan::parse(references, schema)?))
            }
        })
    }

    /// The schema of Avro, which needs no other.
    fn whole(&self) -> Option<Arc<str>> {
        match self {
            Self::Avro(_, _, whole) => Some(Arc::clone(whole)),
            Self::Protobuf(_) | Self::JsonSchema(_) => None,
        }
    }

    fn convert(&self, framed: &Framed<'_>) -> Result<Datum, String> {
        let bytes = framed.payload.unwrap_or(framed.rest);
        match self {
            Self::Avro(plan, schema, _) => Ok(Datum {
                schema: schema.clone(),
                value: avro::decode(plan, bytes)?,
            }),
            Self::Protobuf(compiled) => compiled.convert(framed.rest, framed.payload),
            Self::JsonSchema(plan) => Ok(Datum::schemaless(plan.convert(bytes)?)),
        }
    }
}
