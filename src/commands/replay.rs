//! `eddy replay`: plans, starts, watches and stops replays over the server's HTTP API.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::cli::{ReplayCommand, Server};
use crate::client::Client;
use crate::output;

const REPLAYS: &str = "/api/v1/replays";

/// Runs one of the replay subcommands.
pub(crate) async fn run(command: ReplayCommand) -> Result<ExitCode> {
    match command {
        ReplayCommand::Plan { statement, server } => {
            let client = Client::new(&server)?;
            print(&plan(&client, &statement).await?)?;
        }
        ReplayCommand::Start {
            statement,
            yes,
            server,
        } => {
            return start(&statement, yes, &server).await;
        }
        ReplayCommand::List { server } => {
            print(&Client::new(&server)?.get_json(REPLAYS).await?)?;
        }
        ReplayCommand::Show { id, server } => {
            print(
                &Client::new(&server)?
                    .get_json(&format!("{REPLAYS}/{id}"))
                    .await?,
            )?;
        }
        ReplayCommand::Pause { id, server } => act(&id, "pause", &server).await?,
        ReplayCommand::Resume { id, server } => act(&id, "resume", &server).await?,
        ReplayCommand::Rate { id, rate, server } => {
            let path = format!("{REPLAYS}/{id}/rate");
            let asked = json!({ "rate": rate });
            print(&Client::new(&server)?.post_json(&path, &asked).await?)?;
        }
        ReplayCommand::Offsets {
            id,
            group,
            topic,
            committed,
            apply,
            server,
        } => {
            let asked = json!({
                "group": group,
                "topic": topic,
                "committed": positions(&committed)?,
                "apply": apply,
            });
            let path = format!("{REPLAYS}/{id}/offsets");
            print(&Client::new(&server)?.post_json(&path, &asked).await?)?;
        }
        ReplayCommand::Cancel { id, server } => act(&id, "cancel", &server).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn plan(client: &Client, statement: &str) -> Result<Value> {
    client
        .post_json(REPLAYS, &json!({ "sql": statement, "plan": true }))
        .await
}

async fn start(statement: &str, yes: bool, server: &Server) -> Result<ExitCode> {
    let client = Client::new(server)?;
    if !yes {
        print(&plan(&client, statement).await?)?;
        if !agreed()? {
            eprintln!("nothing was started");
            return Ok(ExitCode::FAILURE);
        }
    }
    print(
        &client
            .post_json(REPLAYS, &json!({ "sql": statement }))
            .await?,
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn act(id: &str, verb: &str, server: &Server) -> Result<()> {
    let client = Client::new(server)?;
    print(
        &client
            .post_json(&format!("{REPLAYS}/{id}/{verb}"), &json!({}))
            .await?,
    )
}

/// `0=120` and the like as an object; nothing of nothing.
fn positions(given: &[String]) -> Result<Option<Value>> {
    let mut positions = serde_json::Map::new();
    for one in given {
        let Some((partition, offset)) = one.split_once('=') else {
            bail!("`{one}` is no partition and its next offset; write `--committed 0=120,1=80`");
        };
        let partition: i32 = partition.trim().parse()?;
        let offset: i64 = offset.trim().parse()?;
        positions.insert(partition.to_string(), offset.into());
    }
    Ok((!positions.is_empty()).then_some(Value::Object(positions)))
}

fn agreed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("standard input is no terminal to ask on; pass --yes to start without asking");
    }
    eprint!("start this replay? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn print(value: &Value) -> Result<()> {
    output::line(format_args!("{}", serde_json::to_string_pretty(value)?))?;
    Ok(())
}
