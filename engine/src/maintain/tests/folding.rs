//! Records of what was filtered: nothing of them is lost with the commits that made them.

use uuid::Uuid;

use super::World;
use crate::commit::TableLog;
use crate::maintain::Policy;
use crate::maintain::clean::clean;
use crate::read::filtered::{Beside, Kind, kept, record_landed, record_stored};
use crate::read::{Alterations, filtered, stored};
use crate::record::TopicId;
use crate::write::TableWriter;

const HOURS_OF_8_DAYS: u64 = 8 * 24;

fn only_cleaning() -> Policy {
    Policy {
        compaction: None,
        ..Policy::default()
    }
}

/// What is filtered of two offsets each, from and to numbers of cuts.
fn every_second(cuts: std::ops::Range<i64>) -> Vec<(i64, i64)> {
    cuts.map(|cut| (2 * cut + 1, 2 * cut + 2)).collect()
}

impl World {
    /// Commits of a row and an offset that a filter passed over each. The clock stands: versions
    /// have the real time, which the kernel gives them.
    fn filtering_cuts(&self, writer: &mut TableWriter, cuts: std::ops::Range<i64>) {
        for cut in cuts {
            self.append(writer, 0, 2 * cut, "{}");
            writer.filter(0, 2 * cut + 1).unwrap();
            self.commit(writer);
        }
    }

    fn log(&self) -> TableLog {
        TableLog::open(&self.lake, &self.table()).unwrap().unwrap()
    }

    /// What readers are told.
    fn passed(&self) -> Vec<(i64, i64)> {
        let history = self.log().history(usize::MAX).unwrap();
        let (lake, table) = (self.lake.clone(), self.table());
        let found = self
            .lake
            .wait(async move { filtered(&lake, &table, &history, &Alterations::new()).await });
        let key = (TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ"), 0);
        found.unwrap().unwrap().remove(&key).unwrap_or_default()
    }

    fn records(&self) -> usize {
        let (lake, table) = (self.lake.clone(), self.table());
        let kept = async move { kept(&lake, &table, Kind::Filtered).await };
        self.lake.wait(kept).unwrap().unwrap().len()
    }
}

#[test]
fn few_records_are_folded_before_the_commits_that_made_them_are_cleaned_away() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.filtering_cuts(&mut writer, 0..10);
    world.pass(&only_cleaning()).unwrap();
    assert_eq!(world.records(), 10, "young and few");
    assert!(world.log().checkpoint().unwrap());
    world.hours_later(HOURS_OF_8_DAYS);
    let kept = world.pass(&only_cleaning()).unwrap();
    assert!(kept.cleaned.log_files > 0, "{kept:?}");
    assert_eq!(world.records(), 1);
    assert_eq!(world.passed(), every_second(0..10));

    world.filtering_cuts(&mut writer, 10..70);
    assert_eq!(world.passed(), every_second(0..70));
    world.filtering_cuts(&mut writer, 70..74);
    world.pass(&only_cleaning()).unwrap();
    assert_eq!(world.records(), 1);
    assert_eq!(world.passed(), every_second(0..74));
}

/// A lake that was kept by an earlier release: nothing was folded before its log was cleaned.
#[test]
fn records_whose_commits_are_cleaned_away_are_folded_as_readers_take_them() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.filtering_cuts(&mut writer, 0..10);
    assert!(world.log().checkpoint().unwrap());
    world.hours_later(HOURS_OF_8_DAYS);
    let history = only_cleaning().history;
    let cleaned = clean(&world.lake, &world.table(), history, None).unwrap();
    assert!(cleaned.log_files > 0, "{cleaned:?}");
    assert_eq!(world.records(), 10);
    world.filtering_cuts(&mut writer, 10..70);
    assert_eq!(world.passed(), every_second(0..70));

    world.pass(&only_cleaning()).unwrap();
    assert_eq!(world.records(), 1);
    assert_eq!(world.passed(), every_second(0..70));
}

/// Whoever folds records dies, or is still at it: the one is there and those that it stands for.
#[test]
fn what_lies_beside_a_table_is_told_once_while_folded_records_wait_to_go() {
    let world = World::in_memory();
    let mut writer = world.writer(&[0]);
    world.commits(&mut writer, 0..2, 1);
    let (lake, table) = (world.lake.clone(), world.table());
    let topic_id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let history = world.log().history(usize::MAX).unwrap();
    let ids: Vec<Uuid> = history.iter().filter_map(|version| version.id).collect();
    for (id, from) in ids.iter().zip([0, 10]) {
        let beside = Beside {
            stored: vec![(0, vec![(from, from + 5)])],
            dead: vec![(0, vec![(from + 5, from + 6)])],
            ..Beside::default()
        };
        record_stored(&lake, &table, *id, &topic_id, &beside).unwrap();
    }
    let told = || {
        let (of, table, history) = (lake.clone(), table.clone(), history.clone());
        let told = lake.wait(async move { stored(&of, &table, &history).await });
        told.unwrap().unwrap()
    };
    let before = told();
    let account = &before[&(topic_id, 0)];
    assert_eq!((account.rows, account.dead_letters), (12, 2));
    for _ in 0..2 {
        let (of, from) = (lake.clone(), table.clone());
        let all = lake.wait(async move { kept(&of, &from, Kind::Stored).await });
        record_landed(&lake, &table, Kind::Stored, &all.unwrap().unwrap()).unwrap();
        assert_eq!(told(), before);
    }
}
