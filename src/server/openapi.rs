//! `/openapi.json`: what the API under `/api/v1/` takes and answers, for those who generate clients
//! or try them. The collector's own listener has a document of its own.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// OpenAPI 3.1 of all that any process serves under `/api/v1/`.
const DOCUMENT: &str = include_str!("openapi.json");

/// The document's route.
pub(super) fn router() -> Router {
    let document = ([(CONTENT_TYPE, "application/json")], DOCUMENT);
    Router::new().route("/openapi.json", get(move || async move { document }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::http::{Method, Request, StatusCode, header};
    use eddy_connector::collect::CollectorOptions;
    use eddy_connector::{Collector, KafkaConfig, Providers};
    use eddy_engine::Clock;
    use eddy_engine::testing::memory_lake;
    use eddy_query::{Query, QueryOptions};
    use eddy_replay::{Destinations, Jobs, Reach};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use serde_json::Value;

    use super::DOCUMENT;
    use crate::server::source::Rows;

    /// All that serves anything under `/api/v1/`, and the collector's listener.
    async fn routers() -> (Router, Router) {
        let lake = memory_lake(Clock::system());
        let query = Query::new(lake.clone(), QueryOptions::default()).unwrap();
        let destinations =
            Destinations::open(&lake, Vec::new(), &Reach::default(), Providers::default()).unwrap();
        let rows = Arc::new(Rows::new(query.clone()));
        let jobs = Jobs::open(lake.clone(), rows, destinations).await.unwrap();
        let servers = ("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned());
        let kafka = KafkaConfig::new([servers].into());
        let options = CollectorOptions::default();
        let collector = Collector::open(&lake, &kafka, None, Vec::new(), options).unwrap();
        let api = eddy_replay::router(jobs)
            .merge(query.router())
            .merge(collector.management());
        (api, collector.router())
    }

    /// The paths of a router. It tells them by its `Debug` alone.
    fn paths(router: &Router) -> BTreeSet<String> {
        let text = format!("{router:?}");
        let text = text.split("fallback_router").next().unwrap();
        let parts = text.split('"').skip(1).step_by(2);
        let paths = parts.filter(|part| part.starts_with('/') && !part.contains("__private"));
        paths.map(str::to_owned).collect()
    }

    /// What a router takes at a path.
    async fn methods(router: &Router, path: &str) -> BTreeSet<String> {
        let path = path.replace(['{', '}'], "x");
        let request = Request::builder()
            .method(Method::TRACE)
            .uri(path.as_str())
            .body(Body::empty());
        let answer = TowerToHyperService::new(router.clone()).call(request.unwrap());
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = answer.headers().get(header::ALLOW).unwrap();
        let allowed = allowed.to_str().unwrap().split(',');
        // Whatever answers GET answers HEAD.
        let allowed = allowed.filter(|method| *method != "HEAD");
        allowed.map(str::to_lowercase).collect()
    }

    fn described(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
        let paths = document["paths"].as_object().unwrap().iter();
        let methods = |item: &Value| item.as_object().unwrap().keys().cloned().collect();
        paths
            .map(|(path, item)| (path.clone(), methods(item)))
            .collect()
    }

    async fn served(router: &Router) -> BTreeMap<String, BTreeSet<String>> {
        let mut served = BTreeMap::new();
        for path in paths(router) {
            let methods = methods(router, &path).await;
            served.insert(path, methods);
        }
        served
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_documents_name_each_route_and_no_other() {
        let (api, events) = routers().await;
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(described(&document), served(&api).await);
        let document: Value = serde_json::from_str(Collector::document()).unwrap();
        let mut served = served(&events).await;
        assert!(served.remove("/openapi.json").is_some());
        assert_eq!(described(&document), served);
    }

    #[test]
    fn whatever_a_document_refers_to_is_in_it() {
        for text in [DOCUMENT, Collector::document()] {
            let document: Value = serde_json::from_str(text).unwrap();
            let references = text.split("\"#").skip(1);
            let references: Vec<&str> = references
                .filter_map(|rest| rest.split('"').next())
                .collect();
            assert!(!references.is_empty());
            for reference in references {
                assert!(document.pointer(reference).is_some(), "{reference}");
            }
            let ids = text.split("\"operationId\": \"").skip(1);
            let ids: Vec<&str> = ids.filter_map(|rest| rest.split('"').next()).collect();
            let once: BTreeSet<&str> = ids.iter().copied().collect();
            assert_eq!(
                once.len(),
                ids.len(),
                "each operation has a name of its own"
            );
        }
    }
}
