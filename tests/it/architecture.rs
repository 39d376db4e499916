//! The walls of the house, A1 to A7: which crate may use what.
//!
//! Looked up in `cargo metadata` and in the source, which `workspace` reads.
//!
//! Each rule is a function from what is there to what is wrong with it, so that each is shown to
//! fail on a bad example too. What a crate is *shipped* with counts: test dependencies don't.

mod workspace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use workspace::{Graph, Source, graph, member_names, sources};

const MEMBERS: [&str; 5] = [
    "eddy",
    "eddy-engine",
    "eddy-connector",
    "eddy-query",
    "eddy-replay",
];

#[test]
fn a1_engine_depends_on_no_member() {
    assert_eq!(a1(&graph()), Vec::<String>::new());
    let bad = sample(&[("eddy-engine", &["serde", "eddy-query"])]);
    assert_eq!(a1(&bad).len(), 1);
}

#[test]
fn a2_only_connector_links_kafka() {
    assert_eq!(a2(&graph()), Vec::<String>::new());
    let direct = sample(&[("eddy-connector", &["rdkafka"]), ("eddy", &["rdkafka"])]);
    assert_eq!(a2(&direct).len(), 1);
    let through = sample(&[
        ("eddy-query", &["eddy-connector"]),
        ("eddy-connector", &["rdkafka"]),
    ]);
    assert_eq!(a2(&through).len(), 1);
    let other = sample(&[("eddy-engine", &["x"]), ("x", &["rskafka"])]);
    assert_eq!(a2(&other).len(), 1);
}

#[test]
fn a2_replay_uses_the_connector_for_producers_and_references_only() {
    assert_eq!(
        replay_beyond_producers(&sources(&["replay/src"])),
        Vec::<String>::new()
    );
    let good = source("replay/src/a.rs", "use eddy_connector::kafka::Producer;\n");
    assert!(replay_beyond_producers(&[good]).is_empty());
    let bad = source("replay/src/a.rs", "use eddy_connector::sink::Task;\n");
    assert_eq!(replay_beyond_producers(&[bad]).len(), 1);
}

#[test]
fn a3_only_query_links_datafusion() {
    assert_eq!(a3(&graph()), Vec::<String>::new());
    let direct = sample(&[("eddy", &["datafusion"])]);
    assert_eq!(a3(&direct).len(), 1);
    let through = sample(&[("eddy-replay", &["x"]), ("x", &["datafusion-common"])]);
    assert_eq!(a3(&through).len(), 1);
}

#[test]
fn a4_only_engine_writes_or_deletes_lake_objects() {
    let folders = ["src", "connector/src", "query/src", "replay/src"];
    assert_eq!(a4(&sources(&folders)), Vec::<String>::new());
    for bad in [
        "store.put_opts(&path, payload, options).await?;",
        "lake.store().put(&path, payload).await?;",
        "let payload = PutPayload::from(bytes);",
        "lake.store().delete(&path).await?;",
        "store.put_multipart(&path).await?;",
        "let writer = BufWriter::new(lake.store(), path);",
        "use object_store::ObjectStore; fn f() { store.put(&path, payload); }",
    ] {
        assert_eq!(a4(&[source("query/src/a.rs", bad)]).len(), 1, "{bad}");
    }
    let good = source(
        "query/src/a.rs",
        "lake.store().get(&path).await?; // never put_opts\n",
    );
    assert!(a4(&[good]).is_empty());
}

#[test]
fn a5_query_and_replay_do_not_depend_on_each_other() {
    assert_eq!(a5(&graph()), Vec::<String>::new());
    let bad = sample(&[("eddy-query", &["x"]), ("x", &["eddy-replay"])]);
    assert_eq!(a5(&bad).len(), 1);
    let bad = sample(&[("eddy-replay", &["eddy-query"])]);
    assert_eq!(a5(&bad).len(), 1);
}

#[test]
fn a6_java_class_names_stay_in_connector() {
    let folders = ["src", "engine/src", "query/src", "replay/src"];
    assert_eq!(a6(&sources(&folders)), Vec::<String>::new());
    for bad in [
        "const SINK: &str = \"io.confluent.connect.s3.S3SinkConnector\";",
        "let converter = \"org.apache.kafka.connect.json.JsonConverter\";",
        "settings.get(\"connector.class\")",
        "settings.get(\"value.converter\")",
    ] {
        assert_eq!(a6(&[source("engine/src/a.rs", bad)]).len(), 1, "{bad}");
    }
}

