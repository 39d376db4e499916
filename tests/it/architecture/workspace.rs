//! The workspace as the rules of architecture see it: who is built with what, and the source text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The shipped dependencies of each package, by name.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// A source file: its path from the workspace's root, and its text.
pub type Source = (PathBuf, String);

/// The shipped part of the workspace's dependency graph, all versions of a package as one.
pub fn graph() -> Graph {
    let metadata = metadata();
    let mut names = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        names.insert(package["id"].as_str().expect("an id"), name.to_owned());
    }
    let mut graph = Graph::new();
    for node in metadata["resolve"]["nodes"].as_array().expect("nodes") {
        let from = names[node["id"].as_str().expect("an id")].clone();
        let edges = graph.entry(from).or_default();
        for dependency in node["deps"].as_array().expect("dependencies") {
            let kinds = dependency["dep_kinds"].as_array().expect("kinds");
            // No kind is a normal dependency, `dev` one of tests only.
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                edges.insert(names[dependency["pkg"].as_str().expect("an id")].clone());
            }
        }
    }
    graph
}

fn metadata() -> Value {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        // Without this it wants the packages of every operating system.
        .args(["--filter-platform", host.expect("a host")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata failed: {errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The names of the workspace's members, sorted.
pub fn member_names() -> Vec<String> {
    let metadata = metadata();
    let members = metadata["workspace_members"].as_array().expect("members");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours = packages
        .iter()
        .filter(|package| members.contains(&package["id"]));
    let names = ours.map(|package| package["name"].as_str().expect("a name").to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// All Rust files below these folders of the workspace.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let path = path.strip_prefix(root).expect("below the root").to_owned();
            found.push((path, text));
        }
    }
    found.sort();
    found
}
