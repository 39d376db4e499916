//! All connectors of one process: started one by one, asked together, stopped together.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use eddy_engine::Lake;
use eddy_engine::budget::Budget;

use crate::connect::config::{ConnectorConfig, Providers};
use crate::connect::lakes::{Lakes, OnLake};
use crate::connect::memory::Memory;
use crate::connect::metrics::{self, OfWorker};
pub(super) use crate::connect::running::Running;
use crate::connect::running::{late, not_running};
use crate::connect::system;
use crate::connect::upkeep::Owners;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::KafkaConfig;
use crate::sink::{ConnectorStatus, Leave, Refusal, TaskHandle, TaskSettings};

/// What the connectors of one process share.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The worker's lasting id: with it a restarted process takes its place in the groups again
    /// without a rebalance. Two processes must not share one.
    pub worker_id: String,
    /// The memory for records on their way, librdkafka's queues included.
    pub memory_bytes: usize,
    /// What references in the configurations of connectors are looked up in.
    pub providers: Providers,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            worker_id: "eddy".to_owned(),
            memory_bytes: 1 << 30,
            providers: Providers::default(),
        }
    }
}

/// The running connectors.
pub struct Connectors {
    lakes: Lakes,
    kafka: KafkaConfig,
    options: WorkerOptions,
    running: Owners,
    budget: Arc<Budget>,
}

/// A connector and where its tables are.
pub struct Settled {
    /// Its configuration.
    pub config: ConnectorConfig,
    /// Its lake: its own, or that of the process.
    pub lake: Lake,
}

impl Connectors {
    /// Starts every task. Broker and lake may be away: the tasks say so and wait.
    ///
    /// # Errors
    /// `Invalid` for a Kafka configuration that can't work, or two connectors of one name.
    pub fn start(
        lake: &Lake,
        kafka: &KafkaConfig,
        connectors: Vec<Settled>,
        options: &WorkerOptions,
    ) -> Result<Self> {
        let tasks: usize = connectors.iter().map(|one| one.config.tasks_max).sum();
        let memory = Memory::divide(options.memory_bytes, tasks.max(1));
        let budget = Budget::new(memory.writers);
        let running = Owners::default();
        let queue = memory.queue;
        let started = Self {
            lakes: Lakes::start(lake, &budget, memory, &running)?,
            kafka: kafka.clone(),
            options: options.clone(),
            running,
            budget,
        };
        for Settled { config, lake } in connectors {
            started.lakes.know(config.lake.as_ref(), &lake)?;
            let tasks: Vec<usize> = (0..config.tasks_max).collect();
            started.add_with(config, lake, &tasks, &options.worker_id, queue)?;
        }
        Ok(started)
    }

    /// Whom to tell of lakes that connectors bring with them from now on.
    pub fn set_on_lake(&self, on_lake: OnLake) {
        self.lakes.set_on_lake(on_lake);
    }

    /// Starts these tasks of one more connector, as the members of its group that are called by
    /// `member`; opens its lake if it has one for itself. Blocks.
    ///
    /// # Errors
    /// As [`Connectors::start`]; what is wrong with its lake.
    pub(super) fn add(&self, config: ConnectorConfig, tasks: &[usize], member: &str) -> Result<()> {
        let lake = self.meet(&config)?;
        let queue = self.queue_bytes(tasks.len());
        self.add_with(config, lake, tasks, member, queue)
    }

