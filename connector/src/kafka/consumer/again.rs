//! Beginning to read partitions again which librdkafka has given up.
//!
//! With `auto.offset.reset=error` a position that the broker doesn't have, or that its log was cut
//! below, ends the reading of the partition for as long as it is assigned: every later seek is
//! refused, and nothing but a new assignment begins to read again. The group isn't asked about
//! that: the partition was this member's all the time.

use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{Consumer, Seat, list_of, put};
use crate::error::{Error, Result};

impl Consumer {
    /// Takes the `ended` partitions of `seats` over anew, each at its seat. Always an error: what
    /// is read counts once a seek, tried again, finds them being read.
    ///
    /// # Errors
    /// `Unavailable`, also when librdkafka refuses.
    pub(super) fn begin_again(&self, seats: &[Seat], ended: &[(String, i32)]) -> Result<()> {
        self.serve();
        if !self.consumer.context().lock().is_empty() {
            // An answer to a rebalance would be taken from what follows.
            return Err(Error::unavailable(
                "partitions that aren't read begin again after the rebalance",
            ));
        }
        let refused = |error| Error::kafka("partitions that aren't read can't begin again", error);
        let held = self.consumer.assignment().map_err(refused)?;
        let (mut former, mut list) = (Vec::new(), TopicPartitionList::new());
        for seat in seats {
            let place = (seat.topic.clone(), seat.partition);
            if !ended.contains(&place) {
                continue;
            }
            put(&mut list, seat).map_err(refused)?;
            if held.find_partition(&seat.topic, seat.partition).is_some() {
                former.push(place);
            }
        }
        if !former.is_empty() {
            let former = list_of(&former);
            self.consumer
                .incremental_unassign(&former)
                .map_err(refused)?;
        }
        self.consumer.incremental_assign(&list).map_err(refused)?;
        // The end of the former reading, which was asked for before, took the forwarding away.
        for (topic, partition) in ended {
            self.queue
                .forward(self.consumer.client(), topic, *partition);
        }
        Err(Error::unavailable(
            "partitions weren't read any more and begin again",
        ))
    }
}
