//! Two writers, four partitions and a store that misbehaves, in random order: whatever happens,
//! every answer is a contiguous prefix (E8), and in the end each offset is there once (E1).

use std::sync::atomic::AtomicBool;

use super::live::answer;
use super::*;
use crate::commit::invariants;
use crate::error::{ErrorKind, Result};
use crate::layout::Layout;
use crate::maintain::{Alteration, Target, alter};
use crate::read::SnapshotCache;
use crate::testing::Step;

/// Seeds of one run unless `EDDY_TEST_SEEDS` says how many; a failing one is in the panic's
/// message.
const SEEDS: u64 = 12;
const STEPS: usize = 60;

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn partition(&mut self) -> i32 {
        i32::try_from(self.below(4)).unwrap()
    }
}

struct Chaos<'a> {
    world: &'a World,
    writers: [TableWriter; 2],
    random: Random,
    /// Positions go back now and then.
    rewinds: bool,
}

impl Chaos<'_> {
    fn step(&mut self) {
        let at = usize::try_from(self.random.below(2)).unwrap();
        match self.random.below(12 + u64::from(self.rewinds)) {
            0..=3 => self.append(at),
            4 => drop(self.writers[at].publish()),
            5 | 6 => self.cut(at),
            7 => self.poll(at, Duration::from_millis(2)),
            8 => self.release(at),
            9 => self.assign(at),
            10 => self.misbehave(),
            12 => self.rewind(),
            _ => match self.random.below(4) {
                0 => self.writers[at] = self.world.writer_when_it_answers(),
                _ => self.deliver(),
            },
        }
    }

    fn append(&mut self, at: usize) {
        for (partition, next) in self.writers[at].assigned() {
            let rows = i64::try_from(self.random.below(5)).unwrap();
            for offset in next..next + rows {
                let value = format!("{{\"n{}\":{offset}}}", offset % 7);
                let key = offset.to_string();
                let mut record = record(partition, offset, value.as_bytes());
                record.key = Some(key.as_bytes());
                if let Err(error) = self.writers[at].append(&record) {
                    assert_eq!(error.kind(), ErrorKind::Fenced);
                    return;
                }
            }
        }
    }

    fn cut(&mut self, at: usize) {
        let begun = match self.random.below(3) {
            0 => self.writers[at].cut(),
            _ => self.cut_due(at),
        };
        if let Err(error) = begun {
            self.recover(at, error.kind());
        }
    }

    /// What is due; in the native layout nothing ever is here.
    fn cut_due(&mut self, at: usize) -> Result<bool> {
        match self.world.layout {
            Layout::Native => self.writers[at].cut(),
            Layout::Foreign(_) => self.writers[at].cut_due(),
        }
    }

    fn poll(&mut self, at: usize, wait: Duration) {
        if let Err(error) = self.writers[at].wait_cut(wait) {
            self.recover(at, error.kind());
        }
    }

    fn recover(&mut self, at: usize, kind: ErrorKind) {
        assert!(
            matches!(kind, ErrorKind::Fenced | ErrorKind::Unavailable),
            "{kind:?}"
        );
        if kind == ErrorKind::Fenced {
            until_it_answers(|| self.writers[at].reset());
        }
    }

    fn release(&mut self, at: usize) {
        let partition = self.random.partition();
        let deadline = Duration::from_millis([0, 5, 50][self.random.below(3) as usize]);
        let released = self.writers[at].release(&[partition], deadline).unwrap();
        for (partition, offset) in released.rewind {
            assert!(self.writers[at].assigned().contains(&(partition, offset)));
        }
    }

    /// Now and then both own a partition: one of them is a zombie.
    fn assign(&mut self, at: usize) {
        let partition = self.random.partition();
        let owned = |writer: &TableWriter| writer.assigned().iter().any(|(p, _)| *p == partition);
        if owned(&self.writers[at]) {
            return;
        }
        if owned(&self.writers[1 - at]) && self.random.below(3) > 0 {
            self.writers[1 - at]
                .release(&[partition], Duration::from_millis(5))
                .unwrap();
        }
        if let Err(error) = self.writers[at].assign(&[(partition, Start::at(0))]) {
            self.recover(at, error.kind());
        }
    }

    /// To anywhere below the position, whoever is writing.
    fn rewind(&mut self) {
        let partition = self.random.partition();
        let position = self.world.snapshot().position(&topic(), partition);
        let end = position.map_or(0, |position| position.offset);
        let offset = i64::try_from(self.random.below(end.unsigned_abs() + 1)).unwrap();
        let target = Target {
            offset,
            reset: false,
        };
        let alteration = Alteration {
            topic_id: topic(),
            targets: BTreeMap::from([(partition, target)]),
            reason: "chaos".to_owned(),
        };
        let (world, halt) = (self.world, AtomicBool::new(false));
        if let Err(error) = alter(&world.lake, &world.table(), &alteration, &halt) {
            assert!(error.is_unavailable(), "{error}");
        }
    }

    fn misbehave(&mut self) {
        let matching =
            ["_delta_log", "t=", "n=", "_eddy/uploads", ""][self.random.below(5) as usize];
        let steps: Vec<Step> = (0..=self.random.below(4))
            .map(|_| match self.random.below(5) {
                0 => Step::FailBefore,
                1 => Step::LoseAnswer,
                2 => Step::Delay,
                3 => Step::FalseConflict,
                _ => Step::Pass,
            })
            .collect();
        self.world.store().script(matching, steps);
    }

    fn deliver(&mut self) {
        let store = self.world.store().clone();
        let delivered = self
            .world
            .lake
            .wait(async move { store.deliver().await.len() });
        delivered.unwrap();
    }

    /// Faults stop: both writers get everything in.
    fn settle(&mut self) {
        self.world.store().script("", []);
        self.deliver();
        for at in [0, 1] {
            for _ in 0..100 {
                self.poll(at, DEADLINE);
                match self.writers[at].cut() {
                    Ok(false) if !self.writers[at].in_flight() => break,
                    Ok(_) => {}
                    Err(error) => self.recover(at, error.kind()),
                }
            }
            assert!(
                !self.writers[at].in_flight(),
                "invariant 14: it ends once faults stop"
            );
        }
    }
}

