//! Lines of the manifest that let more requirements be decided, each as it can be pasted.

use crate::{
    catalogue::Requirement,
    subject::{Manifest, manifest::Disconnect},
};

/// A line of the manifest, or a few that belong together.
#[derive(Debug)]
pub struct Unlock {
    /// Its key.
    pub key: &'static str,
    /// As it can be pasted; addresses and words are the author's to change.
    pub lines: &'static str,
    /// What it is for, after "for".
    pub about: &'static str,
    /// The manifest does not say it.
    pub(super) missing: fn(&Manifest) -> bool,
    /// How texts of the register call it.
    words: &'static [&'static str],
}

impl PartialEq for Unlock {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Unlock {
    /// Whether the register says that this requirement stays undecided without it.
    pub(super) fn is_needed_by(&self, requirement: &Requirement) -> bool {
        self.words.iter().any(|word| requirement.undecided.contains(word))
    }
}

/// All of them, the most useful first.
pub(super) const UNLOCKS: &[Unlock] = &[
    Unlock {
        key: "status",
        lines: "[status]\nhttp         = \"GET {base_url}/status\"\nconnected    = { json = \"/state\", is = \"connected\" }\ndisconnected = { json = \"/state\", is = \"needs_reauth\" }",
        about: "whether the subject shows what it knows",
        missing: |manifest| manifest.status.is_none(),
        words: &["[status]", "`status`"],
    },
    Unlock {
        key: "status.disconnected",
        lines: "# in [status]\ndisconnected = { json = \"/state\", is = \"needs_reauth\" }",
        about: "telling an unauthenticated connection from a broken one",
        missing: |manifest| manifest.status.as_ref().is_some_and(|status| status.disconnected.is_none()),
        words: &["[status]", "status.disconnected"],
    },
    Unlock {
        key: "status.count",
        lines: "# in [status]\ncount = { json = \"/connections\", length = true }",
        about: "whether reconnecting leaves one connection, not two",
        missing: |manifest| manifest.status.as_ref().is_none_or(|status| status.count.is_none()),
        words: &["status.count"],
    },
    Unlock {
        key: "prompt",
        lines: "[prompt]\nhttp = \"GET {base_url}/\"",
        about: "whether a person is told that access must be restored",
        missing: |manifest| manifest.prompt.is_none(),
        words: &["[prompt]", "`prompt`"],
    },
    Unlock {
        key: "prompt.from",
        lines: "# in [prompt]\nfrom = \"/deep/page?x=1\"",
        about: "whether the user comes back to where they were",
        missing: |manifest| manifest.prompt.as_ref().is_none_or(|prompt| prompt.from.is_none()),
        words: &["prompt.from"],
    },
    Unlock {
        key: "settings",
        lines: "[settings]\nhttp = \"GET {base_url}/settings\"",
        about: "whether the user's settings survive",
        missing: |manifest| manifest.settings.is_none(),
        words: &["[settings]", "`settings`"],
    },
    Unlock {
        key: "data",
        lines: "[data]\nhttp = \"GET {base_url}/records\"",
        about: "whether records that were there stay visible",
        missing: |manifest| manifest.data.is_none(),
        words: &["[data]", "`data`"],
    },
    Unlock {
        key: "disconnect",
        lines: "[disconnect]\nhttp = \"POST {base_url}/disconnect\"\n# or, if there is none: none = true",
        about: "what remains when the user disconnects in the subject",
        missing: |manifest| matches!(manifest.disconnect, Disconnect::Undeclared),
        words: &["[disconnect]", "`disconnect`", "disconnect.none"],
    },
    Unlock {
        key: "features.period",
        lines: "# in [features]\nperiod = \"none\"   # or how often it works unasked, such as \"2s\"",
        about: "telling a timer's calls from those that were asked for",
        missing: |manifest| manifest.features.period.is_none(),
        words: &["features.period"],
    },
    Unlock {
        key: "features.connections",
        lines: "# in [features]\nconnections = [\"acme\", \"globex\"]   # values of {connection}; or 1",
        about: "whether one company's end leaves the others alone",
        missing: |manifest| manifest.features.connections.is_none(),
        words: &["features.connections"],
    },
    Unlock {
        key: "features.processes",
        lines: "# in [features]\nprocesses = 2   # instances with {process}, {port}, {token_url} and {api_url} of their own; or 1",
        about: "whether processes that share a store agree",
        missing: |manifest| manifest.features.processes.is_none(),
        words: &["features.processes"],
    },
    Unlock {
        key: "features.confidential",
        lines: "# in [features]\nconfidential = true   # false: a public client, without a secret",
        about: "what a rotated client secret means",
        missing: |manifest| manifest.features.confidential.is_none(),
        words: &["features.confidential"],
    },
    Unlock {
        key: "features.token_timeout",
        lines: "# in [features]\ntoken_timeout = \"30s\"",
        about: "how long the subject may wait for tokens",
        missing: |manifest| manifest.features.token_timeout.is_none(),
        words: &["features.token_timeout"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "contract = 1\nname = \"x\"\n[start]\nrun = [\"true\"]\nready = \"{base_url}/\"\n[connect]\nhttp = \"GET {base_url}/connect\"\n[trigger]\nhttp = \"POST {base_url}/sync\"\n";

    fn manifest(text: &str) -> Manifest {
        Manifest::parse(text, "regrant.toml", std::path::Path::new("/"), &[]).map_err(|e| format!("{e}: {text}")).expect("a manifest")
    }

    #[test]
    fn pasted_lines_are_right_and_are_then_not_missing_any_more() {
        let smallest = manifest(SMALLEST);
        for unlock in UNLOCKS.iter().filter(|unlock| (unlock.missing)(&smallest)) {
            let pasted = match unlock.key.split_once('.') {
                Some((section, _)) if section != "features" => {
                    let section = UNLOCKS.iter().find(|other| other.key == section).expect("its section");
                    format!("{SMALLEST}\n{}\n{}\n", section.lines, unlock.lines)
                }
                Some((section, _)) => format!("{SMALLEST}\n[{section}]\n{}\n", unlock.lines),
                None => format!("{SMALLEST}\n{}\n", unlock.lines),
            };
            let pasted = pasted.replace("\"{base_url}/connect\"", "\"{base_url}/connect?c={connection}\"");
            assert!(!(unlock.missing)(&manifest(&pasted)), "{}", unlock.key);
        }
    }

    #[test]
    fn what_the_register_says_of_lines_is_found() {
        let needs = |key: &str| {
            let unlock = UNLOCKS.iter().find(|unlock| unlock.key == key).expect("a line");
            crate::catalogue::all().filter(|r| unlock.is_needed_by(r)).count()
        };
        for key in ["status", "prompt", "settings", "features.period", "features.connections"] {
            assert!(needs(key) > 0, "{key}");
        }
    }
}
