//! `header('name')`: the text of a record's last header of that name, as Kafka's `lastHeader`; null
//! where there is none, and where its bytes are no text, as in `_key_text`.
//!
//! In the statement it names no column; the pass over its names (`names/header`) adds it.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::cast::as_list_array;
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function's name.
pub(crate) const NAME: &str = "header";

/// The column that follows the name in a call.
pub(crate) const COLUMN: &str = "_headers";

/// The function.
pub(crate) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(HeaderText {
        signature: Signature::any(2, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct HeaderText {
    signature: Signature,
}

impl ScalarUDFImpl for HeaderText {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(name), headers] = args.args.as_slice() else {
            return exec_err!("`{NAME}` takes a constant name");
        };
        let headers = headers.to_array(args.number_rows)?;
        let headers = as_list_array(&headers)?;
        let entries = headers.values().as_struct_opt();
        let keys =
            entries.and_then(|entries| entries.column_by_name("key")?.as_string_opt::<i32>());
        let values =
            entries.and_then(|entries| entries.column_by_name("value")?.as_binary_opt::<i32>());
        let (Some(keys), Some(values), Some(name)) = (keys, values, name.try_as_str()) else {
            return exec_err!("`{NAME}` takes a name and a record's headers");
        };
        let mut texts = StringBuilder::new();
        for (row, bounds) in headers.value_offsets().windows(2).enumerate() {
            let position = |offset: &i32| usize::try_from(*offset).unwrap_or(0);
            let mut entries = match bounds {
                [from, to] if headers.is_valid(row) => position(from)..position(to),
                _ => 0..0,
            };
            let last = entries.rfind(|at| keys.is_valid(*at) && Some(keys.value(*at)) == name);
            let value = last
                .filter(|at| values.is_valid(*at))
                .map(|at| values.value(at));
            texts.append_option(value.and_then(|value| std::str::from_utf8(value).ok()));
        }
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::error::ErrorKind;
    use crate::testing::{TIME_MS, World};
    use eddy_engine::Header;

    #[test]
    fn a_header_is_the_text_of_the_last_one_of_its_name() {
        let world = World::new();
        let mut topic = world.writer("t", 1);
        let header = |name: &'static str, value: Option<&'static [u8]>| Header { name, value };
        for headers in [
            vec![
                header("id", Some(b"a")),
                header("id", Some(b"b-2")),
                header("ID", Some(b"c")),
            ],
            vec![header("id", Some(b"b-2")), header("id", None)],
            vec![header("id", Some(b"\xff"))],
            vec![header("id", Some(b""))],
            vec![],
        ] {
            topic.put_keyed(TIME_MS, b"k", "{}", &headers);
        }
        topic.publish();
        for _ in 0..2 {
            let found = world.rows("SELECT header('id') AS h FROM t ORDER BY _offset");
            assert_eq!(
                found,
                [
                    json!({"h": "b-2"}),
                    json!({}),
                    json!({}),
                    json!({"h": ""}),
                    json!({})
                ]
            );
            for (sql, expected) in [
                ("SELECT count(*) FROM t WHERE header('id') = 'b-2'", 1),
                (
                    "SELECT count(*) FROM t WHERE header('id') IN ('b-2', '')",
                    2,
                ),
                ("SELECT count(*) FROM t WHERE NOT header('id') = 'b-2'", 1),
                (
                    "SELECT count(*) FROM t a JOIN t b ON header(a, 'id') = header(b, 'id')",
                    2,
                ),
                ("SELECT count(DISTINCT Header('ID')) FROM t", 1),
                ("SELECT count(header('none')) FROM t", 0),
            ] {
                assert_eq!(world.value(sql), json!(expected), "{sql}");
            }
            topic.commit();
        }
        for (sql, message) in [
            ("SELECT header(_topic || 'x') FROM t", "constant name"),
            ("SELECT header() FROM t", "takes a name"),
            ("SELECT header('id') FROM t a, t b", "which table"),
            (
                "SELECT header('id') FROM (SELECT _key FROM t) q",
                "no column `_headers`",
            ),
        ] {
            let error = world.error(sql);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}: {error}");
            assert!(error.to_string().contains(message), "{sql}: {error}");
        }
    }
}
