//! What should run, by all entries so far. Pure.

use std::collections::BTreeMap;

use super::entry::{Change, Target};

/// All connectors that should be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::connect) struct Wanted {
    configs: BTreeMap<String, BTreeMap<String, String>>,
    targets: BTreeMap<String, Target>,
    tasks: BTreeMap<String, usize>,
}

/// One connector as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connect) struct Wish {
    /// Its configuration, as it was given.
    pub(in crate::connect) config: BTreeMap<String, String>,
    /// What it should do.
    pub(in crate::connect) target: Target,
    /// How many tasks it has been given.
    pub(in crate::connect) tasks: usize,
}

impl Wanted {
    /// Takes in what an entry says.
    pub(super) fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::Config(name, Some(config)) => {
                self.configs.insert(name, config);
            }
            Change::Config(name, None) => {
                self.configs.remove(&name);
                self.tasks.remove(&name);
            }
            // A target may come before its connector: it is created paused then.
            Change::Target(name, Some(target)) => {
                self.targets.insert(name, target);
            }
            Change::Target(name, None) => {
                self.targets.remove(&name);
            }
            Change::Tasks(name, tasks) => {
                self.tasks.insert(name, tasks);
            }
            // What is to be done once is no state.
            Change::Restart(..) | Change::Level(..) | Change::Unknown => {}
        }
    }

    /// Whether there is a connector called `name`.
    pub(in crate::connect) fn has(&self, name: &str) -> bool {
        self.configs.contains_key(name)
    }

    /// The configuration of the connector called `name`.
    pub(in crate::connect) fn config(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.configs.get(name)
    }

    /// The connector called `name`.
    pub(in crate::connect) fn get(&self, name: &str) -> Option<Wish> {
        Some(Wish {
            config: self.configs.get(name)?.clone(),
            target: self.targets.get(name).copied().unwrap_or_default(),
            tasks: self.tasks.get(name).copied().unwrap_or(0),
        })
    }

    /// All their names.
    pub(in crate::connect) fn names(&self) -> Vec<String> {
        self.configs.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::entry::{Chosen, Entry};
    use super::*;

    fn wanted(entries: &[Entry]) -> Wanted {
        let mut wanted = Wanted::default();
        let mut apply = |entry: &Entry| wanted.apply(&entry.change());
        entries.iter().for_each(&mut apply);
        wanted
    }

    fn config(topic: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("topics".to_owned(), topic.to_owned())])
    }

    #[test]
    fn the_last_entry_of_a_key_counts() {
        let wanted = wanted(&[
            Entry::target("a", Target::Stopped),
            Entry::config("a", &config("t")),
            Entry::tasks("a", 2),
            Entry::config("a", &config("u")),
            Entry::target("a", Target::Paused),
            Entry::config("connector-b", &config("t")),
        ]);
        let wish = wanted.get("a").unwrap();
        assert_eq!((wish.target, wish.tasks), (Target::Paused, 2));
        assert_eq!(wish.config, config("u"));
        assert_eq!(wanted.get("connector-b").unwrap().target, Target::Running);
        assert_eq!(wanted.names(), ["a", "connector-b"]);
    }

    #[test]
    fn what_is_gone_leaves_nothing_to_its_successor() {
        let mut entries = vec![
            Entry::config("a", &config("t")),
            Entry::target("a", Target::Stopped),
            Entry::tasks("a", 3),
        ];
        entries.extend(Entry::gone("a"));
        assert_eq!(wanted(&entries).get("a"), None);
        entries.push(Entry::config("a", &config("t")));
        let wish = wanted(&entries).get("a").unwrap();
        assert_eq!((wish.target, wish.tasks), (Target::Running, 0));
    }

    #[test]
    fn an_entry_that_is_none_of_ours_changes_nothing() {
        let before = wanted(&[Entry::config("a", &config("t"))]);
        let mut after = before.clone();
        for (key, value) in [("session-key", "{}"), ("connector-a", "{"), ("x", "[]")] {
            let entry = Entry {
                key: key.to_owned(),
                value: Some(value.to_owned()),
            };
            after.apply(&entry.change());
        }
        assert_eq!(before, after);
    }

    #[test]
    fn a_restart_and_a_level_are_told_in_connects_form_and_leave_no_state() {
        let all = Chosen::All {
            tasks: true,
            failed: false,
        };
        let entry = Entry::restart("a-0", all);
        assert_eq!(entry.key, "restart-connector-a-0");
        assert_eq!(
            entry.value.as_deref(),
            Some(r#"{"include-tasks":true,"only-failed":false}"#)
        );
        assert_eq!(entry.change(), Change::Restart("a-0".to_owned(), all));
        let task = Entry::restart("a-0", Chosen::Task(2));
        let said = Change::Restart("a-0".to_owned(), Chosen::Task(2));
        assert_eq!(task.change(), said);
        assert_eq!(wanted(&[entry, task]), Wanted::default());
        let level = Entry::level("a.b", "DEBUG");
        assert_eq!(level.key, "logger-cluster-a.b");
        let said = Change::Level("a.b".to_owned(), "DEBUG".to_owned());
        assert_eq!(level.change(), said);
        assert_eq!(wanted(&[level]), Wanted::default());
    }
}
