//! One query on three nodes: the same answers as on one, work on all of them, and a node that is
//! killed in the middle costs at most a named error.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::http::{Http, Refused};
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::{TestLake, quoted};
use crate::harness::process::{Eddy, Start, free_port};
use crate::harness::services::scale;
use crate::harness::wait::{PATIENCE, wait_until};
use crate::proof::wait_committed;

const PARTITIONS: i32 = 2;
const COMMITTED: usize = 6_000;
const LIVE: usize = 500;

/// Records with a key of two types, a nested field, words, and some that are no JSON.
fn records(range: std::ops::Range<usize>) -> Vec<Produce> {
    let value = |n: usize| {
        if n % 100 == 99 {
            return format!("record {n} is no JSON");
        }
        let id = match n % 3 {
            0 => json!(n.to_string()),
            _ => json!(n),
        };
        let (kind, amount) = (format!("k{}", n % 7), n * 7 % 1_000);
        let note = format!("order number{n} of customer c{} went out", n % 50);
        json!({"n": n, "id": id, "kind": kind, "in": {"amount": amount}, "note": note}).to_string()
    };
    let records = range.map(|n| Produce {
        partition: i32::from(n % 2 == 1),
        value: Some(value(n).into_bytes()),
        ..Produce::default()
    });
    records.collect()
}

/// A lake with many files of the topic, and a worker that has live rows beyond them.
fn filled(lake: &TestLake, topic: &Topic) -> Eddy {
    let worker = |interval: &str| {
        let settings = [
            ("topics", topic.name.as_str()),
            ("flush.interval.ms", interval),
        ];
        Start::on(lake)
            .connector(&topic.name, &settings)
            .toml("[flight]\nlisten = \"127.0.0.1:0\"")
            // It leaves its group when it ends, so that the next one begins at once.
            .kafka("group.instance.id", "")
            .kafka("session.timeout.ms", "6000")
            .argument("--roles")
            .argument("worker")
    };
    let mut first = worker("200").ready();
    for chunk in 0..6 {
        let each = COMMITTED / 6;
        topic.produce(&records(chunk * each..(chunk + 1) * each));
        wait_committed(lake, topic);
    }
    assert!(first.terminate().success());
    let second = worker("600000").ready();
    topic.produce(&records(COMMITTED..COMMITTED + LIVE));
    second
}

/// Three query nodes that know each other, and one that is alone.
fn nodes(lake: &TestLake) -> (Vec<Eddy>, Eddy) {
    let ports = [free_port(), free_port(), free_port()];
    let peers = ports.map(|port| quoted(&format!("127.0.0.1:{port}")));
    let query = |start: Start| start.argument("--roles").argument("query").ready();
    let node = |port: u16| {
        let (listen, peers) = (quoted(&format!("127.0.0.1:{port}")), peers.join(", "));
        query(Start::on(lake).toml(&format!(
            "[flight]\nlisten = {listen}\n[query]\npeers = [{peers}]\nspread_from = \"0\""
        )))
    };
    (ports.map(node).into(), query(Start::on(lake)))
}

const STATEMENTS: &[&str] = &[
    "SELECT count(*) AS c, sum(n) AS s, min(note) AS a, max(note) AS z FROM {} WHERE n >= 0",
    "SELECT kind, count(*) AS c, count(DISTINCT n % 10) AS d, sum(\"in\".amount) AS s FROM {} \
     GROUP BY kind ORDER BY kind",
    "SELECT n, note FROM {} WHERE kind = 'k3' ORDER BY n DESC LIMIT 20",
    "SELECT a.n, b.kind FROM {} a JOIN {} b ON a.n = b.n + 1 WHERE a.n % 40 = 0 ORDER BY a.n",
    "SELECT count(*) AS c, min(id) AS a, max(id) AS z FROM {} WHERE id >= 0",
    "SELECT count(*) AS c FROM {} WHERE search('customer c7')",
    "SELECT _partition AS p, count(*) AS c, count(DISTINCT _offset) AS d FROM {} GROUP BY 1 \
     ORDER BY 1",
];

fn statements(topic: &Topic) -> Vec<String> {
    let named = STATEMENTS.iter();
    named
        .map(|sql| sql.replace("{}", &quoted(&topic.name)))
        .collect()
}

/// What the last query of this text read.
fn reads(eddy: &Eddy, sql: &str) -> Value {
    let listed = eddy.http().get("/api/v1/queries").expect("the queries");
    let listed = listed["queries"].as_array().expect("a list");
    let query = listed.iter().find(|query| query["sql"] == json!(sql));
    query.expect("the query is listed")["reads"].clone()
}

/// The parts of queries that a node did, as its metrics say.
fn parts(eddy: &Eddy) -> u64 {
    metric(eddy, "eddy_query_parts_total ")
}

/// A number of its metrics; 0 where it has none.
fn metric(eddy: &Eddy, name: &str) -> u64 {
    let metrics = eddy.http().get("/metrics").expect("a scrape");
    let metrics = metrics.as_str().expect("text");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |number| number.parse().expect("a number"))
}

/// The answer of a node that sees everything that was produced, however long a worker takes to tell
/// of its live rows.
fn ask(http: &Http, sql: &str) -> Result<Vec<Value>, Refused> {
    let each = (COMMITTED + LIVE) / 2;
    let seen = json!({"0": each, "1": each});
    http.ask(&json!({"sql": sql, "wait_for": seen, "timeout": "60s"}))
}

