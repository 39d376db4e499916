//! Where the real services are, and private ones for tests that kill them.
//!
//! `make test` starts the shared ones and says where they are by environment variables. A test
//! without them fails and says how to run it; nothing is ever skipped silently.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

/// The services that all tests share.
pub struct Services {
    /// `host:port` of the broker.
    pub kafka: String,
    pub s3: S3,
    /// A Python that has the lake readers.
    pub python: PathBuf,
    /// Where processes started by tests log.
    pub logs: PathBuf,
}

/// An S3 server and the keys that it takes.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `http://host:port`
    pub endpoint: String,
    pub access_key: String,
    pub secret_key: String,
}

/// The shared services; panics if this isn't a run that has them.
pub fn services() -> &'static Services {
    static SERVICES: LazyLock<Services> = LazyLock::new(|| Services {
        kafka: variable("EDDY_TEST_KAFKA"),
        s3: S3 {
            endpoint: variable("EDDY_TEST_S3_ENDPOINT"),
            access_key: variable("EDDY_TEST_S3_ACCESS_KEY"),
            secret_key: variable("EDDY_TEST_S3_SECRET_KEY"),
        },
        python: variable("EDDY_TEST_PYTHON").into(),
        logs: variable("EDDY_TEST_LOGS").into(),
    });
    &SERVICES
}

impl S3 {
    /// Makes an empty bucket.
    pub fn create_bucket(&self, bucket: &str) {
        control(&[
            "bucket",
            &self.endpoint,
            &self.access_key,
            &self.secret_key,
            bucket,
        ]);
    }
}

/// An S3 server of one test, which may kill it and start it again. Stopped on drop.
pub struct PrivateS3 {
    directory: TempDir,
    pub s3: S3,
}

impl PrivateS3 {
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let path = directory.path().to_string_lossy().into_owned();
        let exported = exports(&control(&["start", &path, "s3"]));
        let s3 = S3 {
            endpoint: exported["EDDY_TEST_S3_ENDPOINT"].clone(),
            access_key: exported["EDDY_TEST_S3_ACCESS_KEY"].clone(),
            secret_key: exported["EDDY_TEST_S3_SECRET_KEY"].clone(),
        };
        Self { directory, s3 }
    }

    /// Ends the server at once, as a crash would. Its data stays.
    pub fn kill(&self) {
        control(&["kill", &self.path(), "s3"]);
    }

    /// Starts the server again, on its port, with its data.
    pub fn restart(&self) {
        control(&["start", &self.path(), "s3"]);
    }

    fn path(&self) -> String {
        self.directory.path().to_string_lossy().into_owned()
    }
}

impl Drop for PrivateS3 {
    fn drop(&mut self) {
        let _ = control_command(&["kill", &self.path(), "s3"]).output();
    }
}

/// A broker of one test, which may kill it and start it again. Stopped on drop.
pub struct PrivateKafka {
    directory: TempDir,
    /// `host:port`
    pub bootstrap_servers: String,
}

impl PrivateKafka {
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let path = directory.path().to_string_lossy().into_owned();
        let exported = exports(&control(&["start", &path, "kafka"]));
        let bootstrap_servers = exported["EDDY_TEST_KAFKA"].clone();
        Self {
            directory,
            bootstrap_servers,
        }
    }

    /// Ends it at once, as a crash would. Its topics stay.
    pub fn kill(&self) {
        control(&["kill", &self.path(), "kafka"]);
    }

    /// Starts it again, on its port, with its topics.
    pub fn restart(&self) {
        control(&["start", &self.path(), "kafka"]);
    }

    fn path(&self) -> String {
        self.directory.path().to_string_lossy().into_owned()
    }
}

impl Drop for PrivateKafka {
    fn drop(&mut self) {
        let _ = control_command(&["kill", &self.path(), "kafka"]).output();
    }
}

/// `host:port` of the RabbitMQ that all tests share, started by the first that asks. Its user is
/// `guest`; it takes messages of up to 1 MiB.
pub fn rabbitmq() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| started("rabbitmq", "EDDY_TEST_RABBITMQ"));
    &ADDRESS
}

