//! Connect's schema of an Avro schema, as transforms see it.

use std::sync::Arc;

use eddy_engine::Value;
use serde_json::Value as Json;

use super::schema::{Branch, Node, Plan, Ticks, What};
use crate::data::{DATE, DECIMAL, Field, Kind, Schema, TIMESTAMP};

/// Levels of Connect schemas within each other: one that names itself ends nowhere.
const DEPTH_MOST: usize = 24;

/// Connect's schema; `None` for one that contains itself, whose values are schemaless.
pub(in crate::convert) fn connect_schema(plan: &Plan) -> Option<Arc<Schema>> {
    schema(plan, &plan.root, 0).map(Arc::new)
}

fn schema(plan: &Plan, node: &Node, depth: usize) -> Option<Schema> {
    if depth > DEPTH_MOST {
        return None;
    }
    let inner = |node: &Node| schema(plan, node, depth + 1).map(Arc::new);
    Some(match node {
        Node::Null => Schema::of(Kind::String).optional(),
        Node::Boolean => Schema::of(Kind::Boolean),
        Node::Integer(8) => Schema::of(Kind::Int8),
        Node::Integer(16) => Schema::of(Kind::Int16),
        Node::Integer(32) => Schema::of(Kind::Int32),
        Node::Integer(_) => Schema::of(Kind::Int64),
        Node::Float => Schema::of(Kind::Float32),
        Node::Double => Schema::of(Kind::Float64),
        Node::Bytes | Node::Fixed(_) => Schema::of(Kind::Bytes),
        Node::Date => Schema::of(Kind::Int32).named(DATE),
        Node::Timestamp(Ticks::Millis | Ticks::Micros) => Schema::of(Kind::Int64).named(TIMESTAMP),
        // What has no type of Connect's is text here, and says more than a bare number.
        Node::Text | Node::Uuid | Node::FixedUuid | Node::Duration => Schema::of(Kind::String),
        Node::TimeOfDay(_) | Node::LocalTimestamp(_) => Schema::of(Kind::String),
        Node::Timestamp(Ticks::Nanos) => Schema::of(Kind::Int64).named(TIMESTAMP),
        Node::Decimal(scale, _) => {
            let mut schema = Schema::of(Kind::Bytes).named(DECIMAL);
            let parameters = &mut schema.parameters;
            parameters.insert("scale".to_owned(), scale.to_string());
            schema
        }
        Node::Array(items) => Schema::of(Kind::Array(inner(items)?)),
        Node::Map(values) => {
            let keys = Arc::new(Schema::of(Kind::String));
            Schema::of(Kind::Map(keys, inner(values)?))
        }
        Node::Union(branches, bare) => union(plan, branches, *bare, depth)?,
        Node::Named(at) => {
            let named = plan.named.get(*at)?;
            let mut schema = match &named.what {
                What::Enum(_) => Schema::of(Kind::String),
                What::Fixed(node) => schema(plan, node, depth + 1)?,
                What::Record(fields) => {
                    let fields = fields.iter().map(|field| {
                        let mut schema = schema(plan, &field.node, depth + 1)?;
                        schema.default = field.default.as_ref().and_then(default);
                        Some(Field {
                            name: field.name.clone(),
                            schema: Arc::new(schema),
                        })
                    });
                    Schema::of(Kind::Struct(fields.collect::<Option<_>>()?))
                }
            };
            // The name of a logical type is what transforms go by.
            schema.name.get_or_insert_with(|| named.name.clone());
            schema.doc.clone_from(&named.doc);
            schema
        }
    })
}

fn union(plan: &Plan, branches: &[Branch], bare: bool, depth: usize) -> Option<Schema> {
    let nullable = branches.iter().any(|one| matches!(one.node, Node::Null));
    let some = branches
        .iter()
        .filter(|one| !matches!(one.node, Node::Null));
    let some: Vec<&Branch> = some.collect();
    let schema = match some.as_slice() {
        [one] if bare => schema(plan, &one.node, depth + 1)?,
        several => {
            let fields = several.iter().map(|branch| {
                let schema = schema(plan, &branch.node, depth + 1)?.optional();
                Some(Field {
                    name: branch.name.clone(),
                    schema: Arc::new(schema),
                })
            });
            let fields = fields.collect::<Option<_>>()?;
            Schema::of(Kind::Struct(fields)).named("io.confluent.connect.avro.Union")
        }
    };
    Some(match nullable {
        true => schema.optional(),
        false => schema,
    })
}

/// A default that is one plain value.
fn default(json: &Json) -> Option<Value> {
    match json {
        Json::Null | Json::Array(_) | Json::Object(_) => None,
        plain => Value::parse(plain.to_string().as_bytes()),
    }
}
