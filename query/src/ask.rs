//! A query whose only value says whether something holds.

use arrow::array::RecordBatch;
use futures::TryStreamExt;

use crate::error::{Error, Result};
use crate::logical::{Shape, jsons};
use crate::query::{Query, Request};
use crate::statement::{Params, Statement, parse};

impl Query {
    /// The only value of a query's only row, as JSON: `true`, `12`, `null`. Of another number of
    /// rows it says so.
    ///
    /// # Errors
    /// `Invalid` for a statement that is no query or has not one column; otherwise as a query.
    pub async fn ask(&self, sql: &str) -> Result<String> {
        if !matches!(parse(sql, &Params::None)?, Statement::Select(_)) {
            return Err(Error::invalid("only a query answers a question"));
        }
        let request = Request {
            limit: Some(2),
            ..Request::new(sql)
        };
        let answer = self.execute(request).await?;
        if answer.schema.fields().len() != 1 {
            return Err(Error::invalid("the query has not one column")
                .with_hint("write `SELECT count(*) = 100 FROM results`"));
        }
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
        let mut values = Vec::new();
        for batch in batches {
            let columns = batch.columns();
            let shapes: Vec<Shape> = columns
                .iter()
                .map(|column| Shape::of(column.data_type()))
                .collect();
            let texts = jsons(columns, &shapes, batch.num_rows())?;
            values.extend(texts.iter().map(|text| text.unwrap_or("null").to_owned()));
        }
        Ok(match values.as_slice() {
            [] => "no row".to_owned(),
            [value] => value.clone(),
            _ => "more than one row".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::World;

    #[test]
    fn a_question_has_one_value_and_nothing_else_is_run() {
        let world = World::new();
        let mut topic = world.writer("t", 1);
        topic.put(0, r#"{"n": 1}"#);
        topic.put(0, r#"{"n": 2}"#);
        topic.publish();
        let ask = |sql: &str| world.runtime.block_on(world.query.ask(sql));
        for (sql, expected) in [
            ("SELECT count(*) = 2 FROM t", "true"),
            ("SELECT count(*) > 2 FROM t", "false"),
            ("SELECT sum(n) FROM t", "3"),
            ("SELECT min(n) FROM t WHERE n > 5", "null"),
            ("SELECT 'true'", "\"true\""),
            ("SELECT true FROM t WHERE n > 5", "no row"),
            ("SELECT true FROM t", "more than one row"),
        ] {
            assert_eq!(ask(sql).unwrap(), expected, "{sql}");
        }
        for sql in [
            "SELECT 1, 2",
            "DELETE FROM t WHERE n = 1",
            "EXPLAIN SELECT 1",
            "SELECT x FROM t",
        ] {
            assert!(ask(sql).is_err(), "{sql}");
        }
    }
}
