//! Identities survive the table's log: Arrow -> Delta's `schemaString` -> Arrow.

use arrow::datatypes::Schema;
use delta_kernel::engine::arrow_conversion::{TryFromArrow, TryIntoArrow};
use delta_kernel::schema::StructType;

use super::shred;
use crate::schema::{envelope_schema, grow};

#[test]
fn a_schema_comes_back_from_the_log_as_it_was() {
    let empty = envelope_schema();
    let batch = shred(
        &empty,
        &[
            r#"{"a": 1, "1": true, "q\"\n": {"x y": [{"z": [[1]], "Z": 1e999}]}, "big": 1e1}"#,
            r#"{"a": "s", "m": [1, [2, "x"], {"k": 99999999999999999999}], "true": 1.5}"#,
        ],
    );
    let table = grow(&empty, batch.schema_ref()).unwrap();
    let delta = StructType::try_from_arrow(&table).unwrap();
    let text = serde_json::to_string(&delta).unwrap();
    let delta: StructType = serde_json::from_str(&text).unwrap();
    let back: Schema = (&delta).try_into_arrow().unwrap();
    assert_eq!(back.fields(), table.fields());
}
