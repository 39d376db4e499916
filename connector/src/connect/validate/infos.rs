//! The answer of a validation, and its JSON.

use serde_json::{Value, json};

use crate::connect::config::def::{Checked, HIDDEN, Key};

/// Every key with its value and errors.
#[derive(Debug, Clone)]
pub(in crate::connect) struct Infos {
    name: Option<String>,
    groups: Vec<String>,
    configs: Vec<Info>,
}

/// One key.
#[derive(Debug, Clone)]
pub(in crate::connect) struct Info {
    /// The key's full name.
    pub(in crate::connect) name: String,
    /// Its definition; null for what no table has.
    pub(in crate::connect) definition: Value,
    /// The value as it is understood.
    pub(in crate::connect) value: Option<String>,
    /// What is wrong.
    pub(in crate::connect) errors: Vec<String>,
    recommended: Vec<String>,
    /// Whether tools should show it.
    visible: bool,
}

impl Infos {
    pub(super) fn new(name: Option<String>) -> Self {
        let groups = ["Common", "Transforms", "Predicates", "Error Handling"];
        Self {
            name,
            groups: groups.map(str::to_owned).to_vec(),
            configs: Vec::new(),
        }
    }

    /// Adds a key of a table, as `name`.
    pub(super) fn add(
        &mut self,
        key: &Key,
        name: &str,
        checked: Checked,
        recommended: Vec<String>,
    ) {
        if let Some(group) = key.group {
            self.group(group);
        }
        self.push(name, definition(key, name), checked, recommended);
        // A class that isn't there has no version to choose.
        if let Some(info) = self.configs.last_mut() {
            info.visible = !(name.ends_with(".plugin.version") && key.default.is_none());
        }
    }

    /// Adds a key with a definition of its own; null is none.
    pub(super) fn push(
        &mut self,
        name: &str,
        definition: Value,
        checked: Checked,
        recommended: Vec<String>,
    ) {
        self.configs.push(Info {
            name: name.to_owned(),
            definition,
            value: checked.value,
            errors: checked.errors,
            recommended,
            visible: true,
        });
    }

    /// Adds a key that no table has, before all others, where Connect lists what it doesn't know.
    pub(super) fn unknown(&mut self, name: &str, checked: Checked) {
        self.push(name, Value::Null, checked, Vec::new());
        self.configs.rotate_right(1);
    }

    /// Makes `group` known.
    pub(super) fn group(&mut self, group: &str) {
        if !self.groups.iter().any(|known| known == group) {
            self.groups.push(group.to_owned());
        }
    }

    /// Adds an error to the key called `name`, or the key with it.
    pub(super) fn blame(&mut self, name: &str, why: String) {
        if let Some(info) = self.configs.iter_mut().find(|info| info.name == name) {
            info.errors.push(why);
            return;
        }
        let checked = Checked {
            value: None,
            errors: vec![why],
        };
        self.unknown(name, checked);
    }

    /// Adds an error unless the key has it.
    pub(super) fn blame_once(&mut self, name: &str, why: String) {
        let mut infos = self.configs.iter().filter(|info| info.name == name);
        if !infos.any(|info| info.errors.contains(&why)) {
            self.blame(name, why);
        }
    }

    /// Whether the key called `name` is among them.
    pub(super) fn lists(&self, name: &str) -> bool {
        self.configs.iter().any(|info| info.name == name)
    }

    /// Each error with its key.
    pub(super) fn blamed(&self) -> impl Iterator<Item = (&str, &str)> {
        let infos = self.configs.iter();
        infos.flat_map(|info| {
            let errors = info.errors.iter();
            errors.map(|why| (info.name.as_str(), why.as_str()))
        })
    }

    /// Forgets what is wrong; a key of which `shown` tells something has that as its value, unless
    /// its value is hidden.
    pub(super) fn forget_errors(&mut self, shown: impl Fn(&str) -> Option<String>) {
        self.configs
            .retain(|info| !info.definition.is_null() || info.value.is_some());
        for info in &mut self.configs {
            info.errors.clear();
            if info.value.as_deref() != Some(HIDDEN) {
                info.value = shown(&info.name).or(info.value.take());
            }
        }
    }

    /// All errors, in the order of the keys.
    pub(in crate::connect) fn errors(&self) -> impl Iterator<Item = &str> {
        self.configs
            .iter()
            .flat_map(|info| info.errors.iter().map(String::as_str))
    }

    /// How many there are.
    pub(in crate::connect) fn error_count(&self) -> usize {
        self.errors().count()
    }

    /// The keys.
    #[cfg(test)]
    pub(in crate::connect) fn configs(&self) -> &[Info] {
        &self.configs
    }

    /// The text with which a connector is refused.
    pub(in crate::connect) fn refusal(&self) -> Option<String> {
        let errors: Vec<&str> = self.errors().collect();
        (!errors.is_empty()).then(|| {
            format!(
                "Connector configuration is invalid and contains the following {} error(s):\n{}\n\
                 You can also find the above list of errors at the endpoint \
                 `/connector-plugins/{{connectorType}}/config/validate`",
                errors.len(),
                errors.join("\n")
            )
        })
    }

    /// Connect's `ConfigInfos`.
    pub(in crate::connect) fn json(&self) -> Value {
        let configs: Vec<Value> = self
            .configs
            .iter()
            .map(|info| {
                json!({
                    "definition": info.definition,
                    "value": {
                        "name": info.name,
                        "value": info.value,
                        "recommended_values": info.recommended,
                        "errors": info.errors,
                        "visible": info.visible,
                    },
                })
            })
            .collect();
        json!({
            "name": self.name,
            "error_count": self.error_count(),
            "groups": self.groups,
            "configs": configs,
        })
    }
}

/// Connect's `ConfigKeyInfo` of a key.
pub(in crate::connect) fn key_info(key: &Key) -> Value {
    definition(key, key.name)
}

fn definition(key: &Key, name: &str) -> Value {
    let shown = Shown {
        name,
        title: key.title,
        documentation: key.documentation,
        group: key.group,
        order: key.order,
    };
    shown.of(key)
}

/// How a key is shown where it stands: under a prefix it has another name and group.
pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    pub(super) documentation: &'a str,
    pub(super) group: Option<&'a str>,
    pub(super) order: i32,
}

impl Shown<'_> {
    /// Connect's `ConfigKeyInfo` of `key`, shown so.
    pub(super) fn of(&self, key: &Key) -> Value {
        json!({
            "name": self.name,
            "type": key.kind.as_str(),
            "required": key.required,
            "default_value": key.default,
            "importance": key.importance.as_str(),
            "documentation": self.documentation,
            "group": self.group,
            "order_in_group": self.order,
            "width": key.width.as_str(),
            "display_name": self.title,
            "dependents": key.dependents,
        })
    }
}
