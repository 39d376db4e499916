//! Any JSON under any rules: what lands is what an oracle makes of the tree that the text was made
//! from, every value with its type; and of the secrets in named places nothing is anywhere, in
//! no object of the store and in no live row.

mod oracle;
mod secrets;

use proptest::prelude::*;
use proptest::sample::select;

use self::oracle::{Rule, compact, plant, redacted, solid};
use self::secrets::Secrets;
use super::values::{Record as Sent, Value as Tree, records};
use super::*;
use crate::record::{Header, Record};
use crate::redact::{HashKey, Options, Redaction, Redactor};
use crate::testing::{leaks, scale};

const KEY: &[u8] = b"a key of thirty-two bytes, so so";

#[derive(Debug, Clone)]
struct Case {
    records: Vec<Sent>,
    rules: Vec<Rule>,
    limits: Limits,
    raw: Raw,
}

impl Case {
    fn redaction(&self) -> Arc<Redaction> {
        let rules = self.rules.iter().flat_map(Rule::read);
        let others = [
            ("key:", crate::redact::Action::Hash),
            ("header:h", crate::redact::Action::Drop),
        ];
        let others = others
            .into_iter()
            .flat_map(|(text, action)| crate::redact::Rule::parse_list(text, action).unwrap());
        let options = Options {
            hash_key: HashKey::new(KEY),
            ..Options::default()
        };
        Redaction::new(rules.chain(others).collect(), options).unwrap()
    }
}

fn case() -> impl Strategy<Value = Case> {
    records(10).prop_flat_map(|records| {
        let keys = oracle::keys(&records);
        let rules = prop::collection::vec(oracle::rule(keys), 1..5);
        let raw = select(vec![Raw::Keep, Raw::Elide]);
        let parts = (Just(records), rules, limits(), raw);
        parts.prop_map(|(records, rules, limits, raw)| Case {
            records,
            rules,
            limits,
            raw,
        })
    })
}

fn run(cases: usize, check: impl Fn(Case)) {
    let config = ProptestConfig {
        cases: cases as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(case in case())| check(case));
}

#[test]
fn what_may_land_of_any_json_is_what_the_oracle_says() {
    run(scale(500, 100_000), |case| {
        let mut redactor = Redactor::new(case.redaction());
        for sent in &case.records {
            let record = record(0, 0, sent.bytes());
            let landed = redactor.redact(&record);
            let value = landed.record().value;
            match sent {
                Sent::Object(object) => {
                    let expected = redacted(object, &case.rules, KEY);
                    let found = solid(value.unwrap());
                    assert_eq!(found, expected.text, "{sent:?}");
                    let touched = expected.text != compact(object).text;
                    assert!(
                        touched || value == Some(sent.bytes()),
                        "not named, not touched"
                    );
                }
                Sent::Broken(_) => assert!(value.is_none() && landed.withheld().is_some()),
                Sent::Other(bytes) => {
                    let searched = bytes.is_empty() || bytes.starts_with(b"[");
                    assert_eq!(value.is_some(), searched, "{sent:?}");
                }
                Sent::Withheld => {}
            }
        }
    });
}

/// What is sent, with a secret in each named place, and what should land of it.
fn planted(case: &Case, secrets: &mut Secrets) -> Vec<(Vec<u8>, Sent)> {
    let of_tree = |tree: &Tree, secrets: &mut Secrets| {
        let sent = compact(&plant(tree, &case.rules, secrets));
        let landed = redacted(&sent, &case.rules, KEY);
        (sent.text.into_bytes(), landed)
    };
    let records = case.records.iter();
    records
        .map(|sent| match sent {
            Sent::Object(object) => {
                let (bytes, landed) = of_tree(object, secrets);
                (bytes, Sent::Object(landed))
            }
            Sent::Other(bytes) if bytes.starts_with(b"[") => {
                let (bytes, landed) = of_tree(&oracle::list(bytes), secrets);
                (bytes, Sent::Other(landed.text.into_bytes()))
            }
            Sent::Other(bytes) if bytes.is_empty() => (Vec::new(), sent.clone()),
            other => {
                let bytes = [other.bytes(), secrets.next().as_bytes()].concat();
                (bytes, Sent::Withheld)
            }
        })
        .collect()
}

fn lands(lake: &Lake, number: u32, case: &Case) {
    let table = lake.table("topics", &format!("redacted-{number}"));
    let mut options = WriterOptions::new(table.clone(), "orders", topic(), "sink");
    (options.limits, options.raw) = (case.limits, case.raw);
    options.redaction = Some(case.redaction());
    let mut writer = TableWriter::open(lake, options).unwrap();
    assign(&mut writer, &[0]);
    let mut secrets = Secrets::default();
    let planted = planted(case, &mut secrets);
    for (offset, (value, _)) in (0..).zip(&planted) {
        let (key, header) = (secrets.next(), secrets.next());
        let headers = [Header {
            name: "h",
            value: Some(header.as_bytes()),
        }];
        let record = Record {
            key: Some(key.as_bytes()),
            headers: &headers,
            ..record(0, offset, value)
        };
        writer.append(&record).unwrap();
        if offset == 4 {
            commit(&mut writer);
        }
    }
    writer.publish().unwrap();
    let assert_nowhere = || {
        let found = leaks(lake, &table, &Secrets::needles()).unwrap();
        assert!(found.is_empty(), "{found:?} tell secrets");
    };
    assert_nowhere();
    if writer.has_buffered() {
        commit(&mut writer);
    }
    drop(writer);
    assert_nowhere();
    let landed = planted.iter().map(|(_, landed)| landed).collect();
    plain::table(lake, &table).assert_holds(lake, &table, &[landed]);
}

#[test]
fn no_secret_in_a_named_place_is_anywhere_and_the_rest_comes_back_with_its_type() {
    let number = std::cell::Cell::new(0_u32);
    let world = std::cell::RefCell::new(World::in_memory());
    run(scale(80, 10_000), |case| {
        number.set(number.get() + 1);
        if number.get().is_multiple_of(250) {
            world.replace(World::in_memory());
        }
        lands(&world.borrow().lake, number.get(), &case);
    });
}
