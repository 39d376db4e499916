//! All connectors of one process: started together, asked together, stopped together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use eddy_engine::Lake;
use eddy_engine::budget::Budget;

use crate::connect::config::ConnectorConfig;
use crate::connect::memory::Memory;
use crate::connect::system;
use crate::connect::upkeep::Upkeep;
use crate::error::{Error, Result};
use crate::kafka::{Admin, KafkaConfig};
use crate::sink::{Asked, ConnectorStatus, Discovery, TaskHandle, TaskSettings, TopicBoard};

/// What the connectors of one process share.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The worker's lasting id: with it a restarted process takes its place in the groups again
    /// without a rebalance. Two processes must not share one.
    pub worker_id: String,
    /// The memory for records on their way, librdkafka's queues included.
    pub memory_bytes: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            worker_id: "eddy".to_owned(),
            memory_bytes: 1 << 30,
        }
    }
}

/// The running connectors.
pub struct Connectors {
    pub(super) running: Vec<Running>,
    budget: Arc<Budget>,
    /// One for each lake.
    upkeep: Vec<Upkeep>,
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
    board: Arc<TopicBoard>,
    discovery: Discovery,
    pub(super) tasks: Arc<[TaskHandle]>,
    /// The commits that somebody waits for.
    pub(super) asked: Arc<Asked>,
}

impl Connectors {
    /// Starts every task. Broker and lake may be away: the tasks say so and wait.
    ///
    /// # Errors
    /// `Invalid` for a Kafka configuration that can't work, or two connectors of one name.
    pub fn start(
        kafka: &KafkaConfig,
        connectors: Vec<Settled>,
        options: &WorkerOptions,
    ) -> Result<Self> {
        let tasks: usize = connectors.iter().map(|one| one.config.tasks_max).sum();
        let memory = Memory::divide(options.memory_bytes, tasks);
        let budget = Budget::new(memory.writers);
        let mut lakes: Vec<Lake> = Vec::new();
        let mut started = Self {
            running: Vec::new(),
            budget: Arc::clone(&budget),
            upkeep: Vec::new(),
        };
        let mut names = std::collections::BTreeSet::new();
        for Settled { config, lake } in connectors {
            if !names.insert(config.name.clone()) {
                let message = format!("two connectors are named `{}`", config.name);
                return Err(Error::invalid(message));
            }
            if !lakes.iter().any(|known| known.is(&lake)) {
                lakes.push(lake.clone());
            }
            let running = Running::start(config, lake, kafka, (&budget, &memory), options)?;
            started.running.push(running);
        }
        for lake in &lakes {
            // What all lakes may keep together.
            lake.live().keep_at_most(memory.committed / lakes.len());
            lake.reuse_at_most(memory.reused / lakes.len());
            let owners = started
                .running
                .iter()
                .filter(|running| running.lake.is(lake));
            let owners =
                owners.map(|running| (Arc::clone(&running.config), Arc::clone(&running.tasks)));
            let upkeep = Upkeep::start(lake, &budget, owners.collect())?;
            started.upkeep.push(upkeep);
        }
        Ok(started)
    }

    /// What every connector, task and partition of this process is doing.
    pub fn status(&self) -> Vec<ConnectorStatus> {
        self.running.iter().map(Running::status).collect()
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
        self.upkeep.iter().for_each(Upkeep::ask_to_stop);
        for connector in &self.running {
            connector.discovery.stop();
            connector
                .tasks
                .iter()
                .for_each(|task| task.ask_to_stop(deadline));
        }
        let mut late = Vec::new();
        for connector in &self.running {
            for task in connector.tasks.iter() {
                let name = format!("{}-{}", connector.config.name, task.number());
                if !task.wait(deadline) {
                    late.push(name);
                }
            }
        }
        self.upkeep.iter().for_each(|upkeep| upkeep.stop(deadline));
        if late.is_empty() {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "tasks {} did not end in time",
            late.join(", ")
        )))
    }

    fn partitions(&self) -> Vec<crate::sink::PartitionStatus> {
        let tasks = self
            .running
            .iter()
            .flat_map(|connector| connector.tasks.iter());
        tasks.flat_map(|task| task.status().partitions).collect()
    }
}

impl Running {
    fn start(
        config: ConnectorConfig,
        lake: Lake,
        kafka: &KafkaConfig,
        (budget, memory): (&Arc<Budget>, &Memory),
        options: &WorkerOptions,
    ) -> Result<Self> {
        let config = Arc::new(config);
        let kafka = kafka.overlay(&config.consumer);
        let board = Arc::new(TopicBoard::default());
        let admin = Admin::new(&kafka, lake.clock().clone())?;
        let discovery = Discovery::start(admin, &config, &board, lake.clock().clone())?;
        let asked = Arc::new(Asked::default());
        let mut tasks = Vec::new();
        for task in 0..config.tasks_max {
            tasks.push(TaskHandle::start(TaskSettings {
                task,
                config: Arc::clone(&config),
                kafka: kafka.clone(),
                lake: lake.clone(),
                budget: Arc::clone(budget),
                board: Arc::clone(&board),
                asked: Arc::clone(&asked),
                worker_id: options.worker_id.clone(),
                queue_bytes: memory.queue,
            })?);
        }
        Ok(Self {
            config,
            lake,
            kafka,
            board,
            discovery,
            tasks: tasks.into(),
            asked,
        })
    }

    fn status(&self) -> ConnectorStatus {
        let found = self.board.found();
        let mut tasks: Vec<_> = self.tasks.iter().map(TaskHandle::status).collect();
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
