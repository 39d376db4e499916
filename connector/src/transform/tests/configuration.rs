//! What is configured, and what is refused with connector, name and class.

use super::*;

#[test]
fn a_connector_without_transforms_has_no_chain() {
    assert!(read(&[]).unwrap().is_none());
    assert!(read(&[("transforms", " ")]).unwrap().is_none());
}

#[test]
fn every_class_is_known_by_its_full_and_its_short_name() {
    let two_sided: &[(&str, &[(&str, &str)])] = &[
        ("Cast", &[("spec", "int8")]),
        ("ExtractField", &[("field", "a")]),
        ("Flatten", &[]),
        (
            "HeaderFrom",
            &[("fields", "a"), ("headers", "h"), ("operation", "copy")],
        ),
        ("HoistField", &[("field", "a")]),
        ("InsertField", &[("topic.field", "a")]),
        ("MaskField", &[("fields", "a")]),
        ("ReplaceField", &[]),
        ("SetSchemaMetadata", &[("schema.name", "a")]),
        ("TimestampConverter", &[("target.type", "unix")]),
    ];
    let plain: &[(&str, &[(&str, &str)])] = &[
        ("DropHeaders", &[("headers", "h")]),
        ("Filter", &[]),
        ("InsertHeader", &[("header", "h"), ("value.literal", "")]),
        ("RegexRouter", &[("regex", "a"), ("replacement", "")]),
        ("TimestampRouter", &[]),
        ("ValueToKey", &[("fields", "a")]),
    ];
    for (name, options) in two_sided {
        for side in ["Key", "Value"] {
            for class in [format!("{name}${side}"), format!("{KAFKA}{name}${side}")] {
                one(&class, options).unwrap();
            }
        }
        let error = one(name, options).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}$Value`")), "{error}");
    }
    for (name, options) in plain {
        for class in [(*name).to_owned(), format!("{KAFKA}{name}")] {
            one(&class, options).unwrap();
        }
    }
    assert_eq!(two_sided.len() + plain.len(), 16, "Kafka has sixteen");
}

/// Keys of a connector, and what the error about them says.
const WRONG: &str = r#"
transforms=t | `orders` ; `transforms.t.type` ; missing
transforms=t ; transforms.t.type=com.acme.Magic | `orders` ; `transforms.t.type` ; `com.acme.Magic`
transforms=t ; transforms.t.type=io.acme.Cast$Value | `io.acme.Cast$Value`
transforms=t ; transforms.t.type=Cast$Header | `Cast$Header`
transforms=t,t ; transforms.t.type=Filter | `t` ; twice
transforms=t ; transforms.t.type=RegexRouter | `transforms.t.regex` ; `RegexRouter`
transforms=t ; transforms.t.type=RegexRouter ; transforms.t.regex=[ ; transforms.t.replacement=b | `transforms.t.regex` ; `[`
transforms=t ; transforms.t.type=RegexRouter ; transforms.t.regex=a ; transforms.t.replacement=$1 | `transforms.t.replacement` ; `$1` ; group
transforms=t ; transforms.t.type=Cast$Value ; transforms.t.spec=a:x | `transforms.t.spec` ; `a:x` ; int8
transforms=t ; transforms.t.type=Cast$Value ; transforms.t.spec=a:int8,int8 | `transforms.t.spec`
transforms=t ; transforms.t.type=InsertField$Value | `transforms.t`
transforms=t ; transforms.t.type=TimestampConverter$Value ; transforms.t.target.type=string | `format`
transforms=t ; transforms.t.type=TimestampRouter ; transforms.t.timestamp.format=bbb | `bbb` ; `b`
transforms=t ; transforms.t.type=ReplaceField$Value ; transforms.t.renames=a | `transforms.t.renames` ; old:new
transforms=t ; transforms.t.type=HeaderFrom$Value ; transforms.t.fields=a,b ; transforms.t.headers=h ; transforms.t.operation=move | `fields` ; `headers`
transforms=t ; transforms.t.type=Filter ; transforms.t.predicate=q | `transforms.t.predicate` ; `q` ; `predicates`
transforms=t ; transforms.t.type=Filter ; transforms.t.negate=true | `negate` ; `predicate`
transforms=t ; transforms.t.type=Filter ; transforms.t.negate=x | `transforms.t.negate` ; `x` ; `true`
predicates=p ; predicates.p.type=HasHeaderKey | `predicates.p.name` ; missing
predicates=p ; predicates.p.type=Magic | `predicates.p.type` ; `Magic` ; predicate
"#;

#[test]
fn what_is_wrong_is_refused_with_connector_name_and_what_is_allowed() {
    for line in WRONG.lines().filter(|line| !line.is_empty()) {
        let (keys, needles) = line.split_once(" | ").expect("two cells");
        let error = read(&pairs(keys)).unwrap_err().to_string();
        assert!(
            needles.split(" ; ").all(|needle| error.contains(needle)),
            "{error}"
        );
    }
}
