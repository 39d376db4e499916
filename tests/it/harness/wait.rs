//! Waiting on conditions with a deadline: the only place where the tests' polling lives.

use std::fmt::Debug;
use std::time::Duration;

use eddy_engine::Clock;

/// Long enough for a busy machine of two cores; a test that works never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until the condition holds; panics with `what` after the deadline.
#[track_caller]
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(deadline, what, || condition().then_some(()));
}

/// Waits until there is a value, and returns it; panics with `what` after the deadline.
#[track_caller]
pub fn wait_for<T>(deadline: Duration, what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    match poll(deadline, &mut get) {
        Some(value) => value,
        None => panic!("after {deadline:?} still waiting until {what}"),
    }
}

/// Waits until `get` gives what is expected; the panic after the deadline shows what it gave last.
#[track_caller]
pub fn wait_equal<T: PartialEq + Debug>(
    deadline: Duration,
    what: &str,
    expected: T,
    mut get: impl FnMut() -> T,
) {
    let mut last = None;
    let found = poll(deadline, &mut || {
        let value = get();
        let equal = value == expected;
        last = Some(value);
        equal.then_some(())
    });
    if found.is_none() {
        panic!("after {deadline:?} {what} is {last:?} instead of {expected:?}");
    }
}

/// Waits until there is a value; `None` after the deadline.
pub fn poll<T>(deadline: Duration, get: &mut impl FnMut() -> Option<T>) -> Option<T> {
    let clock = Clock::system();
    loop {
        // Asked once more after the deadline: the machine may have been busy elsewhere.
        let last = clock.monotonic() >= deadline;
        if let Some(value) = get() {
            return Some(value);
        }
        if last {
            return None;
        }
        clock.block(INTERVAL);
    }
}

#[test]
fn a_condition_that_never_holds_ends_at_its_deadline() {
    let mut asked = 0;
    let deadline = Duration::from_millis(50);
    assert!(
        poll(deadline, &mut || {
            asked += 1;
            None::<()>
        })
        .is_none()
    );
    assert!(asked > 1);
}
