//! What destinations answered when this process asked them, check by check: by people, and before
//! every replay.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::Clock;

use super::{Checked, Destination};
use crate::error::Result;

/// Checks of one destination that are remembered.
const KEPT: usize = 50;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// When it was asked, in microseconds since 1970.
    pub at_us: i64,
    /// How long the answer took.
    pub took: Duration,
    /// What was wrong, if anything was.
    pub error: Option<String>,
}

/// The checks of all destinations, the newest [`KEPT`] of each.
pub(crate) struct Health {
    clock: Clock,
    checks: Mutex<BTreeMap<String, VecDeque<Check>>>,
}

impl Health {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            checks: Mutex::default(),
        }
    }

    /// Asks a destination, and remembers what came of it.
    pub(super) async fn ask(&self, name: &str, destination: &dyn Destination) -> Result<Checked> {
        let (at_us, begun) = (self.clock.now_us(), self.clock.monotonic());
        let checked = destination.check().await;
        let check = Check {
            at_us,
            took: self.clock.monotonic().saturating_sub(begun),
            error: checked.as_ref().err().map(ToString::to_string),
        };
        let mut all = self.all();
        let checks = all.entry(name.to_owned()).or_default();
        if checks.len() == KEPT {
            checks.pop_front();
        }
        checks.push_back(check);
        checked
    }

    /// The checks of a destination, oldest first.
    pub(super) fn of(&self, name: &str) -> Vec<Check> {
        let all = self.all();
        all.get(name).into_iter().flatten().cloned().collect()
    }

    /// Another destination may get the name.
    pub(super) fn forget(&self, name: &str) {
        self.all().remove(name);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Check>>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use async_trait::async_trait;

    use super::*;
    use crate::destination::{Delivery, Outgoing};
    use crate::error::Error;

    /// Whether it is away.
    struct Away(bool);

    #[async_trait]
    impl Destination for Away {
        fn target(&self) -> String {
            "nothing".to_owned()
        }

        async fn check(&self) -> Result<Checked> {
            match self.0 {
                true => Err(Error::unavailable("it is away")),
                false => Ok(Checked::default()),
            }
        }

        async fn send(&self, _record: &Outgoing<'_>) -> Result<Delivery> {
            Err(Error::internal("nothing is sent"))
        }
    }

    #[tokio::test]
    async fn the_newest_checks_are_kept_with_what_was_wrong() {
        let clock = Clock::manual(5);
        let health = Health::new(clock.clone());
        for round in 0..=KEPT {
            let checked = health.ask("hook", &Away(round % 2 == 1)).await;
            assert_eq!(checked.is_err(), round % 2 == 1);
            clock.advance(Duration::from_secs(1));
        }
        let checks = health.of("hook");
        assert_eq!(checks.len(), KEPT);
        let first = checks.first().unwrap();
        assert_eq!(
            (first.at_us, first.error.as_deref()),
            (1_000_005, Some("it is away"))
        );
        assert_eq!(checks.last().unwrap().error, None);
        health.forget("hook");
        assert_eq!(health.of("hook"), []);
    }
}
