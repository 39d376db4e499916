//! The steps of Kafka's own system test of Connect's REST API, `connect_rest_test.py`; what stands
//! for its file connectors is said in the script.

use serde_json::json;

use super::{CLASSIC, worker};
use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::Eddy;
use crate::harness::python;
use crate::harness::services::services;
use crate::harness::unique;
use crate::harness::wait::PATIENCE;

#[test]
fn the_steps_of_kafkas_rest_test_pass_on_two_workers() {
    let (lake, group) = (TestLake::local(), unique("steps"));
    let mut workers: Vec<Eddy> = (0..2)
        .map(|_| worker(&lake, &group, CLASSIC).spawn())
        .collect();
    workers
        .iter_mut()
        .for_each(|worker| worker.wait_ready(PATIENCE));
    let topics = [(); 3].map(|()| Topic::create("steps", 1));
    let [topic, other, moved] = &topics;
    let external = workers[0].directory().join("external.properties");
    let (stem, rest) = topic.name.split_at(topic.name.len() / 2);
    std::fs::write(&external, format!("topic.external={rest}\n")).expect("a file of references");
    let told = python::run(
        "connect_steps.py",
        &json!({
            "workers": workers.iter().map(Eddy::connect_url).collect::<Vec<_>>(),
            "sql": workers[0].url(),
            "bootstrap": services().kafka,
            "name": unique("c"),
            "topic": topic.name,
            "reference": format!("{stem}${{file:{}:topic.external}}", external.display()),
            "other": other.name,
            "moved": moved.name,
        }),
    );
    assert_eq!(told["done"], true);
}
