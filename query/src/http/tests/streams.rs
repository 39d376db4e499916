//! How answers are streamed, and how they end; what is refused before there is a query.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use super::{get, orders, post, send};
use crate::http::{HostGuard, Token, protect};
use crate::testing::World;

/// An answer's parts, and its body's bytes and trailers.
fn whole(world: &World, request: Request<Body>) -> (axum::http::response::Parts, Vec<u8>, Json) {
    world.runtime.block_on(async {
        let response = world.query.router().oneshot(request).await.unwrap();
        let (parts, mut body) = response.into_parts();
        let (mut bytes, mut done) = (Vec::new(), Json::Null);
        while let Some(frame) = std::future::poll_fn(|cx| {
            axum::body::HttpBody::poll_frame(std::pin::Pin::new(&mut body), cx)
        })
        .await
        {
            match frame.unwrap().into_data() {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    done = serde_json::from_slice(trailers["eddy-done"].as_bytes()).unwrap();
                }
            }
        }
        (parts, bytes, done)
    })
}

#[test]
fn an_answer_is_compressed_as_asked_and_ends_with_what_the_query_did() {
    let world = orders();
    let expected = format!("{}\n", r#"{"id":2}"#);
    for (accept, coding) in [
        ("zstd, gzip", Some("zstd")),
        ("gzip", Some("gzip")),
        ("br", None),
    ] {
        let request = Request::get("/api/v1/sql?q=SELECT+id+FROM+orders+WHERE+id+%3D+2")
            .header("accept-encoding", accept)
            .body(Body::empty())
            .unwrap();
        let (parts, bytes, done) = whole(&world, request);
        let told = parts.headers.get("content-encoding");
        assert_eq!(told.map(|told| told.to_str().unwrap()), coding);
        assert_eq!(parts.headers["trailer"], "eddy-done");
        let text = match coding {
            Some("zstd") => zstd::decode_all(bytes.as_slice()).unwrap(),
            Some(_) => {
                let mut text = Vec::new();
                let mut reader = flate2::read::GzDecoder::new(bytes.as_slice());
                std::io::Read::read_to_end(&mut reader, &mut text).unwrap();
                text
            }
            None => bytes,
        };
        assert_eq!(String::from_utf8(text).unwrap(), expected, "{accept}");
        assert_eq!(
            (&done["rows"], &done["files_total"]),
            (&json!(1), &json!(1)),
            "{done}"
        );
        let read = ["bytes", "cache_bytes"].map(|figure| done[figure].as_u64().unwrap());
        assert!(read.iter().any(|bytes| *bytes > 0), "{done}");
    }
}

#[test]
fn a_flood_of_text_is_refused_before_it_is_read() {
    let world = World::new();
    let claimed = Request::post("/api/v1/sql")
        .header("content-length", "104857600")
        .body(Body::from_stream(futures::stream::pending::<
            Result<String, crate::Error>,
        >()))
        .unwrap();
    let flood = futures::stream::repeat_with(|| Ok::<_, crate::Error>(vec![b'x'; 1 << 20]));
    let endless = Request::post("/api/v1/sql")
        .body(Body::from_stream(flood))
        .unwrap();
    for request in [claimed, endless] {
        let (status, _, bytes) = send(&world, request);
        let error: Json = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{error}");
        assert_eq!(error["error"]["code"], json!("too_large"), "{error}");
    }
}

#[test]
fn an_error_names_its_query_and_every_refusal_has_one_shape() {
    let world = orders();
    let (_, text) = post(&world, &json!({"sql": "SELECT nope FROM orders"}));
    let error: Json = serde_json::from_str(&text).unwrap();
    let (_, text) = get(&world, "/api/v1/queries");
    let queries: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(
        error["error"]["query_id"],
        queries["queries"][0]["query_id"]
    );

    let token = Token::new("t");
    let router = protect(world.query.router(), HostGuard::default(), Some(token));
    for (request, status, code) in [
        (Request::get("/nothing"), 404, "not_found"),
        (Request::delete("/api/v1/sql"), 405, "not_supported"),
        (Request::get("/api/v1/tables/%ff"), 400, "invalid"),
        (
            Request::get("/api/v1/sql").header("host", "rebound.example"),
            403,
            "forbidden",
        ),
        (
            Request::get("/api/v1/sql").header("authorization", "Bearer x"),
            401,
            "unauthorized",
        ),
    ] {
        let mut request = request.body(Body::empty()).unwrap();
        let headers = request.headers_mut();
        headers
            .entry("authorization")
            .or_insert("Bearer t".parse().unwrap());
        let uri = request.uri().clone();
        let (found, bytes) = world.runtime.block_on(async {
            let response = router.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            (
                status,
                axum::body::to_bytes(response.into_body(), usize::MAX)
                    .await
                    .unwrap(),
            )
        });
        let error: Json = serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{uri}"));
        assert_eq!(
            (found, &error["error"]["code"]),
            (status, &json!(code)),
            "{uri}"
        );
    }
}

#[test]
fn a_client_that_goes_away_ends_its_query() {
    let world = World::with(|options| options.running_max = 1);
    world.runtime.block_on(async {
        let sql = json!({"sql": "SELECT value FROM generate_series(1, 1000000000000)"});
        let request = Request::post("/api/v1/sql")
            .body(Body::from(sql.to_string()))
            .unwrap();
        let response = world.query.router().oneshot(request).await.unwrap();
        let mut stream = response.into_body().into_data_stream();
        let first = futures::StreamExt::next(&mut stream)
            .await
            .unwrap()
            .unwrap();
        assert!(first.starts_with(b"{\"value\":1}\n"));
        drop(stream);
    });
    // There is one turn.
    assert_eq!(world.value("SELECT 1"), json!(1));
    let (_, text) = get(&world, "/api/v1/queries");
    let queries: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(queries["queries"][1]["state"], json!("cancelled"), "{text}");
}

#[test]
fn a_slow_reader_holds_its_query_up_and_not_memory() {
    let world = World::new();
    world.runtime.block_on(async {
        let sql = json!({"sql": "SELECT value FROM generate_series(1, 1000000000000)"});
        let request = Request::post("/api/v1/sql")
            .body(Body::from(sql.to_string()))
            .unwrap();
        let response = world.query.router().oneshot(request).await.unwrap();
        let done = || world.query.0.registry.list().pop().unwrap().done.rows;
        // Until nothing more is computed for whoever doesn't read: a few batches.
        let mut before = 0;
        let mut same = 0;
        while same < 10_000 {
            tokio::task::yield_now().await;
            let now = done();
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
        assert!(before < 1_000_000, "{before}");
        drop(response);
    });
}

#[test]
fn an_answer_as_parquet_is_a_file_of_its_rows() {
    let world = orders();
    let sql = "SELECT id, tags, _timestamp, id AS x, _key FROM orders ORDER BY id";
    let body = json!({"sql": sql, "format": "parquet"});
    let request = Request::post("/api/v1/sql")
        .body(Body::from(body.to_string()))
        .unwrap();
    let (_, response, bytes) = send(&world, request);
    assert_eq!(
        response.headers()["content-type"],
        "application/vnd.apache.parquet"
    );
    let bytes = axum::body::Bytes::from(bytes);
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes);
    let batches: Vec<_> = reader
        .unwrap()
        .build()
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        2
    );
    let names: Vec<String> = batches[0]
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["id", "tags", "_timestamp", "x", "_key"]);
    let ids =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batches[0].column(0));
    assert_eq!(ids.value(0), 2);
}
