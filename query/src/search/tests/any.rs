//! Random records and random searches against a plain reading of the records' texts, which knows
//! no columns and no filters: live, committed, compacted, with pushdown and without.

use serde_json::{Value as Json, json};

use super::{TIME_MS, World};
use eddy_engine::Header;
use eddy_engine::testing::scale;

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

const WORDS: [&str; 7] = ["late", "Order", "K9", "debug", "Zed", "x7", "\u{212a}9"];
const STATUS: [&str; 6] = ["failed", "FAILED", "ok", "late order", "İx", "été"];
const NUMBERS: [&str; 7] = ["1", "2", "10", "-3", "2.5", "404", "9007199254740993"];

struct Record {
    key: String,
    header: Option<String>,
    json: Json,
}

impl Record {
    fn any(random: &mut Random) -> Self {
        let mut json = json!({});
        let number =
            |random: &mut Random| -> Json { serde_json::from_str(random.pick(&NUMBERS)).unwrap() };
        if random.below(3) > 0 {
            json["status"] = json!(random.pick(&STATUS));
        }
        if random.below(3) > 0 {
            json["n"] = match random.below(4) {
                0 => json!(random.pick(&NUMBERS)),
                1 => json!(random.pick(&WORDS)),
                2 => json!(random.below(2) == 0),
                _ => number(random),
            };
        }
        if random.below(3) > 0 {
            json["user"] = json!({"id": number(random), "name": random.pick(&WORDS)});
        }
        if random.below(2) > 0 {
            let item =
                |random: &mut Random| json!({"sku": random.pick(&WORDS), "q": number(random)});
            let items: Vec<Json> = (0..random.below(3)).map(|_| item(random)).collect();
            json["items"] = json!(items);
        }
        if random.below(3) == 0 {
            json["tags"] = json!([random.pick(&WORDS), random.pick(&STATUS)]);
        }
        json["text"] = json!(format!("{} {}", random.pick(&WORDS), random.pick(&WORDS)));
        Self {
            key: format!("key-{}", random.below(5)),
            header: (random.below(4) == 0).then(|| random.pick(&WORDS).to_owned()),
            json,
        }
    }

    /// Whether a text of it has these words, one behind the other.
    fn says(&self, phrase: &[&dyn Fn(&str) -> bool]) -> bool {
        let value = self.json.to_string();
        let header = self.header.as_deref();
        let texts = [
            Some(self.key.as_str()),
            Some(&value),
            header.map(|_| "trace"),
            header,
        ];
        texts.into_iter().flatten().any(|text| {
            let words: Vec<String> = text
                .split(|letter: char| !letter.is_alphanumeric())
                .filter(|word| !word.is_empty())
                // The small `İ` has a mark that is no letter.
                .map(|word| word.to_lowercase().replace('\u{307}', ""))
                .collect();
            words
                .windows(phrase.len())
                .any(|window| window.iter().zip(phrase).all(|(word, fits)| fits(word)))
        })
    }

    /// The values that a path leads to.
    fn values(&self, path: &str) -> Vec<&Json> {
        let mut found = vec![&self.json];
        for name in path.split('.') {
            let inside = found.into_iter().flat_map(elements);
            found = inside.filter_map(|one| one.get(name)).collect();
        }
        let values = found.into_iter().flat_map(elements);
        values.filter(|value| !value.is_null()).collect()
    }
}

fn elements(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(elements) => elements.iter().collect(),
        other => vec![other],
    }
}

const PATHS: [&str; 7] = [
    "status",
    "n",
    "user.name",
    "user.id",
    "items.sku",
    "items.q",
    "tags",
];

