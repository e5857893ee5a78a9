//! What must be known of a subject before the stories: how it refreshes, and what its work is.

use regrant_mock_server::control::UnitKind;

use crate::{
    evidence::{History, Refreshing, What},
    judge::{Terms, View},
    subject::{
        Manifest,
        manifest::{Verb, WorkKind},
    },
};

/// The story that doubles as the probe: the API rejects an access token.
pub(super) const STORY: &str = "access_token_rejected";

/// What the probe showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) refreshing: Refreshing,
    pub(super) work: Option<WorkKind>,
    pub(super) units: Vec<UnitKind>,
}

/// Reads the probe's history.
pub(super) fn learn(manifest: &Manifest, history: &History) -> Known {
    let work = manifest.work.or_else(|| infer(manifest, history));
    Known { refreshing: refreshing(history), work, units: units(work, history) }
}

/// It refreshes on a 401 if a refresh followed one; where none was met the usual form does no harm.
fn refreshing(history: &History) -> Refreshing {
    let terms = Terms::default();
    let view = View::new(history, &terms);
    let rejected = view.marks(|w| matches!(w, What::AccessRejected { .. })).first().copied();
    let Some(rejected) = rejected else { return Refreshing::OnRejection };
    let end = view.reconnection_after(rejected).map_or(crate::judge::Mark::END, |c| c.called);
    let met = view.api_calls(rejected, end).find(|x| x.replied.is_some_and(|(_, status, _)| status == 401));
    match met {
        Some(met) if view.refreshes(met.arrived, end).next().is_none() => Refreshing::OnExpiry,
        Some(_) | None => Refreshing::OnRejection,
    }
}

fn infer(manifest: &Manifest, history: &History) -> Option<WorkKind> {
    if carries_item(manifest) {
        return Some(WorkKind::Push);
    }
    let api = |pick: fn(&What) -> bool| history.events.iter().any(|e| pick(&e.what));
    if api(|w| matches!(w, What::Api { delivered, .. } if !delivered.is_empty())) {
        return Some(WorkKind::Export);
    }
    api(|w| matches!(w, What::Api { handed_out, .. } if !handed_out.is_empty())).then_some(WorkKind::Read)
}

fn carries_item(manifest: &Manifest) -> bool {
    let text = |verb: &Verb| format!("{verb:?}").contains("{item_id}");
    text(&manifest.trigger.verb)
}

/// For a subject that reads: the units it was seen to read.
fn units(work: Option<WorkKind>, history: &History) -> Vec<UnitKind> {
    match work {
        Some(WorkKind::Export) => vec![UnitKind::Export],
        Some(WorkKind::Push) => Vec::new(),
        Some(WorkKind::Read) | None => {
            let read = |prefix: &str| {
                let terms = Terms::default();
                let view = View::new(history, &terms);
                view.exchanges.iter().any(|x| x.path.starts_with(prefix) && x.api.as_ref().is_some_and(|a| !a.handed_out.is_empty()))
            };
            match (read("/v2/employees"), read("/v3/export")) {
                (false, true) => vec![UnitKind::Export],
                (true, _) | (false, false) => vec![UnitKind::Employee],
            }
        }
    }
}

/// The setting of the probe itself, before anything is known.
pub(super) fn unknown(manifest: &Manifest) -> Known {
    let units = match manifest.work {
        Some(WorkKind::Export) => vec![UnitKind::Export],
        Some(WorkKind::Push) => Vec::new(),
        Some(WorkKind::Read) | None => vec![UnitKind::Employee, UnitKind::Export],
    };
    Known { refreshing: Refreshing::OnRejection, work: manifest.work, units }
}
