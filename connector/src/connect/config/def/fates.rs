//! What becomes of each key of the other sinks' classes: the tables of `connector/README.md`.

use std::fmt::Write as _;

use super::{Class, Fate, Kind, classes};
use crate::connect::EDDY_SINK;

const BEGIN: &str = "<!-- Made from the tables of keys; see `fates.rs`. -->\n";
const END: &str = "<!-- End of what is made. -->\n";

/// The sections of all foreign sinks, a row per key.
fn sections() -> String {
    let mut text = String::new();
    let foreign = |class: &&Class| class.has(Kind::Sink) && class.name != EDDY_SINK;
    for class in classes().iter().filter(foreign) {
        // Text into a string never fails.
        let _ = write!(
            text,
            "\n### `{}`\n\n| key | in Eddy |\n|---|---|\n",
            class.name
        );
        for key in &class.keys {
            let fate = match &key.fate {
                Fate::Used => "supported".to_owned(),
                Fate::Ignored(why) => format!("ignored: {why}"),
                Fate::Refused(values, why) if values == &["*"] => {
                    format!("refused, unless it is the default: {why}")
                }
                Fate::Refused(values, why) => {
                    format!("supported; refused is `{}`: {why}", values.join("`, `"))
                }
            };
            let _ = writeln!(text, "| `{}` | {} |", key.name, fate.replace('|', "\\|"));
        }
    }
    text
}

/// `readme` with what is between the marks made anew; `None` without marks.
pub fn renewed(readme: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}\n{END}{after}", sections()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::super::Key;
    use super::*;
    use crate::connect::ConnectorConfig;
    use crate::error::Result;

    #[test]
    fn the_readme_says_of_every_key_what_the_tables_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let kept = std::fs::read_to_string(path).unwrap();
        let renewed = renewed(&kept).unwrap();
        if std::env::var_os("EDDY_UPDATE_MANUAL").is_some() {
            std::fs::write(path, &renewed).unwrap();
            return;
        }
        assert!(
            kept == renewed,
            "connector/README.md is out of date; run the test with EDDY_UPDATE_MANUAL=1"
        );
    }

    /// What each foreign class can't do without.
    const NEEDED: [(&str, &[(&str, &str)]); 2] = [
        (
            "io.confluent.connect.s3.S3SinkConnector",
            &[
                (
                    "format.class",
                    "io.confluent.connect.s3.format.parquet.ParquetFormat",
                ),
                ("flush.size", "10"),
                ("s3.bucket.name", "lake"),
                ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
            ],
        ),
        (
            "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
            &[
                ("aws.s3.bucket.name", "lake"),
                ("format.output.type", "parquet"),
            ],
        ),
    ];

    fn parse(class: &str, needed: &[(&str, &str)], more: (&str, &str)) -> Result<ConnectorConfig> {
        let mut map: BTreeMap<String, String> = [("connector.class", class), ("topics", "orders")]
            .iter()
            .chain(needed)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        map.insert(more.0.to_owned(), more.1.to_owned());
        ConnectorConfig::parse("orders", &map)
    }

    fn keys(name: &str) -> &'static [Key] {
        &super::super::find(Kind::Sink, name).unwrap().keys
    }

    #[test]
    fn what_is_ignored_is_accepted_and_what_is_refused_is_named_with_its_reason() {
        for (class, needed) in NEEDED {
            for key in keys(class) {
                match &key.fate {
                    Fate::Used => {}
                    Fate::Ignored(_) => {
                        let value = key.default.filter(|value| !value.is_empty()).unwrap_or("1");
                        parse(class, needed, (key.name, value)).unwrap();
                    }
                    Fate::Refused(values, why) => {
                        for value in values {
                            let value = if *value == "*" { "something" } else { value };
                            let error = parse(class, needed, (key.name, value)).unwrap_err();
                            let text = error.to_string();
                            assert!(text.contains(key.name), "{} = {value}: {text}", key.name);
                            assert!(text.contains(*why) || text.contains("not built"), "{text}");
                        }
                        if let Some(default) = key.default.filter(|default| !default.is_empty()) {
                            let is_refused = values.contains(&default);
                            let taken = parse(class, needed, (key.name, default)).is_ok();
                            assert_eq!(taken, !is_refused, "{} = {default}", key.name);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_said_to_be_supported_is_read_by_its_name() {
        let sources = [
            include_str!("../confluent.rs"),
            include_str!("../aiven.rs"),
            include_str!("../flat.rs"),
            include_str!("../null_values.rs"),
            include_str!("../sides.rs"),
        ];
        for (class, _) in NEEDED {
            for key in keys(class).iter().filter(|key| key.fate == Fate::Used) {
                let quoted = format!("\"{}\"", key.name);
                let is_read = sources.iter().any(|source| source.contains(&quoted));
                assert!(is_read, "{class}: `{}` is read nowhere", key.name);
            }
        }
    }
}
