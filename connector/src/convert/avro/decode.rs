//! Bytes of one Avro value by the plan of its schema.

use eddy_engine::Value;

use super::schema::{Named, Node, Plan, Ticks, What};
use crate::convert::time::{decimal, local, moment_of, time_of_day};
use crate::convert::wire::zigzag;

/// Levels of values within values: what a thread's stack holds with ease.
const DEPTH_MOST: usize = 96;

/// Elements of lists and maps in one value: some take no bytes at all.
const ELEMENTS_MOST: usize = 16 << 20;
/// Those beyond the value's bytes: in memory each takes many.
const EMPTY_MOST: usize = 1 << 16;

/// Decodes the value that `bytes` are, all of them.
///
/// # Errors
/// What is wrong with the bytes, and where.
pub(in crate::convert) fn decode(plan: &Plan, bytes: &[u8]) -> Result<Value, String> {
    let mut reader = Reader {
        plan,
        rest: bytes,
        elements: 0,
        // Most elements take a byte at least; those that take none come in no such numbers.
        most: bytes.len().saturating_add(EMPTY_MOST).min(ELEMENTS_MOST),
    };
    let value = reader.value(&plan.root, 0);
    let at = bytes.len() - reader.rest.len();
    let value = value.map_err(|what| format!("{what} at byte {at} of {}", bytes.len()))?;
    match reader.rest.len() {
        0 => Ok(value),
        more => Err(format!(
            "{more} bytes follow the value, which ends at byte {at}"
        )),
    }
}

