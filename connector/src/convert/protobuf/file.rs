//! A registered Protobuf file, with those that it imports, compiled.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eddy_engine::Value;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::connect::connect_schema;
use super::message::Reader;
use super::{ProtobufOptions, known};
use crate::convert::wire::message_indexes;
use crate::data::{Datum, Schema};

/// The name of the file that the registry gives no name.
const ROOT: &str = "eddy/registered.proto";

/// Messages of one file that were met.
const MESSAGES_MOST: usize = 256;

/// A compiled file.
#[derive(Debug)]
pub(in crate::convert) struct Compiled {
    pub(super) pool: DescriptorPool,
    options: ProtobufOptions,
    /// Maps have entries among the messages that indexes count: whoever registers descriptors
    /// counts those too, whoever registers sources doesn't see any.
    counts_entries: bool,
    /// Connect's schema of each message that was met.
    schemas: std::sync::Mutex<HashMap<Vec<usize>, Option<Arc<Schema>>>>,
}

impl Compiled {
    /// Compiles a file with those that it refers to by name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::convert) fn parse(
        references: &[(String, String)],
        schema: &str,
        options: ProtobufOptions,
    ) -> Result<Self, String> {
        let mut files: HashMap<String, String> = references.iter().cloned().collect();
        files.insert(ROOT.to_owned(), schema.to_owned());
        let mut resolver = ChainFileResolver::new();
        resolver.add(Given(files));
        resolver.add(Given(known::files()));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        let opened = compiler.open_file(ROOT).map(|_| ());
        opened.map_err(|error| format!("the schema does not compile: {error}"))?;
        Ok(Self {
            pool: compiler.descriptor_pool(),
            options,
            counts_entries: serialized(ROOT, schema).is_some(),
            schemas: std::sync::Mutex::default(),
        })
    }

    /// The value of a message with the list of its indexes in front, or that list and the message
    /// apart.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub(in crate::convert) fn convert(
        &self,
        bytes: &[u8],
        payload: Option<&[u8]>,
    ) -> Result<Datum, String> {
        let (indexes, rest) = match (payload, bytes) {
            // A header of an id alone means the first message.
            (Some(_), []) => (vec![0], bytes),
            _ => message_indexes(bytes)?,
        };
        let descriptor = self
            .message(&indexes)
            .ok_or_else(|| format!("the schema has no message at {indexes:?}"))?;
        let schema = self.schema(indexes, &descriptor);
        let message = DynamicMessage::decode(descriptor.clone(), payload.unwrap_or(rest))
            .map_err(|error| format!("no message of `{}`: {error}", descriptor.full_name()))?;
        let reader = Reader {
            options: self.options,
        };
        let value: Value = reader.root(&message)?;
        Ok(Datum { schema, value })
    }

    fn message(&self, indexes: &[usize]) -> Option<MessageDescriptor> {
        let file = self.pool.get_file_by_name(ROOT)?;
        let (first, inner) = indexes.split_first()?;
        let mut message = file.messages().nth(*first)?;
        for index in inner {
            let inner = message.child_messages();
            let inner = inner.filter(|inner| self.counts_entries || !inner.is_map_entry());
            let inner = inner.collect::<Vec<_>>().into_iter().nth(*index);
            message = inner?;
        }
        Some(message)
    }

    fn schema(&self, indexes: Vec<usize>, message: &MessageDescriptor) -> Option<Arc<Schema>> {
        let mut schemas = self
            .schemas
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if schemas.len() >= MESSAGES_MOST {
            schemas.clear();
        }
        let schema = schemas.entry(indexes);
        schema
            .or_insert_with(|| connect_schema(message, self.options))
            .clone()
    }
}

/// The file of a text that isn't its source but its descriptor in base64, as some serializers
/// register it.
fn serialized(name: &str, text: &str) -> Option<File> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let mut file = FileDescriptorProto::decode(bytes.as_slice()).ok()?;
    file.name = Some(name.to_owned());
    Some(File::from_file_descriptor_proto(file))
}

/// Files that are at hand.
struct Given(HashMap<String, String>);

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(source) => match serialized(name, source) {
                Some(file) => Ok(file),
                None => File::from_source(name, source),
            },
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
