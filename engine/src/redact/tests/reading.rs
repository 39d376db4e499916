//! How rules are written, and what is refused because it would silently name nothing.

use crate::redact::rule::{Action, Rule, Step, Target};
use crate::redact::{Options, Redaction};

fn parse(text: &str) -> Vec<Rule> {
    Rule::parse_list(text, Action::Mask(0)).unwrap()
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

#[test]
fn rules_are_read_with_their_targets_quotes_and_tails() {
    let rules = parse(
        r#"password, **."card.number":4,
           key:, key::2, key:user.*, header:x-a.b:3, header:*, header:"a,b:c", "a:b":1, ключ"#,
    );
    let value = |steps: &[Step]| Target::Value(steps.to_vec());
    let header = |name: &str| Target::Header(Some(name.to_owned()));
    let expected = [
        (value(&[key("password")]), 0),
        (value(&[Step::Deep, key("card.number")]), 4),
        (Target::Key(vec![]), 0),
        (Target::Key(vec![]), 2),
        (Target::Key(vec![key("user"), Step::Any]), 0),
        (header("x-a.b"), 3),
        (Target::Header(None), 0),
        (header("a,b:c"), 0),
        (value(&[key("a:b")]), 1),
        (value(&[key("ключ")]), 0),
    ];
    assert_eq!(rules.len(), expected.len());
    for (rule, (target, tail)) in rules.into_iter().zip(expected) {
        assert_eq!((rule.target, rule.action), (target, Action::Mask(tail)));
    }
}

#[test]
fn what_would_name_nothing_is_refused() {
    for wrong in [
        "",
        " ",
        "a,",
        ",a",
        "a..b",
        ".a",
        "a.",
        "$.a",
        "$",
        "/a/b",
        "a[0]",
        "a[*].b",
        "pass*",
        "**",
        "a.**",
        "a b",
        "'a'",
        "a:",
        "a:0",
        "a:65",
        "a:-1",
        "a:+1",
        "a:4:4",
        "a:x",
        "\"a",
        "\"a\"b",
        "a\"b\"",
        "\"\\x\"",
        "key:$",
        "key:a:b",
        "header:",
        "header:a b",
        "header:a*",
        "headers:a",
        "value:a",
        "Key:a",
        "a;b",
        "a\nb",
    ] {
        let error = Rule::parse_list(wrong, Action::Mask(0));
        assert!(error.is_err(), "{wrong:?} is read as {error:?}");
    }
    for action in [Action::Drop, Action::Hash] {
        assert!(
            Rule::parse_list("a:4", action).is_err(),
            "only a mask keeps something"
        );
        assert!(Rule::parse_list("key::4", action).is_err());
    }
    let error = Rule::parse_list("fine, a[0].b", Action::Drop)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`a[0].b`") && error.contains("in quotes"),
        "{error}"
    );
}

#[test]
fn rules_by_the_hundred_are_fine_and_rules_that_explode_are_refused() {
    let list = |rules: Vec<String>| {
        let rules = Rule::parse_list(&rules.join(","), Action::Drop).unwrap();
        Redaction::new(rules, Options::default())
    };
    assert!(list((0..200).map(|n| format!("**.key{n}")).collect()).is_ok());
    assert!(list((0..200).map(|n| format!("a.b{n}.c")).collect()).is_ok());
    assert!(list(vec![format!("**.a{}.b", ".*".repeat(40))]).is_err());
}
