//! One connector of this process: what its tasks share, and those of them that run here.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use eddy_engine::Lake;

use crate::connect::config::ConnectorConfig;
use crate::convert::Conversion;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Admin, KafkaConfig};
use crate::sink::{Asked, ConnectorStatus, Discovery, Leave, TaskHandle, TopicBoard};

/// A connector that has tasks here.
pub(in crate::connect) struct Running {
    pub(in crate::connect) config: Arc<ConnectorConfig>,
    pub(in crate::connect) lake: Lake,
    pub(in crate::connect) kafka: KafkaConfig,
    pub(super) conversion: Conversion,
    pub(super) board: Arc<TopicBoard>,
    discovery: Discovery,
    /// What the tasks' lasting names in the connector's group begin with.
    pub(super) member: String,
    tasks: RwLock<BTreeMap<usize, Arc<TaskHandle>>>,
    /// The commits that somebody waits for.
    pub(in crate::connect) asked: Arc<Asked>,
}

impl Running {
    /// What tasks need; none runs yet.
    ///
    /// # Errors
    /// `Invalid` for settings that can't work.
    pub(super) fn start(
        config: ConnectorConfig,
        lake: Lake,
        kafka: &KafkaConfig,
        member: &str,
    ) -> Result<Self> {
        let config = Arc::new(config);
        let kafka = kafka.overlay(&config.consumer);
        let board = Arc::new(TopicBoard::default());
        let clock = lake.clock().clone();
        let admin = Admin::new(&kafka, clock.clone())?;
        let conversion = Conversion::start(&config.conversion, &clock)?;
        let discovery = Discovery::start(admin, &config, &board, clock)?;
        Ok(Self {
            conversion,
            lake,
            kafka,
            board,
            discovery,
            member: member.to_owned(),
            tasks: RwLock::default(),
            asked: Arc::default(),
            config,
        })
    }

    /// Its tasks in this process.
    pub(in crate::connect) fn tasks(&self) -> Vec<Arc<TaskHandle>> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.values().cloned().collect()
    }

    /// The task of this number, if it runs here.
    pub(in crate::connect) fn get(&self, task: usize) -> Option<Arc<TaskHandle>> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.get(&task).cloned()
    }

    pub(super) fn put(&self, task: Arc<TaskHandle>) {
        let mut tasks = self.tasks.write().unwrap_or_else(PoisonError::into_inner);
        tasks.insert(task.number(), task);
    }

    pub(super) fn take(&self, task: usize) -> Option<Arc<TaskHandle>> {
        let mut tasks = self.tasks.write().unwrap_or_else(PoisonError::into_inner);
        tasks.remove(&task)
    }

    pub(super) fn ask_to_stop(&self, leave: impl Fn(usize) -> bool, deadline: Duration) {
        self.discovery.stop();
        for task in self.tasks() {
            let leave = match leave(task.number()) {
                true => Leave::Yes,
                false => Leave::No,
            };
            task.ask_to_stop(leave, deadline);
        }
    }

    /// What it is doing here.
    pub(in crate::connect) fn status(&self) -> ConnectorStatus {
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

/// Waits for the ends of `tasks`.
pub(super) fn late(tasks: &[Arc<TaskHandle>], name: &str, deadline: Duration) -> Result<()> {
    let late: Vec<String> = tasks
        .iter()
        .filter(|task| !task.wait(deadline))
        .map(|task| format!("{name}-{}", task.number()))
        .collect();
    if late.is_empty() {
        return Ok(());
    }
    let message = format!("tasks {} did not end in time", late.join(", "));
    Err(Error::unavailable(message))
}

/// There is nothing of this name to do something with.
pub(super) fn not_running(name: &str) -> Error {
    let message = format!("connector `{name}` has no tasks here");
    Error::new(ErrorKind::NotFound, message)
}
