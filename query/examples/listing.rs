//! DataFusion as it comes, over the same Parquet files: what `make bench T=jsonbench` puts beside
//! Eddy.
//!
//! `listing THREADS FILE...` makes a `ListingTable` named `t` of the files, and answers each line
//! of its input, one statement, with a line of its own: milliseconds and rows, tab-separated.
//! Statements `SET ...` change DataFusion's settings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(missing_docs)]

use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::prelude::{SessionConfig, SessionContext};

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().unwrap().parse().unwrap();
    let files: Vec<ListingTableUrl> = arguments
        .map(|file| ListingTableUrl::parse(file).unwrap())
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap();
    let context =
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(threads));
    runtime.block_on(async {
        let options =
            ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
        let config = ListingTableConfig::new_with_multi_paths(files).with_listing_options(options);
        let config = config.infer_schema(&context.state()).await.unwrap();
        let table = ListingTable::try_new(config).unwrap();
        context.register_table("t", Arc::new(table)).unwrap();
    });
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let begun = Instant::now();
        let answer = runtime.block_on(async { context.sql(&line).await?.collect().await });
        match answer {
            Ok(batches) => {
                let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
                println!("{}\t{rows}", begun.elapsed().as_secs_f64() * 1e3);
                if std::env::var_os("LISTING_SHOW").is_some() {
                    datafusion::arrow::util::pretty::print_batches(&batches).unwrap();
                }
            }
            Err(error) => println!("error\t{error}"),
        }
    }
}
