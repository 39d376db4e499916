//! Drifted fields of structs and lists, and what is left of drifted columns in queries around
//! queries, in files that lack them and in versions before them.

use serde_json::{Value as Json, json};

use super::{TYPES, list, of_both, put};
use crate::testing::World;

#[test]
fn p21_nested_keys_of_several_types_are_one_field() {
    let values = [
        r#"{"u": {"id": 7, "in": {"v": [{"k": 1}]}}}"#,
        r#"{"u": {"id": "seven", "in": {"v": [{"k": "one"}]}}}"#,
        r#"{"u": {"id": {"no": 7}, "in": "none"}}"#,
        r#"{"u": "nobody"}"#,
        r#"{"other": 1}"#,
    ];
    of_both(&values, |world| {
        assert_eq!(
            list(world, "SELECT u.id FROM t ORDER BY _offset"),
            [
                json!("7"),
                json!("seven"),
                json!(r#"{"no":7}"#),
                Json::Null,
                Json::Null
            ]
        );
        for (condition, offsets) in [
            ("u.id = 7", vec![0]),
            ("u.id > 5", vec![0]),
            ("u.id = 'seven'", vec![1]),
            ("t.u.id IN (7, 8)", vec![0]),
            ("u.id.no = 7", vec![2]),
            ("u['id'] = 7", vec![0]),
            ("u = 'nobody'", vec![3]),
            ("u.id IS NULL", vec![3, 4]),
            ("u.in = 'none'", vec![2]),
            ("u.in.v[1].k = 1", vec![0]),
            ("u.in.v[1].k = 'one'", vec![1]),
            ("u.id__string = 'seven'", vec![1]),
            ("u.id__long = 7", vec![0]),
            ("u__object.id = 7", vec![0]),
        ] {
            let sql = format!("SELECT _offset FROM t WHERE {condition} ORDER BY _offset");
            let offsets: Vec<Json> = offsets.into_iter().map(|offset| json!(offset)).collect();
            assert_eq!(list(world, &sql), offsets, "{condition}");
        }
        assert_eq!(
            list(world, "SELECT u.id FROM t GROUP BY u.id ORDER BY u.id"),
            [json!("7"), json!("seven"), json!(r#"{"no":7}"#), Json::Null]
        );
        assert_eq!(world.value("SELECT sum(u.id) FROM t"), json!(7));
    });
}

#[test]
fn what_a_query_around_it_sees_is_still_one_column() {
    of_both(&TYPES, |world| {
        for sql in [
            "SELECT sum(x) FROM (SELECT * FROM t) WHERE x < 10",
            "SELECT sum(x) FROM (SELECT x FROM t) AS d WHERE d.x < 10",
            "WITH a AS (SELECT x AS z, _offset FROM t) SELECT sum(z) FROM a WHERE z < 10",
            "WITH a AS (SELECT * FROM t), b AS (SELECT * FROM a) \
             SELECT sum(b.x) FROM b WHERE x < 10",
            "SELECT sum(x) FROM (SELECT DISTINCT x FROM t) WHERE x < 10",
            "SELECT sum(x) FROM (SELECT x FROM t UNION ALL SELECT '!' FROM t) WHERE x < 10",
        ] {
            assert_eq!(world.value(sql), json!(8.5), "{sql}");
        }
        let inside = "SELECT d.x.no AS n FROM (SELECT x FROM t WHERE x.no > 1) d";
        assert_eq!(list(world, inside), [json!(7)]);
        let columns = world.columns("SELECT * FROM (SELECT x, _offset FROM t) d");
        assert_eq!(columns, ["x", "_offset"]);
        let exists =
            "SELECT count(*) FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE b.x = a.x AND b.x = 7)";
        assert_eq!(world.value(exists), json!(1));
    });
}

#[test]
fn missing_fields_of_files_and_objects_are_null() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    put(&mut topic, &[r#"{"x": {"a": 1}}"#]);
    topic.commit();
    put(&mut topic, &[r#"{"x": {"b": {"c": "s"}}}"#, r#"{"x": 3}"#]);
    topic.commit();
    put(&mut topic, &[r#"{"x": {"b": {"c": 5}}}"#]);
    topic.publish();
    assert_eq!(
        world.rows("SELECT x.a AS a, x.b.c AS c FROM t ORDER BY _offset"),
        [
            json!({"a": 1}),
            json!({"c": "s"}),
            json!({}),
            json!({"c": "5"})
        ]
    );
    assert_eq!(
        list(&world, "SELECT _offset FROM t WHERE x.b.c = 5"),
        [json!(3)]
    );
}

#[test]
fn a_version_before_the_drift_has_a_plain_column() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    put(&mut topic, &[r#"{"x": 1}"#]);
    topic.commit();
    let version = world.value("SELECT max(version) FROM system.tables");
    put(&mut topic, &[r#"{"x": "s"}"#]);
    topic.commit();
    assert_eq!(
        list(&world, &format!("SELECT x FROM \"t@{version}\"")),
        [json!(1)]
    );
    assert_eq!(
        list(&world, "SELECT x FROM t ORDER BY _offset"),
        [json!("1"), json!("s")]
    );
}

#[test]
fn fields_join_tables_and_reach_into_subqueries() {
    let world = World::new();
    let mut topic = world.writer("t", 1);
    let values = [
        r#"{"u": {"n": 1, "id": 1, "in": {"k": "a"}}}"#,
        r#"{"u": {"n": 1, "id": "1", "in": {"k": "b"}}}"#,
        r#"{"u": {"n": 2, "id": "x", "in": {"k": "c"}}}"#,
    ];
    put(&mut topic, &values);
    topic.commit();
    let others = |condition: &str| {
        let sql = format!(
            "SELECT _offset FROM t AS a WHERE EXISTS (SELECT 1 FROM t AS b WHERE {condition} \
             AND b._offset <> a._offset) ORDER BY _offset"
        );
        list(&world, &sql)
    };
    assert_eq!(others("b.u.n = a.u.n"), [json!(0), json!(1)]);
    assert_eq!(others("b.u.id = a.u.id"), [json!(0), json!(1)]);
    assert_eq!(others("b.u.in.k < a.u.in.k"), [json!(1), json!(2)]);
    let pairs = "SELECT count(*) FROM t AS a JOIN t AS b ON a.u.id = b.u.id";
    assert_eq!(world.value(pairs), json!(5));
    let pairs = "SELECT count(*) FROM t AS a LEFT JOIN t AS b ON a.u.n = b.u.n WHERE b.u.id = 'x'";
    assert_eq!(world.value(pairs), json!(1));
}
