//! An Avro schema's JSON as a plan to decode by.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// A schema with its names resolved.
#[derive(Debug)]
pub(in crate::convert) struct Plan {
    /// Records, enums and fixed types, which may name each other and themselves.
    pub(super) named: Vec<Named>,
    pub(super) root: Node,
}

/// A type with a name.
#[derive(Debug)]
pub(super) struct Named {
    /// The full name.
    pub(super) name: String,
    pub(super) doc: Option<String>,
    pub(super) what: What,
}

/// What a named type is.
#[derive(Debug)]
pub(super) enum What {
    /// Its fields in the order of their bytes.
    Record(Vec<Field>),
    /// Its symbols.
    Enum(Vec<String>),
    /// Its type, which has a length.
    Fixed(Node),
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) node: Node,
    pub(super) default: Option<Json>,
}

/// What to do with the next bytes.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Null,
    Boolean,
    /// `int` or `long`; the bits that Connect gives it.
    Integer(u8),
    Float,
    Double,
    Bytes,
    Text,
    Uuid,
    Date,
    /// Ticks of a second.
    TimeOfDay(Ticks),
    Timestamp(Ticks),
    LocalTimestamp(Ticks),
    /// The digits behind the point, and the length of a fixed one.
    Decimal(u32, Option<usize>),
    Fixed(usize),
    FixedUuid,
    Duration,
    Array(Box<Node>),
    Map(Box<Node>),
    /// The branches, and whether one that isn't null is the value itself.
    Union(Vec<Branch>, bool),
    Named(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Branch {
    /// What Connect calls the branch.
    pub(super) name: String,
    pub(super) node: Node,
}

/// How many of them make a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticks {
    Millis,
    Micros,
    Nanos,
}

/// The options of the converter that say how unions look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AvroOptions {
    /// `flatten.singleton.unions`: a union of one type is that type.
    pub(crate) flatten_singletons: bool,
    /// `generalized.sum.type.support`: branches are numbered.
    pub(crate) numbered_branches: bool,
    /// `enhanced.avro.schema.support`: branches have full names.
    pub(crate) full_names: bool,
}

impl Default for AvroOptions {
    fn default() -> Self {
        Self {
            flatten_singletons: true,
            numbered_branches: false,
            full_names: false,
        }
    }
}

/// Levels of a schema's JSON that are followed.
const DEPTH_MOST: usize = 256;

impl Plan {
    /// Reads a schema and those that it refers to, which come first.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::convert) fn parse(
        references: &[(String, String)],
        schema: &str,
        options: AvroOptions,
    ) -> Result<Self, String> {
        let mut reader = Reader {
            options,
            names: HashMap::new(),
            named: Vec::new(),
        };
        for (_, text) in references {
            reader.root(text)?;
        }
        let root = reader.root(schema)?;
        let mut named = Vec::with_capacity(reader.named.len());
        for (name, what) in reader.named {
            named.push(what.ok_or_else(|| format!("`{name}` contains nothing but itself"))?);
        }
        Ok(Self { named, root })
    }
}

struct Reader {
    options: AvroOptions,
    names: HashMap<String, usize>,
    /// A type is there before what it is made of is known.
    named: Vec<(String, Option<Named>)>,
}

impl Reader {
    fn root(&mut self, text: &str) -> Result<Node, String> {
        let json = match serde_json::from_str(text) {
            Ok(json) => json,
            // A registry gives a bare primitive as `string` or as `"string"`.
            Err(_) if primitive(text.trim()).is_some() => Json::String(text.trim().to_owned()),
            Err(error) => return Err(format!("the schema is no JSON: {error}")),
        };
        self.node(&json, "", 0)
    }

    fn node(&mut self, json: &Json, space: &str, depth: usize) -> Result<Node, String> {
        if depth > DEPTH_MOST {
            return Err(format!(
                "the schema is nested deeper than {DEPTH_MOST} levels"
            ));
        }
        match json {
            Json::String(name) => self.by_name(name, space),
            Json::Array(branches) => {
                let nodes = branches.iter().map(|one| self.node(one, space, depth + 1));
                let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
                let null = |node: &&Node| matches!(node, Node::Null);
                let nulls = nodes.iter().filter(null).count();
                let single = nodes.len() - nulls == 1;
                let bare = single && (nulls > 0 || self.options.flatten_singletons);
                Ok(Node::Union(self.branches(nodes), bare))
            }
            Json::Object(object) => self.object(object, space, depth),
            other => Err(format!("`{other}` is no type")),
        }
    }

