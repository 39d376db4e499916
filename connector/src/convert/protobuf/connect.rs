//! Connect's schema of a message, as transforms see it.

use std::sync::Arc;

use prost_reflect::{FieldDescriptor, Kind as Proto, MessageDescriptor, OneofDescriptor};

use super::message::{is_text_map, union_name, union_of};
use super::{ProtobufOptions, known};
use crate::data::{DATE, DECIMAL, Field, Kind, Schema, TIMESTAMP};

/// Levels of Connect schemas within each other: one that names itself ends nowhere.
const DEPTH_MOST: usize = 24;

/// Connect's schema; `None` for a message that contains itself, whose values are schemaless.
pub(super) fn connect_schema(
    message: &MessageDescriptor,
    options: ProtobufOptions,
) -> Option<Arc<Schema>> {
    if options.wrapper_for_raw && known::is_wrapper(message.full_name()) {
        let wrapped = message.get_field(1)?;
        return Some(Arc::new(kind(&wrapped.kind(), options, 0)?.optional()));
    }
    schema(message, options, 0).map(Arc::new)
}

fn schema(message: &MessageDescriptor, options: ProtobufOptions, depth: usize) -> Option<Schema> {
    if depth > DEPTH_MOST {
        return None;
    }
    match message.full_name() {
        known::TIMESTAMP => return Some(Schema::of(Kind::Int64).named(TIMESTAMP)),
        known::DATE => return Some(Schema::of(Kind::Int32).named(DATE)),
        known::TIME_OF_DAY => return Some(Schema::of(Kind::String)),
        // The scale is each value's own.
        known::DECIMAL => return Some(Schema::of(Kind::Bytes).named(DECIMAL)),
        _ => {}
    }
    let mut fields: Vec<Field> = Vec::new();
    let mut unions: Vec<(OneofDescriptor, Vec<Field>, usize)> = Vec::new();
    for field in message.fields() {
        let one = Field {
            name: field.name().to_owned(),
            schema: Arc::new(of_field(&field, options, depth)?),
        };
        let Some(union) = union_of(&field).filter(|_| !options.flatten_unions) else {
            fields.push(one);
            continue;
        };
        if let Some((_, members, _)) = unions.iter_mut().find(|(known, ..)| *known == union) {
            members.push(one);
            continue;
        }
        fields.push(Field {
            name: union_name(&union, options),
            schema: Arc::new(Schema::of(Kind::Struct(Vec::new()))),
        });
        unions.push((union, vec![one], fields.len() - 1));
    }
    for (union, members, at) in unions {
        let slot = fields.get_mut(at)?;
        let schema = Schema::of(Kind::Struct(members)).named(union.name());
        slot.schema = Arc::new(schema.optional());
    }
    Some(Schema::of(Kind::Struct(fields)).named(message.full_name()))
}

fn of_field(field: &FieldDescriptor, options: ProtobufOptions, depth: usize) -> Option<Schema> {
    let proto = field.kind();
    if let (true, Proto::Message(entry)) = (field.is_map(), &proto) {
        let keys = Arc::new(kind(&entry.map_entry_key_field().kind(), options, depth)?);
        let values = entry.map_entry_value_field().kind();
        let values = Arc::new(kind(&values, options, depth)?.optional());
        return Some(match is_text_map(field) {
            true => Schema::of(Kind::Map(keys, values)),
            false => {
                let pair = [("key", keys), ("value", values)].map(|(name, schema)| Field {
                    name: name.to_owned(),
                    schema,
                });
                let pair = Arc::new(Schema::of(Kind::Struct(pair.into())));
                Schema::of(Kind::Array(pair))
            }
        });
    }
    let schema = kind(&proto, options, depth)?;
    Some(match (field.is_list(), field.supports_presence()) {
        (true, _) => Schema::of(Kind::Array(Arc::new(schema))),
        (false, true) => schema.optional(),
        (false, false) => schema,
    })
}

fn kind(proto: &Proto, options: ProtobufOptions, depth: usize) -> Option<Schema> {
    Some(Schema::of(match proto {
        Proto::Double => Kind::Float64,
        Proto::Float => Kind::Float32,
        Proto::Int32 | Proto::Sint32 | Proto::Sfixed32 => Kind::Int32,
        Proto::Int64 | Proto::Sint64 | Proto::Sfixed64 => Kind::Int64,
        Proto::Uint32 | Proto::Uint64 | Proto::Fixed32 | Proto::Fixed64 => Kind::Int64,
        Proto::Bool => Kind::Boolean,
        Proto::String => Kind::String,
        Proto::Bytes => Kind::Bytes,
        Proto::Enum(_) if options.int_for_enums => Kind::Int32,
        Proto::Enum(_) => Kind::String,
        Proto::Message(message) => {
            if options.wrapper_for_nullables && known::is_wrapper(message.full_name()) {
                let wrapped = message.get_field(1)?;
                return Some(kind(&wrapped.kind(), options, depth + 1)?.optional());
            }
            return schema(message, options, depth + 1);
        }
    }))
}
