//! A group of workers: connectors are shared by Kafka's topics, their tasks are spread by its group
//! protocol, every worker answers for all of them, and whatever dies or is restarted, every record
//! is in its table once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use eddy_engine::Clock;
use eddy_engine::commit::invariants;
use serde_json::{Value, json};

use crate::connect_rest::{ask, ask_once};
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::services::services;
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_for, wait_until};
use crate::proof::{orders, verified, wait_committed};

mod load;
mod steps;

use load::{Gaps, Load};

/// How much there is: a share of it unless everything is asked for.
struct Size {
    connectors: usize,
    tasks: usize,
    load: Duration,
}

fn size() -> Size {
    match std::env::var("EDDY_SOAK") {
        Ok(soak) if !soak.is_empty() => Size {
            connectors: 6,
            tasks: 4,
            load: Duration::from_secs(60),
        },
        _ => Size {
            connectors: 3,
            tasks: 3,
            load: Duration::from_secs(4),
        },
    }
}

/// Kafka's group protocol of old; with it the members say after which time they are dead.
const CLASSIC: &str = "session.timeout.ms=10000\nheartbeat.interval.ms=1000";
/// That of KIP-848; with it the broker says so.
const NEWER: &str = "group.protocol=consumer";

/// A worker of the group, on the lake.
fn worker(lake: &TestLake, group: &str, protocol: &str) -> Start {
    let lines = format!(
        "bootstrap.servers={}\n{protocol}\n\
         config.storage.topic={group}-c\nconfig.storage.replication.factor=1\n\
         offset.storage.topic={group}-o\nstatus.storage.topic={group}-s\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\n\
         eddy.lake.url={}\n",
        services().kafka,
        lake.url
    );
    Start::on(lake).worker(group, &lines)
}

fn config(topic: &str, tasks: usize, flush_ms: usize) -> Value {
    json!({
        "connector.class": "EddySink",
        "topics": topic,
        "tasks.max": tasks.to_string(),
        "flush.interval.ms": flush_ms.to_string(),
    })
}

fn address(eddy: &Eddy) -> String {
    eddy.connect_url().trim_start_matches("http://").to_owned()
}

/// What a worker says of a connector: its tasks' workers, if the connector and all of `tasks` run.
fn running(eddy: &Eddy, name: &str, tasks: usize) -> Option<Vec<String>> {
    let (status, body) = ask_once(eddy, "GET", &format!("/connectors/{name}/status"), None)?;
    let all = body["tasks"].as_array().filter(|_| status == 200)?;
    let runs = |part: &Value| part["state"] == "RUNNING";
    let id = |(at, task): (usize, &Value)| {
        let right = task["id"] == json!(at) && runs(task);
        right.then(|| task["worker_id"].as_str().unwrap_or_default().to_owned())
    };
    (runs(&body["connector"]) && all.len() == tasks)
        .then(|| all.iter().enumerate().map(id).collect())
        .flatten()
}

/// Where every task runs, as all of these workers agree, and only on `on`.
fn places(workers: &[&Eddy], on: &[&Eddy], names: &[String], tasks: usize) -> Vec<Vec<String>> {
    let allowed: BTreeSet<String> = on.iter().map(|worker| address(worker)).collect();
    let mut agreed = Vec::new();
    wait_until(PATIENCE, "all workers agree on where the tasks run", || {
        let seen: Vec<Option<Vec<Vec<String>>>> = workers
            .iter()
            .map(|eddy| {
                names
                    .iter()
                    .map(|name| running(eddy, name, tasks))
                    .collect()
            })
            .collect();
        let Some(Some(first)) = seen.first() else {
            return false;
        };
        agreed.clone_from(first);
        seen.iter().all(|one| one.as_ref() == Some(first))
            && first.iter().flatten().all(|place| allowed.contains(place))
    });
    agreed
}

/// Every kind of read is answered by this worker, with what holds for the whole group.
fn answers(eddy: &Eddy, names: &[String], tasks: usize) {
    let get = |path: &str| {
        let (status, body) = ask_once(eddy, "GET", path, None).expect("an answer");
        assert_eq!(status, 200, "{path}: {body}");
        body
    };
    let mut all = names.to_vec();
    all.sort();
    assert_eq!(get("/connectors"), json!(all));
    for name in names {
        let of = |what: &str| get(&format!("/connectors/{name}{what}"));
        assert_eq!(of("")["tasks"].as_array().map(Vec::len), Some(tasks));
        assert_eq!(of("/tasks").as_array().map(Vec::len), Some(tasks));
        assert_eq!(of("/status")["tasks"].as_array().map(Vec::len), Some(tasks));
        assert_eq!(of("/config")["name"], json!(name));
        assert!(of("/offsets")["offsets"].is_array());
        assert!(of("/topics")[name]["topics"].is_array());
        let last = format!("/tasks/{}/status", tasks - 1);
        assert_eq!(of(&last)["id"], json!(tasks - 1));
    }
}

