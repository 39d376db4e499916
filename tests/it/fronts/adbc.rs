//! ADBC, over Arrow Flight SQL.

use serde_json::{Value, json};

use super::statements::{
    INTO_WITHOUT_A_NAME, WITH_PARAMETERS, parameters, refusals, rows_with_parameters, statements,
};
use super::{ENDLESS, named, orders};
use crate::harness::python;
use crate::harness::wait::{PATIENCE, wait_until};

#[test]
fn the_same_statements_have_the_same_answers_over_adbc() {
    let (eddy, topic, _lake) = orders();
    let all = statements();
    let texts: Vec<String> = all.iter().map(|one| named(one.sql, &topic)).collect();
    let input = json!({
        "uri": eddy.flight_uri(),
        "statements": texts,
        "with_parameters": named(WITH_PARAMETERS, &topic),
        "parameters": parameters(),
        "table": topic.name,
    });
    let seen = python::run("adbc.py", &input);
    for (at, statement) in all.iter().enumerate() {
        let answer = &seen["answers"][at];
        let sql = &texts[at];
        assert_eq!(answer["columns"], json!(statement.columns), "{sql}");
        assert_eq!(answer["rows"], statement.rows, "{sql}");
    }
    for how in ["numbered", "marks"] {
        assert_eq!(seen["parameters"][how], rows_with_parameters(), "{how}");
    }
    let table = &seen["table"];
    let listed = json!(["lake", "public", topic.name, "TABLE"]);
    let all = table["listed"].as_array().expect("tables");
    assert!(all.contains(&listed), "{table}");
    assert_eq!(table["columns"]["id"], "int64", "{table}");
    assert_eq!(table["columns"]["tags"], "list<element: string>", "{table}");
    assert_eq!(table["server"], "Eddy");
    let fronts = "SELECT DISTINCT front FROM system.queries \
                  WHERE state = 'done' AND sql LIKE '%row_number()%'";
    assert_eq!(eddy.http().sql(fronts), [json!({"front": "flight"})]);
}

#[test]
fn the_same_statements_are_refused_with_the_same_words_over_adbc() {
    let (eddy, topic, _lake) = orders();
    let all = refusals();
    let mut texts: Vec<String> = all.iter().map(|one| named(one.sql, &topic)).collect();
    texts.push(named(INTO_WITHOUT_A_NAME, &topic));
    let input = json!({"uri": eddy.flight_uri(), "refusals": texts});
    let seen = python::run("adbc.py", &input);
    for (at, refusal) in all.iter().enumerate() {
        let sql = &texts[at];
        let refused = eddy.http().try_sql(sql).expect_err(sql);
        let told = seen["refusals"][at].as_str().expect(sql);
        assert!(told.contains(refused.message()), "{sql}: {told}");
        assert!(told.contains(refusal.code), "{sql}: {told}");
        if let Some(hint) = refused.body["error"]["hint"].as_str() {
            assert!(told.contains(hint), "{sql}: {told}");
        }
    }
    let told = seen["refusals"][all.len()].as_str().expect("a refusal");
    assert!(told.contains("WITH (name = "), "{told}");
    let replays = eddy.http().number("SELECT count(*) FROM system.replays");
    assert_eq!(replays, 0, "nothing was begun");
}

#[test]
fn a_query_of_adbc_ends_when_its_client_cancels_it_or_goes() {
    let (eddy, _topic, _lake) = orders();
    let input = json!({"uri": eddy.flight_uri(), "leave": ENDLESS, "cancel": ENDLESS});
    let seen = python::run("adbc.py", &input);
    assert_eq!(seen["left"], true);
    let cancelled = seen["cancelled"].as_str().expect("an error");
    assert!(cancelled.to_lowercase().contains("cancel"), "{seen}");
    assert_eq!(seen["after_cancel"], json!([[1]]), "the connection goes on");
    let states = format!("SELECT state FROM system.queries WHERE sql = '{ENDLESS}'");
    wait_until(PATIENCE, "both have ended", || {
        let cancelled: Vec<Value> = vec![json!({"state": "cancelled"}); 2];
        eddy.http().sql(&states) == cancelled
    });
}
