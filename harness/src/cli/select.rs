//! Words that select: every `--only` and `--skip` must name something that exists.

use super::{error::CliError, seams::StoryInfo};
use crate::{catalogue::Requirement, run::Options};

/// What a selection may name.
pub(super) struct Selectable {
    ids: Vec<String>,
    groups: Vec<String>,
    stories: Vec<String>,
}

impl Selectable {
    /// From the register, the built-in stories and the user's own.
    pub(super) fn new(register: &[&Requirement], stories: &[StoryInfo], options: &Options) -> Self {
        let ids: Vec<String> = register.iter().map(|requirement| requirement.id.to_owned()).collect();
        let mut groups: Vec<String> = ids.iter().filter_map(|id| Some(id.split_once('-')?.0.to_owned())).collect();
        groups.dedup();
        let own = options.scenarios.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
        Self { ids, groups, stories: stories.iter().map(|story| story.name.clone()).chain(own).collect() }
    }

    /// Refuses words that name nothing: a typing error must not shrink a run.
    pub(super) fn check(&self, options: &Options) -> Result<(), CliError> {
        let words = options.selection.only.iter().chain(&options.selection.skip);
        match words.into_iter().find(|word| !self.names(word)) {
            None => Ok(()),
            Some(later) if !super::seams::is_decided(later) => {
                Err(CliError::Usage(format!("{later} is registered, but not decided by this version: `regrant explain {later}` says why")))
            }
            Some(unknown) => Err(CliError::Usage(format!("{unknown:?} selects nothing{}\n{}", hint(unknown, self.all()), self.existing()))),
        }
    }

    /// For a person whose selection is empty.
    pub(super) fn existing(&self) -> String {
        format!(
            "There are {} requirements in the groups {}, told in {} stories; `regrant list` and `regrant list --stories` name them.",
            self.ids.len(),
            self.groups.join(", "),
            self.stories.len()
        )
    }

    /// IDs and groups in any case, as the plan takes them; stories are names of files.
    fn names(&self, word: &str) -> bool {
        self.ids.iter().chain(&self.groups).any(|name| name.eq_ignore_ascii_case(word)) || self.stories.iter().any(|name| name == word)
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().chain(&self.groups).chain(&self.stories).map(String::as_str)
    }
}

/// `; did you mean "STOP-01"?`, if something is near.
pub(super) fn hint<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> String {
    nearest(word, names).map_or(String::new(), |name| format!("; did you mean {name:?}?"))
}

fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let typed = word.to_lowercase();
    let scored = names.map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    // Below this a suggestion has nothing in common with the word.
    (best.0 > 0.75).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["STOP-01", "STOP-02", "PURGE-01", "user_revokes_access"];

    #[test]
    fn a_typing_error_finds_its_word() {
        assert_eq!(nearest("stop01", NAMES.into_iter()), Some("STOP-01"));
        assert_eq!(nearest("user_revoke_access", NAMES.into_iter()), Some("user_revokes_access"));
        assert_eq!(nearest("zzz", NAMES.into_iter()), None);
    }

    #[test]
    fn a_word_that_names_nothing_is_refused_with_what_there_is() {
        let selectable = Selectable { ids: vec!["STOP-01".into()], groups: vec!["STOP".into()], stories: vec!["a_story".into()] };
        let mut options = Options {
            selection: crate::run::Selection { only: vec!["STOP".into(), "stop-01".into()], skip: vec!["a_story".into()] },
            shard: None,
            seed: 1,
            jobs: None,
            scenarios: Vec::new(),
            regrant: std::path::PathBuf::new(),
        };
        assert!(selectable.check(&options).is_ok());
        options.selection.skip.push("STOP-10".into());
        let Err(CliError::Usage(message)) = selectable.check(&options) else { panic!("accepted") };
        assert!(message.starts_with("\"STOP-10\" selects nothing; did you mean \"STOP-01\"?"), "{message}");
    }
}
