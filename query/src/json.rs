//! Functions over texts that are JSON: `datafusion-functions-json`'s, but for those that answer a
//! union of types, which has no place in most answers. `names/json` has the operators.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion_functions_json::udfs;

/// The functions.
pub(crate) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        udfs::json_as_text_udf(),
        udfs::json_contains_udf(),
        udfs::json_get_array_udf(),
        udfs::json_get_bool_udf(),
        udfs::json_get_float_udf(),
        udfs::json_get_int_udf(),
        udfs::json_get_json_udf(),
        udfs::json_get_str_udf(),
        udfs::json_length_udf(),
        udfs::json_object_keys_udf(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::World;

    #[test]
    fn text_is_read_as_json_and_looked_into_drifted_or_not_live_and_committed() {
        let world = World::new();
        let mut topic = world.writer("t", 1);
        topic.put(
            0,
            r#"{"doc": "{\"a\": {\"b\": [1, 2]}, \"s\": \"it's\"}", "id": {"no": 7}}"#,
        );
        topic.put(0, r#"{"doc": "no JSON", "id": "Seventh"}"#);
        topic.publish();
        for _ in 0..2 {
            for (expr, expected) in [
                ("doc->>'s'", json!("it's")),
                ("doc->'a'->>'b'", json!("[1, 2]")),
                ("doc->'a'->'b'->1", json!("2")),
                ("doc->'s'", json!("\"it's\"")),
                ("json_get(doc, 'a', 'b')", json!("[1, 2]")),
                ("CAST(doc->'a'->'b'->0 AS BIGINT)", json!(1)),
                ("json_get_int(doc, 'a', 'b', 1)", json!(2)),
                ("json_get_str(doc, 's')", json!("it's")),
                ("json_length(doc, 'a', 'b')", json!(2)),
                ("json_contains(doc, 'a')", json!(true)),
                ("id->>'no'", json!("7")),
                ("json_get_int(id, 'no')", json!(7)),
                ("_value_text->'id'->>'no'", json!("7")),
                ("contains(doc, 'it')", json!(true)),
                ("contains(id, 'no')", json!(true)),
                ("contains(_key_text, 'ke')", json!(true)),
            ] {
                let sql = format!("SELECT {expr} AS x FROM t WHERE _offset = 0");
                assert_eq!(world.value(&sql), expected, "{expr}");
            }
            for (condition, expected) in [
                ("doc->>'s' = 'it''s'", 1),
                ("doc->>'s' IS NULL", 1),
                ("json_get_int(doc, 'a', 'b', 0) + 1 = 2", 1),
                ("id->>'no' = '7'", 1),
                ("contains(id, 'even')", 1),
                ("contains(_value_text, 'JSON')", 1),
                ("NOT contains(doc, 'JSON')", 1),
            ] {
                let sql = format!("SELECT count(*) FROM t WHERE {condition}");
                assert_eq!(world.value(&sql), json!(expected), "{condition}");
            }
            let grouped = "SELECT doc->'a' AS a, count(*) FROM t GROUP BY doc->'a' ORDER BY a";
            assert_eq!(world.value(grouped), json!("{\"b\": [1, 2]}"));
            topic.commit();
        }
    }
}
