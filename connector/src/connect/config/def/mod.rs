//! Configuration as data: every class that a configuration may name, each a table of keys.
//!
//! A table gives the checks of `/config/validate` (`check`), what `GET .../config` tells, which
//! keys a connector knows at all, and the pages of the reference manual (`manual`). The tables are
//! plain text beside this file, a line per key, so that they can be read and reviewed as tables:
//!
//! ```text
//! class io.eddy.EddySinkConnector
//! kind sink
//! about One line for the manual.
//! [Group]
//! name | TYPE | default | IMPORTANCE | WIDTH | rule | Display name | documentation
//! ```
//!
//! A default of `!` makes the key required, `-` is null, `""` is empty. `name@4` gives the order in
//! the group where it isn't the next number. A rule is `-`, `>=1`, `1..10`, `in(a, b)` (with
//! `any_case(a, b)` for either case), `class(a.B, a.C)`, `regex`, `name`, `aliases` or `topics`.
//!
//! Lines below a key say more of it: `> a, b` the keys that depend on it; of another sink's keys
//! `= why` that it is accepted and does nothing, `! a, b | why` which values are refused.

mod check;
mod class;
pub mod fates;
mod key;
pub mod manual;
mod table;

pub use check::{Checked, Given, check};
pub(crate) use check::{HIDDEN, items};
pub use class::{Class, Kind};
pub(crate) use key::simple_name;
pub use key::{Fate, Importance, Key, Rule, Type, Width};

use std::sync::LazyLock;

/// The keys of every sink, in the order in which Connect lists them.
pub fn sink_keys() -> &'static [Key] {
    keys_of("all sinks")
}

/// The keys that Java's consumers have, for `consumer.override.`.
pub fn consumer() -> &'static [Key] {
    keys_of("consumer")
}

/// The keys that Java's producers have, for `producer.override.`.
pub fn producer() -> &'static [Key] {
    keys_of("producer")
}

/// The keys that Java's admin clients have, for `admin.override.`.
pub fn admin() -> &'static [Key] {
    keys_of("admin client")
}

/// Every class, connectors first, in the order in which Connect lists plugins.
pub fn classes() -> &'static [Class] {
    &CLASSES
}

/// The class of `kind` that `name` means: its full name, its simple name, or its alias, which is
/// the simple name without the word for its kind.
pub fn find(kind: Kind, name: &str) -> Option<&'static Class> {
    let of_kind = || classes().iter().filter(|class| class.has(kind));
    of_kind()
        .find(|class| class.name == name)
        .or_else(|| of_kind().find(|class| class.is_called(kind, name)))
}

/// The class that `name` means, whatever its kind.
pub fn find_any(name: &str) -> Option<&'static Class> {
    Kind::ALL.into_iter().find_map(|kind| find(kind, name))
}

static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(|| {
    let mut classes: Vec<Class> = TABLES.iter().flat_map(|text| table::read(text).0).collect();
    classes.sort_by_key(|class| class.kinds.first().copied());
    classes
});

/// The tables, in the order of the manual.
const TABLES: [&str; 8] = [
    include_str!("sinks.keys"),
    include_str!("eddy.keys"),
    include_str!("confluent.keys"),
    include_str!("aiven.keys"),
    include_str!("converters.keys"),
    include_str!("transforms.keys"),
    include_str!("predicates.keys"),
    include_str!("clients.keys"),
];

fn keys_of(name: &str) -> &'static [Key] {
    let class = CLASSES.iter().find(|class| class.name == name);
    class.map_or(&[], |class| &class.keys)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_line_of_every_table_is_understood() {
        for text in TABLES {
            assert_eq!(table::read(text).1, Vec::<String>::new());
        }
    }

    #[test]
    fn no_class_has_a_key_twice_and_every_key_says_what_it_is_for() {
        for class in classes() {
            let mut names = std::collections::BTreeSet::new();
            for key in &class.keys {
                assert!(names.insert(key.name), "{} {}", class.name, key.name);
                assert!(key.documentation.len() > 10, "{} {}", class.name, key.name);
            }
        }
    }

    #[test]
    fn every_default_is_right_by_its_own_rule() {
        for class in classes() {
            for key in class.keys.iter().filter(|key| !key.required) {
                let checked = check(key, key.name, key.name, Given::Missing);
                assert_eq!(checked.errors, Vec::<String>::new(), "{}", class.name);
            }
        }
    }

    #[test]
    fn a_class_answers_to_its_full_its_simple_and_its_short_name() {
        let sink = "io.confluent.connect.s3.S3SinkConnector";
        for name in [sink, "S3SinkConnector", "S3Sink"] {
            assert_eq!(find(Kind::Sink, name).unwrap().name, sink);
        }
        for name in ["io.eddy.EddySinkConnector", "EddySinkConnector", "EddySink"] {
            assert_eq!(
                find(Kind::Sink, name).unwrap().name,
                "io.eddy.EddySinkConnector"
            );
        }
        let aiven = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";
        assert_eq!(
            find(Kind::Sink, "AivenKafkaConnectS3Sink").unwrap().name,
            aiven
        );
        assert_eq!(
            find(Kind::Transformation, "Cast$Key").unwrap().name,
            "org.apache.kafka.connect.transforms.Cast$Key"
        );
        assert!(find(Kind::Sink, "eddysink").is_none());
        assert!(find(Kind::Sink, " EddySink ").is_none());
        assert!(find(Kind::Sink, "JsonConverter").is_none());
        assert!(find(Kind::Converter, "Json").is_some());
    }

    #[test]
    fn the_sixteen_transforms_of_kafka_are_there_with_their_variants() {
        let ours = |class: &&Class| {
            class
                .name
                .starts_with("org.apache.kafka.connect.transforms.")
        };
        let all: Vec<_> = classes().iter().filter(ours).collect();
        let transforms = all.iter().filter(|class| class.has(Kind::Transformation));
        let mut simple: Vec<&str> = transforms
            .map(|class| class.simple().split('$').next().unwrap())
            .collect();
        simple.dedup();
        assert_eq!(simple.len(), 16, "{simple:?}");
    }
}