struct Reader<'a> {
    plan: &'a Plan,
    rest: &'a [u8],
    elements: usize,
    most: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, node: &Node, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MOST {
            return Err(format!("a value is nested deeper than {DEPTH_MOST} levels"));
        }
        // What holds no other values has a frame of its own, so that this one stays small.
        match node {
            Node::Array(items) => self.list(items, depth),
            Node::Map(values) => self.map(values, depth),
            Node::Union(branches, bare) => {
                let index = usize::try_from(self.long()?).ok();
                let branch = index.and_then(|index| branches.get(index));
                let branch = branch.ok_or("a union has no such branch")?;
                let value = self.value(&branch.node, depth)?;
                match *bare || matches!(branch.node, Node::Null) {
                    true => Ok(value),
                    false => Ok(Value::Object(vec![(branch.name.clone(), value)])),
                }
            }
            Node::Named(at) => {
                let named = self.plan.named.get(*at).ok_or("a type without a plan")?;
                self.named(named, depth)
            }
            leaf => self.leaf(leaf),
        }
    }

    #[inline(never)]
    fn leaf(&mut self, node: &Node) -> Result<Value, String> {
        Ok(match node {
            Node::Null => Value::Null,
            Node::Boolean => match self.take(1)? {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                _ => return Err("a boolean is neither 0 nor 1".to_owned()),
            },
            Node::Integer(64) => Value::Integer(self.long()?.into()),
            Node::Integer(_) => Value::Integer(self.int()?.into()),
            Node::Float => Value::Double(f32::from_le_bytes(self.array()?).into()),
            Node::Double => Value::Double(f64::from_le_bytes(self.array()?)),
            Node::Bytes => Value::Binary(self.prefixed()?.to_vec()),
            Node::Text | Node::Uuid => Value::Text(self.text()?),
            Node::Date => Value::Date(self.int()?),
            Node::TimeOfDay(ticks) => {
                let time = match ticks {
                    Ticks::Millis => self.int()?.into(),
                    _ => self.long()?,
                };
                let found = time_of_day(time, ticks.per_second());
                found.ok_or_else(|| format!("{time} is no time of a day"))?
            }
            Node::Timestamp(ticks) => moment_of(self.long()?, ticks.per_second()),
            Node::LocalTimestamp(ticks) => local(self.long()?, ticks.per_second(), ""),
            Node::Decimal(scale, size) => {
                let bytes = match size {
                    Some(size) => self.take(*size)?,
                    None => self.prefixed()?,
                };
                decimal(bytes, *scale).ok_or("a decimal has too many digits")?
            }
            Node::Fixed(size) => Value::Binary(self.take(*size)?.to_vec()),
            Node::FixedUuid => Value::Text(uuid(&self.array()?)),
            Node::Duration => Value::Text(self.duration()?),
            Node::Array(_) | Node::Map(_) | Node::Union(..) | Node::Named(_) => {
                return Err("a type without a plan".to_owned());
            }
        })
    }

    fn named(&mut self, named: &Named, depth: usize) -> Result<Value, String> {
        match &named.what {
            What::Record(fields) => {
                let mut members = Vec::with_capacity(fields.len());
                for field in fields {
                    let value = self.value(&field.node, depth + 1);
                    let value = value.map_err(|what| within(&field.name, what))?;
                    members.push((field.name.clone(), value));
                }
                Ok(Value::Object(members))
            }
            What::Enum(symbols) => {
                let index = usize::try_from(self.long()?).ok();
                let symbol = index.and_then(|index| symbols.get(index));
                let symbol =
                    symbol.ok_or_else(|| format!("`{}` has no such symbol", named.name))?;
                Ok(Value::Text(symbol.clone()))
            }
            What::Fixed(node) => self.leaf(node),
        }
    }

    fn list(&mut self, items: &Node, depth: usize) -> Result<Value, String> {
        let mut elements = Vec::new();
        while let Some(count) = self.block()? {
            for _ in 0..count {
                elements.push(self.value(items, depth + 1)?);
            }
        }
        Ok(Value::List(elements))
    }

    fn map(&mut self, values: &Node, depth: usize) -> Result<Value, String> {
        let mut members = Vec::new();
        while let Some(count) = self.block()? {
            for _ in 0..count {
                let key = self.text()?;
                members.push((key, self.value(values, depth + 1)?));
            }
        }
        Ok(Value::Object(members))
    }

    /// How many elements the next block has; `None` behind the last.
    fn block(&mut self) -> Result<Option<usize>, String> {
        let count = self.long()?;
        if count < 0 {
            // The block's length in bytes, for those who skip it.
            self.long()?;
        }
        let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        self.elements = self.elements.saturating_add(count);
        if self.elements > self.most {
            return Err(format!("a list of {count} elements"));
        }
        Ok((count > 0).then_some(count))
    }

    fn long(&mut self) -> Result<i64, String> {
        let (value, rest) = zigzag(self.rest).ok_or("an integer is broken off or too long")?;
        self.rest = rest;
        Ok(value)
    }

    fn int(&mut self) -> Result<i32, String> {
        let value = self.long()?;
        i32::try_from(value).map_err(|_| format!("{value} is no integer of 32 bits"))
    }

    fn text(&mut self) -> Result<String, String> {
        let bytes = self.prefixed()?;
        let text = std::str::from_utf8(bytes).map_err(|_| "a text is no UTF-8")?;
        Ok(text.to_owned())
    }

    fn prefixed(&mut self) -> Result<&'a [u8], String> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| format!("a length of {length}"))?;
        self.take(length)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.take(N)?;
        bytes
            .try_into()
            .map_err(|_| "the value is broken off".to_owned())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            let left = self.rest.len();
            return Err(format!(
                "the value is broken off: {length} bytes wanted, {left} left"
            ));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn duration(&mut self) -> Result<String, String> {
        let months = u32::from_le_bytes(self.array()?);
        let days = u32::from_le_bytes(self.array()?);
        let millis = u32::from_le_bytes(self.array()?);
        Ok(format!(
            "P{months}M{days}DT{}.{:03}S",
            millis / 1_000,
            millis % 1_000
        ))
    }
}

impl Ticks {
    pub(super) fn per_second(self) -> i64 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }
}

/// The innermost field alone says enough where a path would be as long as a schema is deep.
fn within(field: &str, what: String) -> String {
    match what.starts_with("field ") {
        true => what,
        false => format!("field `{field}`: {what}"),
    }
}

fn uuid(bytes: &[u8; 16]) -> String {
    crate::convert::wire::SchemaKey::Guid(*bytes).to_string()
}
