//! Places where a test can make the process die, to prove what a crash leaves.
//!
//! Each row of the crash table in [`crate::commit`] has a point. Without the feature `testing` the
//! calls compile to nothing.

/// Dies here if the environment says so: `EDDY_FAULT=name:nth:kill` aborts the process when the
/// point `name` is passed for the `nth` time (from 1).
#[cfg(not(any(test, feature = "testing")))]
#[inline(always)]
pub fn point(_name: &'static str) {}

#[cfg(any(test, feature = "testing"))]
pub use armed::point;

#[cfg(any(test, feature = "testing"))]
mod armed {
    //! The points of a test build.

    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Plan {
        name: String,
        nth: u64,
        passed: AtomicU64,
    }

    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

    /// Dies here if the environment says so: `EDDY_FAULT=name:nth:kill` aborts the process when
    /// the point `name` is passed for the `nth` time (from 1).
    pub fn point(name: &'static str) {
        let plan = PLAN.get_or_init(|| std::env::var("EDDY_FAULT").ok().and_then(|v| parse(&v)));
        if let Some(plan) = plan
            && plan.name == name
            && plan.passed.fetch_add(1, Ordering::SeqCst) + 1 == plan.nth
        {
            tracing::error!(point = name, "the fault point kills the process");
            std::process::abort();
        }
    }

    fn parse(text: &str) -> Option<Plan> {
        let mut parts = text.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        let nth = parts.next().map_or(Some(1), |nth| nth.parse().ok())?;
        Some(Plan {
            name: name.to_owned(),
            nth,
            passed: AtomicU64::new(0),
        })
    }

    #[cfg(test)]
    mod tests {
        use super::parse;

        #[test]
        fn a_fault_names_its_point_and_its_pass() {
            let plan = parse("after_put:3:kill");
            assert!(plan.is_some_and(|plan| plan.name == "after_put" && plan.nth == 3));
            assert!(parse("after_put").is_some_and(|plan| plan.nth == 1));
            assert!(parse("").is_none() && parse("a:b").is_none());
        }
    }
}
