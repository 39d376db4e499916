//! A table with rules for what must never land, moved and erased from: what is named is in no file,
//! no filter and no shape at any time.

use std::sync::atomic::AtomicBool;

use arrow::array::{AsArray, BooleanArray};

use super::{World, eager};
use crate::elide::Raw;
use crate::filter::Wanted;
use crate::maintain::{Erasure, erase};
use crate::record::TopicId;
use crate::redact::{Action, HashKey, Options, Redaction, Rule};
use crate::testing::{leaks, originals};
use crate::write::{Start, TableWriter, WriterOptions};

const KEY: &[u8] = b"a key of thirty-two bytes, so so";

/// A record of which everything with `s3cret` is named; now and then one that can't be searched.
fn value(offset: i64) -> String {
    match offset % 10 {
        7 => format!(r#"{{"user":"s3cret{offset}","n":"#),
        8 => format!("s3cret{offset}"),
        _ => format!(
            r#"{{"n":{offset},"user":"s3cret{}","card":{{"no":"s3cret{offset}"}},"password":"s3cret"}}"#,
            offset % 5
        ),
    }
}

impl World {
    fn redacting(&self, raw: Raw) -> TableWriter {
        let rules = [
            ("password", Action::Drop),
            ("user, key:", Action::Hash),
            ("**.no", Action::Mask(2)),
        ];
        let rules = rules
            .into_iter()
            .flat_map(|(rules, action)| Rule::parse_list(rules, action).unwrap());
        let hash_key = HashKey::new(KEY);
        let options = Options {
            hash_key,
            ..Options::default()
        };
        let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
        let redaction = Redaction::new(rules.collect(), options).unwrap();
        let mut options = WriterOptions::new(self.table(), "orders", topic_id, "sink");
        (options.raw, options.redaction) = (raw, Some(redaction));
        let mut writer = TableWriter::open(&self.lake, options).unwrap();
        writer.assign(&[(0, Start::at(0))]).unwrap();
        writer
    }

    fn write_secrets(&self, writer: &mut TableWriter, offsets: std::ops::Range<i64>) {
        for offset in offsets {
            self.append(writer, 0, offset, &value(offset));
        }
        self.commit(writer);
    }

    #[track_caller]
    fn assert_tells_nothing(&self) {
        let secrets = [b"s3cret".to_vec(), b"key-1".to_vec()];
        let found = leaks(&self.lake, &self.table(), &secrets).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}

fn user(offset: i64) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY);
    let tag = ring::hmac::sign(&key, format!("s3cret{}", offset % 5).as_bytes());
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn landed(offset: i64) -> Option<String> {
    let end = match offset {
        0..10 => format!("t{offset}"),
        _ => format!("{:02}", offset % 100),
    };
    let user = user(offset);
    let text = format!(r#"{{"n":{offset},"user":"{user}","card":{{"no":"***{end}"}}}}"#);
    (offset % 10 < 7 || offset % 10 == 9).then_some(text)
}

fn stays_clean(raw: Raw) {
    let world = World::in_memory();
    let mut writer = world.redacting(raw);
    world.write_secrets(&mut writer, 0..40);
    world.write_secrets(&mut writer, 40..80);
    world.write_secrets(&mut writer, 80..120);
    let check = |gone: &dyn Fn(i64) -> bool| {
        let found = originals(&world.lake, &world.table()).unwrap();
        let offsets: Vec<i64> = found.keys().map(|(_, offset)| *offset).collect();
        assert_eq!(
            offsets,
            (0..120).filter(|n| !gone(*n)).collect::<Vec<_>>(),
            "E1"
        );
        for ((_, offset), original) in found {
            let text = original
                .value
                .map(|value| String::from_utf8(value).unwrap());
            assert_eq!(text, landed(offset), "row {offset}");
            assert!(!original.elided || raw == Raw::Elide);
        }
        world.assert_tells_nothing();
    };
    check(&|_| false);

    let kept = world.pass(&eager()).unwrap();
    assert_eq!(kept.compacted.rewrites, 1, "{kept:?}");
    check(&|_| false);
    let words = |words: &str| world.may_hold(&Wanted::words(words));
    assert_eq!(words(&user(3)), (1, 0), "the hash is a word");
    let secrets = (0..120).filter(|n| words(&format!("s3cret{n}")).0 > 0);
    assert!(
        secrets.count() < 12,
        "filters say no but for what looks alike by chance"
    );

    // By the hash, which is all that a condition can know.
    let (table, halt) = (world.table(), AtomicBool::new(false));
    let wanted = user(2);
    let erasure = Erasure {
        id: world.lake.clock().new_id(),
        reference: "ticket 7".to_owned(),
        columns: vec!["user".to_owned()],
        may_match: &|_| true,
        matches: &|batch| {
            let users = batch["user"].as_string::<i32>();
            Ok(users
                .iter()
                .map(|user| Some(user? == wanted))
                .collect::<BooleanArray>())
        },
    };
    let receipt = erase(&world.lake, &table, &erasure, &halt).unwrap();
    assert_eq!(
        receipt.rows, 12,
        "2, 12, 22, ...; those with 7 could not be searched"
    );
    check(&|offset| offset % 10 == 2);
    world.check();
}

#[test]
fn what_never_lands_is_in_no_file_and_no_filter_after_compaction_and_erasure() {
    stays_clean(Raw::Keep);
}

#[test]
fn what_never_lands_is_in_no_shape_either() {
    stays_clean(Raw::Elide);
}