/// Asks until so many nodes answer together: on a busy machine one may be late for once. What they
/// answer is right each time.
#[track_caller]
fn answered_by(count: usize, node: &Eddy, sql: &str, answer: &[Value]) {
    wait_until(PATIENCE, &format!("{count} nodes answer `{sql}`"), || {
        let rows = ask(&node.http(), sql).expect("an answer");
        assert_eq!(rows, answer, "{sql}");
        reads(node, sql)["nodes"] == json!(count)
    });
}

#[test]
fn three_nodes_answer_as_one_does_and_all_of_them_work() {
    let lake = TestLake::s3();
    let topic = Topic::create("together", PARTITIONS);
    let _worker = filled(&lake, &topic);
    let (nodes, alone) = nodes(&lake);
    for sql in statements(&topic) {
        let expected = ask(&alone.http(), &sql).expect("an answer");
        assert!(!expected.is_empty(), "{sql}");
        assert_eq!(reads(&alone, &sql)["nodes"], json!(1), "{sql}");
        answered_by(3, &nodes[0], &sql, &expected);
        let read = reads(&nodes[0], &sql);
        let (row_groups, files) = (read["row_groups"].as_u64(), read["files"].as_u64());
        assert!(row_groups >= files, "{sql}: {read}");
        let bytes = read["bytes"].as_u64().max(read["cache_bytes"].as_u64());
        assert!(bytes > Some(0), "{sql}: {read}");
    }
    // Of what tables of all topics read no figures are told.
    let dead = format!(
        "SELECT count(*) AS c FROM system.dead_letters WHERE _topic = '{}'",
        topic.name
    );
    assert_eq!(nodes[0].http().number(&dead), alone.http().number(&dead));
    for node in &nodes {
        assert!(parts(node) >= 7, "{} parts", parts(node));
    }
    // The others were asked nothing, so all that they did was for the first.
    let explain = format!("EXPLAIN ANALYZE {}", statements(&topic)[1]);
    wait_until(PATIENCE, "a plan of three nodes", || {
        let explained = Value::from(nodes[1].http().sql(&explain)).to_string();
        explained.contains("tasks=3") && explained.contains("nodes=3")
    });
    assert_eq!(parts(&alone), 0);
}

/// Whatever query of a node has failed says for want of which other one.
fn each_failure_names_a_node(node: &Eddy) {
    let listed = node.http().get("/api/v1/queries").expect("the queries");
    let listed = listed["queries"].as_array().expect("a list");
    for query in listed
        .iter()
        .filter(|query| query["state"] == json!("failed"))
    {
        let error = query["error"].as_str().unwrap_or_default();
        assert!(error.contains("node `127.0.0.1:"), "{query}");
    }
}

#[test]
fn a_node_that_is_killed_in_the_middle_costs_no_answer_its_rows() {
    let lake = TestLake::s3();
    let topic = Topic::create("torn", PARTITIONS);
    let _worker = filled(&lake, &topic);
    let (mut nodes, alone) = nodes(&lake);
    // One of them gives many rows, so that a node may go after the first.
    let mut asked = statements(&topic);
    asked.push(format!(
        "SELECT n, id, note FROM {} ORDER BY n",
        quoted(&topic.name)
    ));
    let answers: Vec<Vec<Value>> = asked
        .iter()
        .map(|sql| ask(&alone.http(), sql).expect("an answer"))
        .collect();

    for _ in 0..scale(2, 10) {
        let first = asked[0].as_str();
        answered_by(3, &nodes[0], first, &answers[0]);
        let (front, killed) = nodes.split_at_mut(2);
        let (node, killed) = (&front[0], &mut killed[0]);
        let answered = AtomicUsize::new(0);
        let wrong = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (answered, wrong, asked, answers) = (&answered, &wrong, &asked, &answers);
                let http = node.http();
                scope.spawn(move || {
                    for turn in 0..30 {
                        let at = (thread * 7 + turn) % asked.len();
                        match ask(&http, &asked[at]) {
                            Ok(rows) if rows == answers[at] => {}
                            // Cut after its first rows, or refused before: the list says why.
                            Err(refused)
                                if refused.status == 0 || refused.code() == "unavailable" => {}
                            other => wrong
                                .lock()
                                .expect("no panic")
                                .push((at, format!("{other:?}"))),
                        }
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            wait_until(PATIENCE, "queries run", || {
                answered.load(Ordering::SeqCst) >= 20
            });
            killed.kill();
        });
        let wrong = wrong.into_inner().expect("no panic");
        assert!(wrong.is_empty(), "{:.2000}", format!("{wrong:?}"));
        each_failure_names_a_node(node);
        answered_by(2, node, first, &answers[0]);
        nodes[2].restart();
    }
    who_was_asked_goes(nodes, &asked[1], &answers[1]);
}

/// Whoever was asked goes away itself: the others end what they do for it, and go on.
fn who_was_asked_goes(mut nodes: Vec<Eddy>, sql: &str, answer: &[Value]) {
    let http = nodes[0].http();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let http = http.clone();
            scope.spawn(move || while ask(&http, sql).is_ok() {});
        }
        let busy = || metric(&nodes[1], "eddy_query_parts_running ") > 0;
        wait_until(PATIENCE, "others work for it", busy);
        nodes[0].kill();
    });
    for node in &nodes[1..] {
        wait_until(PATIENCE, "nothing is done for the dead", || {
            metric(node, "eddy_query_parts_running ") == 0
        });
        answered_by(2, node, sql, answer);
    }
}
