//! What a view makes of one stored value: its text, its JSON, or the value with what drifted
//! inside of it shown as one.

use arrow::datatypes::{DataType, Field, Fields};
use eddy_engine::schema::{KEY, Kind, is_members, logical};

use super::types::shown_type;
use super::{Dialect, MadeOf, shown};

/// Makes expressions; variables of lists within lists must differ.
pub(super) struct Expressions {
    dialect: Dialect,
    variables: usize,
}

impl Expressions {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            variables: 0,
        }
    }

    /// The text of a value: a string as it is, a number without zeros behind the point, moments,
    /// days and bytes without quotes, anything else as JSON.
    pub(super) fn text(&mut self, of: &str, data_type: &DataType) -> String {
        match data_type {
            DataType::Utf8 => of.to_owned(),
            DataType::Float64 => {
                let whole = self
                    .dialect
                    .as_text(&format!("CAST({of} AS DECIMAL(38, 0))"));
                let other = self.dialect.json_of_double(of);
                let is_whole = self.dialect.is_whole(of);
                format!("CASE WHEN {is_whole} THEN {whole} ELSE {other} END")
            }
            DataType::Decimal128(_, 1..) => self.dialect.decimal_as_text(of),
            DataType::Timestamp(_, Some(_)) => {
                format!("({})", self.dialect.moment_as_text(of))
            }
            DataType::Binary => self.dialect.base64(of),
            DataType::Date32 => self.dialect.as_text(of),
            _ => self.json(of, data_type),
        }
    }

    /// The JSON of a value, null for null.
    fn json(&mut self, of: &str, data_type: &DataType) -> String {
        match data_type {
            DataType::Boolean | DataType::Int32 | DataType::Int64 | DataType::Decimal128(_, _) => {
                self.dialect.as_text(of)
            }
            DataType::Float64 => self.dialect.json_of_double(of),
            DataType::Utf8 => self.dialect.json_of_text(of),
            DataType::Timestamp(_, Some(_)) | DataType::Date32 | DataType::Binary => {
                let text = self.text(of, data_type);
                self.dialect.json_of_text(&text)
            }
            DataType::List(element) => {
                let variable = self.variable();
                let json = self.json(&variable, element.data_type());
                let json = format!("COALESCE({json}, 'null')");
                let list = self.dialect.each(of, &variable, &json);
                let joined = self.dialect.joined_list(&list);
                format!("CASE WHEN {of} IS NOT NULL THEN '[' || {joined} || ']' END")
            }
            DataType::Struct(fields) if is_members(fields) => {
                let members = fields.iter().map(|field| {
                    let member = self.dialect.field(of, field.name());
                    self.json(&member, field.data_type())
                });
                let members: Vec<String> = members.collect();
                self.dialect.first(&members)
            }
            DataType::Struct(fields) => self.json_of_object(of, fields),
            _ => self.dialect.json_of_text(&self.dialect.as_text(of)),
        }
    }

    fn json_of_object(&mut self, of: &str, fields: &Fields) -> String {
        let members: Vec<String> = fields
            .iter()
            .map(|field| self.member(&self.dialect.field(of, field.name()), field))
            .collect();
        let joined = self.dialect.joined(&members);
        format!("CASE WHEN {of} IS NOT NULL THEN '{{' || {joined} || '}}' END")
    }

    /// `"key":json`, null where the member has no value.
    fn member(&mut self, of: &str, field: &Field) -> String {
        if Kind::of(field) == Some(Kind::Rescued) {
            // An object's text: what is between its braces.
            return format!("NULLIF(substring({of}, 2, length({of}) - 2), '')");
        }
        let key = field.metadata().get(KEY).unwrap_or(field.name());
        // Every string has a JSON text.
        let key = serde_json::to_string(key).unwrap_or_default();
        let opening = self.dialect.literal(&format!("{key}:"));
        format!("{opening} || {}", self.json(of, field.data_type()))
    }

    /// The value with what drifted inside of it shown as one; `None` where nothing did.
    pub(super) fn folded(&mut self, of: &str, data_type: &DataType) -> Option<String> {
        if !drifts(data_type) {
            return None;
        }
        match data_type {
            DataType::List(element) => {
                let variable = self.variable();
                let folded = self.folded(&variable, element.data_type())?;
                Some(self.dialect.each(of, &variable, &folded))
            }
            DataType::Struct(fields) => {
                let mut parts = Vec::new();
                for field in shown(fields) {
                    parts.push(match &field.made_of {
                        MadeOf::Text(alternates) => {
                            let texts = alternates.iter().map(|stored| {
                                let inside = self.dialect.field(of, stored.name());
                                self.text(&inside, stored.data_type())
                            });
                            let texts: Vec<String> = texts.collect();
                            (field.name, self.dialect.first(&texts), "VARCHAR".to_owned())
                        }
                        MadeOf::Field(stored) => {
                            let inside = self.dialect.field(of, stored.name());
                            let folded = self.folded(&inside, stored.data_type());
                            let data_type = shown_type(stored.data_type());
                            (field.name, folded.unwrap_or(inside), data_type)
                        }
                    });
                }
                let structure = self.dialect.structure(&parts);
                Some(format!("CASE WHEN {of} IS NOT NULL THEN {structure} END"))
            }
            _ => None,
        }
    }

    fn variable(&mut self) -> String {
        self.variables += 1;
        format!("e{}", self.variables)
    }
}

/// Whether a value of this type has drifted fields inside of it.
fn drifts(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(element) => drifts(element.data_type()),
        DataType::Struct(fields) => {
            !logical(fields).is_empty() || fields.iter().any(|field| drifts(field.data_type()))
        }
        _ => false,
    }
}
