//! Values with a registered JSON Schema: JSON behind the schema's id.
//!
//! A value lands as the JSON that it is, but where its schema says more than JSON can: a `number`
//! is a double even where it is whole, and Connect's own types (`title` and `connect.type`) are
//! decimals, days, moments and bytes. Values aren't validated against their schema: that is the
//! producer's matter, and Connect's converter doesn't by default either. What doesn't fit its
//! schema therefore lands as it came, beside what does.

use std::collections::HashMap;

use eddy_engine::Value;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use super::json::{elements, exact, members};
use super::{json, time};
use crate::data::{DATE, DECIMAL, TIME, TIMESTAMP};

/// What a schema says beyond JSON.
#[derive(Debug)]
pub(super) struct Plan {
    nodes: Vec<Node>,
    root: usize,
}

#[derive(Debug)]
enum Node {
    /// As it came.
    Any,
    /// As another one.
    Same(usize),
    Double,
    Decimal(u32),
    Date,
    Time,
    Timestamp,
    Bytes,
    Object(HashMap<String, usize>, Option<usize>),
    List(usize),
}

/// Levels of schemas and of values.
const DEPTH_MOST: usize = 96;

/// Nodes of a schema with all that it refers to.
const NODES_MOST: usize = 100_000;

impl Plan {
    /// Reads a schema and those that it refers to by name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(references: &[(String, String)], schema: &str) -> Result<Self, String> {
        let read = |text: &str| {
            let json = serde_json::from_str(text);
            json.map_err(|error| format!("the schema is no JSON: {error}"))
        };
        let mut documents: HashMap<&str, Json> = HashMap::new();
        for (name, text) in references {
            documents.insert(name, read(text)?);
        }
        documents.insert("", read(schema)?);
        let mut compiler = Compiler {
            documents: &documents,
            known: HashMap::new(),
            nodes: Vec::new(),
        };
        let root = compiler.pointer("", "", 0)?;
        Ok(Self {
            nodes: compiler.nodes,
            root,
        })
    }

    /// The value of a record's JSON.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub(super) fn convert(&self, bytes: &[u8]) -> Result<Value, String> {
        let raw = std::str::from_utf8(bytes).ok();
        let raw = raw.and_then(|text| serde_json::from_str(text).ok());
        let raw: &RawValue = raw.ok_or_else(|| json::not_json(bytes))?;
        self.value(self.root, raw, 0)
    }

    fn value(&self, node: usize, raw: &RawValue, depth: usize) -> Result<Value, String> {
        let text = raw.get();
        let node = self.nodes.get(node).unwrap_or(&Node::Any);
        if let Node::Same(other) = node
            && depth < DEPTH_MOST
        {
            return self.value(*other, raw, depth + 1);
        }
        if depth < DEPTH_MOST {
            match node {
                Node::Object(properties, others) if text.starts_with('{') => {
                    let mut found = Vec::new();
                    for (key, raw) in members(raw)? {
                        let node = properties.get(key.as_ref()).copied().or(*others);
                        let value = match node {
                            Some(node) => self.value(node, raw, depth + 1)?,
                            None => plain(raw.get())?,
                        };
                        found.push((key.into_owned(), value));
                    }
                    return Ok(Value::Object(found));
                }
                Node::List(items) if text.starts_with('[') => {
                    let found = elements(raw)?.into_iter();
                    let found = found.map(|element| self.value(*items, element, depth + 1));
                    return Ok(Value::List(found.collect::<Result<_, _>>()?));
                }
                _ => {}
            }
        }
        if let (Node::Decimal(scale), Some('0'..='9' | '-' | '"')) = (node, text.chars().next())
            && let Ok(value) = exact(text, *scale)
        {
            return Ok(value);
        }
        Ok(leaf(node, plain(text)?))
    }
}

fn plain(text: &str) -> Result<Value, String> {
    Value::parse(text.as_bytes()).ok_or_else(|| json::not_json(text.as_bytes()))
}

/// The value as the schema says, or as it came.
fn leaf(node: &Node, value: Value) -> Value {
    use base64::Engine;
    match (node, value) {
        (Node::Double, Value::Integer(number)) if number.unsigned_abs() <= 1 << 53 => {
            Value::Double(number as f64)
        }
        (Node::Date, Value::Integer(days)) if i32::try_from(days).is_ok() => {
            Value::Date(i32::try_from(days).unwrap_or_default())
        }
        (Node::Timestamp, Value::Integer(ms)) if i64::try_from(ms).is_ok() => {
            time::moment_of(i64::try_from(ms).unwrap_or_default(), 1_000)
        }
        (Node::Time, Value::Integer(ms)) => {
            let text = i64::try_from(ms)
                .ok()
                .and_then(|ms| time::time_of_day(ms, 1_000));
            text.unwrap_or(Value::Integer(ms))
        }
        (Node::Bytes, Value::Text(text)) => {
            match base64::engine::general_purpose::STANDARD.decode(&text) {
                Ok(bytes) => Value::Binary(bytes),
                Err(_) => Value::Text(text),
            }
        }
        (_, value) => value,
    }
}

