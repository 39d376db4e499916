//! This worker as a member of its group: which tasks fall to it.
//!
//! A partition of the work topic that is taken away is given up only once what fell on it has ended
//! (P7), so that its next owner begins behind that. The member's name is the worker's address, so a
//! worker that is restarted gets back what it had, and nothing moves meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::spread::Owned;
use super::{AGAIN_LEAST, AGAIN_MOST, Inner, STOP, lock};
use crate::connect::state::Group;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, Consumer, ConsumerEvent, ConsumerSettings, Seat};
use crate::sink::Watch;

/// Between two looks at what the group wants.
const LOOK: Duration = Duration::from_millis(50);
/// Between two looks whether partitions are without an owner.
const WATCH: Duration = Duration::from_secs(3);

/// The member.
struct Member<'a> {
    inner: &'a Arc<Inner>,
    group: &'a Group,
    consumer: Consumer,
    admin: Admin,
    count: i32,
    watch: Watch,
}

/// Keeps the worker in its group until it is halted.
pub(super) fn stay(inner: &Arc<Inner>, group: &Group, count: i32) {
    let clock = inner.clock();
    let mut again = AGAIN_LEAST;
    while !inner.halted() {
        let began = clock.monotonic();
        let stayed = Member::join(inner, group, count).and_then(Member::until_halted);
        if let Err(error) = stayed {
            if clock.monotonic().saturating_sub(began) > AGAIN_MOST * 2 {
                again = AGAIN_LEAST;
            }
            tracing::error!(%error, again_in = ?again, "the worker is not in its group");
            inner.own(count, |mine| mine.clear());
            inner.follow_all(STOP);
            let until = clock.monotonic() + again;
            while clock.monotonic() < until && !inner.halted() {
                clock.block(LOOK);
            }
            again = (again * 2).min(AGAIN_MOST);
        }
    }
}

impl<'a> Member<'a> {
    fn join(inner: &'a Arc<Inner>, group: &'a Group, count: i32) -> Result<Self> {
        let clock = inner.clock();
        let settings = ConsumerSettings {
            group: group.work.clone(),
            instance: Some(instance(&group.worker)),
            queue_bytes: 1 << 20,
        };
        let consumer = Consumer::new(&group.kafka, &settings, clock.clone())?;
        consumer.subscribe(std::slice::from_ref(&group.work))?;
        let admin = Admin::new(&group.kafka, clock)?;
        Ok(Self {
            inner,
            group,
            consumer,
            admin,
            count,
            watch: Watch::default(),
        })
    }

    fn until_halted(mut self) -> Result<()> {
        let clock = self.inner.clock();
        let mut watch_at = clock.monotonic() + WATCH;
        while !self.inner.halted() {
            for event in self.consumer.events() {
                self.handle(event)?;
            }
            if clock.monotonic() >= watch_at {
                self.look_for_orphans()?;
                watch_at = clock.monotonic() + WATCH;
            }
            clock.block(LOOK);
        }
        // Its tasks are ending. It keeps its place meanwhile, and answers nothing more: what fell
        // to it is given to nobody before the session's time is over.
        let until = clock.monotonic() + STOP;
        while clock.monotonic() < until && !self.inner.done.load(Ordering::SeqCst) {
            clock.block(LOOK);
        }
        Ok(())
    }

    fn handle(&self, event: ConsumerEvent) -> Result<()> {
        match event {
            ConsumerEvent::Assigned(partitions) => {
                tracing::info!(
                    group = self.group.name,
                    partitions = partitions.len(),
                    "work was assigned"
                );
                let seat = |(topic, partition): &(String, i32)| Seat {
                    topic: topic.clone(),
                    partition: *partition,
                    // Nothing is ever read from it.
                    start: None,
                };
                let seats: Vec<Seat> = partitions.iter().map(seat).collect();
                self.consumer.assign(&seats)?;
                self.inner.own(self.count, |mine| {
                    mine.extend(partitions.iter().map(|(_, partition)| *partition));
                });
                self.inner.follow_all(Duration::ZERO);
                Ok(())
            }
            ConsumerEvent::Revoked { partitions, lost } => {
                tracing::info!(
                    group = self.group.name,
                    partitions = partitions.len(),
                    lost,
                    "work was revoked"
                );
                self.inner.own(self.count, |mine| {
                    mine.retain(|at| !partitions.iter().any(|(_, revoked)| revoked == at));
                });
                self.inner.follow_all(STOP * 2);
                self.consumer.unassign(&partitions)
            }
            ConsumerEvent::Strayed(..) | ConsumerEvent::Denied(_) => Ok(()),
            ConsumerEvent::Fatal { fenced, message } => Err(Error::new(
                ErrorKind::Unavailable,
                match fenced {
                    true => format!(
                        "another worker calls itself `{}`; give each its own advertised address: \
                         {message}",
                        self.group.worker
                    ),
                    false => message,
                },
            )),
        }
    }

    /// Joins anew where the group has left partitions to nobody (`sink/orphans` says how).
    fn look_for_orphans(&mut self) -> Result<()> {
        let topics = [(self.group.work.clone(), self.count)].into();
        let given = self.admin.assignments(&self.group.work);
        let member = self.watch.look(&topics, given.as_ref());
        let is_mine = |member: &String| {
            let rest = member.strip_prefix(&instance(&self.group.worker));
            rest.is_some_and(|rest| rest.starts_with('-'))
        };
        if member.as_ref().is_some_and(is_mine) {
            self.consumer.subscribe(&[])?;
            self.consumer
                .subscribe(std::slice::from_ref(&self.group.work))?;
        }
        Ok(())
    }
}

/// The member's lasting name: the worker's address, in the characters that Kafka allows.
fn instance(worker: &str) -> String {
    let legal = |c: char| match c.is_ascii_alphanumeric() || ".-_".contains(c) {
        true => c,
        false => '-',
    };
    worker.chars().map(legal).collect()
}

impl Inner {
    /// Changes which partitions are this worker's.
    fn own(&self, count: i32, change: impl FnOnce(&mut std::collections::BTreeSet<i32>)) {
        let mut ownership = lock(&self.ownership);
        let mut mine = match &ownership.0 {
            Owned::Partitions { mine, .. } => mine.clone(),
            Owned::Everything => std::collections::BTreeSet::new(),
        };
        change(&mut mine);
        ownership.0 = Owned::Partitions { count, mine };
        ownership.1 += 1;
    }

    /// Makes what runs here of all connectors what it should be; waits for that at most for
    /// `within`.
    fn follow_all(self: &Arc<Self>, within: Duration) {
        if !self.folded.is_whole() {
            return;
        }
        let until = self.clock().monotonic() + within;
        let names = self.folded.read(crate::connect::state::Wanted::names);
        let (ended, end) = channel::<()>();
        for name in names {
            let ended = ended.clone();
            self.carry_out(name, move |inner, name| {
                inner.follow(name);
                inner.tell(name);
                drop(ended);
            });
        }
        drop(ended);
        // Nothing is ever sent: it ends when the last of them has.
        let _ = end.recv_timeout(until.saturating_sub(self.clock().monotonic()));
    }
}
