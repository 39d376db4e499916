//! One query on three nodes: the same answers as on one, work on all of them, and a node that is
//! killed in the middle costs at most a named error.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

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
fn nodes(lake: &TestLake) -> (Vec<Eddy>, Eddy, [u16; 3]) {
    let ports = [free_port(), free_port(), free_port()];
    let peers = ports.map(|port| quoted(&format!("127.0.0.1:{port}")));
    let query = |start: Start| start.argument("--roles").argument("query").ready();
    let node = |port: u16| {
        let (listen, peers) = (quoted(&format!("127.0.0.1:{port}")), peers.join(", "));
        query(Start::on(lake).toml(&format!(
            "[flight]\nlisten = {listen}\n[query]\npeers = [{peers}]\nspread_from = \"0\""
        )))
    };
    (ports.map(node).into(), query(Start::on(lake)), ports)
}

const STATEMENTS: &[&str] = &[
    "SELECT count(*) AS c, sum(n) AS s, min(note) AS a, max(note) AS z FROM {} WHERE n >= 0",
    "SELECT kind, count(*) AS c, count(DISTINCT n % 10) AS d, sum(\"in\".amount) AS s FROM {} \
     GROUP BY kind ORDER BY kind",
    "SELECT n, note FROM {} WHERE kind = 'k3' ORDER BY n DESC LIMIT 20",
    "SELECT a.n, b.kind FROM {} a JOIN {} b ON a.n = b.n + 1 WHERE a.n % 40 = 0 ORDER BY a.n",
    "SELECT count(*) AS c, min(id) AS a, max(id) AS z FROM {} WHERE id >= 0",
    "SELECT count(*) AS c FROM {} WHERE search('customer c7')",
    "SELECT count(*) AS c, max(_offset) AS o FROM system.dead_letters WHERE _topic = '{topic}'",
    "SELECT _partition AS p, count(*) AS c, count(DISTINCT _offset) AS d FROM {} GROUP BY 1 \
     ORDER BY 1",
];

fn statements(topic: &Topic) -> Vec<String> {
    let named = STATEMENTS.iter().map(|sql| {
        sql.replace("{}", &quoted(&topic.name))
            .replace("{topic}", &topic.name)
    });
    named.collect()
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
    let metrics = eddy.http().get("/metrics").expect("a scrape");
    let metrics = metrics.as_str().expect("text");
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("eddy_query_parts_total "));
    line.map_or(0, |number| number.parse().expect("a number"))
}

/// Waits until a node sees everything that was produced.
fn sees_all(eddy: &Eddy, topic: &Topic) {
    let each = (COMMITTED + LIVE) / 2;
    let request = json!({
        "sql": format!("SELECT count(*) AS c FROM {}", quoted(&topic.name)),
        "wait_for": {"0": each, "1": each},
        "timeout": "60s",
    });
    eddy.http().ask(&request).expect("an answer");
}

#[test]
fn three_nodes_answer_as_one_does_and_all_of_them_work() {
    let lake = TestLake::s3();
    let topic = Topic::create("together", PARTITIONS);
    let _worker = filled(&lake, &topic);
    let (nodes, alone, _) = nodes(&lake);
    sees_all(&nodes[0], &topic);
    sees_all(&alone, &topic);
    for sql in statements(&topic) {
        let expected = alone.http().sql(&sql);
        assert!(!expected.is_empty(), "{sql}");
        assert_eq!(reads(&alone, &sql)["nodes"], json!(1), "{sql}");
        assert_eq!(nodes[0].http().sql(&sql), expected, "{sql}");
        // What tables of all topics read isn't told.
        if sql.contains("system.") {
            continue;
        }
        let read = reads(&nodes[0], &sql);
        assert_eq!(read["nodes"], json!(3), "{sql}: {read}");
        assert!(
            read["row_groups"].as_u64() >= read["files"].as_u64(),
            "{sql}: {read}"
        );
        let bytes = read["bytes"].as_u64().max(read["cache_bytes"].as_u64());
        assert!(bytes > Some(0), "{sql}: {read}");
    }
    for node in &nodes {
        assert!(parts(node) >= 8, "{} parts", parts(node));
    }
    // The others were asked nothing, so all that they did was for the first.
    let explained = format!("EXPLAIN ANALYZE {}", statements(&topic)[1]);
    let explained = Value::from(nodes[1].http().sql(&explained)).to_string();
    assert!(explained.contains("tasks=3"), "{explained}");
    assert!(explained.contains("nodes=3"), "{explained}");
    assert_eq!(parts(&alone), 0);
}

/// Whatever query of a node has failed says that it is for want of this other one.
fn each_failure_names(node: &Eddy, killed_at: &str) {
    let listed = node.http().get("/api/v1/queries").expect("the queries");
    let listed = listed["queries"].as_array().expect("a list");
    for query in listed
        .iter()
        .filter(|query| query["state"] == json!("failed"))
    {
        let error = query["error"].as_str().unwrap_or_default();
        assert!(error.contains(killed_at), "{query}");
    }
}

#[test]
fn a_node_that_is_killed_in_the_middle_costs_no_answer_its_rows() {
    let lake = TestLake::s3();
    let topic = Topic::create("torn", PARTITIONS);
    let _worker = filled(&lake, &topic);
    let (mut nodes, alone, ports) = nodes(&lake);
    let killed_at = format!("node `127.0.0.1:{}`", ports[2]);
    sees_all(&nodes[0], &topic);
    sees_all(&alone, &topic);
    // One of them gives many rows, so that a node may go after the first.
    let mut asked = statements(&topic);
    asked.push(format!(
        "SELECT n, id, note FROM {} ORDER BY n",
        quoted(&topic.name)
    ));
    let answers: Vec<Vec<Value>> = asked.iter().map(|sql| alone.http().sql(sql)).collect();

    for _ in 0..scale(2, 10) {
        let first = asked[0].as_str();
        wait_until(PATIENCE, "three nodes answer together", || {
            nodes[0].http().sql(first);
            reads(&nodes[0], first)["nodes"] == json!(3)
        });
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
                        match http.try_sql(&asked[at]) {
                            Ok(rows) if rows == answers[at] => {}
                            // Cut after its first rows, or refused before: the list says why.
                            Err(refused) if matches!(refused.status, 0 | 503) => {}
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
        each_failure_names(node, &killed_at);
        assert_eq!(node.http().sql(first), answers[0]);
        assert_eq!(reads(node, first)["nodes"], json!(2), "two go on");
        nodes[2].restart();
    }
}
