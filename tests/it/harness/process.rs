//! An `eddy` process and its life: started with a configuration, waited for, stopped, continued,
//! killed.
//!
//! Its output goes to a file; when a test fails, the file's tail is printed. Dropping it kills it.

mod addresses;
mod configuration;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::kafka::Group;
use super::lake::{TestLake, quoted};
pub use super::port::free_port;
use super::services::services;
use super::unique;
use super::wait::{PATIENCE, wait_for};
use configuration::table;

pub const BINARY: &str = env!("CARGO_BIN_EXE_eddy");
const LOG_TAIL_LINES: usize = 60;

/// How to start a process: the lake, and what goes beyond the defaults.
pub struct Start {
    lake: String,
    kafka: BTreeMap<String, String>,
    connectors: BTreeMap<String, BTreeMap<String, String>>,
    more: String,
    token: Option<String>,
    connect: bool,
    postgres: bool,
    flight: bool,
    /// The group of an `eddy connect`, and the lines of its worker file.
    worker: Option<(String, String)>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Start {
    /// `eddy serve` on this lake and the shared broker, without connectors.
    pub fn on(lake: &TestLake) -> Self {
        let kafka = [("bootstrap.servers".to_owned(), services().kafka.clone())];
        Self {
            lake: lake.toml(),
            kafka: kafka.into(),
            connectors: BTreeMap::new(),
            more: String::new(),
            token: None,
            connect: false,
            postgres: false,
            flight: false,
            worker: None,
            environment: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// Serves Kafka Connect's REST API, as a group of its own.
    pub fn connect(mut self) -> Self {
        self.connect = true;
        self
    }

    /// Wants this token of requests.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Serves the Postgres wire.
    pub fn postgres(mut self) -> Self {
        self.postgres = true;
        self
    }

    /// Serves Arrow Flight on a port that is known.
    pub fn flight(mut self) -> Self {
        self.flight = true;
        self
    }

    /// `eddy connect` instead, as a worker of this group, with these lines in its worker file.
    pub fn worker(mut self, group: &str, lines: &str) -> Self {
        self.worker = Some((group.into(), lines.into()));
        self.connect()
    }

    /// A key of `[kafka]`.
    pub fn kafka(mut self, key: &str, value: &str) -> Self {
        self.kafka.insert(key.into(), value.into());
        self
    }

    /// A connector with its settings, as in `[connectors.NAME]`.
    pub fn connector(mut self, name: &str, settings: &[(&str, &str)]) -> Self {
        let settings = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.connectors.insert(name.into(), settings);
        self
    }

    /// A destination with its options, as in `[destinations.NAME]`.
    pub fn destination(self, name: &str, kind: &str, options: &[(&str, &str)]) -> Self {
        let header = format!("destinations.{}", quoted(name));
        let mut text = format!("[{header}]\ntype = {}\n", quoted(kind));
        let options = options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        table(&mut text, &format!("{header}.options"), &options);
        self.toml(&text)
    }

    /// Whole tables of the configuration file, as text.
    pub fn toml(mut self, text: &str) -> Self {
        self.more.push_str(text);
        self.more.push('\n');
        self
    }

    /// An environment variable, for example `EDDY_FAULT`.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A further argument of `eddy serve`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts it and waits until it says that it is ready.
    #[track_caller]
    pub fn ready(self) -> Eddy {
        let mut eddy = self.spawn();
        eddy.wait_ready(PATIENCE);
        eddy
    }

    /// Starts it and waits for nothing.
    pub fn spawn(self) -> Eddy {
        let directory = TempDir::new().expect("a temporary directory");
        let logs = services().logs.join("processes");
        std::fs::create_dir_all(&logs).expect("a folder for logs");
        let mut eddy = Eddy {
            config: directory.path().join("eddy.toml"),
            directory,
            log: logs.join(format!("{}.log", unique("eddy"))),
            port: free_port(),
            connect: self.connect.then(|| (free_port(), Group(self.group()))),
            postgres: self.postgres.then(free_port),
            flight: self.flight.then(free_port),
            environment: self.environment.clone(),
            arguments: self.arguments.clone(),
            child: None,
        };
        std::fs::write(&eddy.config, self.configuration(&eddy)).expect("a configuration file");
        if let Some((group, lines)) = &self.worker {
            let (url, http) = (eddy.connect_url(), format!("127.0.0.1:{}", eddy.port));
            let text =
                format!("group.id={group}\nlisteners={url}\neddy.http.listen={http}\n{lines}");
            std::fs::write(eddy.worker_file(), text).expect("a worker file");
        }
        eddy.start();
        eddy
    }

    fn group(&self) -> String {
        let named = self.worker.as_ref();
        named.map_or_else(|| unique("workers"), |(group, _)| group.clone())
    }
}

/// A started `eddy`. Killed on drop.
pub struct Eddy {
    config: PathBuf,
    directory: TempDir,
    log: PathBuf,
    port: u16,
    /// The port of Connect's REST API, and the workers' group.
    connect: Option<(u16, Group)>,
    /// The port of the Postgres wire.
    postgres: Option<u16>,
    /// The port of Arrow Flight.
    flight: Option<u16>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Eddy {
    /// The group of its Connect workers.
    pub fn group(&self) -> &str {
        &self.connect.as_ref().expect("started with `connect`").1.0
    }

    /// A folder that lives as long as this value, restarts included.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    fn worker_file(&self) -> PathBuf {
        self.directory.path().join("worker.properties")
    }

    /// The configuration file that it was started with.
    pub fn config(&self) -> &std::path::Path {
        &self.config
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running process").id()
    }

    /// Waits until `GET /readyz` answers 200.
    #[track_caller]
    pub fn wait_ready(&mut self, deadline: Duration) {
        let http = self.http();
        wait_for(deadline, "`/readyz` answers 200", || {
            if let Some(status) = self.exited() {
                panic!("`eddy` ended with {status} before it was ready");
            }
            (http.status("/readyz") == Some(200)).then_some(())
        });
    }

    /// The exit status, if it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("the child's status")
    }

    /// Waits until it ends by itself (at a fault point, say).
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        wait_for(deadline, "`eddy` ends", || self.exited())
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGSTOP: it stands still, its connections stay open.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// SIGTERM, and waits until it has committed and ended.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let status = self.wait_exit(Duration::from_secs(40));
        self.child = None;
        status
    }

    /// Starts it again after it ended: same configuration, same port, without the environment
    /// variables of its first life (a fault strikes once). Doesn't wait.
    pub fn start_again(&mut self) {
        self.kill();
        self.environment.clear();
        self.start();
    }

    /// [`Eddy::start_again`], and waits until it is ready.
    #[track_caller]
    pub fn restart(&mut self) {
        self.start_again();
        self.wait_ready(PATIENCE);
    }

    /// As [`Eddy::restart`], with this environment variable.
    #[track_caller]
    pub fn restart_with(&mut self, name: &str, value: &str) {
        self.kill();
        self.environment = vec![(name.to_owned(), value.to_owned())];
        self.start();
        self.wait_ready(PATIENCE);
    }

    /// Runs `eddy verify` on the topic; panics with its report if that isn't clean.
    #[track_caller]
    pub fn verify(&self, topic: &str) {
        let output = self.run(&["verify", topic]);
        assert!(
            output.status.success(),
            "`eddy verify {topic}` is not clean:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Runs `eddy ARGUMENTS` beside this process: `EDDY_URL` and `EDDY_CONFIG` are its own.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(BINARY)
            .args(arguments)
            .env("EDDY_URL", self.url())
            .env("EDDY_CONFIG", &self.config)
            .stdin(Stdio::null())
            .output()
            .expect("`eddy` runs")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until a line of the log contains the text.
    #[track_caller]
    pub fn wait_log(&self, deadline: Duration, text: &str) {
        let what = format!("the log contains `{text}`");
        super::wait::wait_until(deadline, &what, || self.log().contains(text));
    }

    /// Peak resident memory so far, in bytes.
    pub fn peak_memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the process's status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.expect("a peak in KiB") * 1024
    }

    fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.expect("a log file");
        let mut command = Command::new(BINARY);
        match self.worker_file().exists() {
            true => command.arg("connect").arg(self.worker_file()),
            false => command.args(["serve", "--config"]).arg(&self.config),
        };
        command
            .args(&self.arguments)
            // Most tests ask little, and would wait for what a start does for its first query.
            .env("EDDY__QUERY__WARM_UP", "false")
            .envs(self.environment.iter().cloned())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        self.child = Some(command.spawn().expect("`eddy` starts"));
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: sending a signal needs no crate and no unsafe code this way.
        let kill = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &kill]).status();
        let status = status.expect("a shell");
        assert!(status.success(), "SIG{name} was not delivered");
    }
}

impl Drop for Eddy {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
            eprintln!("---- last lines of {}\n{tail}", self.log.display());
        }
    }
}

/// Runs `eddy ARGUMENTS` with this input, beside any server.
pub fn eddy(arguments: &[&str]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("`eddy` runs")
}
