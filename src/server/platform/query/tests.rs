//! Queries as clients of the old platform send them.
#![allow(clippy::unwrap_used)]

use super::*;

fn condition(text: &str) -> String {
    read(text).unwrap().condition()
}

#[test]
fn the_range_that_clients_append_holds_for_all_that_was_before_it() {
    let range = "batch.info.date_human: [2021-04-01T12:13:14Z TO 2021-04-02T12:13:14Z]";
    let mapped = "search_lenient('_timestamp:[2021-04-01T12:13:14Z TO 2021-04-02T12:13:14Z]')";
    assert_eq!(condition(range), mapped);
    assert_eq!(condition(&format!("* AND {range}")), mapped);
    assert_eq!(condition(&format!("AND {range}")), mapped);
    assert_eq!(
        condition(&format!("a:1 OR b:2 AND {range}")),
        format!("search_lenient('a:1 OR b:2') AND {mapped}")
    );
    // Nobody has appended these: they are a part of what is before or behind them.
    for inside in [
        format!("{range} OR a:1"),
        format!("(a:1 AND {range})"),
        format!("a:1 OR {range}"),
        format!("xAND {range}"),
    ] {
        assert_eq!(
            read(&inside).unwrap().searches.len(),
            1,
            "{inside}: {:?}",
            read(&inside)
        );
    }
}

#[test]
fn nothing_of_a_query_gets_out_of_its_quotes() {
    for text in [
        "x') OR true --",
        "'; DROP DESTINATION d; --",
        "a:'b' OR \"c'd\"",
        "f'g:1",
        "\\' \\\\' x",
        "日本' ' '",
    ] {
        let condition = condition(text);
        let inside = condition.strip_prefix("search_lenient('").unwrap();
        let inside = inside.strip_suffix("')").unwrap();
        assert!(!inside.replace("''", "").contains('\''), "{condition}");
        assert_eq!(inside.replace("''", "'"), words(text).unwrap().trim());
    }
    let asked = read("${ORDER_BY a\"b.c'd}").unwrap();
    assert_eq!(
        asked.order(),
        "\"a\"\"b\".\"c'd\" DESC NULLS LAST, _timestamp DESC, _partition DESC, _offset DESC"
    );
}

#[test]
fn modifiers_say_order_and_number_and_are_no_words() {
    let asked = read("late ${ORDER_BY client.payload.user.id AND SORT ASC AND LIMIT 7}").unwrap();
    assert_eq!(asked.condition(), "search_lenient('late')");
    assert!(
        asked.order().starts_with("\"user\".\"id\" ASC"),
        "{}",
        asked.order()
    );
    assert_eq!(asked.limit, Some(7));
    assert!(asked.is_modified() && !read("late").unwrap().is_modified());
    let newest_first = "_timestamp DESC, _partition DESC, _offset DESC";
    assert_eq!(read("").unwrap().order(), newest_first);
    assert_eq!(
        read("${ORDER_BY batch.info.date_human}").unwrap().order(),
        format!("\"_timestamp\" DESC NULLS LAST, {newest_first}")
    );
    assert_eq!(
        condition("\"a ${LIMIT 1}\""),
        "search_lenient('\"a ${LIMIT 1}\"')"
    );
    for wrong in [
        "${LIMIT x}",
        "${LIMIT}",
        "${UNIQUE a}",
        "${SORT UP}",
        "${ORDER_BY}",
        "${a}",
        "a ${LIMIT 1",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn everything_is_asked_for_in_several_ways() {
    for text in ["", " ", "*", "*:*", "${LIMIT 5}", "* ${SORT DESC}"] {
        assert_eq!(condition(text), "true", "{text}");
    }
}
