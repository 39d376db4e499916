//! Two writers of one table, each on a thread of its own, that discover conflicting columns at the
//! same time over a store that fails, and die in the middle of commits: nothing is lost, nothing is
//! doubled, and both end with the same columns (P11).

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::super::*;
use super::plain;
use super::values::{Record as Sent, records};
use crate::commit::invariants;
use crate::error::{ErrorKind, Result};
use crate::testing::{Step, scale};

/// Records of each writer in a round.
const RECORDS: usize = 32;

/// One writer with its partition.
struct Racer<'a> {
    world: &'a World,
    partition: i32,
    sent: &'a [Sent],
    random: TestRng,
    deaths: &'a AtomicUsize,
}

impl Racer<'_> {
    /// Until all is in the table; answers the writer that survived.
    fn race(&mut self) -> TableWriter {
        let mut writer = self.begin();
        let mut known = 0;
        while known < self.sent.len() {
            let next = writer.assigned()[0].1 as usize;
            let most = self.sent.len().min(next + 1 + self.below(8));
            if !self.append(&mut writer, next, most) {
                known = self.reset(&mut writer);
                continue;
            }
            self.misbehave();
            match writer.cut() {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Fenced => {
                    known = self.reset(&mut writer);
                    continue;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
            if self.below(3) == 0 {
                // It dies while its columns or its rows are on their way.
                let wait = Duration::from_micros(self.below(20_000) as u64);
                let _ = writer.wait_cut(wait);
                drop(writer);
                self.deaths.fetch_add(1, Ordering::Relaxed);
                writer = self.begin();
                known = writer.assigned()[0].1 as usize;
                continue;
            }
            match writer.wait_cut(Duration::from_millis(self.below(200) as u64)) {
                Ok(committed) => {
                    known = committed.last().map_or(known, |last| last.offset as usize);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
                    known = self.reset(&mut writer);
                }
            }
        }
        writer
    }

    fn begin(&self) -> TableWriter {
        until_it_answers(|| {
            let mut writer = TableWriter::open(&self.world.lake, self.world.options())?;
            writer.assign(&[(self.partition, Start::at(0))])?;
            Ok(writer)
        })
    }

    fn append(&self, writer: &mut TableWriter, from: usize, to: usize) -> bool {
        (from..to).all(|offset| {
            let record = record(self.partition, offset as i64, self.sent[offset].bytes());
            match writer.append(&record) {
                Ok(()) => true,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
                    false
                }
            }
        })
    }

    fn reset(&self, writer: &mut TableWriter) -> usize {
        until_it_answers(|| writer.reset())[0].1.offset as usize
    }

    /// What the store does to the next puts, of either writer.
    fn misbehave(&mut self) {
        if self.below(2) == 0 {
            return;
        }
        let matching = ["_delta_log", "_delta_log", "dt=", "_eddy"][self.below(4)];
        let steps: Vec<Step> = (0..=self.below(3))
            .map(|_| match self.below(5) {
                0 => Step::FailBefore,
                1 => Step::LoseAnswer,
                2 => Step::Delay,
                3 => Step::FalseConflict,
                _ => Step::Pass,
            })
            .collect();
        self.world.store().script(matching, steps);
        if self.below(2) == 0 {
            let store = self.world.store().clone();
            let delivered = self
                .world
                .lake
                .wait(async move { store.deliver().await.len() });
            delivered.unwrap();
        }
    }

    fn below(&mut self, end: usize) -> usize {
        (self.random.next_u64() % end as u64) as usize
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

/// Two lists of records with the same few keys.
fn sent(seed: u64) -> [Vec<Sent>; 2] {
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), random(seed));
    let mut sent = records(RECORDS * 4)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let second = sent.split_off(sent.len() / 2);
    [sent, second].map(|mut sent| {
        sent.truncate(RECORDS);
        sent
    })
}

fn random(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

fn round(seed: u64) -> usize {
    let world = World::faulty();
    let sent = sent(seed);
    let deaths = AtomicUsize::new(0);
    let survivors = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..)
            .zip(&sent)
            .map(|(partition, sent)| {
                let (world, deaths) = (&world, &deaths);
                scope.spawn(move || {
                    let mut racer = Racer {
                        world,
                        partition,
                        sent,
                        random: random(seed ^ ((partition as u64 + 1) << 32)),
                        deaths,
                    };
                    racer.race()
                })
            })
            .collect();
        let joined = racers.into_iter().map(|racer| racer.join().unwrap());
        joined.collect::<Vec<_>>()
    });
    world.store().script("", []);
    let store = world.store().clone();
    world
        .lake
        .wait(async move { store.deliver().await.len() })
        .unwrap();
    assert_converged(&world, survivors);
    let sent: Vec<Vec<&Sent>> = sent.iter().map(|sent| sent.iter().collect()).collect();
    plain::table(&world.lake, &world.table()).assert_holds(&world.lake, &world.table(), &sent);
    invariants::check(&world.lake, &world.table()).unwrap();
    deaths.into_inner()
}

/// Both go on with the same columns, under the same names, and so would anybody else.
fn assert_converged(world: &World, survivors: Vec<TableWriter>) {
    for (partition, mut writer) in (0..).zip(survivors) {
        let position = writer.known(&[partition]).unwrap()[0].1.unwrap();
        assert_eq!(writer.assigned(), [(partition, position.offset)]);
        assert_eq!(writer.schema(), world.snapshot().schema);
    }
}

#[test]
fn p11_two_writers_that_discover_conflicting_columns_and_die_lose_and_double_nothing() {
    let first = std::env::var("EDDY_TEST_SEED");
    let first = first.ok().and_then(|seed| seed.parse().ok());
    let first = first.unwrap_or_else(|| Clock::system().new_id().as_u128() as u64);
    let mut deaths = 0;
    for seed in (first..).take(scale(5, 50)) {
        let outcome = std::panic::catch_unwind(|| round(seed));
        deaths += outcome.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(deaths > 0, "nobody was killed");
}
