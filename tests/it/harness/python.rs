//! Scripts in `tests/it/python/`: other people's lake readers, JSON in, JSON out.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::services::services;

/// Runs `tests/it/python/<script>` with `input` as JSON on its standard input; its standard output
/// must be one JSON value.
#[track_caller]
pub fn run(script: &str, input: &Value) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python");
    let mut child = Command::new(&services().python)
        .arg(folder.join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("its input");
    // A script that ends early shows its reason below.
    let _ = stdin.write_all(input.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{script}` failed:\n{errors}");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("`{script}` didn't print JSON ({error}):\n{errors}"))
}
