//! JSON as Python's `json.dumps` writes it, for tests.
#![allow(clippy::unwrap_used)]

/// As Python's `json.dumps` writes it.
pub(crate) fn dumped(value: &serde_json::Value) -> String {
    let mut out = String::new();
    dump(value, &mut out);
    out
}

fn dump(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(members) => {
            out.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                dump(&serde_json::Value::String(key.clone()), out);
                out.push_str(": ");
                dump(value, out);
            }
            out.push('}');
        }
        serde_json::Value::Array(elements) => {
            out.push('[');
            for (at, value) in elements.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                dump(value, out);
            }
            out.push(']');
        }
        serde_json::Value::String(text) => {
            for c in serde_json::to_string(text).unwrap().chars() {
                if c.is_ascii() && c != '\u{7f}' {
                    out.push(c);
                    continue;
                }
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        other => out.push_str(&other.to_string()),
    }
}
