//! Postgres' types as its catalog has them.

use arrow::datatypes::{DataType, Field};
use pgwire::api::Type;

use super::kind::{Column, Kind};

/// A type, or one with a modifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlType {
    pub(crate) oid: u32,
    /// Postgres' short name.
    pub(crate) name: String,
    /// Bytes of a value, or -1.
    pub(crate) size: i16,
    /// Precision and scale as Postgres packs them, or -1.
    pub(crate) modifier: i32,
    /// The elements' type, of lists.
    pub(crate) element: Option<u32>,
    /// The type of lists of this.
    pub(crate) list: Option<u32>,
}

/// The type that clients are told for an Arrow type.
pub(crate) fn sql_type(data_type: &DataType) -> SqlType {
    let column = Column::of(&Field::new("", data_type.clone(), true), false);
    let told = column.described();
    SqlType {
        modifier: told.type_modifier,
        ..of(column.kind, column.is_list)
    }
}

fn of(kind: Kind, is_list: bool) -> SqlType {
    let (plain, list) = (kind.sql_type(), kind.list_type());
    let shown = if is_list { &list } else { &plain };
    SqlType {
        oid: shown.oid(),
        name: shown.name().to_owned(),
        size: if is_list { -1 } else { kind.size() },
        modifier: -1,
        element: is_list.then(|| plain.oid()),
        list: (!is_list).then(|| list.oid()),
    }
}

/// All types that an answer may have.
pub(crate) fn known_types() -> Vec<SqlType> {
    let both = |kind| [of(kind, false), of(kind, true)];
    Kind::ALL.into_iter().flat_map(both).collect()
}

/// A type as SQL writes it: `bigint`, `numeric(38,2)`, `text[]`.
pub(crate) fn format_type(oid: i64, modifier: i64) -> String {
    let known = u32::try_from(oid).ok().and_then(Type::from_oid);
    let Some(known) = known else {
        return "???".to_owned();
    };
    let (name, list) = match known.name().strip_prefix('_') {
        Some(element) => (element, "[]"),
        None => (known.name(), ""),
    };
    let digits = match precision(modifier) {
        Some((precision, scale)) if name == "numeric" => format!("({precision},{scale})"),
        _ => String::new(),
    };
    format!("{}{digits}{list}", long_name(name))
}

fn long_name(name: &str) -> &str {
    match name {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        "varchar" => "character varying",
        "bpchar" => "character",
        other => other,
    }
}

fn precision(modifier: i64) -> Option<(i64, i64)> {
    let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
    Some((packed >> 16, packed & 0xffff))
}

impl SqlType {
    /// Precision and scale, where the type has them.
    pub(crate) fn precision(&self) -> Option<(i64, i64)> {
        precision(self.modifier.into())
    }

    /// The name as `information_schema` has it.
    pub(crate) fn data_type(&self) -> String {
        match self.element {
            Some(_) => "ARRAY".to_owned(),
            None => long_name(&self.name).to_owned(),
        }
    }

    /// The letter of its category.
    pub(crate) fn category(&self) -> &'static str {
        match (self.element, self.name.as_str()) {
            (Some(_), _) => "A",
            (None, "bool") => "B",
            (None, "text") => "S",
            (None, "timestamp" | "timestamptz" | "date" | "time") => "D",
            (None, "bytea" | "json") => "U",
            (None, _) => "N",
        }
    }
}
