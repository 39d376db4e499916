//! Property tests of the progress marks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

/// The obvious model: everything before the first unsettled record of a partition.
fn model(sent: &[(i32, i64)], settled: &[bool], partition: i32) -> Option<i64> {
    let mut done = None;
    for (record, settled) in sent.iter().zip(settled) {
        if record.0 == partition {
            if !settled {
                break;
            }
            done = Some(record.1);
        }
    }
    done
}

proptest! {
    #[test]
    fn the_mark_never_passes_an_unsettled_record(
        steps in prop::collection::vec((0..3i32, 1..4i64), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
    ) {
        let topic = TopicId::new("id");
        let mut progress = Progress::default();
        let mut next = [0i64; 3];
        let mut sent = Vec::new();
        let mut tickets = Vec::new();
        for (partition, gap) in steps {
            next[partition as usize] += gap;
            let offset = next[partition as usize];
            sent.push((partition, offset));
            tickets.push(progress.begin(&topic, partition, offset).unwrap());
        }
        let mut settled = vec![false; sent.len()];
        for index in order {
            let index = index.index(sent.len());
            // A second answer for one record must change nothing.
            progress.settle(tickets[index], Settled::Acknowledged(10, Landed::default()));
            settled[index] = true;
            let marks = progress.marks();
            for partition in 0..3 {
                let mark = marks.iter().find(|mark| mark.partition == partition);
                let wanted = model(&sent, &settled, partition);
                prop_assert_eq!(mark.map(|mark| mark.offset), wanted);
            }
            let behind = sent
                .iter()
                .filter(|(partition, offset)| {
                    model(&sent, &settled, *partition).is_some_and(|done| done >= *offset)
                })
                .count() as u64;
            prop_assert_eq!(progress.counts().acknowledged, behind);
            prop_assert_eq!(progress.counts().bytes, behind * 10);
            let beyond = sent.len() - usize::try_from(behind).unwrap();
            prop_assert_eq!(progress.beyond_marks(), beyond);
        }
        let again = Progress::resume(&progress.marks(), progress.counts());
        prop_assert_eq!(again.marks(), progress.marks());
    }
}

#[test]
fn rows_that_come_twice_or_backwards_are_a_broken_promise() {
    let topic = TopicId::new("id");
    let mark = Mark {
        topic_id: "id".to_owned(),
        partition: 0,
        offset: 5,
    };
    let mut progress = Progress::resume(&[mark], Counts::default());
    assert!(progress.begin(&topic, 0, 5).is_err());
    assert!(progress.begin(&topic, 0, 6).is_ok());
    assert!(progress.begin(&topic, 0, 6).is_err());
    assert!(progress.begin(&topic, 1, 0).is_ok());
}
