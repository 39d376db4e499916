//! A record's value as a transform or a decoder hands it over: no JSON text, but what one says, and
//! the types that declared schemas have besides.
//!
//! A value ends in the columns that the same JSON text would end in. What a schema declares and
//! neither JSON nor Delta's lowest protocol has is mapped by whoever decodes: an enum and a UUID
//! are text, a time of day and a time without a zone are text as ISO 8601 writes it, a map with
//! keys of text is an object (the budgets keep keys that are data from becoming columns), another
//! map is a list of objects with `key` and `value`.

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, or nothing.
    Null,
    /// `true`, `false`.
    Boolean(bool),
    /// An integer. Beyond 64 bits its column is a decimal, beyond 38 digits it has none and is
    /// kept as JSON text.
    Integer(i128),
    /// A double. Those that are no numbers are values of the column too.
    Double(f64),
    /// An exact number: `unscaled` divided by ten to the power of `scale`. Beyond 38 digits it has
    /// no column and is kept as JSON text.
    Decimal {
        /// All digits.
        unscaled: i128,
        /// How many of them stand behind the point.
        scale: u8,
    },
    /// Text.
    Text(String),
    /// Bytes. In JSON text they are base64.
    Binary(Vec<u8>),
    /// A moment, in microseconds since the Unix epoch.
    Timestamp(i64),
    /// A day, in days since the Unix epoch.
    Date(i32),
    /// A list.
    List(Vec<Value>),
    /// An object, its members in order. Of a key that comes twice the last value counts.
    Object(Vec<(String, Value)>),
    /// The JSON text of what the others can't hold: a number beyond their range, or text with half
    /// a surrogate pair. It lands as it would within a JSON text.
    Raw(Box<str>),
}

impl Value {
    /// Reads a JSON text; `None` if it isn't one (RFC 8259).
    pub fn parse(json: &[u8]) -> Option<Self> {
        crate::shred::parse_value(json)
    }
}
