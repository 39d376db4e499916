//! What a replay reads is pinned from before it is stored until its end, and no longer.

use async_trait::async_trait;
use eddy_engine::maintain::{Pinned as Held, pins};
use eddy_engine::write::{Start, TableWriter, WriterOptions};
use eddy_engine::{Record, TablePath, TimestampType, TopicId};
use futures::stream::BoxStream;

use super::*;
use crate::request::Payload;
use crate::source::{After, Pinned, PinnedTable, Sequence, SourcePlan};

/// A source whose rows are said to be of a version of `orders`.
struct OfTable {
    rows: FakeSource,
    version: u64,
    /// What somebody else asks for while this one plans.
    meanwhile: Mutex<Option<(Jobs, Request)>>,
}

#[async_trait]
impl RowSource for OfTable {
    async fn plan(
        &self,
        select: &str,
        payload: Option<Payload>,
        version: Option<u64>,
        measured: bool,
    ) -> Result<SourcePlan> {
        let meanwhile = self.meanwhile.lock().await.take();
        if let Some((others, request)) = meanwhile {
            others.start(&request).await?;
        }
        self.rows.plan(select, payload, version, measured).await
    }

    async fn tables(&self, _: &Pinned) -> Result<Vec<PinnedTable>> {
        Ok(vec![PinnedTable {
            lake: None,
            topics_dir: "topics".to_owned(),
            topic: "orders".to_owned(),
            version: self.version,
        }])
    }

    fn rows(
        &self,
        pinned: &Pinned,
        after: After,
        sequence: Sequence,
    ) -> BoxStream<'static, Result<arrow::array::RecordBatch>> {
        self.rows.rows(pinned, after, sequence)
    }
}

impl Room {
    /// Opens the replays of version `version` of a table that has more than seven.
    async fn open_pinned(&self, version: u64) -> Jobs {
        self.open_beside(version, None).await
    }

    async fn open_beside(&self, version: u64, meanwhile: Option<(Jobs, Request)>) -> Jobs {
        let definition = Definition {
            name: "retry".to_owned(),
            kind: "fake".to_owned(),
            options: BTreeMap::new(),
        };
        let kinds = vec![Kind::Fake(self.fake.clone())];
        let destinations = Destinations::with_kinds(&self.lake, vec![definition], kinds).unwrap();
        let source = Arc::new(OfTable {
            rows: FakeSource(self.records.clone()),
            version,
            meanwhile: Mutex::new(meanwhile),
        });
        Jobs::open_tuned(self.lake.clone(), source, destinations, quick())
            .await
            .unwrap()
    }

    fn table(&self) -> TablePath {
        self.lake.table("topics", "orders")
    }

    pub(super) async fn write(&self) {
        let (lake, table) = (self.lake.clone(), self.table());
        let written = tokio::task::spawn_blocking(move || {
            let options = WriterOptions::new(table, "orders", TopicId::new("id"), "sink");
            let mut writer = TableWriter::open(&lake, options).unwrap();
            writer.assign(&[(0, Start::at(0))]).unwrap();
            for offset in 0..10 {
                let record = Record {
                    partition: 0,
                    offset,
                    timestamp_ms: Some(0),
                    timestamp_type: TimestampType::Create,
                    key: None,
                    value: Some(b"{}"),
                    headers: &[],
                    decoded: Default::default(),
                };
                writer.append(&record).unwrap();
                writer.cut().unwrap();
                writer.wait_cut(DEADLINE).unwrap();
            }
        });
        written.await.unwrap();
    }

    /// The table's pins by their owners' names, an owner's newest last.
    pub(super) async fn pins(&self) -> Vec<Held> {
        let (lake, table) = (self.lake.clone(), self.table());
        let pins = tokio::task::spawn_blocking(move || pins(&lake, &table).unwrap());
        let mut pins = pins.await.unwrap();
        pins.sort_by(|a, b| a.owner.cmp(&b.owner).then(a.at_us.cmp(&b.at_us)));
        pins
    }

    /// Whoever has a pin; two while one is renewed.
    async fn owners(&self) -> Vec<String> {
        let mut owners: Vec<String> = self.pins().await.into_iter().map(|pin| pin.owner).collect();
        owners.dedup();
        owners
    }

    /// The version of the only pin, which is the replay's.
    async fn held_by(&self, id: &str) -> u64 {
        let pins = self.pins().await;
        assert_eq!(pins.len(), 1, "{pins:?}");
        let pin = pins.first().unwrap();
        assert!(pin.owner.contains(&format!("`{id}`")), "{pin:?}");
        pin.version
    }