struct Compiler<'a> {
    documents: &'a HashMap<&'a str, Json>,
    /// What was compiled of which document, at which place.
    known: HashMap<(String, String), usize>,
    nodes: Vec<Node>,
}

impl<'a> Compiler<'a> {
    /// The schema at a place of a document, which may contain itself.
    fn pointer(&mut self, document: &str, at: &str, depth: usize) -> Result<usize, String> {
        let place = (document.to_owned(), at.to_owned());
        if let Some(node) = self.known.get(&place) {
            return Ok(*node);
        }
        let documents = self.documents;
        let schema = documents.get(document).and_then(|json| json.pointer(at));
        let schema = schema.ok_or_else(|| format!("the schema refers to `{document}#{at}`"))?;
        let node = self.reserve()?;
        self.known.insert(place, node);
        let compiled = self.compile(document, schema, depth)?;
        if let Some(slot) = self.nodes.get_mut(node) {
            *slot = compiled;
        }
        Ok(node)
    }

    fn reserve(&mut self) -> Result<usize, String> {
        if self.nodes.len() >= NODES_MOST {
            return Err(format!("the schema has more than {NODES_MOST} parts"));
        }
        self.nodes.push(Node::Any);
        Ok(self.nodes.len() - 1)
    }

    fn node(&mut self, document: &str, schema: &Json, depth: usize) -> Result<usize, String> {
        if depth > DEPTH_MOST {
            return Err(format!(
                "the schema is nested deeper than {DEPTH_MOST} levels"
            ));
        }
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            let (file, at) = reference.split_once('#').unwrap_or((reference, ""));
            let file = if file.is_empty() { document } else { file };
            return self.pointer(file, at, depth + 1);
        }
        // What may be null or one other thing is that thing.
        let branches = ["oneOf", "anyOf"]
            .iter()
            .find_map(|key| schema.get(key)?.as_array());
        if let Some(branches) = branches {
            let null = |one: &&Json| one.get("type").and_then(Json::as_str) != Some("null");
            let some: Vec<&Json> = branches.iter().filter(null).collect();
            if let [one] = some.as_slice() {
                return self.node(document, one, depth + 1);
            }
            return self.reserve();
        }
        let node = self.reserve()?;
        let compiled = self.compile(document, schema, depth)?;
        if let Some(slot) = self.nodes.get_mut(node) {
            *slot = compiled;
        }
        Ok(node)
    }

    fn compile(&mut self, document: &str, schema: &Json, depth: usize) -> Result<Node, String> {
        let Some(object) = schema.as_object() else {
            return Ok(Node::Any);
        };
        if object.contains_key("$ref")
            || object.contains_key("oneOf")
            || object.contains_key("anyOf")
        {
            // A root that only refers: its target says everything.
            return Ok(Node::Same(self.node(document, schema, depth + 1)?));
        }
        if let Some(node) = connect(object) {
            return Ok(node);
        }
        Ok(match kind(object) {
            Some("number") => Node::Double,
            Some("array") => match object.get("items") {
                Some(items @ Json::Object(_)) => {
                    Node::List(self.node(document, items, depth + 1)?)
                }
                _ => Node::Any,
            },
            Some("object") => {
                let mut properties = HashMap::new();
                let found = object.get("properties").and_then(Json::as_object);
                for (key, schema) in found.into_iter().flatten() {
                    properties.insert(key.clone(), self.node(document, schema, depth + 1)?);
                }
                let others = match object.get("additionalProperties") {
                    Some(schema @ Json::Object(_)) => {
                        Some(self.node(document, schema, depth + 1)?)
                    }
                    _ => None,
                };
                Node::Object(properties, others)
            }
            _ => Node::Any,
        })
    }
}

/// The one type that isn't null.
fn kind(object: &Map<String, Json>) -> Option<&str> {
    match object.get("type")? {
        Json::String(kind) => Some(kind),
        Json::Array(kinds) => {
            let mut some = kinds
                .iter()
                .filter_map(Json::as_str)
                .filter(|kind| *kind != "null");
            some.next().filter(|_| some.next().is_none())
        }
        _ => None,
    }
}

/// A type of Connect's, as its own converter writes it into schemas.
fn connect(object: &Map<String, Json>) -> Option<Node> {
    let text = |key: &str| object.get(key).and_then(Json::as_str);
    Some(match (text("title"), text("connect.type")) {
        (Some(DECIMAL), _) => {
            let scale = object
                .get("connect.parameters")
                .and_then(|all| all.get("scale"));
            let scale = scale
                .and_then(Json::as_str)
                .and_then(|scale| scale.parse().ok());
            Node::Decimal(scale.unwrap_or(0))
        }
        (Some(DATE), _) => Node::Date,
        (Some(TIME), _) => Node::Time,
        (Some(TIMESTAMP), _) => Node::Timestamp,
        (_, Some("bytes")) => Node::Bytes,
        (_, Some("float32" | "float64")) => Node::Double,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
