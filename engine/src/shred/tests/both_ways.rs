//! The quick way into the columns does exactly what the long one does.

use proptest::prelude::*;
use proptest::sample::Index;

use super::any_values::{cases, object};
use super::real_events::events;
use super::{record, shredder};
use crate::schema::{Limits, envelope_schema};
use crate::shred::Shredder;

/// A shredder for each way.
fn both(limits: Limits) -> [Shredder; 2] {
    let table = envelope_schema();
    let long = shredder(&table, limits).without_attempts();
    [shredder(&table, limits), long]
}

/// Feeds the texts to both, several times so that most keys are known, and compares the batches.
fn assert_agree(texts: &[Vec<u8>], rows: usize) {
    let [mut quick, mut long] = both(Limits::default());
    for _ in 0..3 {
        for chunk in texts.chunks(rows) {
            for text in chunk {
                let bytes = [&mut quick, &mut long].map(|way| way.append(&record(0, text), 0));
                assert_eq!(bytes[0], bytes[1], "{}", String::from_utf8_lossy(text));
            }
            assert_eq!(quick.finish().unwrap(), long.finish().unwrap());
        }
    }
}

/// The text with a piece cut out, doubled, or with a byte changed.
fn broken(text: &str, at: usize, how: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at % bytes.len();
    match how % 4 {
        0 => bytes.truncate(at),
        1 => bytes[at] = how,
        2 => drop(bytes.drain(at..(at + 3).min(text.len()))),
        _ => bytes.extend_from_slice(&text.as_bytes()[at..]),
    }
    bytes
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_objects_become_the_same_columns_either_way(
        values in prop::collection::vec(object(), 1..16),
        rows in 1..8_usize,
    ) {
        let texts: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
        assert_agree(&texts, rows);
    }

    #[test]
    fn broken_texts_leave_nothing_behind(
        values in prop::collection::vec((object(), any::<Index>(), any::<u8>()), 1..8),
        rows in 1..8_usize,
    ) {
        let mut texts = Vec::new();
        for (value, at, how) in values {
            let cut = broken(&value, at.index(value.len()), how);
            texts.extend([value.clone().into_bytes(), cut, value.into_bytes()]);
        }
        assert_agree(&texts, rows);
    }
}

#[test]
fn keys_that_hold_json_themselves_are_not_taken_for_json() {
    let texts = [
        r#"{"a\":1,\"b":"x","c":1}"#,
        r#"{"a":1,"b":"x","c":1}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"b":2,"a":{}}"#,
        r#"{"c":01}"#,
        r#"{"c":-}"#,
        r#"{"c":1.}"#,
        r#"{"c":1.5e3,"d":[{"c":1}]}"#,
        r#"{"b":"\ud800"}"#,
        r#"{"b":"\u00e9\n"}"#,
        r#"{ "b" : "y" , "c" : 9007199254740993 } "#,
        r#"{"c":1}x"#,
        r#"{"b":"y","n":{"m":{"c":true}}}"#,
        r#"{"b":"y","n":{"m":{"c":true"#,
        r#"{}"#,
    ];
    let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    for rows in 1..6 {
        assert_agree(&texts, rows);
    }
}

#[test]
fn real_events_become_the_same_columns_either_way() {
    for name in ["slack-events", "stripe-objects"] {
        let texts: Vec<Vec<u8>> = events(name).into_iter().map(String::into_bytes).collect();
        assert_agree(&texts, 40);
    }
}

#[test]
fn lists_become_the_same_columns_either_way_and_leave_nothing_behind() {
    let texts = [
        r#"{"l":["a","b"],"o":[{"x":1,"y":["p"]},{"x":2}]}"#,
        r#"{"l":[],"o":[]}"#,
        r#"{"l":["c",null]}"#,
        r#"{"l":["c","d"],"o":[{"x":1,"y":["p","q"]},{"x":2,"y":[]},{}]}"#,
        r#"{"l":["c","d"],"o":[{"x":1,"y":["p","q"]},{"x":2,"y":["r",3]}]}"#,
        r#"{"l":["c","d"],"o":[{"x":1,"y":["p","q"]},{"x":"s"}]}"#,
        r#"{"o":[{"x":1,"y":["p","q"]},{"x":1,"x":2}]}"#,
        r#"{"l":["c","d"],"o":[{"x":1,"y":["p","q"]}"#,
        r#"{"l":["c" "d"]}"#,
        r#"{"l":["c",]}"#,
        r#"{"l":[,"c"]}"#,
        r#"{"l":["\ud83d\ude80","\u00e9"],"l2":["\ud83d"]}"#,
        r#"{"l":[["a"]]}"#,
        r#"{"n":[1,2,-3],"d":[1.5,2],"b":[true,false]}"#,
        r#"{"n":[1,2.5],"d":[9007199254740993],"b":[true,"x"]}"#,
        r#"{"n":[ 1 , 2 ],"d":[ 1.5 ],"b":[ ]}"#,
        r#"{"n":7,"l":"text"}"#,
        r#"{"n":[01],"d":[1e5]}"#,
    ];
    let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    for rows in 1..8 {
        assert_agree(&texts, rows);
        let reversed: Vec<Vec<u8>> = texts.iter().rev().cloned().collect();
        assert_agree(&reversed, rows);
    }
}

#[test]
fn lists_of_several_kinds_at_one_place_become_the_same_columns_either_way() {
    let texts = [
        r#"{"s":["a"],"o":[{"x":1,"y":["p"]}]}"#,
        r#"{"s":[{"x":1}],"o":["text"]}"#,
        r#"{"s":["b","c"],"o":[{"x":2},{}]}"#,
        r#"{"s":[{"x":null}],"o":[{"x":null}]}"#,
        r#"{"s":[{}],"o":[{}, {}]}"#,
        r#"{"s":[],"o":[ ]}"#,
        r#"{"s":[null,"d"],"o":[{"y":[]}]}"#,
        r#"{"s":[ "e" , {"x":1}],"o":[ {"x":3} , "f"]}"#,
        r#"{"s":[true],"o":[{"y":[""]},{"x":4}]}"#,
        r#"{"s":[true,false],"o":[{"y":["q"],"x":{}}]}"#,
        r#"{"s":["g"],"o":[{"x":5}"#,
        r#"{"s":[["h"]],"o":[1.5]}"#,
    ];
    let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    for rows in 1..8 {
        for begin in 0..texts.len() {
            let mut turned = texts.clone();
            turned.rotate_left(begin);
            assert_agree(&turned, rows);
        }
    }
}
