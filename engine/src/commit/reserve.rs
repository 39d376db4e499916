//! How a table's columns grow, and how it comes to say that it is encrypted: commits of metadata
//! alone, before the files that need them.

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::json;

use crate::commit::columns;
use crate::commit::log::TableLog;
use crate::commit::put::Outcome;
use crate::commit::since::{self, Since};
use crate::commit::transact::RACES;
use crate::error::{Error, Result};
use crate::fault;
use crate::schema;
use crate::seal::PROPERTY;

impl TableLog {
    /// Makes sure that the table has every column of `discovered`, and returns the table's columns
    /// (P11). Names are given here and never change; whoever loses the race for a name takes the
    /// winner's.
    ///
    /// # Errors
    /// `Unavailable` when the store does not answer: call again. `Data` as in
    /// [`TableLog::refresh`].
    pub fn reserve(&mut self, discovered: &Schema) -> Result<SchemaRef> {
        for race in 0..RACES {
            let Some(grown) = schema::grow(&self.state.schema, discovered) else {
                return Ok(self.schema());
            };
            let lines = self.metadata_line(&grown, None)?;
            fault::point("before_reserve");
            let id = self.lake.clock().new_id();
            match self.send(id, "reserve", &[], lines)?.1 {
                Outcome::Ours => fault::point("after_reserve"),
                Outcome::Other => {
                    self.refresh()?;
                    self.step_aside(race);
                }
                // Not kept for later: names alone acknowledge nothing, and if this commit lands
                // after all, the next attempt loses the race to it and finds the columns there.
                Outcome::Unsettled(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!(
            "other writers took every version of table `{}` that new columns were to go into",
            self.table.topic()
        )))
    }

    /// Makes sure that the table says that its files are written with the key `id`.
    ///
    /// # Errors
    /// As [`TableLog::reserve`].
    pub(crate) fn note_key(&mut self, id: &str) -> Result<()> {
        for race in 0..RACES {
            if self.key_id() == Some(id) {
                return Ok(());
            }
            let lines = self.metadata_line(&self.schema(), Some(id))?;
            let commit = self.lake.clock().new_id();
            match self.send(commit, "encrypt", &[], lines)?.1 {
                Outcome::Ours => {}
                Outcome::Other => {
                    self.refresh()?;
                    self.step_aside(race);
                }
                // As above: it acknowledges nothing.
                Outcome::Unsettled(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!(
            "other writers took every version of table `{}` that was to name its key",
            self.table.topic()
        )))
    }

    /// The whole metadata with more columns: Delta has no smaller action. Ours, since the kernel's
    /// would be composed column by column, which takes seconds for thousands of them.
    fn metadata_line(&self, columns: &Schema, key_id: Option<&str>) -> Result<Vec<u8>> {
        let metadata = self.base.table_configuration().metadata();
        let mut schema = columns::to_delta(columns)?;
        let now = Since {
            version: self.version() + 1,
            time_ms: self.lake.clock().now_us() / 1_000,
        };
        since::stamp(&self.state.metadata.schema, &mut schema, now)?;
        let mut configuration = metadata.configuration().clone();
        if let Some(id) = key_id {
            configuration.insert(PROPERTY.to_owned(), id.to_owned());
        }
        let mut action = json!({
            "id": metadata.id(),
            "format": {
                "provider": metadata.format_provider(),
                "options": metadata.format_options(),
            },
            "schemaString": schema.to_string(),
            "partitionColumns": metadata.partition_columns(),
            "configuration": configuration,
        });
        if let Some(action) = action.as_object_mut() {
            let name = metadata.name().map(Into::into);
            let description = metadata.description().map(Into::into);
            let created = metadata.created_time().map(Into::into);
            let optional = [
                ("name", name),
                ("description", description),
                ("createdTime", created),
            ];
            for (key, value) in optional {
                if let Some(value) = value {
                    action.insert(key.to_owned(), value);
                }
            }
        }
        let mut line = json!({"metaData": action}).to_string().into_bytes();
        line.push(b'\n');
        Ok(line)
    }
}