enum Ask {
    Word(&'static str),
    Begins(&'static str),
    Phrase(&'static str, &'static str),
    Is(&'static str, &'static str),
    Exactly(&'static str, &'static str),
    Like(&'static str, &'static str),
    More(&'static str, &'static str),
    Exists(&'static str),
    Not(Box<Ask>),
    All(Box<Ask>, Box<Ask>),
    Any(Box<Ask>, Box<Ask>),
}

impl Ask {
    fn any(random: &mut Random, deep: usize) -> Self {
        let value = |random: &mut Random| match random.below(3) {
            0 => random.pick(&NUMBERS),
            1 => random.pick(&WORDS),
            _ => random.pick(&STATUS),
        };
        let inner = |random: &mut Random| Box::new(Self::any(random, deep - 1));
        match random.below(if deep == 0 { 8 } else { 13 }) {
            0 => Self::Word(random.pick(&["late", "k9", "DEBUG", "status", "10", "key", "x7"])),
            1 => Self::Begins(random.pick(&["la", "K", "de", "x", "1"])),
            2 => Self::Phrase(random.pick(&WORDS), random.pick(&WORDS)),
            3 => Self::Is(random.pick(&PATHS), value(random)),
            4 => Self::Exactly(random.pick(&PATHS), value(random)),
            5 => Self::Like(
                random.pick(&PATHS),
                random.pick(&["la", "F", "k", "i", "1", "é"]),
            ),
            6 => Self::More(
                random.pick(&["n", "user.id", "items.q"]),
                random.pick(&NUMBERS),
            ),
            7 => Self::Exists(random.pick(&PATHS)),
            8 | 9 => Self::Not(inner(random)),
            10 => Self::Any(inner(random), inner(random)),
            _ => Self::All(inner(random), inner(random)),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Begins(word) => format!("{word}*"),
            Self::Phrase(one, other) => format!("\"{one} {other}\""),
            Self::Is(path, value) => format!("{path}:\"{value}\""),
            Self::Exactly(path, value) => format!("{path}:=\"{value}\""),
            Self::Like(path, value) => format!("{path}:{value}*"),
            Self::More(path, value) => format!("{path}:>={value}"),
            Self::Exists(path) => format!("_exists_:{path}"),
            Self::Not(inner) => format!("-({})", inner.text()),
            Self::All(one, other) => format!("({} {})", one.text(), other.text()),
            Self::Any(one, other) => format!("({} OR {})", one.text(), other.text()),
        }
    }

    fn finds(&self, record: &Record) -> bool {
        let text_of = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let number = |text: &str| text.parse::<f64>().ok();
        let value = |path: &str, fits: &dyn Fn(&Json) -> bool| {
            let mut values = record.values(path).into_iter();
            values.any(fits)
        };
        match self {
            Self::Word(wanted) => record.says(&[&|word| word == wanted.to_lowercase()]),
            Self::Begins(start) => record.says(&[&|word| word.starts_with(&start.to_lowercase())]),
            Self::Phrase(one, other) => record
                .says(&[&|word| word == one.to_lowercase(), &|word| {
                    word == other.to_lowercase()
                }]),
            Self::Is(path, wanted) => value(path, &|found| {
                text_of(found).to_lowercase() == wanted.to_lowercase()
            }),
            Self::Exactly(path, wanted) => value(path, &|found| text_of(found) == *wanted),
            Self::Like(path, start) => value(path, &|found| {
                text_of(found)
                    .to_lowercase()
                    .starts_with(&start.to_lowercase())
            }),
            Self::More(path, bound) => value(path, &|found| match found {
                Json::Bool(_) => false,
                // Exactly: the one number here that is no double has no neighbour among them.
                found => {
                    number(&text_of(found)) >= number(bound) && number(&text_of(found)).is_some()
                }
            }),
            Self::Exists(path) => !record.values(path).is_empty(),
            Self::Not(inner) => !inner.finds(record),
            Self::All(one, other) => one.finds(record) && other.finds(record),
            Self::Any(one, other) => one.finds(record) || other.finds(record),
        }
    }
}

#[test]
fn any_search_finds_what_a_plain_reading_of_the_records_finds() {
    for seed in 1..=u64::try_from(scale(2, 60)).unwrap() {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let world = World::new();
        let mut topic = world.writer("t", 1);
        let mut records = Vec::new();
        let mut add = |random: &mut Random, topic: &mut crate::testing::Topic, day: i64| {
            let record = Record::any(random);
            let header = record.header.as_ref().map(|header| Header {
                name: "trace",
                value: Some(header.as_bytes()),
            });
            let headers: Vec<Header<'_>> = header.into_iter().collect();
            let value = record.json.to_string();
            let time_ms = TIME_MS - day * 86_400_000;
            topic.put_keyed(time_ms, record.key.as_bytes(), &value, &headers);
            records.push(record);
        };
        for n in 0..48 {
            add(&mut random, &mut topic, n / 16);
            if n % 4 == 3 {
                topic.commit();
            }
        }
        world.compact("t");
        for _ in 0..10 {
            add(&mut random, &mut topic, 3);
        }
        topic.publish();
        let asks: Vec<Ask> = (0..10).map(|_| Ask::any(&mut random, 3)).collect();
        // Some rows are live first, then all are committed.
        for _ in 0..2 {
            for ask in &asks {
                check(&world, seed, ask, &records);
            }
            topic.commit();
        }
    }
}

fn check(world: &World, seed: u64, ask: &Ask, records: &[Record]) {
    let found = records.iter().enumerate();
    let found = found.filter(|(_, record)| ask.finds(record));
    let expected: Vec<i64> = found.map(|(at, _)| i64::try_from(at).unwrap()).collect();
    let text = ask.text();
    let pushed = world.offsets(&format!("search('{text}')"));
    assert_eq!(pushed, expected, "seed {seed}: {text}");
    let apart = world.offsets(&format!(
        "(CASE WHEN random() < 2 THEN search('{text}') END)"
    ));
    assert_eq!(apart, expected, "seed {seed}, without pushdown: {text}");
}
