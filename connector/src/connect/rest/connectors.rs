//! Connectors: listed, shown, made, changed, deleted.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Handled};
use super::body;
use super::path;
use super::{Api, CONNECT_VERSION, Call, VERSION};
use crate::connect::config::def;
use crate::connect::state::Target;
use crate::connect::validate::{self, NoClass, Posted};
use crate::connect::worker::{Basis, ConnectorView, TaskView};
use crate::kafka::Admin;

/// What Connect reads a request that makes a connector into.
const CREATE: &str = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";

impl Api {
    pub(super) fn root(&self) -> Answer {
        Answer::ok(json!({
            "version": CONNECT_VERSION,
            "commit": format!("eddy-{VERSION}"),
            "kafka_cluster_id": self.cluster_id(),
        }))
    }

    /// Kafka's id for the cluster; empty while nobody tells it.
    fn cluster_id(&self) -> String {
        if let Some(known) = self.cluster_id.get() {
            return known.clone();
        }
        let clock = self.worker.clock();
        let asked = Admin::new(&self.kafka, clock)
            .ok()
            .and_then(|admin| admin.cluster_id());
        match asked {
            Some(id) => self.cluster_id.get_or_init(|| id).clone(),
            None => String::new(),
        }
    }

    pub(super) fn health(&self) -> Answer {
        let (status, word, message) = match self.worker.is_ready() {
            true => (
                200,
                "healthy",
                "Worker has completed startup and is ready to handle requests.",
            ),
            false => (503, "starting", "Worker is still starting up."),
        };
        Answer::json(status, json!({"status": word, "message": message}))
    }

    pub(super) fn list(&self, call: &Call) -> Answer {
        let names = self.worker.names();
        let expand = call.queries("expand");
        if expand.is_empty() {
            return Answer::ok(json!(names));
        }
        let mut expanded = Map::new();
        for name in names {
            let mut about = Map::new();
            for what in &expand {
                let told = match what.as_str() {
                    "status" => self.status_of(&name),
                    "info" => self.info_of(&name),
                    _ => None,
                };
                if let Some(told) = told {
                    about.insert(what.clone(), told);
                }
            }
            expanded.insert(name, about.into());
        }
        Answer::ok(expanded)
    }

    pub(super) fn info(&self, name: &str) -> Handled {
        self.info_of(name)
            .map(Answer::ok)
            .ok_or_else(|| not_found(name))
    }

    pub(super) fn config(&self, name: &str) -> Handled {
        let config = self.worker.config(name).ok_or_else(|| not_found(name))?;
        Ok(Answer::ok(json!(config)))
    }

    pub(super) fn status(&self, name: &str) -> Handled {
        let message = || Answer::error(404, format!("No status found for connector {name}"));
        self.status_of(name).map(Answer::ok).ok_or_else(message)
    }

    pub(super) fn tasks(&self, name: &str) -> Handled {
        let mut config = self.worker.config(name).ok_or_else(|| not_found(name))?;
        config.insert("task.class".to_owned(), "io.eddy.EddySinkTask".to_owned());
        let tasks: Vec<Value> = (0..self.worker.task_count(name))
            .map(|task| json!({"id": {"connector": name, "task": task}, "config": config}))
            .collect();
        Ok(Answer::ok(tasks))
    }

    pub(super) fn task_status(&self, name: &str, task: i32) -> Handled {
        let view = self.worker.view(name);
        let found = view.and_then(|view| {
            let at = usize::try_from(task).ok()?;
            Some(task_json(at, view.tasks.get(at)?, None))
        });
        let message = || Answer::error(404, format!("No status found for task {name}-{task}"));
        found.map(Answer::ok).ok_or_else(message)
    }

    pub(super) fn create(&self, call: &Call) -> Handled {
        let request = body::object_of(CREATE, &call.body)?.ok_or_else(nothing)?;
        if let Some(key) = request
            .keys()
            .find(|key| !["name", "config", "initial_state"].contains(&key.as_str()))
        {
            let known = "a connector has `name`, `config` and `initial_state`";
            return Err(Answer::error(500, format!("`{key}` is unknown: {known}")));
        }
        let text = |key: &str| match request.get(key) {
            Some(value) => body::text(value)
                .map_err(|what| Answer::error(500, format!("`{key}` is {what}, and must be text"))),
            None => Ok(None),
        };
        let name = text("name")?.unwrap_or_default();
        let name = name.trim_matches(|c| c <= ' ');
        let target = text("initial_state")?
            .map(|word| initial(&word))
            .transpose()?;
        let config = match request.get("config") {
            Some(value) => body::inner_config(value)?,
            None => None,
        };
        let config = self.checked(name, config.ok_or_else(nothing)?)?;
        if self.worker.config(name).is_some() {
            return Err(Answer::error(
                409,
                format!("Connector {name} already exists"),
            ));
        }
        self.worker.put(name, &config, target, Basis::Nothing)?;
        Ok(self.created(name, &config, call))
    }

    pub(super) fn put_config(&self, name: &str, call: &Call) -> Handled {
        let config = body::config(&call.body)?.ok_or_else(nothing)?;
        let config = self.checked(name, config)?;
        self.changeable(name)?;
        let exists = self.worker.config(name).is_some();
        self.worker.put(name, &config, None, Basis::Anything)?;
        if !exists {
            return Ok(self.created(name, &config, call));
        }
        self.info(name)
    }

