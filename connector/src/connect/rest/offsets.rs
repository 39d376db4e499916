//! Offsets: shown, altered and reset, as positions of tables.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::{Answer, Handled};
use super::body::{self, Object};
use super::connectors::{not_found, nothing};
use super::{Api, Call};
use crate::connect::worker::Alteration;
use crate::error::{Error, ErrorKind};

impl Api {
    pub(super) fn offsets(&self, name: &str) -> Handled {
        if self.worker.config(name).is_none() {
            return Err(not_found(name));
        }
        let places = self.worker.offsets(name)?;
        let offsets: Vec<Value> = places
            .iter()
            .map(|place| {
                json!({
                    "partition": {
                        "kafka_topic": place.topic,
                        "kafka_partition": place.partition,
                    },
                    "offset": {"kafka_offset": place.offset},
                })
            })
            .collect();
        Ok(Answer::ok(json!({"offsets": offsets})))
    }

    pub(super) fn alter_offsets(&self, name: &str, call: &Call) -> Handled {
        let entries = entries(&call.body)?;
        if entries.is_empty() {
            return Err(Answer::error(
                400,
                "Partitions / offsets need to be provided for an alter offsets request",
            ));
        }
        self.stopped(name)?;
        let alterations = entries
            .iter()
            .map(alteration)
            .collect::<Result<Vec<_>, _>>()?;
        let negative = |to: &Alteration| to.offset.is_some_and(|offset| offset < 0);
        if alterations.iter().any(negative) {
            let message = format!("Failed to modify offsets for sink connector {name}");
            return Err(Answer::error(500, message));
        }
        self.worker
            .alter(name, &alterations)
            .map_err(|error| refused(name, error))?;
        let message = "The offsets for this connector have been altered successfully";
        Ok(Answer::ok(json!({"message": message})))
    }

    pub(super) fn reset_offsets(&self, name: &str) -> Handled {
        self.stopped(name)?;
        self.worker
            .alter(name, &[])
            .map_err(|error| refused(name, error))?;
        let message = "The offsets for this connector have been reset successfully";
        Ok(Answer::ok(json!({"message": message})))
    }

    /// Only a stopped connector's offsets may change.
    fn stopped(&self, name: &str) -> Result<(), Answer> {
        if self.worker.config(name).is_none() {
            return Err(not_found(name));
        }
        self.changeable(name)?;
        if self.worker.is_stopped(name) {
            return Ok(());
        }
        Err(Answer::error(
            400,
            format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. \
                 This can be done for the specified connector by issuing a 'PUT' request to the \
                 '/connectors/{name}/stop' endpoint"
            ),
        ))
    }
}

/// Connect's answers where it has any. What it doesn't know is the table's to refuse, with 400.
fn refused(name: &str, error: Error) -> Answer {
    let failed = format!("Failed to alter consumer group offsets for connector {name}");
    match error.kind() {
        ErrorKind::NotFound => Answer::error(500, failed),
        ErrorKind::Fenced => Answer::error(
            500,
            format!(
                "{failed} either because its tasks haven't stopped completely yet or the \
                 connector was resumed before the request to alter its offsets could be \
                 successfully completed. If the connector is in a stopped state, this operation \
                 can be safely retried. If it doesn't eventually succeed, the Connect cluster may \
                 need to be restarted to get rid of the zombie sink tasks."
            ),
        ),
        _ => error.into(),
    }
}

fn entries(body: &[u8]) -> Result<Vec<Object>, Answer> {
    let request = body::object(body)?.ok_or_else(nothing)?;
    only(&request, &["offsets"])?;
    let Some(offsets) = request.get("offsets") else {
        return Ok(Vec::new());
    };
    let entries: Option<Vec<Object>> =
        serde_json::from_str(offsets.get()).map_err(|error| body::malformed(&error))?;
    let entries = entries.unwrap_or_default();
    for entry in &entries {
        only(entry, &["partition", "offset"])?;
        for part in entry.values() {
            body::object(part.get().as_bytes())?;
        }
    }
    Ok(entries)
}

fn only(object: &Object, known: &[&str]) -> Result<(), Answer> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Answer::error(
            500,
            format!("`{key}` is unknown; there is `{}`", known.join("`, `")),
        )),
        None => Ok(()),
    }
}