#[test]
fn a7_nothing_is_called_common_core_shared_util_or_helpers() {
    let names: Vec<PathBuf> = sources(&["src", "engine", "connector", "query", "replay", "tests"])
        .into_iter()
        .map(|(path, _)| path)
        .chain(MEMBERS.map(PathBuf::from))
        .collect();
    assert_eq!(a7(&names), Vec::<String>::new());
    for bad in [
        "engine/src/util.rs",
        "core/src/lib.rs",
        "query/src/helpers/a.rs",
        "eddy-common",
    ] {
        assert_eq!(a7(&[PathBuf::from(bad)]).len(), 1, "{bad}");
    }
}

#[test]
fn the_members_are_those_of_the_design() {
    let names = member_names();
    let mut expected = MEMBERS.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn unsafe_code_is_in_the_kafka_file_and_the_allocator_that_need_it() {
    let folders = [
        "src",
        "engine/src",
        "connector/src",
        "query/src",
        "replay/src",
    ];
    assert_eq!(
        unsafe_outside_kafka(&sources(&folders)),
        Vec::<String>::new()
    );
    let bad = source("engine/src/a.rs", "let x = unsafe { *pointer };\n");
    assert_eq!(unsafe_outside_kafka(&[bad]).len(), 1);
    let text = "unsafe { a() }\n";
    let two = [
        source("connector/src/kafka/a.rs", text),
        source("connector/src/kafka/b.rs", text),
    ];
    assert_eq!(unsafe_outside_kafka(&two).len(), 1);
}

fn a1(graph: &Graph) -> Vec<String> {
    let members = reached(graph, "eddy-engine");
    let members = members
        .iter()
        .filter(|name| MEMBERS.contains(&name.as_str()));
    members
        .map(|name| format!("engine depends on `{name}`"))
        .collect()
}

fn a2(graph: &Graph) -> Vec<String> {
    let is_kafka = |name: &str| name.starts_with("rdkafka") || name == "rskafka" || name == "kafka";
    let mut wrong = linking_directly(graph, "eddy-connector", is_kafka);
    wrong.extend(linking_at_all(
        graph,
        &["eddy-engine", "eddy-query"],
        is_kafka,
    ));
    wrong
}

fn a3(graph: &Graph) -> Vec<String> {
    let is_datafusion = |name: &str| name.starts_with("datafusion");
    let mut wrong = linking_directly(graph, "eddy-query", is_datafusion);
    let others = ["eddy-engine", "eddy-connector", "eddy-replay"];
    wrong.extend(linking_at_all(graph, &others, is_datafusion));
    wrong
}

fn a4(sources: &[Source]) -> Vec<String> {
    const WRITES: [&str; 10] = [
        "put_opts(",
        "put_multipart",
        "PutPayload",
        "PutMode",
        "PutOptions",
        "store().put(",
        "store().delete",
        "copy_if_not_exists(",
        "rename_if_not_exists(",
        "BufWriter::new(lake",
    ];
    // `store` is a usual name; only beside object_store is it the lake's.
    let beside = |(_, text): &&Source| text.contains("object_store");
    let named: Vec<Source> = shipped(sources).filter(beside).cloned().collect();
    let shipped: Vec<Source> = shipped(sources).cloned().collect();
    let mut wrong = containing(&shipped, &WRITES);
    wrong.extend(containing(&named, &["store.put(", "store.delete"]));
    wrong
}

/// The sources without those of tests.
fn shipped(sources: &[Source]) -> impl Iterator<Item = &Source> {
    let of_tests = |path: &Path| {
        path.iter()
            .any(|part| part == "tests" || part == "tests.rs")
    };
    sources.iter().filter(move |(path, _)| !of_tests(path))
}

fn a5(graph: &Graph) -> Vec<String> {
    let is_replay = |name: &str| name == "eddy-replay";
    let is_query = |name: &str| name == "eddy-query";
    let mut wrong = linking_at_all(graph, &["eddy-query"], is_replay);
    wrong.extend(linking_at_all(graph, &["eddy-replay"], is_query));
    wrong
}

fn a6(sources: &[Source]) -> Vec<String> {
    const WORDS: [&str; 7] = [
        "org.apache.kafka",
        "io.confluent.",
        "io.aiven.",
        "io.debezium.",
        "connector.class",
        "value.converter",
        "key.converter",
    ];
    containing(sources, &WORDS)
}

fn a7(paths: &[PathBuf]) -> Vec<String> {
    const VAGUE: [&str; 8] = [
        "common", "core", "shared", "util", "utils", "helper", "helpers", "manager",
    ];
    let vague = |path: &&PathBuf| {
        let text = path.with_extension("").to_string_lossy().into_owned();
        let mut words = text.split(['/', '-', '_']);
        words.any(|word| VAGUE.contains(&word))
    };
    let wrong = paths.iter().filter(vague);
    wrong.map(|path| path.display().to_string()).collect()
}

fn replay_beyond_producers(sources: &[Source]) -> Vec<String> {
    // A producer's errors come along with it, and what the references in its options stand for.
    let allowed = ["kafka", "Error", "Providers", "{Providers, Unknown}"];
    let allowed = allowed.map(|item| format!("eddy_connector::{item}"));
    let shipped: Vec<Source> = shipped(sources).cloned().collect();
    let mut wrong = Vec::new();
    for (path, line) in code_lines(&shipped) {
        let mut uses = line.match_indices("eddy_connector");
        let beyond = |at: usize| !allowed.iter().any(|item| line[at..].starts_with(item));
        if uses.any(|(at, _)| beyond(at)) {
            wrong.push(format!("{}: `{}`", path.display(), line.trim()));
        }
    }
    wrong
}

fn unsafe_outside_kafka(sources: &[Source]) -> Vec<String> {
    let with: BTreeSet<&Path> = code_lines(sources)
        .filter(|(_, line)| {
            let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            words.any(|word| word == "unsafe")
        })
        .map(|(path, _)| path)
        .filter(|path| *path != Path::new("src/allocator.rs"))
        .collect();
    let (inside, outside): (Vec<&Path>, Vec<&Path>) = with
        .into_iter()
        .partition(|path| path.starts_with("connector/src/kafka"));
    let beyond_one = inside.into_iter().skip(1);
    let wrong = outside.into_iter().chain(beyond_one);
    wrong
        .map(|path| format!("{} has unsafe code", path.display()))
        .collect()
}

/// Members other than `owner` that name such a package in their manifest.
fn linking_directly(graph: &Graph, owner: &str, is: impl Fn(&str) -> bool) -> Vec<String> {
    let others = MEMBERS.iter().filter(|member| **member != owner);
    others
        .flat_map(|member| {
            let direct = graph.get(*member).into_iter().flatten();
            let wrong = direct.filter(|name| is(name));
            wrong.map(move |name| format!("`{member}` depends on `{name}`"))
        })
        .collect()
}

/// Those of these members that are built with such a package, however far away.
fn linking_at_all(graph: &Graph, members: &[&str], is: impl Fn(&str) -> bool) -> Vec<String> {
    members
        .iter()
        .filter_map(|member| {
            let found = reached(graph, member).into_iter().find(|name| is(name))?;
            Some(format!("`{member}` is built with `{found}`"))
        })
        .collect()
}

/// Everything that a package is built with, itself left out.
fn reached(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from.to_owned()];
    while let Some(name) = waiting.pop() {
        for next in graph.get(&name).into_iter().flatten() {
            if seen.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    seen
}

/// One finding for each line of code that contains one of the words; comments may.
fn containing(sources: &[Source], words: &[&str]) -> Vec<String> {
    code_lines(sources)
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, line)| format!("{}: `{}`", path.display(), line.trim()))
        .collect()
}

