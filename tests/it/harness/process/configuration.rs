//! The configuration file of a process.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Eddy, Start};
use crate::harness::kafka::Group;
use crate::harness::lake::quoted;

impl Start {
    pub(super) fn configuration(&self, eddy: &Eddy) -> String {
        let port = eddy.port;
        let mut text = format!("{}\n[http]\nlisten = \"127.0.0.1:{port}\"\n", self.lake);
        if let Some(token) = &self.token {
            text.push_str(&format!("token = {}\n", quoted(token)));
        }
        match &eddy.connect {
            Some((port, Group(group))) => {
                let listen = quoted(&format!("127.0.0.1:{port}"));
                let group = quoted(group);
                text.push_str(&format!(
                    "[connect]\nlisten = {listen}\ngroup_id = {group}\n"
                ));
                text.push_str("state_replication = 1\n");
            }
            None => text.push_str("[connect]\nlisten = \"\"\n"),
        }
        text.push_str(&format!(
            "[postgres]\nlisten = {}\n",
            quoted(
                &eddy
                    .postgres
                    .map_or_else(String::new, |port| format!("127.0.0.1:{port}"))
            )
        ));
        if !self.more.contains("[flight]") {
            let listen = eddy.flight.map(|port| format!("127.0.0.1:{port}"));
            let listen = quoted(&listen.unwrap_or_default());
            text.push_str(&format!("[flight]\nlisten = {listen}\n"));
        }
        if !self.more.contains("[collector]") {
            text.push_str("[collector]\nhttp_listen = \"\"\ngrpc_listen = \"\"\n");
        }
        table(&mut text, "kafka", &self.kafka);
        for (name, settings) in &self.connectors {
            table(&mut text, &format!("connectors.{}", quoted(name)), settings);
        }
        text.push_str(&self.more);
        text
    }
}

pub(super) fn table(text: &mut String, name: &str, settings: &BTreeMap<String, String>) {
    writeln!(text, "[{name}]").expect("a string takes text");
    for (key, value) in settings {
        writeln!(text, "{} = {}", quoted(key), quoted(value)).expect("a string takes text");
    }
}
