//! Kafka Connect's REST API: each request of `tests/fixtures/connect/` is answered as it says
//! there, and a connector made by REST records, lasts, and ends.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::services::services;
use crate::harness::wait::{PATIENCE, poll, wait_until};
use crate::harness::{block_on, unique};
use crate::proof::{every_record_is_there_once, orders};

mod matching;

use matching::fits;

#[test]
fn every_request_of_the_fixtures_is_answered_as_they_say() {
    let lake = TestLake::local();
    let topic = Topic::create("rest", 2);
    let eddy = Start::on(&lake).connect().ready();
    // Once it answers this, it knows what should run.
    assert_eq!(ask(&eddy, "GET", "/connectors", None).1, json!([]));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/connect");
    let mut wrong = Vec::new();
    let mut steps = 0;
    for file in [
        "worker",
        "plugins",
        "loggers",
        "refused",
        "names",
        "connectors",
        "lifecycle",
        "foreign",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).expect("a fixture");
        let name = unique("c");
        let text = text
            .replace("<N>", &name)
            .replace("<T>", &topic.name)
            .replace("<G>", eddy.group());
        let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        for step in &all {
            steps += 1;
            if let Err(why) = carry_out(&eddy, step) {
                wrong.push(format!("{file}: {}: {why}", step["title"]));
            }
        }
    }
    assert!(steps > 100, "{steps} steps");
    assert!(
        wrong.is_empty(),
        "{} of {steps}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_connector_made_by_rest_records_and_goes_on_after_a_kill() {
    let lake = TestLake::local();
    let topic = Topic::create("rest", 2);
    topic.produce_values(&orders(0..500));
    let mut eddy = Start::on(&lake).connect().ready();
    let name = unique("c");
    let config = json!({
        "connector.class": "EddySink",
        "topics": topic.name,
        "tasks.max": "2",
        "flush.interval.ms": "500",
    });
    let request = json!({"name": name, "config": config});
    assert_eq!(ask(&eddy, "POST", "/connectors", Some(&request)).0, 201);
    every_record_is_there_once(&eddy, &lake, &topic, 500);
    let offsets = ask(&eddy, "GET", &format!("/connectors/{name}/offsets"), None).1;
    assert_eq!(total(&offsets), 500, "{offsets}");
    let topics = ask(&eddy, "GET", &format!("/connectors/{name}/topics"), None).1;
    assert_eq!(topics[&name]["topics"], json!([topic.name]));
    eddy.kill();
    topic.produce_values(&orders(500..800));
    eddy.restart();
    every_record_is_there_once(&eddy, &lake, &topic, 800);
    eddy.verify(&topic.name);
    // Stopped is stopped, after a restart too.
    assert_eq!(
        ask(&eddy, "PUT", &format!("/connectors/{name}/stop"), None).0,
        204
    );
    wait_until(PATIENCE, "it is stopped", || {
        state(&eddy, &name) == "STOPPED"
    });
    eddy.kill();
    eddy.restart();
    wait_until(PATIENCE, "it is stopped again", || {
        state(&eddy, &name) == "STOPPED"
    });
    assert_eq!(
        ask(&eddy, "DELETE", &format!("/connectors/{name}"), None).0,
        204
    );
}

#[test]
fn connectors_of_the_configuration_file_are_only_shown() {
    let lake = TestLake::local();
    let topic = Topic::create("rest", 1);
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "500"),
    ];
    let eddy = Start::on(&lake)
        .connect()
        .connector("mine", &settings)
        .ready();
    assert_eq!(ask(&eddy, "GET", "/connectors", None).1, json!(["mine"]));
    assert_eq!(state(&eddy, "mine"), "RUNNING");
    for (method, path) in [
        ("PUT", "/connectors/mine/config"),
        ("PATCH", "/connectors/mine/config"),
        ("DELETE", "/connectors/mine"),
        ("PUT", "/connectors/mine/pause"),
        ("PUT", "/connectors/mine/stop"),
        ("DELETE", "/connectors/mine/offsets"),
    ] {
        let config = json!({"connector.class": "EddySink", "topics": topic.name});
        let body = path.ends_with("config").then_some(&config);
        let (status, answer) = ask(&eddy, method, path, body);
        assert_eq!(status, 403, "{method} {path}: {answer}");
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains("configuration file"), "{message}");
    }
}

#[test]
fn a_failed_task_keeps_its_trace_under_a_pause_until_it_is_restarted() {
    let lake = TestLake::local();
    let topic = Topic::create("rest", 1);
    topic.produce_values(&["not json"]);
    let eddy = Start::on(&lake).connect().ready();
    let name = unique("c");
    let config = json!({
        "connector.class": "EddySink",
        "topics": topic.name,
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "errors.tolerance": "none",
        "restart.failed.tasks": "false",
    });
    let request = json!({"name": name, "config": config});
    assert_eq!(ask(&eddy, "POST", "/connectors", Some(&request)).0, 201);
    let at = |what: &str| format!("/connectors/{name}/{what}");
    let task = || ask(&eddy, "GET", &at("tasks/0/status"), None).1;
    let is = |wanted: &str| {
        wait_until(PATIENCE, "the task's state", || task()["state"] == wanted);
    };
    is("FAILED");
    assert_eq!(ask(&eddy, "PUT", &at("pause"), None).0, 202);
    wait_until(PATIENCE, "it is paused", || state(&eddy, &name) == "PAUSED");
    assert_eq!(task()["state"], "FAILED");
    assert!(task()["trace"].is_string(), "{}", task());
    let again = at("restart?includeTasks=true&onlyFailed=true");
    let (status, told) = ask(&eddy, "POST", &again, None);
    assert_eq!(
        (status, &told["tasks"][0]["state"]),
        (202, &json!("RESTARTING"))
    );
    assert!(told["tasks"][0]["trace"].is_string(), "{told}");
    is("PAUSED");
    assert_eq!(task()["trace"], Value::Null);
}