    async fn until_unpinned(&self) {
        let waiting = async {
            while !self.pins().await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        within(waiting).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_a_replay_holds_its_version_paused_and_restarted_until_it_is_done() {
    let room = Room::new(Clock::system(), 1, 50);
    room.write().await;
    room.fake.hold(true);
    let jobs = room.open_pinned(7).await;
    jobs.start(&request(&[("name", "slow")])).await.unwrap();
    assert_eq!(room.held_by("slow").await, 7);
    let held = room.pins().await;
    jobs.pause("slow").await.unwrap();
    assert_eq!(room.pins().await, held);
    jobs.shutdown().await;
    drop(jobs);
    room.fake.hold(false);
    let jobs = room.open_pinned(7).await;
    assert_eq!(room.pins().await, held);
    // Asked for once more, it is the same replay, with the same pin.
    let again = jobs.start(&request(&[("name", "slow")])).await.unwrap();
    assert!(!again.is_new);
    assert_eq!(room.pins().await, held);
    jobs.resume("slow", None).await.unwrap();
    until(&jobs, "slow", State::Done).await;
    room.until_unpinned().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_a_cancelled_replay_lets_its_version_go() {
    let room = Room::new(Clock::system(), 1, 50);
    room.write().await;
    room.fake.hold(true);
    let jobs = room.open_pinned(7).await;
    let started = jobs.start(&request(&[])).await.unwrap();
    assert_eq!(room.pins().await.len(), 1);
    jobs.cancel(&started.job.id).await.unwrap();
    room.until_unpinned().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_of_two_that_ask_for_one_name_at_once_the_stored_one_keeps_its_pin() {
    let room = Room::new(Clock::system(), 1, 50);
    room.write().await;
    room.fake.hold(true);
    let first = room.open_pinned(7).await;
    let asked = request(&[("name", "twice")]);
    let other = Request {
        text: "SELECT * INTO retry FROM orders WHERE true".to_owned(),
        ..asked.clone()
    };
    let beside = Some((first.clone(), asked));
    let second = room.open_beside(7, beside).await;
    let refused = second.start(&other).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert_eq!(room.held_by("twice").await, 7);
    first.cancel("twice").await.unwrap();
    room.until_unpinned().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_a_failed_replay_keeps_its_version_for_days_and_not_for_ever() {
    let clock = Clock::manual(Clock::system().now_us());
    let room = Room::new(clock.clone(), 1, 50);
    room.write().await;
    room.fake.break_for(1);
    let jobs = room.open_pinned(7).await;
    let failing = request(&[("name", "a-failed"), ("attempts", "1")]);
    jobs.start(&failing).await.unwrap();
    until(&jobs, "a-failed", State::Failed).await;
    let slow = request(&[("name", "b-paused"), ("rate", "1/s")]);
    jobs.start(&slow).await.unwrap();
    jobs.pause("b-paused").await.unwrap();
    for days in 1..=8 {
        let day_us = clock.now_us();
        clock.advance(Duration::from_hours(24));
        let renewed = async {
            // Looked at after the failed one, whose name comes first.
            while room.pins().await.last().unwrap().at_us <= day_us {
                // It may not have been asleep yet when the day passed.
                clock.advance(Duration::from_secs(60));
                tokio::task::yield_now().await;
            }
        };
        within(renewed).await;
        let owners = room.owners().await;
        assert_eq!(owners.len(), if days < 7 { 2 } else { 1 }, "day {days}");
    }
    // Its version is still there for another reason, so it can go on, and lets go at its end.
    jobs.resume("a-failed", None).await.unwrap();
    until(&jobs, "a-failed", State::Done).await;
    let left = async {
        while room.owners().await.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    within(left).await;
    let owner = room.owners().await.remove(0);
    assert!(owner.contains("`b-paused`"), "{owner}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p16_a_replay_of_a_version_that_is_gone_is_not_stored() {
    let room = Room::new(Clock::system(), 1, 5);
    room.write().await;
    let jobs = room.open_pinned(999).await;
    let error = jobs.start(&request(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(jobs.list().await.unwrap(), []);
    assert_eq!(room.pins().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_a_long_replay_leaves_few_objects_and_goes_on_from_the_newest() {
    let room = Room::new(Clock::system(), 1, 2_000);
    room.write().await;
    let jobs = room.open_pinned(7).await;
    jobs.start(&request(&[("name", "long"), ("rate", "4000/s")]))
        .await
        .unwrap();
    let saved = async {
        loop {
            let newest = room.lake_number("long").await;
            // On a slow machine it saves less often and is done before.
            if newest > 20 || jobs.show("long").await.unwrap().state == State::Done {
                return;
            }
            // Listing without a pause would take the time that saving needs.
            Clock::system().sleep(Duration::from_millis(5)).await;
        }
    };
    within(saved).await;
    assert!(
        room.lake_objects("long") <= 11,
        "{}",
        room.lake_objects("long")
    );
    jobs.shutdown().await;
    drop(jobs);
    let jobs = room.open_pinned(7).await;
    let job = until(&jobs, "long", State::Done).await;
    assert_eq!(job.counts.acknowledged, 2_000);
}

impl Room {
    async fn lake_number(&self, id: &str) -> u64 {
        let register = eddy_engine::state::Register::new(&self.lake, format!("{FOLDER}/{id}"));
        register
            .latest()
            .await
            .unwrap()
            .map_or(0, |(number, _)| number)
    }

    fn lake_objects(&self, id: &str) -> usize {
        let folder = self.folder.path().join("_eddy").join(FOLDER).join(id);
        std::fs::read_dir(folder).unwrap().count()
    }
}
