//! A story in the making: the same TOML as a scenario file, in pieces that can be put together and taken away.

use std::fmt::Write;

use toml::{Table, Value};

/// A story in the making.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// One line for a person.
    pub title: String,
    /// What happens.
    pub about: String,
    /// How many connections it needs.
    pub connections: u32,
    /// How many processes it needs.
    pub processes: u32,
    /// The provider's policy.
    pub provider: Table,
    /// What happens to traffic.
    pub rules: Vec<Table>,
    /// What happens, in order.
    pub steps: Vec<DraftStep>,
}

/// A step of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DraftStep {
    /// What is waited for first.
    pub awaits: Option<Value>,
    /// What is done then.
    pub acts: Vec<Value>,
}

impl DraftStep {
    /// Once the subject has come to rest.
    #[must_use]
    pub fn at_rest(acts: Vec<Value>) -> Self {
        Self { awaits: Some(one("settled", true)), acts }
    }
}

impl Draft {
    /// As a scenario file that decides `tests`; `also` may convict.
    #[must_use]
    pub fn text(&self, tests: &[&str], also: &[&str]) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "title = {}", Value::from(self.title.as_str()));
        let _ = writeln!(out, "about = {}", Value::from(self.about.as_str()));
        let list = |ids: &[&str]| Value::from(ids.to_vec());
        let _ = writeln!(out, "tests = {}", list(tests));
        if !also.is_empty() {
            let _ = writeln!(out, "also = {}", list(also));
        }
        for (name, count) in [("connections", self.connections), ("processes", self.processes)] {
            if count > 1 {
                let _ = writeln!(out, "{name} = {count}");
            }
        }
        if !self.provider.is_empty() {
            out.push_str("\n[provider]\n");
            for (key, value) in &self.provider {
                let _ = writeln!(out, "{key} = {value}");
            }
        }
        for rule in &self.rules {
            out.push_str("\n[[rule]]\n");
            for (key, value) in rule {
                let _ = writeln!(out, "{key} = {value}");
            }
        }
        for step in &self.steps {
            out.push_str("\n[[step]]\n");
            if let Some(awaits) = &step.awaits {
                let _ = writeln!(out, "await = {awaits}");
            }
            match &step.acts[..] {
                [] => {}
                [act] => {
                    let _ = writeln!(out, "do = [{act}]");
                }
                acts => {
                    out.push_str("do = [\n");
                    for act in acts {
                        let _ = writeln!(out, "    {act},");
                    }
                    out.push_str("]\n");
                }
            }
        }
        out
    }

    /// How many things are done in it.
    #[must_use]
    pub fn acts(&self) -> usize {
        self.steps.iter().map(|step| step.acts.len()).sum()
    }
}

/// A table of one entry, as most acts are.
pub(super) fn one(key: &str, value: impl Into<Value>) -> Value {
    Value::Table(std::iter::once((key.to_owned(), value.into())).collect())
}

/// A table of several entries.
pub(super) fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use regrant_mock_server::fault::scenario::Scenario;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_a_scenario() {
        let on = table([("endpoint", "token".into()), ("grant", "refresh_token".into()), ("nth", 1.into())]);
        let rule = [("on".to_owned(), on), ("at".to_owned(), "committed".into()), ("fate".to_owned(), one("hold", "refresh-1"))];
        let draft = Draft {
            title: "A \"title\"".into(),
            about: "Two\nlines.".into(),
            connections: 2,
            processes: 1,
            provider: std::iter::once(("rotation".to_owned(), "strict".into())).collect(),
            rules: vec![rule.into_iter().collect()],
            steps: vec![
                DraftStep { awaits: None, acts: vec![one("add_work", 1), one("need_refresh", "access")] },
                DraftStep::at_rest(vec![one("release", "refresh-1")]),
                DraftStep::at_rest(Vec::new()),
            ],
        };
        let read = Scenario::parse(&draft.text(&["RACE-01"], &["STOP-01"])).expect("a scenario");
        assert_eq!((read.title.as_str(), read.about.as_str()), ("A \"title\"", "Two\nlines."));
        assert_eq!((read.connections, read.processes, read.rules.len(), read.steps.len()), (2, 1, 1, 3));
        assert_eq!((read.steps[0].acts.len(), draft.acts()), (2, 3));
    }
}
