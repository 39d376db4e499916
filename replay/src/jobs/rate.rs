//! Another rate for a replay that is under way.

use super::Jobs;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::pacing::Rate;
use crate::request::Options;

/// The rate of those that have none.
const MAX: &str = "max";

impl Jobs {
    /// Lets a replay go on at another rate, as `500/s`, or `max` without one. What is under way is
    /// still waited for.
    ///
    /// # Errors
    /// `Invalid` for what is no rate; `NotFound`, and `Conflict` when the replay has ended.
    pub async fn change_rate(&self, id: &str, rate: &str) -> Result<Job> {
        let rate = rate.trim();
        if !rate.eq_ignore_ascii_case(MAX) {
            Rate::parse(rate)?;
        }
        if let Some(whole) = self.0.divided(id).await? {
            return Box::pin(self.0.change_rate_of_shards(&whole, rate)).await;
        }
        let mut entries = self.0.entries.lock().await;
        let (entry, _) = self.0.entry(&mut entries, id).await?;
        let job = entry.cell.update(|job| set_rate(job, rate)).await?;
        if job.state.is_active() {
            entry.stop.cancel();
            self.0.spawn(entry);
        }
        Ok(job)
    }
}

/// Sets the rate that holds from now on.
///
/// # Errors
/// `Conflict` when the replay has ended.
pub(super) fn set_rate(job: &mut Job, rate: &str) -> Result<()> {
    if job.state.is_final() {
        let state = job.state.as_str();
        return Err(Error::conflict(format!(
            "a replay that is {state} has no rate any more"
        )));
    }
    job.rate = Some(rate.to_owned());
    Ok(())
}

/// The rate that holds now, a shard's part of it; `None`: as fast as the destination takes it.
///
/// # Errors
/// `Invalid` for one that was stored by another build.
pub(crate) fn rate_of(job: &Job, options: &Options) -> Result<Option<Rate>> {
    let rate = match job.rate.as_deref() {
        None => options.rate,
        Some(rate) if rate.eq_ignore_ascii_case(MAX) => None,
        Some(rate) => Some(Rate::parse(rate)?),
    };
    Ok(rate.map(|rate| match &job.part {
        Some(part) => rate.share(job.plan.records, part.of_records),
        None => rate,
    }))
}