/// Every record of the topics is in its table once.
fn proven(eddy: &Eddy, lake: &TestLake, topics: &[Topic]) {
    for topic in topics {
        wait_committed(lake, topic);
        verified(eddy, topic);
        let lake = lake.open();
        invariants::check(&lake, &lake.table("topics", &topic.name)).expect("the invariants");
    }
}

/// Three workers of one group, with connectors whose tasks they share.
struct Trio {
    workers: Vec<Eddy>,
    names: Vec<String>,
    topics: Arc<Vec<Topic>>,
    tasks: usize,
}

impl Trio {
    /// Each connector is made by another worker, and known to the next one by then.
    fn start(lake: &TestLake, size: &Size) -> Self {
        let group = unique("group");
        let mut workers: Vec<Eddy> = (0..3)
            .map(|_| worker(lake, &group, CLASSIC).spawn())
            .collect();
        let partitions = i32::try_from(size.tasks).expect("a few");
        let made = (0..size.connectors).map(|_| Topic::create("group", partitions));
        let topics: Arc<Vec<Topic>> = Arc::new(made.collect());
        workers
            .iter_mut()
            .for_each(|worker| worker.wait_ready(PATIENCE));
        let names: Vec<String> = topics.iter().map(|_| unique("c")).collect();
        for (at, (name, topic)) in names.iter().zip(topics.iter()).enumerate() {
            let request = json!({"name": name, "config": config(&topic.name, size.tasks, 300)});
            let made = ask(&workers[at % 3], "POST", "/connectors", Some(&request));
            assert_eq!(made.0, 201, "{}", made.1);
            let again = ask(
                &workers[(at + 1) % 3],
                "POST",
                "/connectors",
                Some(&request),
            );
            assert_eq!(again.0, 409, "{}", again.1);
        }
        Self {
            workers,
            names,
            topics,
            tasks: size.tasks,
        }
    }

    fn places(&self, workers: &[Eddy]) -> Vec<Vec<String>> {
        let workers: Vec<&Eddy> = workers.iter().collect();
        places(&workers, &workers, &self.names, self.tasks)
    }

    fn all_answer(&self, workers: &[Eddy]) {
        for eddy in workers {
            answers(eddy, &self.names, self.tasks);
        }
    }

    /// One dies: the others take its tasks over, answer, and change a connector meanwhile. It comes
    /// back and gets some of the work.
    fn kill_one(&mut self) {
        self.workers[0].kill();
        let alive = &self.workers[1..];
        self.all_answer(alive);
        let changed = config(&self.topics[0].name, self.tasks, 250);
        let path = format!("/connectors/{}/config", self.names[0]);
        assert_eq!(ask(&alive[1], "PUT", &path, Some(&changed)).0, 200);
        let now = ask(&alive[1], "GET", &path, None).1;
        assert_eq!(now["flush.interval.ms"], "250");
        let without = self.places(alive);
        self.all_answer(alive);
        self.workers[0].restart();
        let back = address(&self.workers[0]);
        wait_until(PATIENCE, "the worker has tasks again", || {
            let now = self.places(&self.workers);
            now != without && now.iter().flatten().any(|place| *place == back)
        });
    }

    /// Each ends in order and comes back, with a restart of tasks in between: nothing moves.
    fn roll(&mut self) {
        let before = self.places(&self.workers);
        for at in 0..3 {
            self.workers[at].terminate();
            let other = &self.workers[(at + 1) % 3];
            let name = &self.names[at % self.names.len()];
            let restart = format!("/connectors/{name}/restart?includeTasks=true");
            assert_eq!(ask(other, "POST", &restart, None).0, 202);
            self.workers[at].restart();
        }
        let after = self.places(&self.workers);
        assert_eq!(before, after, "a worker that is restarted keeps its tasks");
        let one = format!("/connectors/{}/tasks/0/restart", self.names[0]);
        for eddy in &self.workers {
            assert_eq!(ask(eddy, "POST", &one, None).0, 204);
        }
    }

    /// Stopped is stopped everywhere, whoever was asked; what is deleted is gone everywhere.
    fn end(&self) {
        let stop = format!("/connectors/{}/stop", self.names[0]);
        assert_eq!(ask(&self.workers[2], "PUT", &stop, None).0, 204);
        let offsets = format!("/connectors/{}/offsets", self.names[0]);
        let nothing = json!({"offsets": [{"partition": {}, "offset": null}]});
        for eddy in &self.workers {
            wait_until(PATIENCE, "its offsets may be changed", || {
                let (_, answer) = ask(eddy, "PATCH", &offsets, Some(&nothing));
                // Only then it is told that this is no partition.
                answer["message"]
                    .as_str()
                    .is_some_and(|why| why.contains("kafka_topic"))
            });
        }
        for (name, eddy) in self.names.iter().zip(self.workers.iter().cycle()) {
            let path = format!("/connectors/{name}");
            assert_eq!(ask(eddy, "DELETE", &path, None).0, 204);
        }
        for eddy in &self.workers {
            wait_equal(PATIENCE, "connectors", json!([]), || {
                ask(eddy, "GET", "/connectors", None).1
            });
        }
    }
}

