//! One life of a task: a thin loop over events, batches and cuts.
//!
//! It ends when the task is asked to stop, or with the error that makes it start over. Rebalances
//! are in `rebalance`, commits in `cut`, the way of one record to its writer in `take`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, Consumer, ConsumerEvent, ConsumerSettings, Seat};
use crate::sink::measures::TaskMeasures;
use crate::sink::report::measured;
use crate::sink::stop::StopFlag;
use crate::sink::take::{Scratch, take};
use crate::sink::task::{Shared, TaskSettings};
use crate::sink::topic::{LaneState, Slot};
use crate::sink::way::Way;
use eddy_engine::{Clock, fault};

/// How long a read waits for a full batch once there is a record; it bounds the time until records
/// are seen.
const READ: Duration = Duration::from_millis(5);
/// How long a read waits for the first record. It bounds the time until anything else is seen: a
/// rebalance, a request to stop.
const IDLE: Duration = Duration::from_millis(50);
/// How long a batch waits at once for its dead letters; what takes longer is asked for again.
const TOLD: Duration = Duration::from_millis(50);
/// Between two publications of live rows.
const PUBLISH: Duration = Duration::from_millis(150);
/// Between two looks at the position of partitions that yielded nothing (P4).
const SAMPLE: Duration = Duration::from_millis(100);
/// How long a task that fails because of a record may take to commit those before it.
const LAST_COMMIT: Duration = Duration::from_secs(30);
/// Between two updates of the status.
const STATUS: Duration = Duration::from_millis(250);
/// Between two times that a task joins its group again because of what it was given.
const REJOIN: Duration = Duration::from_secs(10);

/// One life of a task.
pub(super) struct Run<'a> {
    pub(super) settings: &'a TaskSettings,
    pub(super) status: &'a Shared,
    pub(super) clock: Clock,
    pub(super) admin: Admin,
    pub(super) consumer: Consumer,
    pub(super) slots: BTreeMap<String, Slot>,
    pub(super) way: Way<'a>,
    /// The member's lasting name.
    instance: String,
    subscribed: Option<u64>,
    /// The group has given it topics that it doesn't read.
    pub(super) estranged: bool,
    rejoin_at: Duration,
    /// Why the group doesn't let it in.
    pub(super) denied: Option<String>,
    pub(super) held: bool,
    pub(super) measures: TaskMeasures,
    publish_at: Duration,
    sample_at: Duration,
    status_at: Duration,
}

impl<'a> Run<'a> {
    /// Makes the clients; the group is joined once topics are known.
    pub(super) fn new(
        settings: &'a TaskSettings,
        status: &'a Shared,
        lasting_name: bool,
    ) -> Result<Self> {
        let clock = settings.lake.clock().clone();
        let measures = measured(status);
        let (config, member) = (&settings.config, &settings.member);
        let instance = format!("{member}-{}-{}", config.name, settings.task);
        let joins = ConsumerSettings {
            group: config.group(),
            instance: lasting_name.then(|| instance.clone()),
            queue_bytes: settings.queue_bytes,
        };
        Ok(Self {
            settings,
            status,
            admin: Admin::new(&settings.kafka, clock.clone())?,
            consumer: Consumer::new(&settings.kafka, &joins, clock.clone())?,
            clock,
            slots: BTreeMap::new(),
            way: Way::open(settings, measures.errors)?,
            measures,
            instance,
            subscribed: None,
            estranged: false,
            rejoin_at: Duration::ZERO,
            denied: None,
            held: false,
            publish_at: Duration::ZERO,
            sample_at: Duration::ZERO,
            status_at: Duration::ZERO,
        })
    }

    /// Runs until the flag is raised, then commits and leaves.
    ///
    /// # Errors
    /// What makes the task start over.
    pub(super) fn until_stopped(mut self, stop: &StopFlag) -> Result<()> {
        loop {
            if let Some(within) = stop.raised() {
                self.finish(within, stop.leaves());
                return Ok(());
            }
            if let Err(error) = self.step() {
                self.count();
                return Err(error);
            }
            if let Some(error) = self.way.take_refused() {
                self.count();
                // The records before the one that can't be taken are unharmed.
                self.finish(LAST_COMMIT, false);
                return Err(error);
            }
        }
    }

