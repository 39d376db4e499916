//! Live rows, cuts and what follows them: when a task makes its writers publish and commit.

use std::time::Duration;

use eddy_engine::fault;

use crate::error::{Error, ErrorKind, Result};
use crate::sink::run::Run;
use crate::sink::start;

/// How long giving up the place in a group may take.
const LEAVE_MOST: Duration = Duration::from_secs(3);

impl Run<'_> {
    /// Makes what was read visible as live rows.
    pub(super) fn publish(&mut self) -> Result<()> {
        for slot in self.slots.values_mut().filter(|slot| !slot.reset_due) {
            let Some(writer) = slot.writer.as_mut() else {
                continue;
            };
            match writer.publish() {
                Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {
                    slot.reset_due = true;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Takes in finished commits and tells the group about them: never before (invariant 6).
    pub(super) fn settle(&mut self, now: Duration) -> Result<()> {
        let mut group = Vec::new();
        for slot in self.slots.values_mut().filter(|slot| !slot.reset_due) {
            let Some(writer) = slot.writer.as_mut() else {
                continue;
            };
            match writer.poll() {
                Ok(ranges) => {
                    if !ranges.is_empty() {
                        self.measures.commit(slot.cut_at.take(), now);
                    }
                    group.extend(slot.committed(&ranges));
                }
                Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {
                    self.measures.commits_lost += 1;
                    tracing::warn!(topic = %slot.name, %error, "another writer has moved on");
                    slot.reset_due = true;
                    slot.retry_at = now;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !group.is_empty() {
            fault::point("before_group_commit");
            self.consumer.commit(&group, false);
        }
        Ok(())
    }

    /// Starts the commits that are due, or that somebody waits for. Everything in such a cut was
    /// fetched before the broker is asked whether the topic is still the same one (P1).
    pub(super) fn cut_what_is_due(&mut self, now: Duration) -> Result<()> {
        let due: Vec<String> = self
            .slots
            .values()
            .filter(|slot| !slot.reset_due && now >= slot.retry_at)
            .filter(|slot| {
                let asked = || self.settings.asked.wants(&slot.name);
                slot.writer.as_ref().is_some_and(|writer| {
                    !writer.in_flight() && (writer.due() || writer.has_buffered() && asked())
                })
            })
            .map(|slot| slot.name.clone())
            .collect();
        for name in due {
            if !self.cut(&name, now)? {
                // Who doesn't answer for one topic won't for the next; polling comes first.
                self.postpone(now);
                break;
            }
        }
        Ok(())
    }

    /// Starts a commit; `false` when the broker doesn't say whether the topic is the same.
    fn cut(&mut self, name: &str, now: Duration) -> Result<bool> {
        let described = start::describe(&self.admin, name);
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(true);
        };
        match described {
            Ok(topic) if slot.id.as_ref() != Some(&topic.id) => {
                tracing::error!(topic = name, id = %topic.id,
                    "the topic was made again: what was read since the last commit is dropped");
                let running = slot.partitions(super::topic::Lane::is_running);
                slot.forget_writer("the topic was deleted and made again");
                slot.retry_at = now;
                let running: Vec<(String, i32)> = running
                    .into_iter()
                    .map(|partition| (name.to_owned(), partition))
                    .collect();
                return self.consumer.pause(&running).map(|()| true);
            }
            // A topic that is gone can't have been read from since: what was read of it is kept.
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(topic = name, %error, "the commit waits for the broker");
                return Ok(false);
            }
            _ => {}
        }
        let Some(writer) = slot.writer.as_mut() else {
            return Ok(true);
        };
        fault::point("before_cut");
        let begun = match self.settings.asked.wants(name) {
            true => writer.cut(),
            false => writer.cut_due(),
        };
        match begun {
            Err(error) if error.kind() == eddy_engine::ErrorKind::Fenced => {
                slot.reset_due = true;
            }
            other => {
                other?;
                slot.cut_at = Some(now);
            }
        }
        Ok(true)
    }

    /// Starts over from the table after a lost fence. The second loss in a row, while the group
    /// says that the partitions are this task's, fails the task (P8).
    pub(super) fn recover(&mut self, topic: &str, now: Duration) -> Result<()> {
        let Some(slot) = self.slots.get_mut(topic) else {
            return Ok(());
        };
        let Some(writer) = slot.writer.as_mut() else {
            slot.reset_due = false;
            return Ok(());
        };
        match writer.reset() {
            Ok(positions) => {
                slot.reset_due = false;
                slot.fence_losses += 1;
                slot.rewind(positions.into_iter().map(|(at, to)| (at, to.offset)), now);
            }
            Err(error) if error.is_unavailable() => {
                slot.retry_at = now + Duration::from_secs(1);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if slot.fence_losses < 2 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Data,
            format!(
                "topic `{topic}`: another writer moves the table's positions although the group \
                 gave the partitions to this task; look for a second connector `{}`",
                self.settings.config.name
            ),
        ))
    }

    /// Commits everything and tells the group. A member that `leaves` gives up its place there;
    /// another one's is kept for whoever comes back under its lasting name.
    pub(super) fn finish(mut self, within: Duration, leaves: bool) {
        let until = self.clock.monotonic() + within / 5 * 4;
        let told = self.has_told(within / 5 * 2);
        let sampled = self.sample(|lane| lane.flows());
        if let Err(error) = sampled.and_then(|()| self.publish()) {
            tracing::warn!(%error, "stopping without the last records; they are read again");
        }
        let names: Vec<String> = self.slots.keys().cloned().collect();
        let mut writers = Vec::new();
        for name in names {
            // With many topics and a dead broker the questions alone could use up the time.
            let in_time = told && self.clock.monotonic() < until;
            let ready = in_time && self.ready_to_commit(&name);
            let Some(slot) = self.slots.get_mut(&name) else {
                continue;
            };
            let Some(mut writer) = slot.writer.take().filter(|_| ready && !slot.reset_due) else {
                continue;
            };
            // All writers commit at the same time; one that is busy does so when it is closed.
            if let Err(error) = writer.cut() {
                tracing::debug!(%error, topic = %name, "the last cut has to wait");
            }
            writers.push((name, writer));
        }
        let mut group = Vec::new();
        for (name, writer) in writers {
            let left = until.saturating_sub(self.clock.monotonic());
            match writer.close(left) {
                Ok(released) => {
                    if let Some(slot) = self.slots.get_mut(&name) {
                        group.extend(slot.committed(&released.committed));
                    }
                    if !released.dropped.is_empty() {
                        tracing::warn!(topic = %name, partitions = ?released.dropped,
                            "not committed in time; read again at the next start");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, topic = %name, "not committed; read again later");
                }
            }
        }
        fault::point("before_group_commit");
        self.consumer.commit(&group, true);
        if leaves {
            let left = until.saturating_sub(self.clock.monotonic());
            self.consumer.leave(left.min(LEAVE_MOST), &self.clock);
        }
    }
}
