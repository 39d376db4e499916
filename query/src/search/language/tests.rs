//! The language: what each way to write means, and what is said of what can't be read.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::tree::{Bound, Field, Piece, Test, Tree};
use super::parse;

fn word(text: &str) -> Tree {
    Tree::Words(text.split(' ').map(str::to_owned).collect())
}

fn all(inner: Vec<Tree>) -> Tree {
    Tree::All(inner)
}

fn any(inner: Vec<Tree>) -> Tree {
    Tree::Any(inner)
}

fn not(inner: Tree) -> Tree {
    Tree::Not(Box::new(inner))
}

/// A field without its place in the text.
fn field(path: &str, test: Test) -> Tree {
    Tree::Field(Field {
        path: path.split('.').map(str::to_owned).collect(),
        at: 0,
        test,
    })
}

fn is(path: &str, text: &str) -> Tree {
    field(path, Test::Like(vec![Piece::Text(text.to_owned())]))
}

fn between(path: &str, low: Option<(&str, bool)>, high: Option<(&str, bool)>) -> Tree {
    let bound = |end: Option<(&str, bool)>| {
        end.map(|(text, inclusive)| Bound {
            text: text.to_owned(),
            inclusive,
        })
    };
    field(path, Test::Between(bound(low), bound(high)))
}

fn without_places(tree: Tree) -> Tree {
    let each = |inner: Vec<Tree>| inner.into_iter().map(without_places).collect();
    match tree {
        Tree::Field(field) => Tree::Field(Field { at: 0, ..field }),
        Tree::All(inner) => Tree::All(each(inner)),
        Tree::Any(inner) => Tree::Any(each(inner)),
        Tree::Not(inner) => not(without_places(*inner)),
        other => other,
    }
}

fn check(text: &str, expected: &Tree) {
    let found = parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
    assert_eq!(without_places(found), *expected, "{text}");
}

#[test]
fn words_phrases_and_operators_are_what_people_expect() {
    let (a, b, c) = (|| word("a"), || word("b"), || word("c"));
    for (text, expected) in [
        ("a", a()),
        ("  A ", a()),
        ("a b", all(vec![a(), b()])),
        ("a AND b && c", all(vec![a(), b(), c()])),
        ("a OR b || c", any(vec![a(), b(), c()])),
        ("a b OR c", any(vec![all(vec![a(), b()]), c()])),
        ("a (b OR c)", all(vec![a(), any(vec![b(), c()])])),
        ("a NOT b", all(vec![a(), not(b())])),
        ("a -b", all(vec![a(), not(b())])),
        ("a !b +c", all(vec![a(), not(b()), c()])),
        ("-(a b)", not(all(vec![a(), b()]))),
        ("NOT NOT a", not(not(a()))),
        ("a or b", all(vec![a(), word("or"), b()])),
        ("\"Exact words\"", word("exact words")),
        ("user-42, late!", all(vec![word("user 42"), word("late")])),
        ("\"a OR \\\"b\\\"\"", word("a or b")),
        ("tim* jo?n", all(vec![word("tim*"), word("jo?n")])),
        ("user-4*", word("user 4*")),
        ("\"tim*\"", word("tim")),
        ("\\*a\\-b \\OR", all(vec![word("a b"), word("or")])),
        ("a - b & c", all(vec![a(), b(), c()])),
        ("*", Tree::Everything),
        ("*:* -a", all(vec![Tree::Everything, not(a())])),
        ("Grüße", word("grüße")),
        ("{\"x\"}", word("x")),
    ] {
        check(text, &expected);
    }
}