    fn step(&mut self) -> Result<()> {
        self.subscribe()?;
        for event in self.consumer.events() {
            self.handle(event)?;
        }
        let now = self.clock.monotonic();
        self.revive(now)?;
        if !self.way.is_settled() {
            self.way.settle(READ)?;
        } else if self.holds() {
            // `events` keeps the group alive; librdkafka stops fetching when its queue is full.
            self.clock.block(READ);
        } else {
            self.read(self.patience(now))?;
        }
        if now >= self.sample_at {
            self.sample_at = now + SAMPLE;
            self.sample(|lane| lane.flows())?;
        }
        if now >= self.publish_at {
            self.publish_at = now + PUBLISH;
            self.publish()?;
        }
        self.settle(now)?;
        if self.way.is_settled() {
            self.cut_what_is_due(now)?;
        }
        if now >= self.status_at {
            self.status_at = now + STATUS;
            self.report();
        }
        Ok(())
    }

    /// Follows the topics that discovery found.
    fn subscribe(&mut self) -> Result<()> {
        let now = self.clock.monotonic();
        let estranged = self.estranged && now >= self.rejoin_at;
        if self.settings.board.must_rejoin(&self.instance) || estranged {
            // Leaving and joining again makes the group assign every partition anew.
            (self.estranged, self.rejoin_at) = (false, now + REJOIN);
            self.consumer.subscribe(&[])?;
            self.subscribed = None;
        }
        let generation = self.settings.board.generation();
        if self.subscribed == Some(generation) || generation == 0 {
            return Ok(());
        }
        let topics: Vec<String> = self.settings.board.found().topics.into_keys().collect();
        tracing::info!(connector = %self.settings.config.name, task = self.settings.task,
            topics = %topics.join(","), "subscribing");
        self.consumer.subscribe(&topics)?;
        self.subscribed = Some(generation);
        Ok(())
    }

    fn handle(&mut self, event: ConsumerEvent) -> Result<()> {
        match event {
            ConsumerEvent::Assigned(partitions) => self.assigned(&partitions),
            ConsumerEvent::Revoked { partitions, lost } => self.revoked(&partitions, lost),
            ConsumerEvent::Strayed(topic, partition) => {
                let now = self.clock.monotonic();
                if let Some(lane) = self
                    .slots
                    .get_mut(&topic)
                    .and_then(|slot| slot.lanes.get_mut(&partition))
                {
                    lane.seek_at = Some(now);
                }
                Ok(())
            }
            ConsumerEvent::Denied(why) => {
                self.denied = Some(why);
                Ok(())
            }
            ConsumerEvent::Fatal { fenced, message } => {
                let kind = if fenced {
                    ErrorKind::Fenced
                } else {
                    ErrorKind::Unavailable
                };
                Err(Error::new(
                    kind,
                    format!("the consumer can't go on: {message}"),
                ))
            }
        }
    }

    /// Whether reading has to wait: the worker's memory is used up.
    fn holds(&mut self) -> bool {
        let mut writers = self.slots.values().filter_map(|slot| slot.writer.as_ref());
        self.held = writers.any(crate::sink::tables::Tables::must_pause);
        self.held
    }

    /// How long nothing but a record needs this task: less while a commit is on its way, whose end
    /// lets the next one begin, and before live rows are due.
    fn patience(&self, now: Duration) -> Duration {
        let mut writers = self.slots.values().filter_map(|slot| slot.writer.as_ref());
        if writers.any(crate::sink::tables::Tables::in_flight) {
            return READ;
        }
        self.publish_at.saturating_sub(now).clamp(READ, IDLE)
    }

    /// Reads one batch, waiting up to `first` for its first record, and hands its records to the
    /// writers.
    fn read(&mut self, first: Duration) -> Result<()> {
        let mut troubles = Vec::new();
        let Self {
            consumer,
            slots,
            way,
            clock,
            ..
        } = self;
        let batch = consumer.read(first, READ);
        if batch.len() == 0 {
            return Ok(());
        }
        let (began, records) = (clock.monotonic(), batch.len());
        let mut current: Option<&mut Slot> = None;
        let mut scratch = Scratch::new(clock.now_us());
        for message in batch.messages() {
            let Some(topic) = message.topic() else {
                continue;
            };
            if current.as_ref().is_none_or(|slot| slot.name != topic) {
                current = slots.get_mut(topic);
            }
            let Some(slot) = current.as_deref_mut() else {
                continue;
            };
            if let Some(code) = message.error() {
                let text = message.error_text();
                troubles.push((topic.to_owned(), message.partition(), code, text));
                if let Some(lane) = slot.lanes.get_mut(&message.partition()) {
                    // librdkafka moves its position past an error's offset: don't believe it.
                    lane.seek_at = Some(Duration::MAX);
                }
                continue;
            }
            take(slot, &message, &mut scratch, way)?;
        }
        let taken = scratch.taken();
        drop(batch);
        self.measures
            .batch(records, taken, began, self.clock.monotonic());
        self.pause_held()?;
        fault::point("after_poll");
        self.way.settle(TOLD)?;
        for (topic, partition, code, text) in troubles {
            self.troubled(&topic, partition, code, &text)?;
        }
        self.sample(|lane| lane.touched && lane.flows())
    }

