//! A run in parts: which stories a shard tells, and how the shards' histories become one run again.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Saved, Story, built_in};
use crate::evidence::{Header, History};

/// One of several parts of a run, as in `2/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// No part of anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected I/N with I from 1 to N, such as 2/3")]
pub struct NoShard;

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let number = |word: &str| word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse::<usize>().ok()).flatten().ok_or(NoShard);
        let (index, count) = text.split_once('/').ok_or(NoShard)?;
        let (index, count) = (number(index)?, number(count)?);
        if (1..=count).contains(&index) { Ok(Self { index, count }) } else { Err(NoShard) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// What prologue and epilogue cost a story, in steps.
const FRAME: usize = 4;

/// The stories of a shard, in the order given. Every story is in exactly one; the longest are dealt first, each to the shard with least to do.
pub(super) fn part(stories: &[Story], shard: Shard) -> Vec<Story> {
    let cost = |story: &Story| FRAME + story.scenario.steps.len();
    let mut dealt: Vec<&Story> = stories.iter().collect();
    dealt.sort_by(|a, b| cost(b).cmp(&cost(a)).then_with(|| a.name.cmp(&b.name)));
    let mut loads = vec![0; shard.count];
    let mut mine = Vec::new();
    for story in dealt {
        let Some(least) = (0..loads.len()).min_by_key(|&index| loads[index]) else { continue };
        loads[least] += cost(story);
        if least + 1 == shard.index {
            mine.push(story.name.as_str());
        }
    }
    stories.iter().filter(|story| mine.contains(&story.name.as_str())).cloned().collect()
}

/// Why saved runs are not the shards of one run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOneRun {
    /// Several runs, and one of them is whole.
    #[error("{0} is a whole run, not a shard: only shards of one run can be merged")]
    Whole(String),
    /// They differ in what must be the same.
    #[error("{one} and {other} are not shards of one run: {what} {differs}")]
    Differ {
        /// The first.
        one: String,
        /// The one that differs from it.
        other: String,
        /// In what.
        what: &'static str,
        /// How.
        differs: String,
    },
    /// The same shard, twice.
    #[error("shard {shard} is there twice: {one} and {other}")]
    Twice {
        /// Which.
        shard: Shard,
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
    /// Not all of them.
    #[error("shard {0} is missing: without its stories nothing could be said of the whole")]
    Missing(Shard),
}

/// A saved run and where it was read from.
pub type Part = (String, Header, Vec<History>);

/// One run of its shards; a single run of a single one, whatever it is.
///
/// # Errors
/// They are not all the shards of one run.
pub fn merge(mut parts: Vec<Part>) -> Result<Option<(Header, Vec<History>)>, NotOneRun> {
    if parts.len() < 2 {
        return Ok(parts.pop().map(|(_, header, histories)| (header, histories)));
    }
    let mut shards: Vec<(Shard, Part, Saved)> = Vec::new();
    for part in parts {
        let saved: Saved = serde_json::from_value(part.1.terms.clone()).unwrap_or_default();
        let Some(shard) = saved.shard else { return Err(NotOneRun::Whole(part.0)) };
        if let Some((_, first, first_saved)) = shards.first() {
            same(first, first_saved, &part, &saved)?;
        }
        if let Some((_, twin, _)) = shards.iter().find(|(other, _, _)| *other == shard) {
            return Err(NotOneRun::Twice { shard, one: twin.0.clone(), other: part.0 });
        }
        shards.push((shard, part, saved));
    }
    shards.sort_by_key(|(shard, _, _)| shard.index);
    let missing = shards.first().and_then(|(first, _, _)| {
        let count = first.count;
        (1..=count).map(|index| Shard { index, count }).find(|shard| !shards.iter().any(|(there, _, _)| there == shard))
    });
    missing.map_or(Ok(()), |shard| Err(NotOneRun::Missing(shard)))?;
    Ok(joined(shards))
}

fn same(one: &Part, one_saved: &Saved, other: &Part, other_saved: &Saved) -> Result<(), NotOneRun> {
    let count = |saved: &Saved| saved.shard.map_or(0, |shard| shard.count).to_string();
    let terms = |saved: &Saved| serde_json::to_string(&saved.terms).unwrap_or_default();
    let manifest = |saved: &Saved| saved.manifest.clone().unwrap_or_default();
    let different = [
        ("the version of regrant", one.1.regrant.clone(), other.1.regrant.clone(), true),
        ("the subject", one.1.subject.clone(), other.1.subject.clone(), true),
        ("the seed", one.1.seed.to_string(), other.1.seed.to_string(), true),
        ("the number of shards", count(one_saved), count(other_saved), true),
        ("the manifest", manifest(one_saved), manifest(other_saved), false),
        ("the selection of requirements", one_saved.requirements.join(" "), other_saved.requirements.join(" "), false),
        ("what was learnt of the subject before the stories", terms(one_saved), terms(other_saved), false),
    ];
    let Some((what, mine, theirs, shown)) = different.into_iter().find(|(_, mine, theirs, _)| mine != theirs) else { return Ok(()) };
    let differs = if shown { format!("is {mine} in one and {theirs} in the other") } else { "is another".to_owned() };
    Err(NotOneRun::Differ { one: one.0.clone(), other: other.0.clone(), what, differs })
}

fn joined(shards: Vec<(Shard, Part, Saved)>) -> Option<(Header, Vec<History>)> {
    let mut whole: Option<(Header, Saved, Vec<History>)> = None;
    for (_, (_, header, histories), saved) in shards {
        match &mut whole {
            None => whole = Some((header, saved, histories)),
            Some((_, merged, told)) => {
                merged.cancelled |= saved.cancelled;
                merged.purposes.extend(saved.purposes);
                told.extend(histories);
            }
        }
    }
    let (mut header, mut saved, mut histories) = whole?;
    let place = |name: &str| built_in().iter().position(|story| story.name == name).unwrap_or(usize::MAX);
    saved.purposes.sort_by_key(|purpose| place(&purpose.story));
    histories.sort_by_key(|history| place(&history.story));
    super::check::number(&mut histories);
    saved.shard = None;
    header.terms = serde_json::to_value(saved).unwrap_or_default();
    Some((header, histories))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Event, What};

    #[test]
    fn a_shard_is_one_of_so_many() {
        assert_eq!("2/3".parse::<Shard>().map(|shard| shard.to_string()), Ok("2/3".into()));
        for wrong in ["", "1", "0/3", "4/3", "0/0", "1/0", "-1/3", "+1/3", "1/3/5", "a/b", "1/", "99999999999999999999999/3"] {
            assert_eq!(wrong.parse::<Shard>(), Err(NoShard), "{wrong}");
        }
    }

    #[test]
    fn every_story_is_in_exactly_one_shard_and_none_has_much_more_to_do() {
        for count in 1..9 {
            let parts: Vec<Vec<Story>> = (1..=count).map(|index| part(built_in(), Shard { index, count })).collect();
            let mut names: Vec<&str> = parts.iter().flatten().map(|story| story.name.as_str()).collect();
            names.sort_unstable();
            let mut all: Vec<&str> = built_in().iter().map(|story| story.name.as_str()).collect();
            all.sort_unstable();
            assert_eq!(names, all, "{count} shards");
            let loads: Vec<usize> = parts.iter().map(|part| part.iter().map(|story| FRAME + story.scenario.steps.len()).sum()).collect();
            let longest = built_in().iter().map(|story| FRAME + story.scenario.steps.len()).max().unwrap_or(0);
            assert!(loads.iter().max() <= loads.iter().min().map(|least| least + longest).as_ref(), "{loads:?}");
        }
    }

    fn saved(path: &str, shard: &str, story: &str) -> Part {
        let saved = Saved { shard: shard.parse().ok(), manifest: Some("a".into()), ..Saved::default() };
        let terms = serde_json::to_value(saved).expect("serialises");
        let header = Header { contract: 1, regrant: "0.1.0".into(), subject: "crm".into(), seed: 7, terms };
        let events = [1, 2].map(|n| Event { n, at: 0, what: What::HarnessFault { reason: String::new() } });
        (path.into(), header, vec![History { story: story.into(), events: events.into() }])
    }

    #[test]
    fn shards_become_one_run_with_events_numbered_in_one_row() {
        let parts = vec![saved("b", "2/2", "user_revokes_access"), saved("a", "1/2", "refresh_token_expires")];
        let (header, histories) = merge(parts).expect("shards of one run").expect("a run");
        let numbers: Vec<(&str, Vec<u32>)> = histories.iter().map(|h| (h.story.as_str(), h.events.iter().map(|e| e.n).collect())).collect();
        assert_eq!(numbers, [("user_revokes_access", vec![1, 2]), ("refresh_token_expires", vec![3, 4])]);
        assert_eq!(serde_json::from_value::<Saved>(header.terms).expect("saved").shard, None);
    }

    #[test]
    fn what_is_not_all_of_one_run_is_refused() {
        let refused = |parts: Vec<Part>| merge(parts).expect_err("refused").to_string();
        let (one, two) = (|| saved("a", "1/2", "x"), || saved("b", "2/2", "y"));
        assert_eq!(refused(vec![one(), saved("b", "", "y")]), "b is a whole run, not a shard: only shards of one run can be merged");
        assert_eq!(refused(vec![one(), saved("b", "1/2", "x")]), "shard 1/2 is there twice: a and b");
        assert_eq!(
            refused(vec![saved("a", "1/3", "x"), saved("b", "3/3", "y")]),
            "shard 2/3 is missing: without its stories nothing could be said of the whole"
        );
        let changed = |change: fn(&mut Header)| {
            let mut other = two();
            change(&mut other.1);
            refused(vec![one(), other])
        };
        assert!(changed(|header| header.seed = 8).ends_with("the seed is 7 in one and 8 in the other"));
        assert!(
            changed(|header| header.regrant = "0.2.0".into()).ends_with("the version of regrant is 0.1.0 in one and 0.2.0 in the other")
        );
        assert!(changed(|header| header.subject = "erp".into()).ends_with("the subject is crm in one and erp in the other"));
        assert!(changed(|header| header.terms["manifest"] = "b".into()).ends_with("the manifest is another"));
        assert!(
            changed(|header| header.terms["requirements"] = vec!["STOP-01"].into()).ends_with("the selection of requirements is another")
        );
    }
}
