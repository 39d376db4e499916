//! JSON paths as Confluent's transforms take them: the dialect of Jayway's library.
//!
//! ```text
//! $.customer.name   $['a b'][0]   $.items[*].price   $..id   $.items[1:3]   $.items[-1]
//! $[?(@.status == 'open' && @.total > 10)]
//! ```
//!
//! A condition on an object asks the object itself, on a list each element: that is what sets this
//! dialect apart from RFC 9535, where a condition on an object asks its members, and why the
//! crates for that one don't do here. A field that isn't there meets no comparison.

mod condition;
mod condition_parse;
mod find;
mod parse;

use condition::Condition;
use eddy_engine::Value;

/// A path.
#[derive(Debug)]
pub(super) struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

/// One step of a path, from the values that the steps before have found.
#[derive(Debug)]
enum Step {
    /// A member, or several.
    Names(Vec<String>),
    /// Elements, from the end where they are negative.
    Indexes(Vec<i64>),
    /// Elements from one to before another.
    Slice(Option<i64>, Option<i64>),
    /// Every member or element.
    All,
    /// The values themselves and all within them.
    Descend,
    /// What meets a condition.
    If(Condition),
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    /// Says what is taken instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: text.to_owned(),
            steps: parse::path(text)?,
        })
    }

    /// The path as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What is there; `None` where what the path goes through isn't: that is not the same as
    /// nothing that meets its condition.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Option<Vec<&'v Value>> {
        find::find(&self.steps, value, value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ORDER: &str = r#"{
        "id": 7, "status": "open", "none": null, "a b": 1, "vip": true,
        "customer": {"name": "ann", "tags": ["x", "y"]},
        "items": [{"sku": "a", "price": 5, "n": {"id": 1}}, {"sku": "b", "price": 12.5},
                  {"sku": "c"}]
    }"#;

    fn found(path: &str) -> Option<Vec<Value>> {
        let order = Value::parse(ORDER.as_bytes()).unwrap();
        let path = JsonPath::parse(path).unwrap();
        path.find(&order)
            .map(|found| found.into_iter().cloned().collect())
    }

    fn parsed(json: &str) -> Vec<Value> {
        match Value::parse(json.as_bytes()) {
            Some(Value::List(values)) => values,
            other => vec![other.unwrap()],
        }
    }

    #[test]
    fn a_path_finds_what_is_there() {
        for (path, values) in [
            ("$.id", "[7]"),
            ("$['customer']['name']", "[\"ann\"]"),
            ("$.customer['name']", "[\"ann\"]"),
            ("$['a b']", "[1]"),
            ("customer.name", "[\"ann\"]"),
            ("$.items[0].sku", "[\"a\"]"),
            ("$.items[-1].sku", "[\"c\"]"),
            ("$.items[0,1].sku", "[\"a\", \"b\"]"),
            ("$.items[1:].sku", "[\"b\", \"c\"]"),
            ("$.items[:-1].price", "[5, 12.5]"),
            ("$.items[*].price", "[5, 12.5]"),
            ("$..id", "[7, 1]"),
            ("$.customer.*", "[\"ann\", [\"x\", \"y\"]]"),
            ("$['id','status']", "[7, \"open\"]"),
            ("$.items[9]", "[]"),
        ] {
            let found = found(path);
            match path {
                "$.items[9]" => assert_eq!(found, None, "{path}"),
                _ => assert_eq!(found, Some(parsed(values)), "{path}"),
            }
        }
        for path in [
            "$.nothing",
            "$.id.below",
            "$.none",
            "$.nothing[?(@.a == 1)]",
            "$.id[?(@ == 7)]",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn a_condition_asks_an_object_itself_and_each_element_of_a_list() {
        for (condition, holds) in [
            ("@.status == 'open'", true),
            ("@.status == \"open\"", true),
            ("@.status != 'open'", false),
            ("@.id == 7", true),
            ("@.id == '7'", true),
            ("@.id === '7'", false),
            ("@.id >= 7 && @.id < 8", true),
            ("@.id > 7 || @.status == 'open'", true),
            ("!(@.id > 7)", true),
            ("@.customer.name", true),
            ("!@.nothing", true),
            ("@.nothing == 'x'", false),
            ("@.nothing != 'x'", false),
            ("@.none == null", true),
            ("@.vip == true", true),
            ("@.status =~ /OP.*/i", true),
            ("@.status =~ /OP.*/", false),
            ("@.status =~ /pe/", false),
            ("@.status in ['open', 'new']", true),
            ("@.status nin ['open', 'new']", false),
            ("@.customer.tags contains 'x'", true),
            ("@.customer.tags size 2", true),
            ("@.customer.tags empty false", true),
            ("@.id == $.id", true),
            ("@['a b'] == 1", true),
            ("@.customer.tags[0] == 'x'", true),
            ("'open' == @.status", true),
            ("@.id == 7.0", true),
            ("@.id > -1", true),
        ] {
            let found = found(&format!("$[?({condition})]")).unwrap();
            assert_eq!(!found.is_empty(), holds, "{condition}");
        }
        let dear = found("$.items[?(@.price > 10)].sku").unwrap();
        assert_eq!(dear, parsed("[\"b\"]"));
        assert_eq!(found("$.items[?(@.price > 100)]").unwrap(), []);
        assert_eq!(found("$.customer[?(@.name == 'ann')]").unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "",
            "$.",
            "$[",
            "$[?(@.a]",
            "$[?(@.a == )]",
            "$.a[x]",
            "$[?(@.a =~ /(/)]",
            "$.length()",
            "$[?()]",
            "$[?(@.a ~ 1)]",
            "$.a b'",
        ] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
