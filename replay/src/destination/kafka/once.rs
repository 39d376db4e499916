//! A topic that takes records in transactions, with the replay's marks in them; records of the same
//! transactions may go to other topics.
//!
//! The marks are offsets of a consumer group that has the transactions' name, for partitions of the
//! destination's own topic: so nothing of Eddy's has to be made in the cluster, and the right to
//! read the topic and that group is all that is needed besides writing. A compacted topic of Eddy's
//! would keep marks for ever; these Kafka forgets some time after the last transaction
//! (`offsets.retention.minutes`), which the replay notices and tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use eddy_connector::kafka::{self, KeptMark};

use super::{IN_FLIGHT, Routes, Target, marks};
use crate::destination::{Checked, Delivery, Destination, Marked, Outgoing, Transactions};
use crate::error::Result;

/// Opens the transactions called `name`, and tells the marks of the last one.
///
/// # Errors
/// As [`Destination::in_transactions`].
pub(super) async fn open(
    target: &Target,
    name: &str,
    partitions: i32,
) -> Result<(Arc<dyn Transactions>, Option<Marked>)> {
    let (routes, config) = target.routes().await;
    let (topic, clock) = (&target.topic, &target.clock);
    // In this order (P23): what is read then is what the former writer has left for good.
    let opened = kafka::Transactions::open(&config, name, topic, partitions, IN_FLIGHT, clock);
    let (kafka, kept) = opened.await.map_err(super::kept)?;
    let kept = kept.into_iter().map(|mark| (mark.number, mark.text));
    let (number, marked) = match marks::read(kept)? {
        Some((number, marked)) => (number, Some(marked)),
        None => (-1, None),
    };
    let once = Once {
        target: target.clone(),
        routes,
        partitions,
        kafka,
        number: AtomicI64::new(number),
    };
    Ok((Arc::new(once), marked))
}

/// The topic, in transactions.
struct Once {
    target: Target,
    routes: Routes,
    partitions: i32,
    kafka: kafka::Transactions,
    /// That of the last transaction.
    number: AtomicI64,
}

#[async_trait]
impl Destination for Once {
    fn target(&self) -> String {
        self.target.target()
    }

    async fn check(&self) -> Result<Checked> {
        self.target.check().await
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        self.routes.send(self.kafka.producer(), record).await
    }

    fn has_transactions(&self) -> bool {
        true
    }

    async fn committed(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<BTreeMap<i32, i64>> {
        self.target.committed(group, topic, partitions).await
    }

    async fn commit(
        &self,
        group: &str,
        topic: Option<&str>,
        offsets: &BTreeMap<i32, i64>,
    ) -> Result<()> {
        self.target.commit(group, topic, offsets).await
    }
}

#[async_trait]
impl Transactions for Once {
    async fn begin(&self) -> Result<()> {
        self.kafka.begin().map_err(super::kept)
    }

    async fn commit_with(&self, marked: &Marked) -> Result<()> {
        let number = self.number.load(Ordering::Relaxed).saturating_add(1);
        let texts = marks::write(marked, self.partitions)?.into_iter();
        let kept: Vec<KeptMark> = (0..)
            .zip(texts)
            .map(|(partition, text)| KeptMark {
                partition,
                number,
                text,
            })
            .collect();
        self.kafka.commit(kept).await.map_err(super::kept)?;
        self.number.store(number, Ordering::Relaxed);
        Ok(())
    }

    async fn abort(&self) {
        if let Err(error) = self.kafka.abort().await {
            tracing::warn!(%error, "the broker takes the transaction back when its time is over");
        }
    }
}