    /// Tells the writers how far the consumer has come (P4): also past control records and aborted
    /// transactions, which are no rows.
    pub(super) fn sample(&mut self, wanted: impl Fn(&super::topic::Lane) -> bool) -> Result<()> {
        let mut partitions = Vec::new();
        for slot in self.slots.values_mut() {
            for (partition, lane) in &mut slot.lanes {
                if wanted(lane) {
                    partitions.push((slot.name.clone(), *partition));
                }
                lane.touched = false;
            }
        }
        if partitions.is_empty() {
            return Ok(());
        }
        for place in self.consumer.places(&partitions) {
            let Some(slot) = self.slots.get_mut(&place.topic) else {
                continue;
            };
            let Some(lane) = slot.lanes.get_mut(&place.partition) else {
                continue;
            };
            if slot.reset_due || place.offset < lane.next {
                continue;
            }
            if place.offset > lane.next {
                lane.trouble = None;
            }
            lane.next = place.offset;
            lane.leader_epoch = place.leader_epoch.or(lane.leader_epoch);
            let Some(writer) = slot.writer.as_mut() else {
                continue;
            };
            match writer.advance(place.partition, place.offset, place.leader_epoch) {
                Ok(()) => {}
                Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {
                    slot.reset_due = true;
                }
                Err(error) if error.kind() == eddy_engine::ErrorKind::Invalid => {
                    tracing::debug!(%error, topic = %slot.name, "position not taken");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Tries again what had to wait: starts that could not be found, seeks, lost fences.
    fn revive(&mut self, now: Duration) -> Result<()> {
        let names: Vec<String> = self.slots.keys().cloned().collect();
        for name in names {
            let Some(slot) = self.slots.get_mut(&name) else {
                continue;
            };
            if slot.reset_due && now >= slot.retry_at {
                self.recover(&name, now)?;
            }
            let Some(slot) = self.slots.get_mut(&name) else {
                continue;
            };
            let waiting = slot.partitions(|lane| matches!(lane.state, LaneState::Waiting(_)));
            if !waiting.is_empty() && now >= slot.retry_at {
                let answered = self.activate(&name, &waiting);
                self.seek_again(&name, &waiting, now);
                if !answered {
                    // Who doesn't answer for one topic won't for the next; polling comes first.
                    self.postpone(now);
                    return Ok(());
                }
            }
            let Some(slot) = self.slots.get_mut(&name) else {
                continue;
            };
            let due = slot
                .partitions(|lane| lane.is_running() && lane.seek_at.is_some_and(|at| now >= at));
            if !due.is_empty() && !slot.reset_due {
                self.seek_again(&name, &due, now);
            }
        }
        Ok(())
    }

    /// Lets every topic that waits for broker or lake wait a little longer.
    pub(super) fn postpone(&mut self, now: Duration) {
        for slot in self.slots.values_mut() {
            slot.retry_at = slot.retry_at.max(now + Duration::from_secs(1));
        }
    }

    /// Brings the consumer to where the running ones of `partitions` go on.
    fn seek_again(&mut self, topic: &str, partitions: &[i32], now: Duration) {
        let Some(slot) = self.slots.get_mut(topic) else {
            return;
        };
        let seats: Vec<Seat> = partitions
            .iter()
            .map(|partition| slot.seat(*partition))
            .filter(|seat| seat.start.is_some())
            .collect();
        let sought = self.consumer.seek(&seats);
        for seat in &seats {
            if let Some(lane) = slot.lanes.get_mut(&seat.partition) {
                lane.seek_at = sought.is_err().then(|| now + Duration::from_millis(500));
            }
            // What librdkafka had read before the seek, it yields no more.
            if let (Ok(()), Some((offset, _)), Some(writer)) =
                (&sought, seat.start, slot.writer.as_mut())
            {
                writer.sought(seat.partition, offset);
            }
        }
        if let Err(error) = sought {
            tracing::debug!(%error, topic, "the consumer is not ready to seek");
        }
    }
}
