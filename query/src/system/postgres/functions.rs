//! Functions that clients of Postgres call before anyone asks something.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::rows::{DATABASE, OWNER, TABLE_OID_MIN};
use crate::postgres::{SETTINGS, VERSION, format_type};

/// All of them.
pub(crate) fn all() -> Vec<ScalarUDF> {
    let text = |text: &str| Answer::Fixed(ScalarValue::from(text));
    let truth = |value: bool| Answer::Fixed(ScalarValue::from(value));
    let nothing = Answer::Fixed(ScalarValue::Utf8(None));
    let number = |value: i64| Answer::Fixed(ScalarValue::from(value));
    let mut all = vec![
        ("version", text(VERSION)),
        ("current_database", text(DATABASE)),
        ("current_catalog", text(DATABASE)),
        ("current_schema", text("public")),
        ("current_schemas", Answer::Fixed(schemas())),
        ("current_user", text(OWNER)),
        ("session_user", text(OWNER)),
        ("pg_get_userbyid", text(OWNER)),
        ("pg_encoding_to_char", text("UTF8")),
        ("pg_is_in_recovery", truth(false)),
        ("pg_backend_pid", number(0)),
        ("pg_relation_size", Answer::Fixed(ScalarValue::Int64(None))),
        (
            "pg_total_relation_size",
            Answer::Fixed(ScalarValue::Int64(None)),
        ),
        (
            "pg_table_is_visible",
            Answer::Computed(DataType::Boolean, visible),
        ),
        ("format_type", Answer::Computed(DataType::Utf8, type_text)),
        ("current_setting", Answer::Computed(DataType::Utf8, setting)),
    ];
    // What a user may is decided at the door.
    for name in [
        "has_any_column_privilege",
        "has_column_privilege",
        "has_database_privilege",
        "has_schema_privilege",
        "has_table_privilege",
        "pg_function_is_visible",
        "pg_type_is_visible",
    ] {
        all.push((name, truth(true)));
    }
    for name in [
        "col_description",
        "obj_description",
        "pg_advisory_unlock_all",
        "pg_get_constraintdef",
        "pg_get_expr",
        "pg_get_indexdef",
        "pg_get_partkeydef",
        "pg_get_viewdef",
        "pg_tablespace_location",
        "shobj_description",
    ] {
        all.push((name, nothing.clone()));
    }
    let made = all.into_iter();
    made.map(|(name, answer)| ScalarUDF::new_from_impl(Asked::new(name, answer)))
        .collect()
}

/// What a function answers.
#[derive(Debug, Clone)]
enum Answer {
    Fixed(ScalarValue),
    Computed(DataType, fn(&[ArrayRef]) -> Result<ArrayRef>),
}

/// A function of any arguments.
#[derive(Debug)]
struct Asked {
    name: &'static str,
    answer: Answer,
    signature: Signature,
}

impl Asked {
    fn new(name: &'static str, answer: Answer) -> Self {
        let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        Self {
            name,
            answer,
            signature: Signature::one_of(any, Volatility::Stable),
        }
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Asked {}

impl std::hash::Hash for Asked {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Asked {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match &self.answer {
            Answer::Fixed(value) => value.data_type(),
            Answer::Computed(data_type, _) => data_type.clone(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &self.answer {
            Answer::Fixed(value) => Ok(ColumnarValue::Scalar(value.clone())),
            Answer::Computed(_, compute) => {
                let rows = args.number_rows;
                let arrays = args.args.iter().map(|arg| arg.clone().into_array(rows));
                let arrays: Vec<ArrayRef> = arrays.collect::<Result<_>>()?;
                Ok(ColumnarValue::Array(compute(&arrays)?))
            }
        }
    }
}

fn schemas() -> ScalarValue {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["pg_catalog", "public"]));
    let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([2]);
    ScalarValue::List(Arc::new(ListArray::new(field, offsets, values, None)))
}

/// The argument at this place as numbers.
fn numbers(arguments: &[ArrayRef], at: usize) -> Result<Int64Array> {
    match arguments.get(at) {
        Some(array) => Ok(cast(array, &DataType::Int64)?
            .as_primitive::<Int64Type>()
            .clone()),
        None => datafusion::common::exec_err!("an argument is missing"),
    }
}

/// Whether a table is found by its bare name.
fn visible(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let oids = numbers(arguments, 0)?;
    let seen = oids.iter().map(|oid| oid.map(|oid| oid >= TABLE_OID_MIN));
    Ok(Arc::new(seen.collect::<arrow::array::BooleanArray>()))
}

fn type_text(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let oids = numbers(arguments, 0)?;
    let modifiers = match arguments.get(1) {
        Some(_) => Some(numbers(arguments, 1)?),
        None => None,
    };
    let mut texts = StringBuilder::new();
    for (row, oid) in oids.iter().enumerate() {
        let modifier = modifiers.as_ref().filter(|all| all.is_valid(row));
        let modifier = modifier.map_or(-1, |all| all.value(row));
        texts.append_option(oid.map(|oid| format_type(oid, modifier)));
    }
    Ok(Arc::new(texts.finish()))
}

/// A setting as it is for who has set nothing.
fn setting(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let Some(names) = arguments.first() else {
        return datafusion::common::exec_err!("`current_setting` takes a setting's name");
    };
    let names = cast(names, &DataType::Utf8)?;
    let found = names.as_string::<i32>().iter().map(|name| {
        let name = name?.to_lowercase();
        let known = SETTINGS.iter().find(|(known, _)| *known == name);
        known.map(|(_, value)| *value)
    });
    Ok(Arc::new(found.collect::<StringArray>()))
}
