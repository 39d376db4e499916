//! A store that fails for a while, and what the worker's memory has to do with it.

use super::*;
use crate::budget::Budget;
use crate::testing::Step;

#[test]
fn p9_an_unavailable_store_is_asked_again_with_the_same_cut_until_it_answers() {
    for matching in ["_eddy/uploads", "dt=", "_delta_log"] {
        let world = World::faulty();
        let (mut writer, _) = world.assigned(&[0]);
        append(&mut writer, 0, 0, 10);
        world
            .store()
            .script(matching, vec![Step::FailBefore; 10_000]);
        assert!(writer.cut().unwrap());
        while writer.stalled().is_none_or(|stall| stall.attempts < 3) {
            assert!(
                writer
                    .wait_cut(Duration::from_millis(1))
                    .unwrap()
                    .is_empty()
            );
        }
        let stall = writer.stalled().unwrap();
        assert!(stall.message.contains("could not"), "{stall:?}");
        // Appending goes on meanwhile.
        append(&mut writer, 0, 10, 20);
        assert!(!writer.cut().unwrap());
        world.store().script("", []);
        assert_eq!(settled(&mut writer), [range(0, 10)]);
        assert!(writer.stalled().is_none());
        commit(&mut writer);
        assert_eq!(world.each_offset_once()[&0], 20);
        assert_eq!(world.snapshot().files.len(), 2);
    }
}

#[test]
fn p9_a_lost_answer_is_found_out_and_nothing_is_doubled() {
    let world = World::faulty();
    let (mut writer, _) = world.assigned(&[0]);
    append(&mut writer, 0, 0, 1);
    commit(&mut writer);
    for step in [Step::LoseAnswer, Step::FalseConflict, Step::FailBefore] {
        let next = writer.assigned()[0].1;
        append(&mut writer, 0, next, next + 10);
        world.store().script("_delta_log", [step, step]);
        commit(&mut writer);
    }
    assert_eq!(world.each_offset_once()[&0], 31);
}

#[test]
fn what_a_commit_held_is_given_back_when_it_ends() {
    let world = World::in_memory();
    let mut options = world.options();
    options.budget = Budget::new(400_000);
    let budget = options.budget.clone();
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0]);
    let mut offset = 0;
    while !writer.due() {
        append(&mut writer, 0, offset, offset + 100);
        writer.publish().unwrap();
        offset += 100;
        assert!(offset < 100_000, "memory makes a cut due");
    }
    assert!(budget.is_pressed());
    assert!(writer.cut().unwrap());
    while !writer.must_pause() {
        append(&mut writer, 0, offset, offset + 100);
        writer.publish().unwrap();
        offset += 100;
        if !writer.in_flight() || writer.poll().is_ok_and(|committed| !committed.is_empty()) {
            writer.cut().unwrap();
        }
    }
    while writer.in_flight() {
        writer.wait_cut(DEADLINE).unwrap();
    }
    while writer.cut().unwrap() {
        settled(&mut writer);
    }
    assert_eq!((writer.memory(), budget.used_bytes()), (0, 0));
    assert!(!writer.must_pause());
    assert_eq!(world.each_offset_once()[&0], offset);
}

#[test]
fn a_dropped_writer_gives_its_memory_and_its_live_rows_back() {
    let world = World::in_memory();
    let mut options = world.options();
    options.budget = Budget::new(1 << 30);
    let budget = options.budget.clone();
    let mut writer = TableWriter::open(&world.lake, options).unwrap();
    assign(&mut writer, &[0]);
    append(&mut writer, 0, 0, 100);
    writer.publish().unwrap();
    assert!(budget.used_bytes() > 0);
    assert_eq!(world.lake.live().tables(), [world.table()]);
    drop(writer);
    assert_eq!(budget.used_bytes(), 0);
    assert!(world.lake.live().tables().is_empty());
}

#[test]
fn a_large_record_gets_a_batch_of_its_own_and_lands() {
    let world = World::in_memory();
    let (mut writer, _) = world.assigned(&[0]);
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(20 << 20));
    append(&mut writer, 0, 0, 3);
    writer.append(&record(0, 3, large.as_bytes())).unwrap();
    append(&mut writer, 0, 4, 6);
    commit(&mut writer);
    assert_eq!(world.each_offset_once()[&0], 6);
}
