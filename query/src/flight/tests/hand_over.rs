//! Partitions that go back and forth between two workers while a third process asks.

use std::sync::atomic::{AtomicBool, Ordering};

use eddy_engine::write::Start;

use super::*;
use crate::testing::Topic;

const DEADLINE: Duration = Duration::from_secs(60);
const PARTITIONS: usize = 3;

/// Numbers from a seed (SplitMix64), so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Two workers with a writer each, and who has which partition.
struct Group {
    workers: [Worker; 2],
    topics: [Topic; 2],
    owner: [usize; PARTITIONS],
    /// What must be visible: up to here it was published or committed.
    visible: [i64; PARTITIONS],
}

impl Group {
    fn new() -> Self {
        let first = Worker::serve(World::new(), "first", None);
        let second = Worker::serve(beside(&first.world, |_| {}), "second", None);
        let workers = [first, second];
        let topics = [0, 1].map(|at: usize| workers[at].world.writer("orders", 0));
        let topics = topics.map(|topic| Topic {
            next: vec![0; PARTITIONS],
            ..topic
        });
        let mut group = Self {
            workers,
            topics,
            owner: [0; PARTITIONS],
            visible: [0; PARTITIONS],
        };
        for partition in 0..PARTITIONS {
            group.assign(partition, 0);
        }
        // A column that only live rows have goes when they do.
        group.put(&mut Random(0), 0);
        group.cut(0);
        group.topics[0].writer.wait_cut(DEADLINE).unwrap();
        group
    }

    fn assign(&mut self, partition: usize, to: usize) {
        let number = i32::try_from(partition).unwrap();
        let topic = &mut self.topics[to];
        let positions = topic.writer.assign(&[(number, Start::at(0))]).unwrap();
        let (_, position) = positions[0];
        topic.next[partition] = position.offset;
        self.owner[partition] = to;
        self.visible[partition] = position.offset;
    }

    /// What its owner has of each partition.
    fn put_until(&self) -> Vec<i64> {
        let owned = self.owner.iter().enumerate();
        owned
            .map(|(one, owner)| self.topics[*owner].next[one])
            .collect()
    }

    fn put(&mut self, random: &mut Random, partition: usize) {
        let topic = &mut self.topics[self.owner[partition]];
        for _ in 0..=random.below(4) {
            let number = i32::try_from(partition).unwrap();
            let next = topic.next[partition];
            let more = if random.below(8) == 0 {
                r#", "more": {"a": 1}"#
            } else {
                ""
            };
            topic.put(number, &format!(r#"{{"n": {next}{more}}}"#));
        }
    }

    /// Makes what a worker has visible.
    fn publish(&mut self, worker: usize) {
        self.topics[worker].publish();
        for partition in 0..PARTITIONS {
            if self.owner[partition] == worker {
                self.visible[partition] = self.topics[worker].next[partition];
            }
        }
    }

    /// Commits in the background, as a sink does.
    fn cut(&mut self, worker: usize) {
        self.publish(worker);
        self.topics[worker].writer.cut().unwrap();
    }

    /// A revoke and an assignment, as Kafka does it.
    fn hand_over(&mut self, partition: usize) {
        let (from, number) = (self.owner[partition], i32::try_from(partition).unwrap());
        let released = self.topics[from].writer.release(&[number], DEADLINE);
        released.unwrap();
        self.assign(partition, 1 - from);
    }

    /// A worker loses what it has not committed.
    fn crash(&mut self, worker: usize) {
        let partitions = (0..PARTITIONS).filter(|one| self.owner[*one] == worker);
        let partitions: Vec<usize> = partitions.collect();
        // A commit on its way would land behind the next assignment, and fence it.
        self.topics[worker].writer.wait_cut(DEADLINE).unwrap();
        let fresh = self.workers[worker].world.writer("orders", 0);
        self.topics[worker] = Topic {
            next: vec![0; PARTITIONS],
            ..fresh
        };
        for partition in partitions {
            self.assign(partition, worker);
        }
    }

    fn step(&mut self, random: &mut Random) {
        let (partition, worker) = (random.below(PARTITIONS), random.below(2));
        match random.below(20) {
            0..=9 => self.put(random, partition),
            10..=14 => self.publish(worker),
            15 | 16 => self.cut(worker),
            17 | 18 => self.hand_over(partition),
            _ => self.crash(worker),
        }
        for topic in &mut self.topics {
            topic.writer.poll().unwrap();
        }
    }
}

/// Each record once, and of each partition everything below its end.
fn ends(asker: &World, wait_for: Option<Json>) -> Vec<i64> {
    let request = Request {
        wait_for,
        timeout: Some(DEADLINE),
        ..Request::new(COUNT)
    };
    let (position, rows) = asker.ask(request).unwrap();
    let ends = (0..PARTITIONS).map(|one| {
        let end = &position["offsets"][one.to_string()];
        end.as_i64().unwrap_or(0)
    });
    let ends: Vec<i64> = ends.collect();
    let all: i64 = ends.iter().sum();
    let sum: i64 = ends.iter().map(|end| end * (end - 1) / 2).sum();
    let sum = if all == 0 { Json::Null } else { json!(sum) };
    let found = &rows[0];
    assert_eq!(found["n"], json!(all), "{position}");
    assert_eq!(found["d"], json!(all), "{position}");
    assert_eq!(found.get("s").unwrap_or(&Json::Null), &sum, "{position}");
    ends
}

#[test]
fn e8_p20_whatever_two_workers_do_a_third_process_sees_all_that_is_visible_once() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let mut group = Group::new();
        let asker = asker(&group.workers[0].world, None);
        for step in 0..60 {
            group.step(&mut random);
            // What a worker has put may be seen earlier than this test publishes it: a release
            // cuts all that the worker has.
            let (seen, put) = (ends(&asker, None), group.put_until());
            let visible = group.visible.iter().zip(&put);
            let is_right = |(seen, (visible, put))| visible <= seen && seen <= put;
            let text = format!(
                "seed {seed}, step {step}: {seen:?}, {:?} to {put:?}",
                group.visible
            );
            assert!(seen.iter().zip(visible).all(is_right), "{text}");
        }
    }
}

#[test]
fn e8_p20_every_answer_amid_hand_overs_is_a_prefix_of_each_partition() {
    let mut group = Group::new();
    let asker = asker(&group.workers[0].world, None);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = 0;
            while !done.load(Ordering::Relaxed) {
                ends(&asker, None);
                answers += 1;
            }
            answers
        });
        let mut random = Random(7);
        for _ in 0..40 {
            for partition in 0..PARTITIONS {
                group.put(&mut random, partition);
                group.publish(group.owner[partition]);
            }
            match random.below(3) {
                0 => group.cut(random.below(2)),
                1 => group.crash(random.below(2)),
                _ => group.hand_over(random.below(PARTITIONS)),
            }
            let visible = group.visible.iter().enumerate();
            let wanted = visible.map(|(one, end)| (one.to_string(), json!(end)));
            let wanted = Json::Object(wanted.collect());
            assert_eq!(ends(&asker, Some(wanted)), group.visible);
        }
        done.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 0);
    });
}