#[test]
fn kafka_connect_py_drives_a_whole_life() {
    let lake = TestLake::local();
    let topic = Topic::create("rest", 2);
    let eddy = Start::on(&lake).connect().ready();
    assert_eq!(ask(&eddy, "GET", "/connectors", None).1, json!([]));
    let config = json!({"connector.class": "EddySink", "topics": topic.name, "tasks.max": "1"});
    let given = json!({"url": eddy.connect_url(), "name": unique("c"), "config": config});
    let told = python::run("connect_life.py", &given);
    assert_eq!(told["version"], "4.3.1");
    assert_eq!((&told["errors"], &told["tasks"]), (&json!(0), &json!(1)));
    assert_eq!(told["config"]["topics"], topic.name);
    assert_eq!(told["left"], json!([]));
}

#[test]
fn a_worker_starts_from_connects_own_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = crate::harness::process::free_port();
    let group = unique("workers");
    let file = folder.path().join("worker.properties");
    let text = format!(
        "bootstrap.servers={}\ngroup.id={group}\nconfig.storage.topic={group}-c\n\
         config.storage.replication.factor=1\noffset.storage.topic={group}-o\n\
         status.storage.topic={group}-s\nkey.converter=org.apache.kafka.connect.storage.\
         StringConverter\nvalue.converter=org.apache.kafka.connect.json.JsonConverter\n\
         listeners=http://127.0.0.1:{port}\nrest.advertised.host.name=worker.example\n\
         eddy.lake.url=file://{}/lake\neddy.http.listen=\n",
        services().kafka,
        folder.path().display()
    );
    std::fs::write(&file, text).expect("a worker file");
    let mut worker = Command::new(env!("CARGO_BIN_EXE_eddy"))
        .arg("connect")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("`eddy connect` starts");
    let base = format!("http://127.0.0.1:{port}");
    let up = poll(PATIENCE, &mut || {
        let (status, _) = request(&base, "GET", "/health", None, &json!({}))?;
        (status == 200).then_some(())
    });
    let plugins = request(&base, "GET", "/connector-plugins", None, &json!({}));
    let _ = worker.kill();
    let _ = worker.wait();
    assert_eq!(up, Some(()), "the worker is up");
    assert_eq!(plugins.expect("an answer").0, 200);
}

/// Sends a step's request and compares the answer.
fn carry_out(eddy: &Eddy, step: &Value) -> Result<(), String> {
    let (method, path) = step["request"]
        .as_str()
        .and_then(|text| text.split_once(' '))
        .unwrap();
    let body = match (&step["raw"], &step["body"]) {
        (Value::String(raw), _) => Some(raw.clone()),
        (_, Value::Null) => None,
        (_, body) => Some(body.to_string()),
    };
    let headers = match &step["headers"] {
        Value::Null => json!({"Content-Type": "application/json"}),
        headers => headers.clone(),
    };
    let mut why = String::new();
    let mut once = || {
        let Some((status, answer)) =
            request(&eddy.connect_url(), method, path, body.as_deref(), &headers)
        else {
            "no answer".clone_into(&mut why);
            return None;
        };
        if json!(status) != step["status"] {
            why = format!("status {status}, not {}: {answer}", step["status"]);
            return None;
        }
        if let Some(wanted) = step.get("answer")
            && let Err(differs) = fits(wanted, &answer)
        {
            why = differs;
            return None;
        }
        Some(())
    };
    let done = match step["until"] == json!(true) {
        true => poll(PATIENCE, &mut once),
        false => once(),
    };
    done.ok_or(why)
}

pub(crate) fn ask(eddy: &Eddy, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let mut answer = || {
        let answer = ask_once(eddy, method, path, body)?;
        // The log of what should run is opened in the background.
        (answer.0 != 503).then_some(answer)
    };
    poll(PATIENCE, &mut answer).expect("an answer")
}

/// Asks once; `None` without an answer.
pub(crate) fn ask_once(
    eddy: &Eddy,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Option<(u16, Value)> {
    let headers = json!({"Content-Type": "application/json"});
    let body = body.map(Value::to_string);
    request(&eddy.connect_url(), method, path, body.as_deref(), &headers)
}

pub(crate) fn state(eddy: &Eddy, name: &str) -> String {
    let status = ask(eddy, "GET", &format!("/connectors/{name}/status"), None).1;
    status["connector"]["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn total(offsets: &Value) -> i64 {
    let all = offsets["offsets"].as_array().expect("offsets");
    let one = |place: &Value| place["offset"]["kafka_offset"].as_i64().unwrap_or(0);
    all.iter().map(one).sum()
}

/// The answer, if there is one.
pub(crate) fn request(
    base: &str,
    method: &str,
    path: &str,
    body: Option<&str>,
    headers: &Value,
) -> Option<(u16, Value)> {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = reqwest::Client::new().request(method, format!("{base}{path}"));
    for (name, value) in headers.as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    if let Some(body) = body {
        request = request.body(body.to_owned());
    }
    block_on(async {
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    })
}
