//! Which class is which transform: Connect's full names, and the short ones that it takes too.

use super::Transform;
use super::cast::Cast;
use super::drop_headers::DropHeaders;
use super::drop_part::DropPart;
use super::extract_field::ExtractField;
use super::extract_topic::ExtractTopic;
use super::filter::{Condition, Filter};
use super::flatten::Flatten;
use super::header_from::HeaderFrom;
use super::hoist_field::HoistField;
use super::insert_field::InsertField;
use super::insert_header::InsertHeader;
use super::mask_field::MaskField;
use super::message_timestamp_router::MessageTimestampRouter;
use super::new_record_state::NewRecordState;
use super::predicate::Predicate;
use super::regex_router::RegexRouter;
use super::replace_field::ReplaceField;
use super::set_schema_metadata::SetSchemaMetadata;
use super::settings::Settings;
use super::side::Side;
use super::timestamp_converter::TimestampConverter;
use super::timestamp_router::TimestampRouter;
use super::tombstone_handler::TombstoneHandler;
use super::value_to_key::ValueToKey;
use crate::error::{Error, Result};

const KAFKA: &str = "org.apache.kafka.connect.transforms.";
const PREDICATES: &str = "org.apache.kafka.connect.transforms.predicates.";
const CONFLUENT: &str = "io.confluent.connect.transforms.";
const DEBEZIUM: &str = "io.debezium.transforms.";

/// Those that have a variant for keys and one for values.
const TWO_SIDED: [&str; 12] = [
    "Cast",
    "ExtractField",
    "Flatten",
    "HeaderFrom",
    "HoistField",
    "InsertField",
    "MaskField",
    "ReplaceField",
    "SetSchemaMetadata",
    "TimestampConverter",
    "Drop",
    "ExtractTopic",
];

/// Makes the transform that the class of `settings` names; answers its full name too.
pub(super) fn transform(settings: &Settings<'_>) -> Result<(String, Box<dyn Transform>)> {
    let (package, name) = split(settings.class);
    let (plain, side) = match name.rsplit_once('$') {
        None => (name, None),
        Some((plain, "Key")) => (plain, Some(Side::Key)),
        Some((plain, "Value")) => (plain, Some(Side::Value)),
        Some(("ExtractTopic", "Header")) => (name, None),
        Some(_) => return Err(unknown(settings, "transform")),
    };
    let full = |package: &str| format!("{package}{name}");
    if matches!(package, "" | KAFKA)
        && let Some(made) = of_kafka(plain, side, settings)
    {
        return Ok((full(KAFKA), made?));
    }
    if matches!(package, "" | CONFLUENT)
        && let Some(made) = of_confluent(plain, side, settings)
    {
        return Ok((full(CONFLUENT), made?));
    }
    if matches!(package, "" | DEBEZIUM) && name == "ExtractNewRecordState" {
        return Ok((full(DEBEZIUM), Box::new(NewRecordState::read(settings)?)));
    }
    if TWO_SIDED.contains(&plain) && side.is_none() {
        return Err(settings.wrong(
            "type",
            settings.class,
            &format!("`{}$Key` or `{}$Value`", settings.class, settings.class),
        ));
    }
    Err(unknown(settings, "transform"))
}

type Made = Option<Result<Box<dyn Transform>>>;

fn of_kafka(plain: &str, side: Option<Side>, settings: &Settings<'_>) -> Made {
    let made = match (plain, side) {
        ("Cast", Some(side)) => boxed(Cast::read(side, settings)),
        ("ExtractField", Some(side)) => boxed(ExtractField::read(side, settings)),
        ("Flatten", Some(side)) => boxed(Flatten::read(side, settings)),
        ("HeaderFrom", Some(side)) => boxed(HeaderFrom::read(side, settings)),
        ("HoistField", Some(side)) => boxed(HoistField::read(side, settings)),
        ("InsertField", Some(side)) => boxed(InsertField::read(side, settings)),
        ("MaskField", Some(side)) => boxed(MaskField::read(side, settings)),
        ("ReplaceField", Some(side)) => boxed(ReplaceField::read(side, settings)),
        ("SetSchemaMetadata", Some(side)) => boxed(SetSchemaMetadata::read(side, settings)),
        ("TimestampConverter", Some(side)) => boxed(TimestampConverter::read(side, settings)),
        ("DropHeaders", None) => boxed(DropHeaders::read(settings)),
        ("Filter", None) => boxed(Ok(Filter)),
        ("InsertHeader", None) => boxed(InsertHeader::read(settings)),
        ("RegexRouter", None) => boxed(RegexRouter::read(settings)),
        ("TimestampRouter", None) => boxed(TimestampRouter::read(settings)),
        ("ValueToKey", None) => boxed(ValueToKey::read(settings)),
        _ => return None,
    };
    Some(made)
}

fn of_confluent(plain: &str, side: Option<Side>, settings: &Settings<'_>) -> Made {
    let made = match (plain, side) {
        ("Drop", Some(side)) => boxed(DropPart::read(side, settings)),
        ("ExtractTopic", Some(side)) => boxed(ExtractTopic::read(Some(side), settings)),
        ("ExtractTopic$Header", None) => boxed(ExtractTopic::read(None, settings)),
        ("Filter", Some(side)) => boxed(Condition::read(side, settings)),
        ("MessageTimestampRouter", None) => boxed(MessageTimestampRouter::read(settings)),
        ("TombstoneHandler", None) => boxed(TombstoneHandler::read(settings)),
        _ => return None,
    };
    Some(made)
}

fn boxed<T: Transform + 'static>(made: Result<T>) -> Result<Box<dyn Transform>> {
    made.map(|made| Box::new(made) as Box<dyn Transform>)
}

/// Makes the predicate that the class of `settings` names.
pub(super) fn predicate(settings: &Settings<'_>) -> Result<Predicate> {
    let (package, name) = split(settings.class);
    match (package, name) {
        ("" | PREDICATES, "TopicNameMatches") => {
            Ok(Predicate::TopicName(Box::new(settings.pattern("pattern")?)))
        }
        ("" | PREDICATES, "HasHeaderKey") => {
            Ok(Predicate::HasHeader(settings.required("name")?.to_owned()))
        }
        ("" | PREDICATES, "RecordIsTombstone") => Ok(Predicate::Tombstone),
        _ => Err(unknown(settings, "predicate")),
    }
}

/// A class's package, with its last dot, and its name.
fn split(class: &str) -> (&str, &str) {
    class.split_at(class.rfind('.').map_or(0, |dot| dot + 1))
}

fn unknown(settings: &Settings<'_>, what: &str) -> Error {
    Error::invalid(format!(
        "connector `{}`: `{}type` is `{}`, which is no {what} that Eddy has; take it out, or one \
         of those that the manual lists",
        settings.connector, settings.prefix, settings.class
    ))
}