    fn by_name(&self, name: &str, space: &str) -> Result<Node, String> {
        if let Some(node) = primitive(name) {
            return Ok(node);
        }
        let full = full_name(name, space);
        let found = self.names.get(&full).or_else(|| self.names.get(name));
        found
            .map(|at| Node::Named(*at))
            .ok_or_else(|| format!("the schema names a type `{full}` that it doesn't have"))
    }

    fn object(
        &mut self,
        object: &Map<String, Json>,
        space: &str,
        depth: usize,
    ) -> Result<Node, String> {
        let kind = object.get("type").ok_or("a type has no `type`")?;
        let Json::String(kind) = kind else {
            return self.node(kind, space, depth + 1);
        };
        match kind.as_str() {
            "array" => {
                let items = object.get("items").ok_or("an array has no `items`")?;
                Ok(Node::Array(Box::new(self.node(items, space, depth + 1)?)))
            }
            "map" => {
                let values = object.get("values").ok_or("a map has no `values`")?;
                Ok(Node::Map(Box::new(self.node(values, space, depth + 1)?)))
            }
            "record" | "error" | "enum" | "fixed" => self.define(kind, object, space, depth),
            _ => Ok(logical(object, self.by_name(kind, space)?, None)),
        }
    }

    fn define(
        &mut self,
        kind: &str,
        object: &Map<String, Json>,
        space: &str,
        depth: usize,
    ) -> Result<Node, String> {
        let name = text(object, "name").ok_or_else(|| format!("a {kind} has no `name`"))?;
        let space = text(object, "namespace").unwrap_or(space);
        let full = full_name(name, space);
        let space = full
            .rsplit_once('.')
            .map_or("", |(space, _)| space)
            .to_owned();
        let at = self.named.len();
        self.named.push((full.clone(), None));
        self.names.insert(full.clone(), at);
        let what = match kind {
            "enum" => What::Enum(symbols(object, &full)?),
            "fixed" => {
                let size = object.get("size").and_then(Json::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| format!("`{full}` has no `size`"))?;
                What::Fixed(logical(object, Node::Fixed(size), Some(size)))
            }
            _ => What::Record(self.fields(object, &full, &space, depth)?),
        };
        let doc = text(object, "doc").map(str::to_owned);
        if let Some((_, slot)) = self.named.get_mut(at) {
            *slot = Some(Named {
                name: full,
                doc,
                what,
            });
        }
        Ok(Node::Named(at))
    }

    fn fields(
        &mut self,
        object: &Map<String, Json>,
        full: &str,
        space: &str,
        depth: usize,
    ) -> Result<Vec<Field>, String> {
        let fields = object.get("fields").and_then(Json::as_array);
        let fields = fields.ok_or_else(|| format!("`{full}` has no `fields`"))?;
        let field = |field: &Json| {
            let named = field.as_object().and_then(|field| {
                let name = field.get("name")?.as_str()?;
                Some((name, field.get("type")?, field.get("default")))
            });
            let (name, kind, default) =
                named.ok_or_else(|| format!("a field of `{full}` has no name or no type"))?;
            // A logical type beside the field's name is nobody's: it belongs to the type.
            let node = self.node(kind, space, depth + 1)?;
            Ok(Field {
                name: name.to_owned(),
                node,
                default: default.cloned(),
            })
        };
        fields.iter().map(field).collect()
    }

    /// Names branches as Connect does: by their type, or by their own name.
    fn branches(&self, nodes: Vec<Node>) -> Vec<Branch> {
        let full: Vec<String> = nodes.iter().map(|node| self.branch_name(node)).collect();
        let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let names = full.iter().enumerate().map(|(at, name)| {
            let mine = short(name);
            let alike = full.iter().filter(|other| short(other) == mine).count();
            match self.options {
                AvroOptions {
                    numbered_branches: true,
                    ..
                } => format!("connect_union_field_{at}"),
                // Two of one simple name can't both have it.
                AvroOptions { full_names, .. } if full_names || alike > 1 => name.clone(),
                _ => mine,
            }
        });
        let branches = names.zip(nodes);
        branches.map(|(name, node)| Branch { name, node }).collect()
    }

