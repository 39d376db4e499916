//! The destination against librdkafka's mock cluster.
