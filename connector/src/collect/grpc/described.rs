//! The `.proto` files of the service, for clients that ask by reflection which methods there are.

use protox::Compiler;
use protox::file::{File, FileResolver};
use tonic_reflection::server::{Builder, v1, v1alpha};

use crate::error::{Error, ErrorKind, Result};

/// Each imports those before it.
const FILES: [(&str, &str); 3] = [
    ("events.proto", include_str!("../../../proto/events.proto")),
    (
        "records.proto",
        include_str!("../../../proto/records.proto"),
    ),
    (
        "services.proto",
        include_str!("../../../proto/services.proto"),
    ),
];

/// The reflection service, and the one that older clients know.
///
/// # Errors
/// `Internal` when the files don't fit together.
pub(super) fn reflection() -> Result<(
    v1::ServerReflectionServer<impl v1::ServerReflection>,
    v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>,
)> {
    let files = compile()?.file_descriptor_set();
    let builder = || {
        Builder::configure()
            .register_file_descriptor_set(files.clone())
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let wrong = |error: tonic_reflection::server::Error| wrong().with_source(error);
    let newer = builder().build_v1().map_err(wrong)?;
    Ok((newer, builder().build_v1alpha().map_err(wrong)?))
}

/// The files, compiled.
///
/// # Errors
/// `Internal` when they don't fit together.
pub(super) fn compile() -> Result<Compiler> {
    let mut compiler = Compiler::with_file_resolver(Files);
    compiler.include_imports(true);
    let opened = compiler.open_file("services.proto").map(drop);
    opened.map_err(|error| wrong().with_source(error))?;
    Ok(compiler)
}

fn wrong() -> Error {
    Error::new(ErrorKind::Internal, "the `.proto` files don't fit together")
}

struct Files;

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match FILES.iter().find(|(file, _)| *file == name) {
            Some((name, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
