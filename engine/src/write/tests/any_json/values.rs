//! Arbitrary JSON with its meaning known from the start: a value is made together with its text, so
//! no parser has to be believed.

use proptest::prelude::*;
use proptest::sample::select;

/// What a JSON text says.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    Null,
    Boolean(bool),
    /// An integer of at most 38 digits.
    Integer(i128),
    Double(f64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<Member>),
    /// What no column's type holds: a number beyond all types, half a surrogate pair.
    Extreme,
}

/// A value and the text that it has in its record.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) meaning: Meaning,
    pub(super) text: String,
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// One key of an object with its value.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// The key's text, quotes included.
    pub(super) text: String,
    /// The key; `None` when no text can hold it.
    pub(super) key: Option<String>,
    pub(super) value: Value,
}

impl Value {
    /// Nulls, `{}` and `[]` decide no type, and neither does what holds nothing else.
    pub(super) fn decides(&self) -> bool {
        match &self.meaning {
            Meaning::Null => false,
            Meaning::List(elements) => elements.iter().any(Self::decides),
            Meaning::Object(members) => members.iter().any(|member| member.value.decides()),
            _ => true,
        }
    }
}

/// Records of one topic: objects that share few keys, so that they drift, and now and then
/// something else.
pub(super) fn records(most: usize) -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(key(), 1..6).prop_flat_map(move |keys| {
        let record = prop_oneof![
            30 => object_of(keys.clone(), value(keys)).prop_map(Record::Object),
            1 => select(OTHERS).prop_map(|text| Record::Other(text.to_vec())),
            1 => select(BROKEN).prop_map(|text| Record::Broken(text.to_vec())),
        ];
        prop::collection::vec(record, 1..most)
    })
}

/// The value of a record.
#[derive(Debug, Clone)]
pub(super) enum Record {
    Object(Value),
    /// Lands with its envelope alone.
    Other(Vec<u8>),
    /// Begins like an object and isn't one.
    Broken(Vec<u8>),
    /// What must not land, whatever it was.
    Withheld,
}

impl Record {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Object(value) => value.text.as_bytes(),
            Self::Other(bytes) | Self::Broken(bytes) => bytes,
            Self::Withheld => &[],
        }
    }

    /// The value that the row should have.
    pub(super) fn landed(&self) -> Option<&[u8]> {
        (!matches!(self, Self::Withheld)).then(|| self.bytes())
    }
}

const OTHERS: &[&[u8]] = &[
    b"",
    b"[1]",
    b"[{\"a\":1}]",
    b"17",
    b"text",
    b"\xff\xfe",
    b"null",
];
const BROKEN: &[&[u8]] = &[
    b"{",
    b"{\"a\":1,\"b\":}",
    b" {\"a\":{\"b\":1}",
    b"{\"a\":1}}",
    b"{\"\xff\":1}",
];

/// Key texts and the keys that they stand for.
const KEYS: &[(&str, Option<&str>)] = &[
    ("a", Some("a")),
    ("A", Some("A")),
    ("\\u0061", Some("a")),
    ("b", Some("b")),
    ("a.b", Some("a.b")),
    ("a b", Some("a b")),
    ("a,b;{c}(d)=e", Some("a,b;{c}(d)=e")),
    ("a_b", Some("a_b")),
    ("\\t\\n", Some("\t\n")),
    ("\\\"", Some("\"")),
    ("\\\\", Some("\\")),
    ("`", Some("`")),
    ("\\u0000", Some("\0")),
    ("é", Some("é")),
    ("É", Some("É")),
    ("ß", Some("ß")),
    ("ẞ", Some("ẞ")),
    ("ss", Some("ss")),
    ("\\u212a", Some("\u{212a}")),
    ("k", Some("k")),
    ("ı", Some("ı")),
    ("İ", Some("İ")),
    ("i", Some("i")),
    ("σ", Some("σ")),
    ("ς", Some("ς")),
    ("😀", Some("😀")),
    ("", Some("")),
    ("empty_key", Some("empty_key")),
    ("dt", Some("dt")),
    ("DT", Some("DT")),
    ("_topic", Some("_topic")),
    ("_VALUE", Some("_VALUE")),
    ("_offset", Some("_offset")),
    ("_key_fields", Some("_key_fields")),
    ("_rescued", Some("_rescued")),
    ("a__string", Some("a__string")),
    ("a__object", Some("a__object")),
    ("a__list", Some("a__list")),
    ("a_2", Some("a_2")),
    ("long", Some("long")),
    ("element", Some("element")),
    ("key_value", Some("key_value")),
    ("10.0.0.1", Some("10.0.0.1")),
    ("x/y", Some("x/y")),
    ("\\ud800", None),
];