/// What documents cite as a test: names of many words in backticks.
fn cited(document: &str) -> BTreeSet<&str> {
    let quoted = document.split('`').skip(1).step_by(2);
    let name = |text: &&str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        text.bytes().all(plain) && text.matches('_').count() >= 4
    };
    quoted.filter(name).collect()
}

#[test]
fn the_tests_that_documents_cite_are_there() {
    assert_eq!(
        cited("a `b_c` and `a_test_with_a_long_enough_name`").len(),
        1
    );
    let sources = sources(&["src", "engine", "connector", "query", "replay", "tests"]);
    for document in ["ARCHITECTURE.md", "connector/README.md", "replay/README.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = std::fs::read_to_string(path).expect("a document");
        let cited = cited(&text);
        assert!(cited.len() > 20, "{document}");
        for name in cited {
            let function = format!("fn {name}(");
            let is_there = sources.iter().any(|(_, text)| text.contains(&function));
            assert!(is_there, "{document} cites `{name}`");
        }
    }
}

fn code_lines(sources: &[Source]) -> impl Iterator<Item = (&Path, &str)> {
    sources.iter().flat_map(|(path, text)| {
        let lines = text
            .lines()
            .map(|line| line.split("// ").next().unwrap_or(line));
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.map(move |line| (path.as_path(), line))
    })
}

fn sample(edges: &[(&str, &[&str])]) -> Graph {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let edges = edges.iter();
    edges
        .map(|(from, to)| ((*from).to_owned(), owned(to)))
        .collect()
}

fn source(path: &str, text: &str) -> Source {
    (path.into(), text.to_owned())
}
