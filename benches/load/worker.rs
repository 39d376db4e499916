//! The process under measurement: `eddy serve`, or `eddy dev`, as a process of its own, so that its
//! CPU seconds and its peak memory are the process's own and everything is counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A started `eddy`; killed when dropped.
pub(crate) struct Worker {
    child: Child,
    /// Its log.
    pub(crate) log: PathBuf,
}

/// What the process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// Peak resident memory in bytes.
    pub(crate) memory_max: u64,
}

impl Worker {
    /// Starts the release binary with `config`.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::start_as(folder, config, &[])
    }

    /// The same with further arguments. Each process needs a folder of its own.
    pub(crate) fn start_as(folder: &Path, config: &str, arguments: &[&str]) -> Self {
        let file = folder.join("eddy.toml");
        fs::write(&file, config).unwrap();
        let mut command = binary();
        command.args(["serve", "--config"]).arg(&file);
        Self::spawn(folder, command.args(arguments))
    }

    /// `eddy dev` with these arguments, without samples, its data in `folder`.
    pub(crate) fn dev(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = binary();
        command.args(["dev", "--empty", "--data"]);
        command.arg(folder.join("data"));
        Self::spawn(folder, command.args(arguments))
    }

    fn spawn(folder: &Path, command: &mut Command) -> Self {
        let log = folder.join("eddy.log");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .expect("the release binary starts");
        Self { child, log }
    }

    /// Reads the process's counters.
    pub(crate) fn used(&self) -> Used {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        // Fields 14 and 15 of proc(5)'s stat, in clock ticks of 10 ms.
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
        Used {
            cpu: Duration::from_millis(ticks * 10),
            memory_max: kib * 1024,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary() -> Command {
    let binary = std::env::var("EDDY_BIN");
    Command::new(binary.expect("EDDY_BIN names the release binary; run this through `make bench`"))
}

/// Calls `done` until it answers yes.
///
/// # Panics
/// With the log's tail when `deadline` passes first.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn wait_until(deadline: Duration, log: &Path, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > deadline {
            let text = fs::read_to_string(log).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(30).collect();
            panic!(
                "not done within {deadline:?}; the log ends with:\n{}",
                tail.join("\n")
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
