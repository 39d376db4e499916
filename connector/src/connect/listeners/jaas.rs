//! The file with users and passwords of Connect's extension for basic authentication, by way of the
//! JAAS file that Java is started with.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::kafka::login_options;

/// Connect's own extension, by the last part of its name.
const BASIC: &str = "BasicAuthSecurityRestExtension";
/// The login module that it comes with.
const MODULE: &str = "PropertyFileLoginModule";
/// The entry of the JAAS file that it goes by.
const ENTRY: &str = "KafkaConnect";
/// The property of Java that names the JAAS file.
const LOGIN_CONFIG: &str = "java.security.auth.login.config";

/// The file of users, if `extensions` (`rest.extension.classes`) ask for basic authentication:
/// named in the JAAS file at `login_config`, else in the one that `java_options` (`KAFKA_OPTS`)
/// name.
///
/// # Errors
/// `Invalid` for an extension that isn't built in, without a JAAS file, and for a login module
/// other than Connect's; `Unavailable` when the file can't be read.
pub(in crate::connect) fn users_file(
    extensions: &str,
    login_config: Option<&str>,
    java_options: &str,
) -> Result<Option<PathBuf>> {
    let mut extensions = extensions.split(',').map(str::trim);
    let Some(first) = extensions.find(|class| !class.is_empty()) else {
        return Ok(None);
    };
    let mut all = std::iter::once(first).chain(extensions.filter(|class| !class.is_empty()));
    if let Some(other) = all.find(|class| class.rsplit('.').next() != Some(BASIC)) {
        return Err(Error::invalid(format!(
            "`rest.extension.classes` has `{other}`; Eddy has Connect's `{BASIC}` only"
        )));
    }
    let of_java = || {
        let option = format!("-D{LOGIN_CONFIG}=");
        let mut options = java_options.split_whitespace();
        options.find_map(|word| word.trim_matches(['"', '\'']).strip_prefix(&*option))
    };
    let Some(path) = login_config.or_else(of_java) else {
        return Err(Error::invalid(format!(
            "`rest.extension.classes` asks for passwords and nothing says where they are: set \
             `{LOGIN_CONFIG}` to the JAAS file, here or in KAFKA_OPTS, or `eddy.rest.users.file` \
             instead to the file of users itself"
        )));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::unavailable(format!("the JAAS file `{path}` can't be read")).with_source(error)
    })?;
    of_entry(&text, Path::new(path)).map(Some)
}

/// The file that the login module of the entry is given.
fn of_entry(text: &str, path: &Path) -> Result<PathBuf> {
    let wrong = |why: &str| {
        let path = path.display();
        Error::invalid(format!("`{ENTRY}` of the JAAS file `{path}` {why}"))
    };
    let lines = text.lines().map(str::trim);
    let kept: Vec<&str> = lines
        .filter(|line| !line.starts_with("//") && !line.starts_with('#'))
        .collect();
    let kept = kept.join("\n");
    let entry = kept
        .split_once(ENTRY)
        .and_then(|(_, rest)| rest.trim_start().strip_prefix('{'))
        .and_then(|rest| rest.split_once("};"))
        .map(|(entry, _)| entry.trim())
        .ok_or_else(|| wrong("is missing"))?;
    let module = entry.split_whitespace().next().unwrap_or_default();
    if module.rsplit('.').next() != Some(MODULE) {
        return Err(wrong(&format!(
            "has the login module `{module}`; Eddy has Connect's `{MODULE}` only"
        )));
    }
    let file = login_options(entry).remove("file");
    file.filter(|file| !file.trim().is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| wrong("has no `file` with users and passwords"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CLASS: &str = "org.apache.kafka.connect.rest.basic.auth.extension.\
                         BasicAuthSecurityRestExtension";

    #[test]
    fn the_file_of_users_is_found_through_the_jaas_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jaas.conf");
        let jaas = "// of Connect\nOther { x.Y required; };\nKafkaConnect {\n  org.apache.kafka.\
                    connect.rest.basic.auth.extension.PropertyFileLoginModule required\n  \
                    file=\"/etc/connect users\";\n};\n";
        std::fs::write(&file, jaas).unwrap();
        let path = file.display().to_string();
        let found = Some(PathBuf::from("/etc/connect users"));
        assert_eq!(users_file(CLASS, Some(&path), "").unwrap(), found);
        let options = format!("-Xmx1g -D{LOGIN_CONFIG}={path} -Dx=y");
        assert_eq!(users_file(CLASS, None, &options).unwrap(), found);
        assert_eq!(users_file(" , ", None, &options).unwrap(), None);
    }

    #[test]
    fn what_is_not_built_in_or_says_no_file_is_refused() {
        let of = |text: &str| of_entry(text, Path::new("/jaas")).unwrap_err().to_string();
        for (text, wanted) in [
            ("KafkaServer { a.B required; };", "is missing"),
            (
                "KafkaConnect { x.LdapLoginModule required file=a; };",
                "`x.LdapLoginModule`",
            ),
            (
                "KafkaConnect { PropertyFileLoginModule required; };",
                "no `file`",
            ),
        ] {
            assert!(of(text).contains(wanted), "{}", of(text));
        }
        let unknown = users_file("com.example.Auth", None, "").unwrap_err();
        assert!(unknown.to_string().contains("`com.example.Auth`"));
        let nowhere = users_file(CLASS, None, "").unwrap_err().to_string();
        assert!(nowhere.contains(LOGIN_CONFIG), "{nowhere}");
    }
}
