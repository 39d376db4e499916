//! The lakes of a worker's connectors: the process's own, and those that connectors have for
//! themselves, opened when the first of them needs it. Each has its upkeep.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::budget::Budget;
use eddy_engine::{Lake, LakeOptions};
use tokio::runtime::Handle;

use crate::connect::memory::Memory;
use crate::connect::upkeep::{Owners, Upkeep};
use crate::error::{Error, ErrorKind, Result};

/// Told of a lake and the folder in it that a connector's tables are under.
pub type OnLake = Box<dyn Fn(&Lake, &str) + Send + Sync>;

/// All lakes of one worker.
pub(super) struct Lakes {
    own: Lake,
    /// Where lakes are opened.
    runtime: Option<Handle>,
    budget: Arc<Budget>,
    memory: Memory,
    owners: Owners,
    known: Mutex<Vec<Known>>,
    /// Held while a lake is opened: two connectors of one bucket must share it.
    opening: Mutex<()>,
    on_lake: Mutex<Option<OnLake>>,
}

struct Known {
    /// What it was opened with; `None` for the process's own.
    options: Option<LakeOptions>,
    lake: Lake,
    upkeep: Upkeep,
}

impl Lakes {
    /// The process's own lake, and none else so far.
    ///
    /// # Errors
    /// `Internal` when the thread of its upkeep can't be started.
    pub(super) fn start(
        own: &Lake,
        budget: &Arc<Budget>,
        memory: Memory,
        owners: &Owners,
    ) -> Result<Self> {
        let lakes = Self {
            own: own.clone(),
            runtime: Handle::try_current().ok(),
            budget: Arc::clone(budget),
            memory,
            owners: Arc::clone(owners),
            known: Mutex::default(),
            opening: Mutex::default(),
            on_lake: Mutex::default(),
        };
        lakes.know(None, own)?;
        Ok(lakes)
    }

    /// The process's own.
    pub(super) fn own(&self) -> &Lake {
        &self.own
    }

    /// Whom to tell of lakes that connectors bring with them from now on.
    pub(super) fn set_on_lake(&self, on_lake: OnLake) {
        *lock(&self.on_lake) = Some(on_lake);
    }

    /// Tells of what a connector brings with it.
    pub(super) fn tell(&self, lake: &Lake, topics_dir: &str) {
        if let Some(on_lake) = lock(&self.on_lake).as_ref() {
            on_lake(lake, topics_dir);
        }
    }

    /// Takes a lake that is open already.
    ///
    /// # Errors
    /// As [`Lakes::start`].
    pub(super) fn know(&self, options: Option<&LakeOptions>, lake: &Lake) -> Result<()> {
        let mut known = lock(&self.known);
        if known.iter().any(|known| known.lake.is(lake)) {
            return Ok(());
        }
        known.push(Known {
            options: options.cloned(),
            lake: lake.clone(),
            upkeep: Upkeep::start(lake, &self.budget, Arc::clone(&self.owners))?,
        });
        // What all of them may keep together.
        for one in known.iter() {
            one.lake
                .live()
                .keep_at_most(self.memory.committed / known.len());
            one.lake.reuse_at_most(self.memory.reused / known.len());
        }
        Ok(())
    }

    /// The lake of a connector with these options, which is opened and probed if nobody has it yet.
    /// Blocks.
    ///
    /// # Errors
    /// What is wrong with the bucket, the credentials or the store.
    pub(super) fn of(&self, options: Option<&LakeOptions>) -> Result<Lake> {
        let Some(options) = options else {
            return Ok(self.own.clone());
        };
        let _opening = lock(&self.opening);
        let same =
            |known: &LakeOptions| known.url == options.url && known.options == options.options;
        let found = lock(&self.known)
            .iter()
            .find(|known| known.options.as_ref().is_some_and(same))
            .map(|known| known.lake.clone());
        if let Some(lake) = found {
            return Ok(lake);
        }
        let runtime = self.runtime.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Internal, "there is no runtime to open a lake in")
        })?;
        let clock = self.own.clock().clone();
        let lake = runtime.block_on(Lake::connect(options, clock))?;
        self.know(Some(options), &lake)?;
        Ok(lake)
    }

    /// Asks the upkeep of all to leave what it is doing.
    pub(super) fn ask_to_stop(&self) {
        lock(&self.known)
            .iter()
            .for_each(|known| known.upkeep.ask_to_stop());
    }

    /// Waits for its end, for each at most `within`.
    pub(super) fn stop(&self, within: Duration) {
        lock(&self.known)
            .iter()
            .for_each(|known| known.upkeep.stop(within));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
