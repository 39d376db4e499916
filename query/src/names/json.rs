//! `doc -> 'a' -> 0` and `doc ->> 'a'`: a member of a text that is JSON.
//!
//! ```text
//! doc -> 'a' -> 0      json_get_json(doc, 'a', 0)    JSON text
//! doc -> 'a' ->> 'b'   json_as_text(doc, 'a', 'b')   a string as it is, anything else as JSON
//! json_get(doc, 'a')   json_get_json(doc, 'a')
//! ```
//!
//! The functions are `datafusion-functions-json`'s. Its own `->` answers a union of types, which
//! neither groups nor sorts, nor has a place in most answers.

use datafusion::sql::sqlparser::ast::{Expr, Function, Ident, ObjectName};

use super::build::{bare, call};
use super::calls::arguments;

const MEMBER: &str = "json_get_json";
const TEXT: &str = "json_as_text";

/// `of -> key`, or with `text` `of ->> key`.
pub(super) fn member(of: &Expr, key: &Expr, text: bool) -> Expr {
    let mut path = match bare(of) {
        Expr::Function(function) if is(function, MEMBER) => {
            let known = arguments(function).into_iter().flatten();
            known.cloned().collect()
        }
        other => vec![other.clone()],
    };
    path.push(bare(key).clone());
    call(if text { TEXT } else { MEMBER }, path)
}

/// Makes text of what `json_get` answers.
pub(super) fn as_text(function: &mut Function) {
    if is(function, "json_get") {
        function.name = ObjectName::from(vec![Ident::new(MEMBER)]);
    }
}

fn is(function: &Function, name: &str) -> bool {
    function.name.to_string().eq_ignore_ascii_case(name)
}