fn part(entry: &Object, key: &str) -> Result<Option<Object>, Answer> {
    let part = entry
        .get(key)
        .map(|part| body::object(part.get().as_bytes()));
    part.transpose().map(Option::flatten)
}

fn alteration(entry: &Object) -> Result<Alteration, Answer> {
    let wrong = |message: &str| Answer::error(400, message);
    let partition = part(entry, "partition")?.ok_or_else(|| {
        wrong("The partition for a sink connector offset cannot be null or missing")
    })?;
    let (Some(topic), Some(number)) = (
        partition.get("kafka_topic"),
        partition.get("kafka_partition"),
    ) else {
        return Err(wrong(
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and \
             'kafka_partition'",
        ));
    };
    if is_null(topic) {
        return Err(wrong(
            "Kafka topic names must be valid strings and may not be null",
        ));
    }
    if is_null(number) {
        return Err(wrong(
            "Kafka partitions must be valid numbers and may not be null",
        ));
    }
    let offset = match part(entry, "offset")? {
        None => None,
        Some(offset) => {
            let offset = offset.get("kafka_offset").ok_or_else(|| {
                wrong(
                    "The offset for a sink connector should either be null or contain the key \
                     'kafka_offset'",
                )
            })?;
            Some(parsed::<i64>(offset, "offset", "Offset")?)
        }
    };
    Ok(Alteration {
        topic: body::printed(topic),
        partition: parsed(number, "partition", "Partition")?,
        offset,
    })
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn parsed<T: std::str::FromStr>(value: &RawValue, what: &str, capital: &str) -> Result<T, Answer> {
    let text = body::printed(value);
    text.parse().map_err(|_| {
        Answer::error(
            400,
            format!(
                "Failed to parse the following Kafka {what} value in the provided offsets: \
                 '{text}'. {capital} values for sink connectors need to be integers."
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(json: &str) -> Result<Vec<Alteration>, Answer> {
        entries(json.as_bytes())?.iter().map(alteration).collect()
    }

    #[test]
    fn numbers_may_be_text_and_no_offset_is_a_reset() {
        let read = read(
            "{\"offsets\":[{\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":\"1\"},\
             \"offset\":{\"kafka_offset\":\"+7\"}},\
             {\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":0}}]}",
        );
        let read = read.unwrap();
        let short = |to: &Alteration| (to.topic.clone(), to.partition, to.offset);
        let all: Vec<_> = read.iter().map(short).collect();
        assert_eq!(
            all,
            [("t".to_owned(), 1, Some(7)), ("t".to_owned(), 0, None)]
        );
        assert_eq!(super::entries(b"{}").unwrap().len(), 0);
    }

    #[test]
    fn what_is_wrong_is_told_in_connects_words() {
        let place = "{\"kafka_topic\":\"t\",\"kafka_partition\":0}";
        for (partition, offset, status, wanted) in [
            ("null", "null", 400, "cannot be null or missing"),
            ("{}", "null", 400, "must contain the keys"),
            (
                "{\"kafka_topic\":null,\"kafka_partition\":0}",
                "null",
                400,
                "valid strings",
            ),
            (
                "{\"kafka_topic\":\"t\",\"kafka_partition\":null}",
                "null",
                400,
                "valid numbers",
            ),
            (
                "{\"kafka_topic\":\"t\",\"kafka_partition\":1.5}",
                "null",
                400,
                "'1.5'",
            ),
            (place, "{}", 400, "contain the key 'kafka_offset'"),
            (place, "{\"kafka_offset\":1e3}", 400, "'1000.0'"),
            (place, "{\"kafka_offset\":\" 1 \"}", 400, "' 1 '"),
            ("\"x\"", "null", 500, "not the JSON"),
            (place, "5", 500, "not the JSON"),
        ] {
            let json =
                format!("{{\"offsets\":[{{\"partition\":{partition},\"offset\":{offset}}}]}}");
            let answer = read(&json).unwrap_err();
            let text = answer.body.unwrap();
            assert_eq!(answer.status, status, "{json}");
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert_eq!(read("{\"offsets\":[null]}").unwrap_err().status, 500);
        assert_eq!(read("{\"offsets\":[],\"x\":1}").unwrap_err().status, 500);
    }
}