#[test]
fn fields_have_values_wildcards_comparisons_ranges_and_groups() {
    let like = |pieces: &[Piece]| Test::Like(pieces.to_vec());
    let part = |text: &str| Piece::Text(text.to_owned());
    for (text, expected) in [
        ("status:failed", is("status", "failed")),
        ("status:FAILED", is("status", "failed")),
        ("a.b.c:x", is("a.b.c", "x")),
        ("\"odd\":x", is("odd", "x")),
        ("note:\"Late Order\"", is("note", "late order")),
        ("note:\"a*\"", is("note", "a*")),
        ("note:a\\*\\ b", is("note", "a* b")),
        ("at:10:00:05", is("at", "10:00:05")),
        ("n:-5", is("n", "-5")),
        ("id:=A-7", field("id", Test::Exactly("A-7".to_owned()))),
        ("id:=\"A 7\"", field("id", Test::Exactly("A 7".to_owned()))),
        (
            "id:jo?n*",
            field("id", like(&[part("jo"), Piece::One, part("n"), Piece::Any])),
        ),
        ("id:**x", field("id", like(&[Piece::Any, part("x")]))),
        ("id:*", field("id", Test::Exists)),
        ("_exists_:a.b", field("a.b", Test::Exists)),
        ("n:>=10", between("n", Some(("10", true)), None)),
        ("n:>-1.5", between("n", Some(("-1.5", false)), None)),
        ("n:<=x", between("n", None, Some(("x", true)))),
        ("n:<\"a b\"", between("n", None, Some(("a b", false)))),
        (
            "n:[1 TO 5]",
            between("n", Some(("1", true)), Some(("5", true))),
        ),
        (
            "n:{1 TO 5}",
            between("n", Some(("1", false)), Some(("5", false))),
        ),
        (
            "n:[1 TO 5}",
            between("n", Some(("1", true)), Some(("5", false))),
        ),
        (
            "t:[2026-11-01 TO *]",
            between("t", Some(("2026-11-01", true)), None),
        ),
        (
            "t:[* TO \"a ] b\"]",
            between("t", None, Some(("a ] b", true))),
        ),
        ("n:[* TO *]", field("n", Test::Exists)),
        ("s:(a OR \"b c\")", any(vec![is("s", "a"), is("s", "b c")])),
        (
            "s:(-a b*)",
            all(vec![
                not(is("s", "a")),
                field("s", like(&[part("b"), Piece::Any])),
            ]),
        ),
        (
            "n:(>=1 AND <5)",
            all(vec![
                between("n", Some(("1", true)), None),
                between("n", None, Some(("5", false))),
            ]),
        ),
        (
            "late user:42 -debug",
            all(vec![word("late"), is("user", "42"), not(word("debug"))]),
        ),
    ] {
        check(text, &expected);
    }
}

#[test]
fn what_can_not_be_read_is_said_with_its_place() {
    let many = "a ".repeat(201);
    let deep = format!("{}a", "(".repeat(60));
    for (text, at, message) in [
        ("", 0, "no word"),
        ("--", 0, "no word"),
        ("()", 0, "no word"),
        ("a (b", 2, "not closed"),
        ("a b)", 3, "closes nothing"),
        ("a \"b", 2, "not closed"),
        ("\"--\"", 0, "no word"),
        ("a OR", 2, "`OR` stands beside nothing"),
        ("OR a", 0, "`OR` stands beside nothing"),
        ("a OR OR b", 2, "`OR` stands beside nothing"),
        ("AND a", 0, "`AND` stands beside nothing"),
        ("a AND", 2, "`AND` stands beside nothing"),
        ("a NOT", 2, "`NOT` stands beside nothing"),
        ("foo: bar", 4, "`foo:` has no value"),
        ("n:>=", 2, "no value"),
        ("n:[1 5]", 2, "` TO `"),
        ("n:[1 TO 5", 2, "not closed"),
        ("n:[ TO 5]", 2, "` TO `"),
        ("n:[1 TO ]", 8, "two ends"),
        ("s:()", 0, "no value"),
        ("a\\", 1, "backslash"),
        ("roam~2", 0, "fuzzy"),
        ("\"a b\"~2", 5, "fuzzy"),
        ("big^3", 0, "fuzzy"),
        ("a.*:x", 0, "wildcards"),
        ("a..b:x", 0, "missing"),
        (":x", 0, "missing"),
        (many.as_str(), 400, "at most 200 terms"),
        (deep.as_str(), 41, "nests at most"),
    ] {
        let wrong = parse(text).unwrap_err();
        assert!(wrong.message.contains(message), "{text}: {wrong:?}");
        assert_eq!(wrong.at, at, "{text}: {wrong:?}");
        assert!(!wrong.hint.is_empty());
    }
}

#[test]
fn the_text_of_a_tree_of_words_reads_back_as_that_tree() {
    for text in [
        "a",
        "a b OR -c",
        "\"a b\" (c OR d* NOT (e f)) user-42",
        "* -a",
        "-(a OR -(b c))",
    ] {
        let tree = parse(text).unwrap();
        assert_eq!(parse(&tree.text_of_words()).unwrap(), tree, "{text}");
    }
}
