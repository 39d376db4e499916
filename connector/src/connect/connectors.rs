//! All connectors of one process: started one by one, asked together, stopped together.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arrow::array::RecordBatch;
use eddy_engine::Lake;
use eddy_engine::budget::Budget;

use crate::connect::config::{ConnectorConfig, Providers};
use crate::connect::lakes::{Lakes, OnLake};
use crate::connect::memory::Memory;
use crate::connect::system;
use crate::connect::upkeep::Owners;
use crate::convert::Conversion;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, KafkaConfig};
use crate::sink::{
    Asked, ConnectorStatus, Discovery, Refusal, TaskHandle, TaskSettings, TopicBoard,
};

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

pub(super) struct Running {
    pub(super) config: Arc<ConnectorConfig>,
    pub(super) lake: Lake,
    pub(super) kafka: KafkaConfig,
    conversion: Conversion,
    board: Arc<TopicBoard>,
    discovery: Discovery,
    tasks: RwLock<Vec<Arc<TaskHandle>>>,
    /// The commits that somebody waits for.
    pub(super) asked: Arc<Asked>,
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
            started.add_with(config, lake, queue)?;
        }
        Ok(started)
    }

    /// Whom to tell of lakes that connectors bring with them from now on.
    pub fn set_on_lake(&self, on_lake: OnLake) {
        self.lakes.set_on_lake(on_lake);
    }

    /// Starts the tasks of one more connector; opens its lake if it has one for itself. Blocks.
    ///
    /// # Errors
    /// As [`Connectors::start`]; what is wrong with its lake.
    pub(super) fn add(&self, config: ConnectorConfig) -> Result<()> {
        let others = self
            .all()
            .iter()
            .map(|running| running.tasks().len())
            .sum::<usize>();
        // All queues together have their share of the memory; a later task gets less of it.
        let tasks = others + config.tasks_max;
        let memory = Memory::divide(self.options.memory_bytes, tasks);
        let lake = self.lakes.of(config.lake.as_ref())?;
        self.lakes.tell(&lake, &config.topics_dir);
        self.add_with(config, lake, memory.queue)
    }

    fn add_with(&self, config: ConnectorConfig, lake: Lake, queue_bytes: usize) -> Result<()> {
        if self.get(&config.name).is_some() {
            let message = format!("two connectors are named `{}`", config.name);
            return Err(Error::invalid(message));
        }
        let config = Arc::new(config);
        let kafka = self.kafka.overlay(&config.consumer);
        let board = Arc::new(TopicBoard::default());
        let clock = lake.clock().clone();
        let admin = Admin::new(&kafka, clock.clone())?;
        let conversion = Conversion::start(&config.conversion, &clock)?;
        let discovery = Discovery::start(admin, &config, &board, clock)?;
        let running = Running {
            conversion,
            lake,
            kafka,
            board,
            discovery,
            tasks: RwLock::default(),
            asked: Arc::default(),
            config: Arc::clone(&config),
        };
        let tasks = (0..config.tasks_max)
            .map(|task| self.task(&running, task, queue_bytes))
            .collect::<Result<Vec<_>>>()?;
        *running
            .tasks
            .write()
            .unwrap_or_else(PoisonError::into_inner) = tasks;
        let mut all = self.running.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(config.name.clone(), Arc::new(running));
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
            worker_id: self.options.worker_id.clone(),
            queue_bytes,
            refusal: Refusal::default(),
        })?;
        Ok(Arc::new(handle))
    }

    /// Ends a connector's tasks: what was read is committed. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when a task didn't end within `deadline`; it ends by itself later.
    pub(super) fn remove(&self, name: &str, deadline: Duration) -> Result<()> {
        let mut all = self.running.write().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = all.remove(name) else {
            return Ok(());
        };
        drop(all);
        running.ask_to_stop(deadline);
        late(&[running], deadline)
    }

    /// Ends one task and starts it anew. Blocks.
    ///
    /// # Errors
    /// `NotFound` where there is no such task; as [`Connectors::remove`].
    pub(super) fn restart(&self, name: &str, task: usize, deadline: Duration) -> Result<()> {
        let nothing = || {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no task {name}-{task}"),
            )
        };
        let running = self.get(name).ok_or_else(nothing)?;
        let old = running.tasks().get(task).cloned().ok_or_else(nothing)?;
        old.ask_to_stop(deadline);
        if !old.wait(deadline) {
            return Err(Error::unavailable(format!(
                "task {name}-{task} does not end"
            )));
        }
        let tasks = self
            .all()
            .iter()
            .map(|running| running.tasks().len())
            .sum::<usize>();
        let queue = Memory::divide(self.options.memory_bytes, tasks).queue;
        let new = self.task(&running, task, queue)?;
        let mut tasks = running
            .tasks
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = tasks.get_mut(task) {
            *place = new;
        }
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
        all.iter().for_each(|running| running.ask_to_stop(deadline));
        let stopped = late(&all, deadline);
        self.lakes.stop(deadline);
        stopped
    }

    fn partitions(&self) -> Vec<crate::sink::PartitionStatus> {
        let tasks = self
            .all()
            .into_iter()
            .flat_map(|connector| connector.tasks());
        tasks.flat_map(|task| task.status().partitions).collect()
    }
}

/// Waits for the ends of all tasks of `connectors`.
fn late(connectors: &[Arc<Running>], deadline: Duration) -> Result<()> {
    let mut late = Vec::new();
    for connector in connectors {
        for task in connector.tasks() {
            if !task.wait(deadline) {
                late.push(format!("{}-{}", connector.config.name, task.number()));
            }
        }
    }
    if late.is_empty() {
        return Ok(());
    }
    let message = format!("tasks {} did not end in time", late.join(", "));
    Err(Error::unavailable(message))
}

impl Running {
    /// Its tasks in this process.
    pub(super) fn tasks(&self) -> Vec<Arc<TaskHandle>> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.clone()
    }

    fn ask_to_stop(&self, deadline: Duration) {
        self.discovery.stop();
        self.tasks()
            .iter()
            .for_each(|task| task.ask_to_stop(deadline));
    }

    pub(super) fn status(&self) -> ConnectorStatus {
        let found = self.board.found();
        let tasks = self.tasks();
        let mut tasks: Vec<_> = tasks.iter().map(|task| task.status()).collect();
        for partition in tasks.iter_mut().flat_map(|task| &mut task.partitions) {
            let ends = found.ends.get(&partition.topic);
            partition.end = ends
                .and_then(|ends| ends.get(&partition.partition))
                .copied();
        }
        ConnectorStatus {
            name: self.config.name.clone(),
            group: self.config.group(),
            topics: found.topics.keys().cloned().collect(),
            waiting_for: found.missing,
            error: found.error,
            tasks,
        }
    }
}
