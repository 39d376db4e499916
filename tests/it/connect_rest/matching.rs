//! Whether an answer is what a fixture says: `"*"` is anything; `"..."`, as a key or as the last
//! item, is whatever else there may be.

use serde_json::Value;

/// Says where the answer differs.
pub fn fits(wanted: &Value, answer: &Value) -> Result<(), String> {
    at("answer", wanted, answer)
}

fn at(place: &str, wanted: &Value, answer: &Value) -> Result<(), String> {
    match (wanted, answer) {
        (Value::String(any), _) if any == "*" => Ok(()),
        (Value::Object(wanted), Value::Object(answer)) => {
            let open = wanted.contains_key("...");
            if let Some(more) = answer
                .keys()
                .find(|key| !open && !wanted.contains_key(*key))
            {
                return Err(format!("{place} has `{more}`"));
            }
            for (key, wanted) in wanted.iter().filter(|(key, _)| *key != "...") {
                let Some(answer) = answer.get(key) else {
                    return Err(format!("{place} has no `{key}`"));
                };
                at(&format!("{place}.{key}"), wanted, answer)?;
            }
            Ok(())
        }
        (Value::Array(wanted), Value::Array(answer)) => {
            let open = wanted.last().is_some_and(|last| last == "...");
            let wanted = if open {
                &wanted[..wanted.len() - 1]
            } else {
                wanted
            };
            if answer.len() < wanted.len() || !open && answer.len() > wanted.len() {
                return Err(format!("{place} has {} items: {answer:?}", answer.len()));
            }
            for (number, (wanted, answer)) in wanted.iter().zip(answer).enumerate() {
                at(&format!("{place}[{number}]"), wanted, answer)?;
            }
            Ok(())
        }
        _ if wanted == answer => Ok(()),
        _ => Err(format!("{place} is {answer}, not {wanted}")),
    }
}

#[test]
fn an_answer_fits_what_is_said_and_nothing_else() {
    use serde_json::json;
    for (wanted, answer, does) in [
        (
            json!({"a": "*", "b": [1, "..."]}),
            json!({"a": {}, "b": [1, 2]}),
            true,
        ),
        (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
        (json!({"a": 1, "...": "*"}), json!({"a": 1, "b": 2}), true),
        (json!({"a": 1}), json!({}), false),
        (json!([1]), json!([1, 2]), false),
        (json!([1, "..."]), json!([]), false),
        (json!(null), json!(""), false),
    ] {
        assert_eq!(fits(&wanted, &answer).is_ok(), does, "{wanted} {answer}");
    }
}
