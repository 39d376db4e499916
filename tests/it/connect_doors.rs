//! Whom a worker lets in: passwords as with Connect's extension for them, TLS, certificates of
//! clients, a listener of its own for `/admin`, pages of other sites.

use serde_json::json;

use crate::harness::kafka::Topic;
use crate::harness::lake::TestLake;
use crate::harness::process::{Start, free_port};
use crate::harness::python;
use crate::harness::services::services;
use crate::harness::unique;

/// Connect's package of what its files name.
const AUTH: &str = "org.apache.kafka.connect.rest.basic.auth.extension";

#[test]
fn only_who_may_gets_in_by_password_certificate_and_origin() {
    let (lake, folder) = (TestLake::local(), tempfile::tempdir().expect("a folder"));
    let at = |name: &str| folder.path().join(name).display().to_string();
    python::run("certificates.py", &json!({"folder": folder.path()}));
    std::fs::write(at("users"), "# who may\nann = p:w d\n").expect("users");
    let jaas = format!(
        "KafkaConnect {{\n  {AUTH}.PropertyFileLoginModule required\n  file=\"{}\";\n}};\n",
        at("users")
    );
    std::fs::write(at("jaas.conf"), jaas).expect("a JAAS file");
    let [plain, secure, admin] = [free_port(), free_port(), free_port()];
    let group = unique("doors");
    let lines = format!(
        "bootstrap.servers={}\nconfig.storage.replication.factor=1\neddy.lake.url={}\n\
         listeners=http://127.0.0.1:{plain},https://127.0.0.1:{secure}\n\
         admin.listeners=https://127.0.0.1:{admin}\n\
         ssl.keystore.type=PEM\nssl.keystore.location={server}\n\
         admin.listeners.https.ssl.keystore.location={server}\n\
         admin.listeners.https.ssl.truststore.location={}\n\
         admin.listeners.https.ssl.client.auth=required\n\
         rest.extension.classes={AUTH}.BasicAuthSecurityRestExtension\n\
         java.security.auth.login.config={}\n\
         access.control.allow.origin=https://ui.example\n\
         access.control.allow.methods=GET,PUT\n",
        services().kafka,
        lake.url,
        at("ca.pem"),
        at("jaas.conf"),
        server = at("server.pem"),
    );
    let _worker = Start::on(&lake).worker(&group, &lines).ready();
    let topic = Topic::create("doors", 1);
    let told = python::run(
        "connect_doors.py",
        &json!({
            "plain": format!("http://127.0.0.1:{plain}"),
            "secure": format!("https://127.0.0.1:{secure}"),
            "admin": format!("https://127.0.0.1:{admin}"),
            "ca": at("ca.pem"),
            "client": at("client.pem"),
            "name": unique("c"),
            "config": {"connector.class": "EddySink", "topics": topic.name},
        }),
    );
    assert_eq!(told["done"], true);
}