    /// Opens the lake of a connector, whose tasks may run elsewhere, and tells of it. Blocks.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn meet(&self, config: &ConnectorConfig) -> Result<Lake> {
        let lake = self.lakes.of(config.lake.as_ref())?;
        self.lakes.tell(&lake, &config.topics_dir);
        Ok(lake)
    }

    /// The queue of a task's Kafka client when there are `more` tasks: all queues together have
    /// their part of the memory; a later task gets less of it.
    fn queue_bytes(&self, more: usize) -> usize {
        let all = self.all();
        let tasks: usize = all.iter().map(|running| running.tasks().len()).sum();
        Memory::divide(self.options.memory_bytes, tasks + more).queue
    }

    fn add_with(
        &self,
        config: ConnectorConfig,
        lake: Lake,
        tasks: &[usize],
        member: &str,
        queue_bytes: usize,
    ) -> Result<()> {
        if self.get(&config.name).is_some() {
            let message = format!("two connectors are named `{}`", config.name);
            return Err(Error::invalid(message));
        }
        let name = config.name.clone();
        let running = Running::start(config, lake, &self.kafka, member)?;
        for task in tasks {
            running.put(self.task(&running, *task, queue_bytes)?);
        }
        let mut all = self.running.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name, Arc::new(running));
        Ok(())
    }

    fn task(&self, running: &Running, task: usize, queue_bytes: usize) -> Result<Arc<TaskHandle>> {
        let handle = TaskHandle::start(TaskSettings {
            task,
            config: Arc::clone(&running.config),
            conversion: running.conversion.clone(),
            kafka: running.kafka.clone(),
            producer: self.kafka.overlay(&running.config.producer),
            lake: running.lake.clone(),
            budget: Arc::clone(&self.budget),
            board: Arc::clone(&running.board),
            asked: Arc::clone(&running.asked),
            member: running.member.clone(),
            queue_bytes,
            refusal: Refusal::default(),
        })?;
        Ok(Arc::new(handle))
    }

    /// Starts more tasks of a running connector.
    ///
    /// # Errors
    /// `NotFound` where it doesn't run; as [`Connectors::start`].
    pub(super) fn start_tasks(&self, name: &str, tasks: &[usize]) -> Result<()> {
        let running = self.get(name).ok_or_else(|| not_running(name))?;
        let queue = self.queue_bytes(tasks.len());
        for task in tasks {
            running.put(self.task(&running, *task, queue)?);
        }
        Ok(())
    }

    /// Ends a connector's tasks: what was read is committed. Those that `leave` says so of give
    /// their place in the group up at once. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when a task didn't end within `deadline`; it ends by itself later.
    pub(super) fn remove(
        &self,
        name: &str,
        leave: impl Fn(usize) -> bool,
        deadline: Duration,
    ) -> Result<()> {
        let mut all = self.running.write().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = all.remove(name) else {
            return Ok(());
        };
        drop(all);
        running.ask_to_stop(leave, deadline);
        late(&running.tasks(), name, deadline)
    }

    /// Ends some tasks of a connector, whose places in the group others take over. Blocks.
    ///
    /// # Errors
    /// As [`Connectors::remove`].
    pub(super) fn end_tasks(&self, name: &str, tasks: &[usize], deadline: Duration) -> Result<()> {
        let Some(running) = self.get(name) else {
            return Ok(());
        };
        let ending: Vec<_> = tasks
            .iter()
            .filter_map(|task| running.take(*task))
            .collect();
        ending
            .iter()
            .for_each(|task| task.ask_to_stop(Leave::No, deadline));
        late(&ending, name, deadline)
    }

    /// Ends one task and starts it anew. Blocks. One that doesn't end within `deadline` is left to
    /// end by itself: its successor takes its name in the group and its place in the fences.
    ///
    /// # Errors
    /// `NotFound` where there is no such task; as [`Connectors::start`].
    pub(super) fn restart(&self, name: &str, task: usize, deadline: Duration) -> Result<()> {
        let nothing = || {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no task {name}-{task}"),
            )
        };
        let running = self.get(name).ok_or_else(nothing)?;
        let old = running.get(task).ok_or_else(nothing)?;
        old.ask_to_stop(Leave::No, deadline);
        if let Err(error) = late(&[old], name, deadline) {
            tracing::warn!(connector = name, task, %error, "a task is left to end by itself");
        }
        let queue = self.queue_bytes(0);
        running.put(self.task(&running, task, queue)?);
        Ok(())
    }

    pub(super) fn all(&self) -> Vec<Arc<Running>> {
        let all = self.running.read().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Running>> {
        let all = self.running.read().unwrap_or_else(PoisonError::into_inner);
        all.get(name).cloned()
    }

    /// What references in configurations are looked up in.
    pub(super) fn providers(&self) -> &Providers {
        &self.options.providers
    }

    /// The worker's lasting id.
    pub(super) fn worker_id(&self) -> &str {
        &self.options.worker_id
    }

    /// The lake of a connector, running or not. Blocks if nobody has opened it yet.
    ///
    /// # Errors
    /// What is wrong with the bucket, the credentials or the store.
    pub(super) fn lake_of(&self, config: &ConnectorConfig) -> Result<Lake> {
        self.lakes.of(config.lake.as_ref())
    }

    /// The process's own lake.
    pub(super) fn lake(&self) -> &Lake {
        self.lakes.own()
    }

    /// The worker's memory.
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// The worker's Kafka cluster.
    pub(super) fn kafka(&self) -> &KafkaConfig {
        &self.kafka
    }

    /// What every connector, task and partition of this process is doing.
    pub fn status(&self) -> Vec<ConnectorStatus> {
        self.all().iter().map(|running| running.status()).collect()
    }

    /// The table's position per partition of `topic`, as far as this process owns it: what is below
    /// needs the broker no more.
    pub fn committed(&self, topic: &str) -> BTreeMap<i32, i64> {
        self.partitions()
            .into_iter()
            .filter(|partition| partition.topic == topic)
            .filter_map(|partition| Some((partition.partition, partition.committed?)))
            .collect()
    }

    /// What `/metrics` tells of connectors, tasks and partitions, in Prometheus' text format.
    pub fn metrics(&self) -> String {
        metrics::text(&metrics::seen(self.status()), self.measured(None))
    }

    /// What `/metrics` tells of this process, with how often its group changed what it has.
    pub(super) fn measured(&self, rebalances: Option<u64>) -> OfWorker {
        OfWorker {
            now: self.lake().clock().monotonic(),
            memory: (self.budget.used_bytes(), self.budget.limit_bytes()),
            rebalances,
        }
    }

    /// `system.connectors`: a row per task.
    ///
    /// # Errors
    /// `Internal` when Arrow refuses, which it doesn't.
    pub fn connectors_table(&self) -> Result<RecordBatch> {
        system::connectors(&self.status())
    }

    /// `system.offsets`: a row per partition.
    ///
    /// # Errors
    /// `Internal` when Arrow refuses, which it doesn't.
    pub fn offsets_table(&self) -> Result<RecordBatch> {
        system::offsets(&self.status())
    }

    /// The bytes that records on their way hold now.
    pub fn memory_bytes(&self) -> usize {
        self.budget.used_bytes()
    }

    /// Commits what was read, leaves the groups and ends every task, within `deadline`. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when a task didn't end in time: what it had buffered is read again later.
    pub fn stop(&self, deadline: Duration) -> Result<()> {
        self.lakes.ask_to_stop();
        let all = self.all();
        all.iter()
            .for_each(|running| running.ask_to_stop(|_| false, deadline));
        let ended: Vec<_> = all
            .iter()
            .map(|running| late(&running.tasks(), &running.config.name, deadline))
            .collect();
        self.lakes.stop(deadline);
        ended.into_iter().collect()
    }

    fn partitions(&self) -> Vec<crate::sink::PartitionStatus> {
        let tasks = self
            .all()
            .into_iter()
            .flat_map(|connector| connector.tasks());
        tasks.flat_map(|task| task.status().partitions).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use eddy_engine::Clock;
    use eddy_engine::testing::disk_lake;

    use super::*;
    use crate::kafka::EmbeddedBroker;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_that_does_not_end_in_time_is_started_anew_all_the_same() {
        let broker = EmbeddedBroker::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lake = disk_lake(folder.path(), Clock::system());
        let map = BTreeMap::from([("topics".to_owned(), "orders".to_owned())]);
        let config = ConnectorConfig::parse("sink", &map).unwrap();
        let settled = Settled {
            config,
            lake: lake.clone(),
        };
        let options = WorkerOptions::default();
        let connectors =
            Connectors::start(&lake, &broker.config(), vec![settled], &options).unwrap();
        let task = || connectors.get("sink").and_then(|running| running.get(0));
        let before = task().unwrap();
        connectors.restart("sink", 0, Duration::ZERO).unwrap();
        assert!(!Arc::ptr_eq(&before, &task().unwrap()));
        let stopped = tokio::task::spawn_blocking(move || {
            connectors.stop(Duration::from_secs(30)).unwrap();
        });
        stopped.await.unwrap();
    }
}