#[test]
fn three_workers_share_connectors_through_kills_restarts_and_changes() {
    let (size, lake) = (size(), TestLake::local());
    let mut trio = Trio::start(&lake, &size);
    wait_until(PATIENCE, "the tasks are spread over all three", || {
        let spread = trio.places(&trio.workers);
        let used: BTreeSet<&String> = spread.iter().flatten().collect();
        used.len() == 3
    });
    trio.all_answer(&trio.workers);
    let gaps = Gaps::watch(&lake, &trio.topics);
    let load = Load::start(&trio.topics);
    trio.kill_one();
    trio.roll();
    Clock::system().block(size.load);
    let sent = load.stop();
    for ((topic, partition), longest) in gaps.stop() {
        println!("{topic}-{partition}: at most {longest:?} without progress");
    }
    println!("{sent} records in {} topics", trio.topics.len());
    proven(&trio.workers[0], &lake, &trio.topics);
    trio.end();
}

#[test]
fn of_two_workers_one_makes_a_connector_and_a_level_reaches_both() {
    let (lake, group) = (TestLake::local(), unique("group"));
    let mut workers: Vec<Eddy> = (0..2)
        .map(|_| worker(&lake, &group, CLASSIC).spawn())
        .collect();
    workers
        .iter_mut()
        .for_each(|worker| worker.wait_ready(PATIENCE));
    let topic = Topic::create("group", 1);
    for eddy in &workers {
        assert_eq!(ask(eddy, "GET", "/connectors", None).1, json!([]));
    }
    for _ in 0..5 {
        let name = unique("c");
        let made: Vec<(u16, Value)> = std::thread::scope(|scope| {
            let post = |at: usize| {
                let config = config(&topic.name, 1, 300 + at);
                let request = json!({"name": name, "config": config, "initial_state": "STOPPED"});
                let eddy = &workers[at];
                move || ask(eddy, "POST", "/connectors", Some(&request))
            };
            let threads = [scope.spawn(post(0)), scope.spawn(post(1))];
            threads
                .map(|thread| thread.join().expect("an answer"))
                .into()
        });
        let codes: BTreeSet<u16> = made.iter().map(|(status, _)| *status).collect();
        assert_eq!(codes, BTreeSet::from([201, 409]), "{made:?}");
        // Both know the one that was made.
        let winner = made.iter().position(|(status, _)| *status == 201);
        let flush = (300 + winner.expect("a winner")).to_string();
        for eddy in &workers {
            let path = format!("/connectors/{name}/config");
            wait_equal(PATIENCE, "the configuration", json!(flush), || {
                ask(eddy, "GET", &path, None).1["flush.interval.ms"].clone()
            });
        }
    }
    a_level_reaches_all(&workers);
}

/// One that is set for one worker stays there.
fn a_level_reaches_all(workers: &[Eddy]) {
    let level = |eddy: &Eddy, logger: &str| {
        let path = format!("/admin/loggers/{logger}");
        ask(eddy, "GET", &path, None).1["level"].clone()
    };
    let body = json!({"level": "debug"});
    let put = |path: &str| ask(&workers[0], "PUT", path, Some(&body)).0;
    assert_eq!(put("/admin/loggers/eddy.one"), 200);
    assert_eq!(put("/admin/loggers/eddy.all?scope=cluster"), 204);
    assert_eq!(level(&workers[0], "eddy.all"), "DEBUG", "before its answer");
    for eddy in workers {
        wait_equal(PATIENCE, "the level", json!("DEBUG"), || {
            level(eddy, "eddy.all")
        });
    }
    assert_eq!(level(&workers[1], "eddy.one"), Value::Null);
}

#[test]
fn the_newer_group_protocol_spreads_tasks_and_keeps_them_through_a_restart() {
    let (lake, group) = (TestLake::local(), unique("group"));
    let started = (0..2).map(|_| worker(&lake, &group, NEWER).spawn());
    let mut workers: Vec<Eddy> = started.collect();
    workers
        .iter_mut()
        .for_each(|worker| worker.wait_ready(PATIENCE));
    let topics = [Topic::create("group", 4)];
    let names = [unique("c")];
    let request = json!({"name": names[0], "config": config(&topics[0].name, 4, 300)});
    let made = ask(&workers[0], "POST", "/connectors", Some(&request));
    assert_eq!(made.0, 201, "{}", made.1);
    topics[0].produce_values(&orders(0..200));
    let spread = |workers: &[Eddy]| {
        let all: Vec<&Eddy> = workers.iter().collect();
        let now = places(&all, &all, &names, 4);
        let used: BTreeSet<String> = now.iter().flatten().cloned().collect();
        (used.len() == 2).then_some(now)
    };
    let before = wait_for(PATIENCE, "the tasks are spread", || spread(&workers));
    workers[1].terminate();
    topics[0].produce_values(&orders(200..400));
    workers[1].restart();
    let after = wait_for(PATIENCE, "the tasks run again", || spread(&workers));
    assert_eq!(before, after);
    proven(&workers[0], &lake, &topics);
}