/// `http://host:port` of the SQS that all tests share, started by the first that asks. It checks no
/// signatures.
pub fn sqs() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| started("elasticmq", "EDDY_TEST_SQS"));
    &ADDRESS
}

/// The shared broker's listener that wants TLS and a user.
pub struct SecuredKafka {
    /// `host:port`
    pub bootstrap_servers: String,
    /// The certificate to trust, in PEM.
    pub ca: String,
}

/// That of the broker that all tests share. `plain` with `plain-secret` is a user of `PLAIN`.
pub fn secured_kafka() -> SecuredKafka {
    let ca = std::fs::read_to_string(variable("EDDY_TEST_KAFKA_CA"));
    SecuredKafka {
        bootstrap_servers: variable("EDDY_TEST_KAFKA_SECURED"),
        ca: ca.expect("the broker's certificate"),
    }
}

/// Adds a user of `SCRAM-SHA-512`, or gives it another password.
pub fn add_scram_user(name: &str, password: &str) {
    let added = format!("SCRAM-SHA-512=[password={password}]");
    scram_user(name, &["--add-config", &added]);
}

/// Removes it again: within some seconds it has no connection any more.
pub fn remove_scram_user(name: &str) {
    scram_user(name, &["--delete-config", "SCRAM-SHA-512"]);
}

fn scram_user(name: &str, change: &[&str]) {
    let run = variable("EDDY_TEST_RUN");
    let entity = ["--entity-type", "users", "--entity-name", name];
    let all = [&["kafka-configs", &run, "--alter"], &entity[..], change].concat();
    control(&all);
}

/// Tells RabbitMQ what only its administrator may.
pub fn rabbitmqctl(arguments: &[&str]) {
    rabbitmq();
    let run = variable("EDDY_TEST_RUN");
    let mut all = vec!["rabbitmqctl", run.as_str()];
    all.extend_from_slice(arguments);
    control(&all);
}

/// Starts a service of the run, which ends with it, and tells where it is.
fn started(service: &str, exported: &str) -> String {
    exports(&control(&["start", &variable("EDDY_TEST_RUN"), service]))[exported].clone()
}

/// A schema registry of one test, which may kill it and start it again. Stopped on drop.
pub struct PrivateRegistry {
    directory: TempDir,
    /// The address of its Confluent API.
    pub url: String,
}

impl PrivateRegistry {
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let path = directory.path().to_string_lossy().into_owned();
        let exported = exports(&control(&["start", &path, "registry"]));
        let url = exported["EDDY_TEST_REGISTRY"].clone();
        Self { directory, url }
    }

    /// Ends it at once, as a crash would. Its schemas stay.
    pub fn kill(&self) {
        control(&["kill", &self.path(), "registry"]);
    }

    /// Starts it again, on its port, with its schemas.
    pub fn restart(&self) {
        control(&["start", &self.path(), "registry"]);
    }

    fn path(&self) -> String {
        self.directory.path().to_string_lossy().into_owned()
    }
}

impl Drop for PrivateRegistry {
    fn drop(&mut self) {
        let _ = control_command(&["kill", &self.path(), "registry"]).output();
    }
}

/// Soak runs do more kills, cases and seeds: `usual` in CI, `soak` in `make soak`.
pub fn scale(usual: usize, soak: usize) -> usize {
    match std::env::var("EDDY_SOAK") {
        Ok(value) if value == "1" => soak,
        _ => usual,
    }
}

fn control(arguments: &[&str]) -> String {
    let output = control_command(arguments)
        .output()
        .expect("the control script");
    assert!(
        output.status.success(),
        "`control {}` failed: {}",
        arguments[0],
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

fn control_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(variable("EDDY_TEST_CONTROL"));
    command.args(arguments);
    command
}

fn exports(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "`{name}` is not set: run this through `make test`, or run `make services` and \
             source the file that it names"
        )
    })
}
