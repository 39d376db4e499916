//! Random values and conditions: an answer with pushdown is the answer without it, is the answer
//! before the commit, and is what a plain reading of the values says.

use serde_json::{Value as Json, json};

use super::list;
use crate::logical::Number;
use crate::testing::World;

/// A value of `x` as JSON, and as SQL sees it.
const VALUES: [(&str, Seen); 14] = [
    ("1", Seen::Number("1")),
    ("2", Seen::Number("2")),
    ("10", Seen::Number("10")),
    ("-3", Seen::Number("-3")),
    ("2.0", Seen::Number("2")),
    ("2.5", Seen::Number("2.5")),
    ("9007199254740993", Seen::Number("9007199254740993")),
    ("9007199254740992.0", Seen::Number("9007199254740992")),
    ("99999999999999999999", Seen::Number("99999999999999999999")),
    ("\"2\"", Seen::Text("2")),
    ("\"b\"", Seen::Text("b")),
    ("true", Seen::Boolean("true")),
    ("{\"o\":2}", Seen::Text("{\"o\":2}")),
    ("null", Seen::Null),
];

#[derive(Debug, Clone, Copy)]
enum Seen {
    Number(&'static str),
    Text(&'static str),
    Boolean(&'static str),
    Null,
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

enum Condition {
    Number(&'static str, &'static str),
    Text(&'static str, &'static str),
    IsNull,
    Boolean,
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

const OPERATORS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];
const NUMBERS: [&str; 8] = [
    "1",
    "2",
    "2.5",
    "-3",
    "3.7",
    "9007199254740992",
    "9007199254740993",
    "99999999999999999999",
];
const TEXTS: [&str; 6] = ["2", "2.5", "b", "a", "true", "{\"o\":2}"];

impl Condition {
    fn random(random: &mut Random, depth: usize) -> Self {
        let inside = |random: &mut Random| Box::new(Self::random(random, depth - 1));
        match random.below(if depth == 0 { 8 } else { 12 }) {
            0..=2 => Self::Number(random.pick(&OPERATORS), random.pick(&NUMBERS)),
            3..=5 => Self::Text(random.pick(&OPERATORS), random.pick(&TEXTS)),
            6 => Self::IsNull,
            7 => Self::Boolean,
            8 => Self::Not(inside(random)),
            9 | 10 => Self::And(inside(random), inside(random)),
            _ => Self::Or(inside(random), inside(random)),
        }
    }

    fn sql(&self, x: &str) -> String {
        match self {
            Self::Number(op, number) => format!("{x} {op} {number}"),
            Self::Text(op, text) => format!("{x} {op} '{text}'"),
            Self::IsNull => format!("{x} IS NULL"),
            Self::Boolean => format!("{x} = true"),
            Self::Not(inside) => format!("NOT ({})", inside.sql(x)),
            Self::And(one, other) => format!("({}) AND ({})", one.sql(x), other.sql(x)),
            Self::Or(one, other) => format!("({}) OR ({})", one.sql(x), other.sql(x)),
        }
    }

    fn holds(&self, value: Seen) -> Option<bool> {
        match self {
            Self::Number(op, number) => match value {
                Seen::Number(text) => {
                    let key = |text| Number::read(text).unwrap().key();
                    Some(compares(op, key(text).cmp(&key(number))))
                }
                _ => None,
            },
            Self::Text(op, with) => match value {
                Seen::Number(text) | Seen::Text(text) | Seen::Boolean(text) => {
                    Some(compares(op, text.cmp(with)))
                }
                Seen::Null => None,
            },
            Self::IsNull => Some(matches!(value, Seen::Null)),
            Self::Boolean => match value {
                Seen::Boolean(text) => Some(text == "true"),
                _ => None,
            },
            Self::Not(inside) => inside.holds(value).map(|holds| !holds),
            Self::And(one, other) => match (one.holds(value), other.holds(value)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(one, other) => match (one.holds(value), other.holds(value)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

fn compares(op: &str, found: std::cmp::Ordering) -> bool {
    match op {
        "=" => found.is_eq(),
        "<>" => found.is_ne(),
        "<" => found.is_lt(),
        "<=" => found.is_le(),
        ">" => found.is_gt(),
        _ => found.is_ge(),
    }
}

#[test]
fn p21_pushdown_and_commits_change_no_answer() {
    for seed in 1..=3_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let world = World::new();
        let mut topic = world.writer("t", 1);
        let mut values = Vec::new();
        for _ in 0..40 {
            let (text, seen) = random.pick(&VALUES);
            topic.put(0, &format!(r#"{{"x": {text}, "u": {{"id": {text}}}}}"#));
            values.push(seen);
            if random.below(4) == 0 {
                topic.commit();
            }
        }
        topic.publish();
        let conditions: Vec<Condition> =
            (0..8).map(|_| Condition::random(&mut random, 3)).collect();
        // Rows are live first, then committed.
        for _ in 0..2 {
            for condition in &conditions {
                check(&world, seed, condition, &values);
            }
            topic.commit();
        }
    }
}

fn check(world: &World, seed: u64, condition: &Condition, values: &[Seen]) {
    let holding = values.iter().enumerate();
    let holding = holding.filter(|(_, value)| condition.holds(**value) == Some(true));
    let expected: Vec<Json> = holding.map(|(offset, _)| json!(offset)).collect();
    for x in ["x", "u.id"] {
        let condition = condition.sql(x);
        let pushed = format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset");
        assert_eq!(list(world, &pushed), expected, "seed {seed}: {condition}");
        let apart =
            format!("SELECT CASE WHEN {condition} THEN _offset ELSE -1 END AS o FROM t ORDER BY o");
        let mut found = list(world, &apart);
        found.retain(|offset| *offset != json!(-1));
        assert_eq!(
            found, expected,
            "seed {seed}, without pushdown: {condition}"
        );
    }
}
