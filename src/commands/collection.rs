//! `eddy collection`: makes and looks after collections over the server's HTTP API.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::{CollectionCommand, Server, TokenArgs};
use crate::client::Client;
use crate::output;

const COLLECTIONS: &str = "/api/v1/collections";

/// Runs one of the subcommands.
pub(crate) async fn run(command: CollectionCommand) -> Result<ExitCode> {
    match command {
        CollectionCommand::Create {
            name,
            topic,
            partitions,
            server,
        } => {
            let mut body = json!({ "name": name, "topic": topic });
            if let (Some(partitions), Some(body)) = (partitions, body.as_object_mut()) {
                body.insert("partitions".to_owned(), partitions.into());
            }
            let client = Client::new(&server)?;
            print_with_token(&client.post_json(COLLECTIONS, &body).await?)?;
        }
        CollectionCommand::List { server } => {
            print(&Client::new(&server)?.get_json(COLLECTIONS).await?)?;
        }
        CollectionCommand::Show { name, server } => {
            let path = format!("{COLLECTIONS}/{name}");
            print(&Client::new(&server)?.get_json(&path).await?)?;
        }
        CollectionCommand::Pause { name, server } => act(&name, "pause", &server).await?,
        CollectionCommand::Resume { name, server } => act(&name, "resume", &server).await?,
        CollectionCommand::Archive { name, server } => act(&name, "archive", &server).await?,
        CollectionCommand::Token(args) => token(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn act(name: &str, verb: &str, server: &Server) -> Result<()> {
    let client = Client::new(server)?;
    let path = format!("{COLLECTIONS}/{name}/{verb}");
    print(&client.post_json(&path, &json!({})).await?)
}

async fn token(args: TokenArgs) -> Result<()> {
    let client = Client::new(&args.server)?;
    let path = format!("{COLLECTIONS}/{}/tokens", args.name);
    if let Some(id) = args.revoke {
        client.delete(&format!("{path}/{id}")).await?;
        output::line(format_args!("token {id} is revoked"))?;
        return Ok(());
    }
    let body = json!({ "expires": args.expires, "rate": args.rate });
    print_with_token(&client.post_json(&path, &body).await?)
}

fn print_with_token(body: &Value) -> Result<()> {
    print(body)?;
    eprintln!("the token is shown this once: keep it");
    Ok(())
}

fn print(value: &Value) -> Result<()> {
    output::line(format_args!("{}", serde_json::to_string_pretty(value)?))?;
    Ok(())
}
