//! How much memory the machine offers this process: its own, or what its control group may use
//! where that is less. What queries may use unless told is a share of it.

use std::fs;
use std::path::Path;

/// Where control groups are found, in both of their versions.
const GROUPS: &str = "/sys/fs/cgroup";

/// The memory in bytes that this process may count on; `None` where the system doesn't say.
pub(super) fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok()?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let files = limit_files(&groups).into_iter();
    // A container sees its own group as the root, and not those above it.
    let limits: Vec<String> = files
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    offered(&machine, &limits)
}

/// The smallest of `MemTotal` of `/proc/meminfo` and of what control groups' files say.
fn offered(machine: &str, limits: &[String]) -> Option<u64> {
    let total = machine
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes = total.trim().strip_suffix("kB")?.trim();
    let total = kibibytes.parse::<u64>().ok()?.checked_mul(1_024)?;
    // `max`, or more than any machine has: no limit.
    let limits = limits
        .iter()
        .filter_map(|limit| limit.trim().parse::<u64>().ok());
    limits.filter(|limit| *limit > 0).chain([total]).min()
}

/// The files that may say how much memory the groups of `/proc/self/cgroup` have, those of the
/// groups around them included.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (below, file) = if controllers.is_empty() {
            ("", "memory.max")
        } else if controllers.split(',').any(|one| one == "memory") {
            ("/memory", "memory.limit_in_bytes")
        } else {
            continue;
        };
        // A group outside of what is seen here is written with steps up.
        let group = if group.contains("..") { "/" } else { group };
        for one in Path::new(group).ancestors() {
            let one = one.display().to_string();
            files.push(format!(
                "{GROUPS}{below}{}/{file}",
                one.trim_end_matches('/')
            ));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MACHINE: &str = "MemTotal:        8000000 kB\nMemFree:          100000 kB\n";

    #[test]
    fn the_least_of_machine_and_groups_is_what_is_offered() {
        let of = |limits: &[&str]| {
            let limits: Vec<String> = limits.iter().map(ToString::to_string).collect();
            offered(MACHINE, &limits)
        };
        let machine = Some(8_000_000 * 1_024);
        assert_eq!(of(&[]), machine);
        assert_eq!(of(&["max\n", "9223372036854771712\n", "0\n", ""]), machine);
        assert_eq!(
            of(&["2147483648\n", "max\n", "1073741824\n"]),
            Some(1 << 30)
        );
        for nothing in ["", "MemTotal: much kB", "MemTotal: 5", "MemFree: 1 kB"] {
            assert_eq!(offered(nothing, &["1".to_owned()]), None, "{nothing}");
        }
    }

    #[test]
    fn groups_of_both_versions_are_asked_from_the_inside_out() {
        assert_eq!(
            limit_files("0::/system.slice/eddy.service\n"),
            [
                "/sys/fs/cgroup/system.slice/eddy.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        assert_eq!(
            limit_files("5:cpu,memory:/a:b\n4:cpuset:/a\n1:name=systemd:/\nnonsense\n"),
            [
                "/sys/fs/cgroup/memory/a:b/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
        assert_eq!(limit_files("0::/../other\n"), ["/sys/fs/cgroup/memory.max"]);
    }
}