    fn branch_name(&self, node: &Node) -> String {
        match node {
            Node::Null => "null",
            Node::Boolean => "boolean",
            Node::Integer(64) | Node::Timestamp(_) | Node::LocalTimestamp(_) => "long",
            Node::TimeOfDay(Ticks::Micros | Ticks::Nanos) => "long",
            Node::Integer(_) | Node::Date | Node::TimeOfDay(Ticks::Millis) => "int",
            Node::Float => "float",
            Node::Double => "double",
            Node::Text | Node::Uuid => "string",
            Node::Array(_) => "array",
            Node::Map(_) => "map",
            Node::Union(..) => "union",
            Node::Bytes | Node::Decimal(..) => "bytes",
            Node::Fixed(_) | Node::FixedUuid | Node::Duration => "fixed",
            Node::Named(at) => {
                let named = self.named.get(*at);
                return named.map_or_else(String::new, |(name, _)| name.clone());
            }
        }
        .to_owned()
    }
}

fn symbols(object: &Map<String, Json>, full: &str) -> Result<Vec<String>, String> {
    let symbols = object.get("symbols").and_then(Json::as_array);
    let symbols = symbols.ok_or_else(|| format!("`{full}` has no `symbols`"))?;
    let text = |symbol: &Json| symbol.as_str().map(str::to_owned);
    let symbols: Option<Vec<String>> = symbols.iter().map(text).collect();
    symbols.ok_or_else(|| format!("a symbol of `{full}` is no text"))
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Integer(32),
        "long" => Node::Integer(64),
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::Text,
        _ => return None,
    })
}

/// The node of a logical type; what doesn't fit its type is what Avro says it is: none.
fn logical(object: &Map<String, Json>, node: Node, size: Option<usize>) -> Node {
    let connect = text(object, "connect.type");
    let Some(name) = text(object, "logicalType") else {
        return match (node, connect) {
            (Node::Integer(32), Some("int8")) => Node::Integer(8),
            (Node::Integer(32), Some("int16")) => Node::Integer(16),
            (node, _) => node,
        };
    };
    let scale = object.get("scale").and_then(Json::as_u64).unwrap_or(0);
    let scale = u32::try_from(scale).unwrap_or(u32::MAX);
    match (name, &node) {
        ("decimal", Node::Bytes | Node::Fixed(_)) => Node::Decimal(scale, size),
        ("uuid", Node::Text) => Node::Uuid,
        ("uuid", Node::Fixed(16)) => Node::FixedUuid,
        ("duration", Node::Fixed(12)) => Node::Duration,
        ("date", Node::Integer(32)) => Node::Date,
        ("time-millis", Node::Integer(32)) => Node::TimeOfDay(Ticks::Millis),
        ("time-micros", Node::Integer(64)) => Node::TimeOfDay(Ticks::Micros),
        ("timestamp-millis", Node::Integer(64)) => Node::Timestamp(Ticks::Millis),
        ("timestamp-micros", Node::Integer(64)) => Node::Timestamp(Ticks::Micros),
        ("timestamp-nanos", Node::Integer(64)) => Node::Timestamp(Ticks::Nanos),
        ("local-timestamp-millis", Node::Integer(64)) => Node::LocalTimestamp(Ticks::Millis),
        ("local-timestamp-micros", Node::Integer(64)) => Node::LocalTimestamp(Ticks::Micros),
        ("local-timestamp-nanos", Node::Integer(64)) => Node::LocalTimestamp(Ticks::Nanos),
        _ => node,
    }
}

pub(super) fn full_name(name: &str, space: &str) -> String {
    match name.contains('.') || space.is_empty() {
        true => name.trim_start_matches('.').to_owned(),
        false => format!("{space}.{name}"),
    }
}

pub(super) fn text<'a>(object: &'a Map<String, Json>, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}