impl World {
    fn writer_when_it_answers(&self) -> TableWriter {
        until_it_answers(|| TableWriter::open(&self.lake, self.options()))
    }
}

fn until_it_answers<T>(mut attempt: impl FnMut() -> Result<T>) -> T {
    for _ in 0..1_000 {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
    }
    panic!("the store never answered");
}

fn run(seed: u64, world: &World, rewinds: bool) {
    let cache = SnapshotCache::new();
    let writers = [world.writer(), world.writer()];
    let mut chaos = Chaos {
        world,
        writers,
        random: Random(seed),
        rewinds,
    };
    // Of records that no reader of the table can read, an answer has the live ones alone.
    let answered = || match world.layout.flat() {
        Some(_) => {}
        None => drop(answer(world, &cache)),
    };
    assign(&mut chaos.writers[0], &[0, 1]);
    assign(&mut chaos.writers[1], &[2, 3]);
    for _ in 0..STEPS {
        chaos.step();
        answered();
    }
    chaos.settle();
    answered();
    drop(chaos);
    // A writer that was replaced in mid-commit is a zombie in this process, and not dead.
    world.lake.settle_commits();
    world.each_offset_once();
    invariants::check(&world.lake, &world.table()).unwrap();
}

#[test]
fn e1_e8_random_faults_kills_revokes_and_zombies_lose_and_double_nothing() {
    each_seed(|seed| run(seed, &World::faulty(), false));
}

#[test]
fn p5_e1_e8_random_rewinds_beside_faults_kills_and_zombies_lose_and_double_nothing() {
    each_seed(|seed| {
        run(seed, &World::faulty(), true);
        let foreign = World {
            layout: foreign::confluent(3),
            ..World::faulty()
        };
        run(seed, &foreign, true);
    });
}

#[test]
fn p13_p14_random_faults_in_a_foreign_layout_lose_double_and_overwrite_nothing() {
    foreign_with_faults(|| foreign::confluent(3));
}

#[test]
fn e1_p13_p14_random_faults_lose_double_and_overwrite_nothing_of_objects_beside_the_table() {
    foreign_with_faults(|| flat::lines(3));
}

#[test]
fn e1_p13_p14_random_faults_leave_keys_beside_their_records_and_nothing_else() {
    foreign_with_faults(|| sides::keys_beside(flat::lines(3)));
    foreign_with_faults(|| sides::keys_beside(foreign::confluent(3)));
}

fn foreign_with_faults(layout: fn() -> Layout) {
    each_seed(|seed| {
        let world = foreign::world(layout());
        let strangers = foreign::strangers(&world);
        run(seed, &world, false);
        foreign::untouched(&world, &strangers);
        foreign::each_row_once_by_name(&world, &strangers);
    });
}

fn each_seed(run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let seeds = std::env::var("EDDY_TEST_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(SEEDS);
    for seed in 0..seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
