//! Queries from a seed: filters, groupings, joins, windows, sets, subqueries, nested and drifted
//! fields, in the SQL that Eddy and DuckDB share. `{events}` and `{users}` stand for the tables; a
//! query with `LIMIT` has one order that its rows can come in.

use super::events::{COUNTRIES, KINDS, NAMES, NOTES};
use super::random::Random;

const EVENTS: &str = "{events} AS e";
const USERS: &str = "{users} AS w";

const NUMBERS: [&str; 9] = [
    "e.n",
    "e.seq",
    "e.who",
    "e.u.level",
    "e.n + 3",
    "abs(e.n)",
    "e.n % 7",
    "coalesce(e.n, -1)",
    "length(e.note)",
];
const FRACTIONS: [&str; 5] = [
    "e.x",
    "e.x * 2",
    "e.u.geo.lat",
    "e.x + e.n",
    "round(e.x, 1)",
];
const TEXTS: [&str; 8] = [
    "e.kind",
    "e.note",
    "e.u.name",
    "lower(e.note)",
    "substr(e.kind, 1, 2)",
    "coalesce(e.note, '-')",
    "e.kind || '/' || e.u.name",
    "replace(e.kind, 'u', 'U')",
];
/// Eddy orders those that are numbers by their value, and a view can't.
const DRIFTED: [&str; 3] = ["e.id", "e.u.code", "upper(e.id)"];
const COMPARISONS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

/// Makes queries.
pub struct Generator(pub Random);

impl Generator {
    pub fn query(&mut self) -> String {
        match self.0.below(9) {
            0 | 1 => self.rows(),
            2 => self.totals(),
            3 | 4 => self.groups(),
            5 => self.joined(),
            6 => self.windows(),
            7 => self.sets(),
            _ => self.within(),
        }
    }

