//! The catalog as tables, on every front.

use serde_json::json;

use crate::testing::World;

#[test]
fn the_catalog_tells_the_tables_their_columns_and_types() {
    let world = World::new();
    let mut topic = world.writer("orders.v1", 1);
    topic.put(0, r#"{"id": 1, "tags": ["a"], "who": {"name": "Ada"}}"#);
    topic.commit();
    let sql = "SELECT n.nspname, c.relname, pg_table_is_visible(c.oid) AS seen FROM pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";
    let table = json!({"nspname": "public", "relname": "orders.v1", "seen": true});
    assert_eq!(world.rows(sql), [table]);
    let sql = "SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS t FROM pg_attribute a \
               JOIN pg_class c ON c.oid = a.attrelid \
               WHERE a.attname IN ('id', 'tags', 'who', '_key', '_timestamp') ORDER BY 1";
    let column = |name: &str, sql_type: &str| json!({"attname": name, "t": sql_type});
    assert_eq!(
        world.rows(sql),
        [
            column("_key", "bytea"),
            column("_timestamp", "timestamp with time zone"),
            column("id", "bigint"),
            column("tags", "text[]"),
            column("who", "json"),
        ]
    );
    let sql = "SELECT data_type FROM information_schema.columns WHERE table_name = 'orders.v1' \
               AND column_name = 'tags'";
    assert_eq!(world.value(sql), json!("ARRAY"));
    for name in super::names() {
        world.rows(&format!("SELECT * FROM {name}"));
    }
    let known = world.value("SELECT count(DISTINCT oid) = count(*) FROM pg_type");
    assert_eq!(known, json!(true));
}

#[test]
fn a_topic_that_is_called_as_a_table_of_the_catalog_is_the_topic() {
    let world = World::new();
    let mut topic = world.writer("pg_class", 1);
    topic.put(0, r#"{"mine": 1}"#);
    topic.commit();
    assert_eq!(world.value("SELECT mine FROM pg_class"), json!(1));
    let sql = "SELECT relname FROM pg_catalog.pg_class";
    assert_eq!(world.value(sql), json!("pg_class"));
}

#[test]
fn functions_that_clients_call_first_have_answers() {
    let world = World::new();
    for (call, expected) in [
        ("current_schema()", json!("public")),
        ("current_database()", json!("lake")),
        ("current_user", json!("eddy")),
        ("'public' = ANY(current_schemas(false))", json!(true)),
        ("pg_is_in_recovery()", json!(false)),
        ("current_setting('server_version_num')", json!("90426")),
        ("current_setting('nothing', true)", json!(null)),
        ("format_type(1700, 2490374)", json!("numeric(38,2)")),
        ("format_type(1016, -1)", json!("bigint[]")),
        ("pg_table_is_visible(1259)", json!(false)),
    ] {
        assert_eq!(world.value(&format!("SELECT {call}")), expected, "{call}");
    }
    let version = world.value("SELECT version()");
    assert!(
        version
            .as_str()
            .is_some_and(|text| text.starts_with("PostgreSQL 9.4"))
    );
}
