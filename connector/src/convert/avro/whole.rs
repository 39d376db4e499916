//! A registered schema and those that it refers to as one, as a file of Avro has it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::schema::{full_name, text};

/// Levels of a schema's JSON that are followed.
const DEPTH_MOST: usize = 256;

/// The schema as it stands if it needs no other; else each type that it refers to is defined where
/// its name comes first.
///
/// # Errors
/// What is wrong with it.
pub(in crate::convert) fn whole(
    references: &[(String, String)],
    schema: &str,
) -> Result<String, String> {
    if references.is_empty() {
        return Ok(schema.to_owned());
    }
    let parse = |text: &str| {
        serde_json::from_str::<Json>(text).map_err(|error| format!("it is no JSON: {error}"))
    };
    let mut whole = Whole::default();
    for (_, reference) in references {
        whole.collect(&parse(reference)?, "", 0)?;
    }
    let mut root = parse(schema)?;
    whole.fill(&mut root, "", 0)?;
    Ok(root.to_string())
}

#[derive(Default)]
struct Whole {
    /// Definitions by their full names.
    known: BTreeMap<String, Json>,
    defined: BTreeSet<String>,
}

impl Whole {
    /// Learns the named types that a reference defines, those within others too.
    fn collect(&mut self, schema: &Json, space: &str, depth: usize) -> Result<(), String> {
        check(depth)?;
        match schema {
            Json::Array(branches) => branches
                .iter()
                .try_for_each(|branch| self.collect(branch, space, depth + 1)),
            Json::Object(object) => {
                let name = named(object, space);
                let space = name.as_deref().map_or(space, space_of).to_owned();
                for inner in inner(object) {
                    self.collect(inner, &space, depth + 1)?;
                }
                if let Some(name) = name {
                    // Its own namespace holds wherever it will stand.
                    let mut definition = object.clone();
                    let (_, short) = name.rsplit_once('.').unwrap_or(("", &name));
                    definition.insert("name".to_owned(), short.into());
                    definition.insert("namespace".to_owned(), space.into());
                    self.known.insert(name, Json::Object(definition));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Puts definitions in the place of names that nothing before them defines.
    fn fill(&mut self, schema: &mut Json, space: &str, depth: usize) -> Result<(), String> {
        check(depth)?;
        match schema {
            Json::String(name) => {
                let full = full_name(name, space);
                if let Some(known) = self.known.get(&full)
                    && !self.defined.contains(&full)
                {
                    *schema = known.clone();
                    return self.fill(schema, space, depth + 1);
                }
                Ok(())
            }
            Json::Array(branches) => branches
                .iter_mut()
                .try_for_each(|branch| self.fill(branch, space, depth + 1)),
            Json::Object(object) => {
                let name = named(object, space);
                let space = name.as_deref().map_or(space, space_of).to_owned();
                if let Some(name) = name
                    && !self.defined.insert(name.clone())
                {
                    // A type that stands in two references.
                    *schema = Json::String(name);
                    return Ok(());
                }
                for key in ["type", "items", "values"] {
                    if let Some(inner) = object.get_mut(key) {
                        self.fill(inner, &space, depth + 1)?;
                    }
                }
                let fields = object.get_mut("fields").and_then(Json::as_array_mut);
                for field in fields.into_iter().flatten() {
                    if let Some(kind) = field.get_mut("type") {
                        self.fill(kind, &space, depth + 1)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn check(depth: usize) -> Result<(), String> {
    match depth > DEPTH_MOST {
        true => Err(format!("it is nested deeper than {DEPTH_MOST} levels")),
        false => Ok(()),
    }
}

/// The full name of the type that is defined here.
fn named(object: &Map<String, Json>, space: &str) -> Option<String> {
    let kind = text(object, "type")?;
    if !matches!(kind, "record" | "error" | "enum" | "fixed") {
        return None;
    }
    let space = text(object, "namespace").unwrap_or(space);
    Some(full_name(text(object, "name")?, space))
}

fn space_of(full: &str) -> &str {
    full.rsplit_once('.').map_or("", |(space, _)| space)
}

fn inner(object: &Map<String, Json>) -> impl Iterator<Item = &Json> {
    let fields = object.get("fields").and_then(Json::as_array);
    let kinds = fields
        .into_iter()
        .flatten()
        .filter_map(|field| field.get("type"));
    let own = ["type", "items", "values"].into_iter();
    own.filter_map(|key| object.get(key)).chain(kinds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{AvroOptions, Plan, decode};
    use super::*;

    #[test]
    fn what_a_schema_refers_to_is_defined_where_its_name_comes_first() {
        let color = r#"{"type":"enum","name":"Color","namespace":"x.y","symbols":["RED","BLUE"]}"#;
        let shape = r#"{"type":"record","name":"x.y.Box","fields":[{"name":"c","type":"Color"}]}"#;
        let references = [("a", color), ("b", shape)];
        let references = references.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let schema = r#"{"type":"record","name":"R","namespace":"other","fields":[
            {"name":"box","type":["null","x.y.Box"]},
            {"name":"colors","type":{"type":"array","items":"x.y.Color"}},
            {"name":"again","type":"x.y.Box"},
            {"name":"own","type":{"type":"fixed","name":"Own","size":1}},
            {"name":"owns","type":{"type":"map","values":"Own"}}]}"#;
        let whole = whole(&references, schema).unwrap();
        let parse = |references, schema: &str| {
            Plan::parse(references, schema, AvroOptions::default()).unwrap()
        };
        let (apart, one) = (parse(&references, schema), parse(&[], &whole));
        let bytes = [2, 2, 2, 0, 0, 2, 9, 2, 2, b'k', 8, 0];
        assert_eq!(decode(&one, &bytes), decode(&apart, &bytes));
        assert!(decode(&one, &bytes).is_ok());
        for defined in ["\"Color\"", "\"Box\""] {
            assert_eq!(whole.matches(defined).count(), 1, "{whole}");
        }
        assert_eq!(super::whole(&[], schema).unwrap(), schema);
    }
}