    pub(super) fn patch_config(&self, name: &str, call: &Call) -> Handled {
        let config = self.worker.config(name).ok_or_else(|| not_found(name))?;
        self.changeable(name)?;
        let patch = body::config(&call.body)?.ok_or_else(nothing)?;
        let mut patched: Posted = config
            .iter()
            .map(|(key, value)| (key.clone(), Some(value.clone())))
            .collect();
        for (key, value) in patch {
            match value {
                Some(value) => patched.insert(key, Some(value)),
                None => patched.remove(&key),
            };
        }
        let patched = self.valid(&patched)?;
        let basis = Basis::Config(&config);
        self.worker.put(name, &patched, None, basis)?;
        self.info(name)
    }

    pub(super) fn delete(&self, name: &str) -> Handled {
        if self.worker.config(name).is_none() {
            return Err(not_found(name));
        }
        self.changeable(name)?;
        self.worker.delete(name)?;
        Ok(Answer::empty(204))
    }

    /// The configuration with its name in it, checked.
    fn checked(&self, name: &str, mut posted: Posted) -> Result<BTreeMap<String, String>, Answer> {
        match posted.get("name").cloned().flatten() {
            Some(given) if given != name => {
                return Err(Answer::error(
                    400,
                    format!(
                        "Connector name configuration ({given}) doesn't match connector name in \
                         the URL ({name})"
                    ),
                ));
            }
            _ => posted.insert("name".to_owned(), Some(name.to_owned())),
        };
        self.valid(&posted)
    }

    fn valid(&self, posted: &Posted) -> Result<BTreeMap<String, String>, Answer> {
        let class = validate::class_of(posted, &self.defaults)
            .map_err(|NoClass(why)| Answer::error(400, why))?;
        let infos = validate::validate(class, posted, &self.defaults);
        if let Some(refusal) = infos.refusal() {
            return Err(Answer::error(400, refusal));
        }
        let texts = posted.iter();
        Ok(texts
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
            .collect())
    }

    /// The configuration file's connectors are the file's.
    pub(super) fn changeable(&self, name: &str) -> Result<(), Answer> {
        if !self.worker.is_of_file(name) {
            return Ok(());
        }
        Err(Answer::error(
            403,
            format!(
                "Connector {name} is in the configuration file of this worker; change it there \
                 and restart the worker"
            ),
        ))
    }

    fn created(&self, name: &str, config: &BTreeMap<String, String>, call: &Call) -> Answer {
        if let Some(variable) = path::template_variable(name) {
            // Connect has made the connector, too, before it fails to say where it is.
            let message = format!("The template variable '{variable}' has no value");
            return Answer::error(500, message);
        }
        let host = call.host.as_deref().unwrap_or(&self.options.advertised);
        let scheme = if call.tls { "https" } else { "http" };
        let location = format!("{scheme}://{host}/connectors/{}", path::encode(name));
        Answer::json(201, info_json(name, config, 0)).at(location)
    }

    fn info_of(&self, name: &str) -> Option<Value> {
        let config = self.worker.config(name)?;
        Some(info_json(name, &config, self.worker.task_count(name)))
    }

    fn status_of(&self, name: &str) -> Option<Value> {
        let view = self.worker.view(name)?;
        Some(status_json(name, &view, false, &[]))
    }
}

/// Connect's `ConnectorStateInfo`, with what is about to be restarted shown so.
pub(super) fn status_json(
    name: &str,
    view: &ConnectorView,
    restarting: bool,
    tasks: &[usize],
) -> Value {
    let shown = restarting.then_some("RESTARTING");
    let all: Vec<Value> = view
        .tasks
        .iter()
        .enumerate()
        .map(|(at, task)| {
            let shown = tasks.contains(&at).then_some("RESTARTING");
            task_json(at, task, shown)
        })
        .collect();
    let state = shown.unwrap_or(&view.state);
    let connector = state_json(state, &view.worker, view.trace.as_ref());
    json!({"name": name, "connector": connector, "tasks": all, "type": "sink"})
}

fn task_json(at: usize, task: &TaskView, shown: Option<&str>) -> Value {
    let state = shown.unwrap_or(&task.state);
    let mut json = state_json(state, &task.worker, task.trace.as_ref());
    json.insert("id".to_owned(), at.into());
    json.into()
}

fn state_json(state: &str, worker: &str, trace: Option<&String>) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("state".to_owned(), state.into());
    json.insert("worker_id".to_owned(), worker.into());
    json.insert("version".to_owned(), VERSION.into());
    if let Some(trace) = trace {
        json.insert("trace".to_owned(), trace.clone().into());
    }
    json
}

fn info_json(name: &str, config: &BTreeMap<String, String>, tasks: usize) -> Value {
    let tasks: Vec<Value> = (0..tasks)
        .map(|task| json!({"connector": name, "task": task}))
        .collect();
    let class = config.get("connector.class").map(String::as_str);
    // A connector of the configuration file needs no class to be ours.
    let known = class.is_none_or(|class| def::find(def::Kind::Sink, class).is_some());
    let kind = if known { "sink" } else { "unknown" };
    json!({"name": name, "config": config, "tasks": tasks, "type": kind})
}

fn initial(word: &str) -> Result<Target, Answer> {
    match word.to_ascii_uppercase().as_str() {
        "RUNNING" => Ok(Target::Running),
        "PAUSED" => Ok(Target::Paused),
        "STOPPED" => Ok(Target::Stopped),
        _ => Err(Answer::error(
            500,
            format!("`initial_state` is `{word}`; it can be RUNNING, PAUSED or STOPPED"),
        )),
    }
}

/// What answers that need a body say without one.
pub(super) fn nothing() -> Answer {
    Answer::error(
        500,
        "the request has no JSON object where there must be one",
    )
}

/// What most answers about an unknown connector say.
pub(super) fn not_found(name: &str) -> Answer {
    Answer::error(404, format!("Connector {name} not found"))
}