    fn number(&mut self) -> &'static str {
        self.0.pick(&NUMBERS)
    }

    fn text(&mut self) -> &'static str {
        match self.0.once_in(4) {
            true => self.0.pick(&DRIFTED),
            false => self.0.pick(&TEXTS),
        }
    }

    fn value(&mut self) -> &'static str {
        match self.0.below(4) {
            0 => self.number(),
            1 => self.0.pick(&FRACTIONS),
            2 => self.text(),
            _ => "e.ok",
        }
    }

    /// A text as a literal.
    fn literal(&mut self) -> String {
        let text = match self.0.below(4) {
            0 => self.0.pick(&KINDS).to_owned(),
            1 => self.0.pick(&NOTES).to_owned(),
            2 => self.0.pick(&NAMES).to_owned(),
            _ => self.0.below(40).to_string(),
        };
        format!("'{}'", text.replace('\'', "''"))
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.0.once_in(3) {
            let (one, other) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.0.below(3) {
                0 => format!("({one}) AND ({other})"),
                1 => format!("({one}) OR ({other})"),
                _ => format!("NOT ({one})"),
            };
        }
        let comparison = self.0.pick(&COMPARISONS);
        match self.0.below(11) {
            0 | 1 => format!("{} {comparison} {}", self.number(), self.0.below(150)),
            2 => format!(
                "{} {comparison} {}",
                self.0.pick(&FRACTIONS),
                self.0.below(90)
            ),
            3 | 4 => format!("{} {comparison} {}", self.text(), self.literal()),
            5 => format!(
                "{} IN ({}, {})",
                self.text(),
                self.literal(),
                self.literal()
            ),
            6 => {
                let pattern = self
                    .0
                    .pick(&["%u%", "_u%", "%\\_%", "id-_", "S%", "%é%", "1%"]);
                format!("{} LIKE '{pattern}' ESCAPE '\\'", self.text())
            }
            7 => {
                let low = self.0.below(100);
                format!(
                    "{} BETWEEN {low} AND {}",
                    self.number(),
                    low + self.0.below(60)
                )
            }
            8 => format!("{} IS {}NULL", self.value(), self.0.pick(&["", "NOT "])),
            9 => format!("{} IS DISTINCT FROM {}", self.text(), self.literal()),
            _ => self
                .0
                .pick(&["e.ok", "NOT e.ok", "e.ok IS NOT TRUE"])
                .to_owned(),
        }
    }

    fn filter(&mut self) -> String {
        match self.0.once_in(5) {
            true => String::new(),
            false => format!(" WHERE {}", self.condition(2)),
        }
    }

    fn rows(&mut self) -> String {
        let (one, other) = (self.value(), self.value());
        let filter = self.filter();
        let order = match self.0.below(3) {
            0 => "e._partition, e._offset".to_owned(),
            1 => format!("{} DESC NULLS LAST, e.seq", self.number()),
            _ => format!("{} NULLS FIRST, e.seq DESC", self.0.pick(&TEXTS)),
        };
        let limit = match self.0.below(3) {
            0 => String::new(),
            1 => format!(" LIMIT {}", 1 + self.0.below(30)),
            _ => format!(
                " LIMIT {} OFFSET {}",
                1 + self.0.below(30),
                self.0.below(50)
            ),
        };
        format!(
            "SELECT e.seq AS a, {one} AS b, {other} AS c FROM {EVENTS}{filter} \
             ORDER BY {order}{limit}"
        )
    }

    fn aggregate(&mut self) -> String {
        let (number, text) = (self.number(), self.text());
        let fraction = self.0.pick(&FRACTIONS);
        match self.0.below(8) {
            0 => "count(*)".to_owned(),
            1 => format!("count({text})"),
            2 => format!("count(DISTINCT {text})"),
            3 => format!("sum({number})"),
            4 => format!("{}({})", self.0.pick(&["min", "max"]), self.0.pick(&TEXTS)),
            5 => format!("{}({fraction})", self.0.pick(&["min", "max", "sum", "avg"])),
            6 => format!("avg({number})"),
            _ => format!("count(*) FILTER (WHERE {})", self.condition(1)),
        }
    }

    fn totals(&mut self) -> String {
        let (one, other) = (self.aggregate(), self.aggregate());
        let filter = self.filter();
        format!("SELECT {one} AS a, {other} AS b FROM {EVENTS}{filter}")
    }

    fn groups(&mut self) -> String {
        let key = match self.0.once_in(3) {
            true => self.number(),
            false => self.text(),
        };
        let (one, other) = (self.aggregate(), self.aggregate());
        let filter = self.filter();
        let having = match self.0.once_in(3) {
            true => format!(" HAVING count(*) > {}", self.0.below(30)),
            false => String::new(),
        };
        let second = self.0.pick(&["", ", e.ok", ", e.kind"]);
        let order = if second.is_empty() {
            "1"
        } else {
            "1 NULLS LAST, 2 NULLS LAST"
        };
        let column = second.strip_prefix(", ").map(|of| format!(", {of} AS k2"));
        let column = column.unwrap_or_default();
        format!(
            "SELECT {key} AS k{column}, {one} AS a, {other} AS b FROM {EVENTS}{filter} \
             GROUP BY {key}{second}{having} ORDER BY {order}"
        )
    }

    fn joined(&mut self) -> String {
        let kind = self.0.pick(&["JOIN", "LEFT JOIN"]);
        let filter = self.filter();
        let country = self.0.pick(&COUNTRIES);
        if self.0.once_in(2) {
            let aggregate = self.aggregate();
            return format!(
                "SELECT w.country AS k, {aggregate} AS a, max(w.score) AS b FROM {EVENTS} \
                 {kind} {USERS} ON e.who = w.uid{filter} GROUP BY w.country ORDER BY 1"
            );
        }
        let value = self.value();
        format!(
            "SELECT e.seq AS a, w.name AS b, {value} AS c FROM {EVENTS} {kind} {USERS} \
             ON e.who = w.uid AND w.country <> '{country}'{filter} ORDER BY e.seq LIMIT 80"
        )
    }

    fn windows(&mut self) -> String {
        let key = self.0.pick(&["e.kind", "e.ok", "e.u.level", "e.id"]);
        let number = self.number();
        let over = format!("OVER (PARTITION BY {key} ORDER BY e.seq)");
        let window = match self.0.below(7) {
            0 => format!("row_number() {over}"),
            1 => format!("rank() OVER (PARTITION BY {key} ORDER BY {number} NULLS LAST)"),
            2 => format!("lag({number}) {over}"),
            3 => format!("lead({}, 2) {over}", self.text()),
            4 => format!("sum({number}) {over}"),
            5 => format!(
                "count({number}) OVER (PARTITION BY {key} ORDER BY e.seq ROWS BETWEEN 3 PRECEDING \
                 AND 1 FOLLOWING)"
            ),
            _ => format!("first_value({}) {over}", self.text()),
        };
        let filter = self.filter();
        format!("SELECT e.seq AS a, {window} AS b FROM {EVENTS}{filter} ORDER BY e.seq LIMIT 90")
    }

    fn sets(&mut self) -> String {
        let (text, other) = (self.text(), self.text());
        let (one, two) = (self.filter(), self.filter());
        let set = self.0.pick(&["UNION", "INTERSECT", "EXCEPT", "UNION ALL"]);
        format!(
            "SELECT {text} AS a FROM {EVENTS}{one} {set} SELECT {other} FROM {EVENTS}{two} \
             ORDER BY 1 NULLS LAST"
        )
    }

    fn within(&mut self) -> String {
        let filter = self.filter();
        let condition = self.condition(1);
        match self.0.below(4) {
            0 => format!(
                "SELECT e.seq AS a FROM {EVENTS} WHERE e.who IN (SELECT w.uid FROM {USERS} \
                 WHERE w.score > {}) AND ({condition}) ORDER BY 1",
                self.0.below(25)
            ),
            1 => format!(
                "WITH part AS (SELECT e.kind AS k, count(*) AS n, sum(e.n) AS s FROM {EVENTS}\
                 {filter} GROUP BY e.kind) SELECT k AS a, n AS b, s AS c FROM part \
                 WHERE n > (SELECT avg(n) FROM part) ORDER BY 1"
            ),
            2 => format!(
                "SELECT w.uid AS a FROM {USERS} WHERE NOT EXISTS (SELECT 1 FROM {EVENTS} \
                 WHERE e.who = w.uid AND ({condition})) ORDER BY 1"
            ),
            _ => format!(
                "SELECT q.t AS a, count(*) AS b FROM (SELECT unnest(e.tags) AS t FROM {EVENTS}\
                 {filter}) AS q GROUP BY q.t ORDER BY 1"
            ),
        }
    }
}
