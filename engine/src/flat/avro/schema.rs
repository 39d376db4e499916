//! The Avro type that values of some kinds have, and its schema as JSON.
//!
//! | values | type |
//! |---|---|
//! | integers of 64 bits | long; with other numbers beside them double, if none loses a digit |
//! | exact numbers | decimal of 38 digits, of the finest scale; text where they have more |
//! | moments, days | timestamp-millis (-micros if one is between two), date |
//! | objects | a record, each field null or what it is; a map beyond 1,000 names |
//! | several of these | a union |
//! | what no type holds: longer integers, JSON beyond the range of numbers | text |

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::kinds::{DIGITS_MOST, Kinds, Members};

/// What values are written as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Boolean,
    Long,
    Double,
    Text,
    Bytes,
    Date,
    /// A moment, in so many microseconds.
    Moment(i64),
    /// A decimal of so many digits behind the point.
    Decimal(u8),
    List(Box<Type>),
    Map(Box<Type>),
    Record(Record),
    Union(Vec<Type>),
}

/// A record: its name and fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

/// A field: the member's name, the field's, which Avro takes, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) member: String,
    pub(super) name: String,
    pub(super) kind: Type,
}

/// Gives records of one schema their full names: the first one's, and that with a number.
#[derive(Debug)]
pub(super) struct Names<'a> {
    first: &'a str,
    given: usize,
}

impl<'a> Names<'a> {
    pub(super) fn new(first: &'a str) -> Self {
        Self { first, given: 0 }
    }

    pub(super) fn next(&mut self) -> String {
        self.given += 1;
        let (first, given) = (self.first, self.given);
        match given {
            1 => first.to_owned(),
            _ => format!("{first}{given}"),
        }
    }
}

impl Type {
    /// The type of such values.
    pub(super) fn of(kinds: &Kinds, names: &mut Names<'_>) -> Self {
        let mut branches = Vec::new();
        let mut text = kinds.text;
        let has = |wanted: bool, kind: Self| wanted.then_some(kind);
        branches.extend(has(kinds.null, Self::Null));
        branches.extend(has(kinds.boolean, Self::Boolean));
        branches.extend(has(kinds.long && (kinds.wide || !kinds.double), Self::Long));
        branches.extend(has(kinds.double, Self::Double));
        branches.extend(has(kinds.bytes, Self::Bytes));
        branches.extend(has(kinds.date, Self::Date));
        if kinds.moment {
            // A union has one long.
            let ticks = if kinds.fine { 1 } else { 1_000 };
            let is_alone = !branches.contains(&Self::Long);
            branches.extend(has(is_alone, Self::Moment(ticks)));
            text |= !is_alone;
        }
        if let Some((whole, scale)) = kinds.decimal {
            let fits = whole.saturating_add(scale) <= DIGITS_MOST && !kinds.bytes;
            let scale = u8::try_from(scale).unwrap_or(u8::MAX);
            branches.extend(has(fits, Self::Decimal(scale)));
            text |= !fits;
        }
        if let Some(object) = &kinds.object {
            branches.push(Self::object(object, names));
        }
        if let Some(elements) = &kinds.list {
            branches.push(Self::List(Box::new(Self::of(elements, names))));
        }
        branches.extend(has(text, Self::Text));
        match (branches.pop(), branches.is_empty()) {
            // Nothing was seen: the elements of lists without any.
            (None, _) => Self::Null,
            (Some(only), true) => only,
            (Some(last), false) => {
                branches.push(last);
                Self::Union(branches)
            }
        }
    }

    fn object(members: &Members, names: &mut Names<'_>) -> Self {
        if let Some(any) = &members.any {
            return Self::Map(Box::new(Self::of(any, names)));
        }
        let name = names.next();
        let mut taken = HashSet::new();
        let fields = members.named.iter().map(|(member, kinds)| {
            let mut field = legal(member);
            while !taken.insert(field.clone()) {
                field.push('_');
            }
            // A field may be missing in an object to come as it may in one that came.
            let mut kinds = kinds.clone();
            kinds.null = true;
            Field {
                member: member.clone(),
                name: field,
                kind: Self::of(&kinds, names),
            }
        });
        let fields = fields.collect();
        Self::Record(Record { name, fields })
    }

    /// The schema.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Null => json!("null"),
            Self::Boolean => json!("boolean"),
            Self::Long => json!("long"),
            Self::Double => json!("double"),
            Self::Text => json!("string"),
            Self::Bytes => json!("bytes"),
            Self::Date => json!({"type": "int", "logicalType": "date"}),
            Self::Moment(1) => json!({"type": "long", "logicalType": "timestamp-micros"}),
            Self::Moment(_) => json!({"type": "long", "logicalType": "timestamp-millis"}),
            Self::Decimal(scale) => json!({
                "type": "bytes", "logicalType": "decimal", "precision": DIGITS_MOST, "scale": scale,
            }),
            Self::List(elements) => json!({"type": "array", "items": elements.json()}),
            Self::Map(values) => json!({"type": "map", "values": values.json()}),
            Self::Record(record) => definition(
                &record.name,
                record.fields.iter().map(Field::json).collect(),
            ),
            Self::Union(branches) => branches.iter().map(Self::json).collect(),
        }
    }
}

/// A record of a full name.
pub(super) fn definition(name: &str, fields: Vec<Json>) -> Json {
    let (space, name) = name.rsplit_once('.').unwrap_or(("", name));
    json!({"type": "record", "name": name, "namespace": space, "fields": fields})
}

impl Field {
    fn json(&self) -> Json {
        let mut field = json!({"name": self.name, "type": self.kind.json()});
        let is_null = |kind: &Type| *kind == Type::Null;
        let may_miss = match &self.kind {
            Type::Union(branches) => branches.first().is_some_and(is_null),
            kind => is_null(kind),
        };
        if may_miss && let Some(field) = field.as_object_mut() {
            field.insert("default".to_owned(), Json::Null);
        }
        field
    }
}

/// A name that Avro takes; any other is written as in a URL, with `_` for `%`.
fn legal(name: &str) -> String {
    let mut legal = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => legal.push(char::from(byte)),
            _ => legal.push_str(&format!("_{byte:02X}")),
        }
    }
    match legal.bytes().next() {
        Some(first) if !first.is_ascii_digit() => legal,
        _ => format!("x{legal}"),
    }
}
