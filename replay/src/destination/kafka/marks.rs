//! A replay's marks as short texts, as many as are needed: Kafka keeps a text of 4096 bytes beside
//! an offset. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::destination::Marked;
use crate::error::{Error, Result};
use crate::progress::{Counts, Mark};

/// The bytes of a text that marks may fill. The rest is for what stands around them.
const MARKS_BYTES: usize = 3_600;

/// One of the texts.
#[derive(Serialize, Deserialize)]
struct Text {
    /// How many there are.
    of: usize,
    /// In the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    /// Partition and offset by the topic's id.
    marks: BTreeMap<String, Vec<(i32, i64)>>,
}

/// The texts, one for each of the first partitions of a topic that has `partitions`.
///
/// # Errors
/// `Invalid` when there are more marks than fit.
pub(super) fn write(marked: &Marked, partitions: i32) -> Result<Vec<String>> {
    let mut texts = vec![BTreeMap::<String, Vec<(i32, i64)>>::new()];
    let mut filled = 0;
    for mark in &marked.marks {
        let bytes = json(&(mark.partition, mark.offset))?.len() + 1;
        let of_topic = json(&mark.topic_id)?.len() + 4;
        let mut added = bytes;
        if texts
            .last()
            .is_none_or(|text| !text.contains_key(&mark.topic_id))
        {
            added += of_topic;
        }
        if filled > 0 && filled + added > MARKS_BYTES {
            texts.push(BTreeMap::new());
            filled = 0;
            added = bytes + of_topic;
        }
        filled += added;
        if let Some(text) = texts.last_mut() {
            let marks = text.entry(mark.topic_id.clone()).or_default();
            marks.push((mark.partition, mark.offset));
        }
    }
    let of = texts.len();
    if i32::try_from(of).map_or(true, |of| of > partitions) {
        return Err(Error::invalid(format!(
            "the marks of {} source partitions need {of} partitions of the target, which has \
             {partitions}",
            marked.marks.len()
        ))
        .with_hint("give the target more partitions, or replay without exactly_once"));
    }
    let texts = texts.into_iter().enumerate();
    let texts = texts.map(|(at, marks)| {
        json(&Text {
            of,
            counts: (at == 0).then_some(marked.counts),
            marks,
        })
    });
    texts.collect()
}

/// The number and the marks that the texts say, each with its number; `None`: there are none.
///
/// # Errors
/// `Internal` when they are nobody's of this build or not whole.
pub(super) fn read(kept: impl IntoIterator<Item = (i64, String)>) -> Result<Option<(i64, Marked)>> {
    let kept: Vec<(i64, String)> = kept.into_iter().collect();
    let Some(newest) = kept.iter().map(|(number, _)| *number).max() else {
        return Ok(None);
    };
    let mut marked = Marked::default();
    let (mut of, mut found) = (1, 0);
    for (_, text) in kept.iter().filter(|(number, _)| *number == newest) {
        let text: Text = serde_json::from_str(text).map_err(|error| {
            Error::internal("the marks in Kafka can't be read").with_source(error)
        })?;
        found += 1;
        of = text.of;
        if let Some(counts) = text.counts {
            marked.counts = counts;
        }
        for (topic_id, marks) in text.marks {
            marked
                .marks
                .extend(marks.into_iter().map(|(partition, offset)| Mark {
                    topic_id: topic_id.clone(),
                    partition,
                    offset,
                }));
        }
    }
    if found != of {
        return Err(Error::internal(format!(
            "of {of} texts of marks Kafka has {found}"
        )));
    }
    Ok(Some((newest, marked)))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal("marks can't be written").with_source(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn marked(topics: &[&str], partitions: i32) -> Marked {
        let marks = topics.iter().flat_map(|topic_id| {
            (0..partitions).map(|partition| Mark {
                topic_id: (*topic_id).to_owned(),
                partition,
                offset: i64::MAX - i64::from(partition),
            })
        });
        Marked {
            marks: marks.collect(),
            counts: Counts {
                acknowledged: u64::MAX,
                bytes: u64::MAX,
                skipped: u64::MAX,
                failed: u64::MAX,
            },
        }
    }

    #[test]
    fn marks_of_any_number_come_back_from_texts_that_kafka_keeps() {
        let long = "\u{1}\"ключ".repeat(30);
        for (topics, partitions) in [
            (&["a"][..], 0),
            (&["a"], 1),
            (&["2Mbvz8R3TYqUd7nGqTAkdQ", "b"], 500),
            (&[&long], 40),
        ] {
            let marked = marked(topics, partitions);
            let texts = write(&marked, 60).unwrap();
            for text in &texts {
                assert!(text.len() <= 4096, "{} bytes", text.len());
            }
            let older = (6, texts.first().unwrap().clone());
            let kept = texts.into_iter().map(|text| (7, text)).chain([older]);
            assert_eq!(read(kept).unwrap(), Some((7, marked)));
        }
        assert_eq!(read([]).unwrap(), None);
    }

    #[test]
    fn marks_that_do_not_fit_or_are_not_whole_are_told() {
        let many = marked(&["2Mbvz8R3TYqUd7nGqTAkdQ"], 1_000);
        let error = write(&many, 2).unwrap_err();
        assert!(error.to_string().contains("which has 2"), "{error}");
        let mut texts = write(&many, 60).unwrap();
        assert!(texts.len() > 1);
        texts.pop();
        assert!(read(texts.into_iter().map(|text| (7, text))).is_err());
        assert!(read([(0, "something else".to_owned())]).is_err());
    }
}