type Key = (String, Option<String>);

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        40 => select(KEYS).prop_map(|(text, key)| (text.to_owned(), key.map(str::to_owned))),
        // Equal in everything but the end, and far longer than any name may be.
        1 => (0..3_u8).prop_map(|end| {
            let key = format!("{}{end}", "k".repeat(10_000));
            (key.clone(), Some(key))
        }),
        6 => "\\PC{0,8}".prop_map(|key| {
            let text = escaped(&key);
            (text, Some(key))
        }),
    ]
}

fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn value(keys: Vec<Key>) -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 24, 4, move |inner| {
        prop_oneof![
            list_of(inner.clone()),
            object_of(keys.clone(), inner.clone()),
            object_of(keys.clone(), inner),
        ]
    })
}

fn list_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (prop::collection::vec(value, 0..6), blank(), blank()).prop_map(|(elements, before, behind)| {
        let texts: Vec<&str> = elements.iter().map(|value| value.text.as_str()).collect();
        let text = format!("[{before}{}{behind}]", texts.join(&format!("{behind},")));
        let meaning = Meaning::List(elements);
        Value { meaning, text }
    })
}

fn object_of(keys: Vec<Key>, value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let member = (select(keys), value).prop_map(|((text, key), value)| Member {
        text: format!("\"{text}\""),
        key,
        value,
    });
    (prop::collection::vec(member, 0..6), blank(), blank()).prop_map(|(members, before, behind)| {
        let texts: Vec<String> = members
            .iter()
            .map(|member| format!("{}{behind}:{before}{}", member.text, member.value.text))
            .collect();
        let text = format!("{{{before}{}{behind}}}", texts.join(&format!(",{before}")));
        let meaning = Meaning::Object(members);
        Value { meaning, text }
    })
}

fn blank() -> impl Strategy<Value = &'static str> {
    select(&["", "", " ", "\n\t", "\r\n"][..])
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(Value { meaning: Meaning::Null, text: "null".to_owned() }),
        2 => any::<bool>().prop_map(|value| Value {
            meaning: Meaning::Boolean(value),
            text: value.to_string(),
        }),
        4 => select(NUMBERS).prop_map(number),
        1 => any::<i64>().prop_map(|integer| number(&integer.to_string())),
        1 => any::<f64>()
            .prop_filter("JSON has no such number", |double| double.is_finite())
            .prop_map(|double| number(&format!("{double:e}"))),
        4 => select(TEXTS).prop_map(|(text, plain)| Value {
            meaning: plain.map_or(Meaning::Extreme, |plain| Meaning::Text(plain.to_owned())),
            text: format!("\"{text}\""),
        }),
        1 => ".{0,40}".prop_map(|plain| Value {
            text: serde_json::to_string(&plain).unwrap(),
            meaning: Meaning::Text(plain),
        }),
        1 => select(&[1, 2, 5_000][..]).prop_map(|length| Value {
            text: format!("\"{}\"", "w\\n".repeat(length)),
            meaning: Meaning::Text("w\n".repeat(length)),
        }),
    ]
}

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-17",
    "1764028800",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999999999999999",
    "-99999999999999999999999999999999999999",
    "100000000000000000000000000000000000000",
    "1000000000000000000000000000000000000000000000000000000000000",
    "0.5",
    "1.0",
    "-0.0",
    "0.1",
    "0.30000000000000004",
    "123456789012345.6",
    "1234567890.12345678901234567890",
    "1e22",
    "1E+2",
    "-1.25e-3",
    "9007199254740993.0",
    "5e-324",
    "1.7976931348623157e308",
    "1e999",
    "-1e999",
    "1e-999",
    "0e999",
];

/// A number means what its text says: an integer has no point and no exponent.
fn number(text: &str) -> Value {
    let integer = !text.contains(['.', 'e', 'E']);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let meaning = if integer && digits <= 38 {
        Meaning::Integer(text.parse().unwrap())
    } else if integer {
        Meaning::Extreme
    } else {
        let double: f64 = text.parse().unwrap();
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let vanished = double == 0.0 && mantissa.contains(|c| matches!(c, '1'..='9'));
        if double.is_finite() && !vanished {
            Meaning::Double(double)
        } else {
            Meaning::Extreme
        }
    };
    let text = text.to_owned();
    Value { meaning, text }
}

const TEXTS: &[(&str, Option<&str>)] = &[
    ("", Some("")),
    ("x", Some("x")),
    ("null", Some("null")),
    ("17", Some("17")),
    ("2026-11-23T10:00:00Z", Some("2026-11-23T10:00:00Z")),
    ("{\\\"a\\\":1}", Some("{\"a\":1}")),
    ("\\ud83d\\ude00", Some("😀")),
    ("\\u0000\\/\\b\\f", Some("\0/\u{8}\u{c}")),
    ("ünï", Some("ünï")),
    ("\\ud800", None),
    ("\\udc00\\ud800", None),
];
