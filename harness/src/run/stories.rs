//! The stories that ship inside the program, and those that a user adds.

use std::{path::Path, sync::LazyLock};

use regrant_mock_server::fault::scenario::Scenario;

use super::RunError;
use crate::judge::Purpose;

/// A story by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// File stem.
    pub name: String,
    /// What it says.
    pub scenario: Scenario,
}

impl Story {
    /// What it is told for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        Purpose { story: self.name.clone(), tests: self.scenario.tests.clone(), also: self.scenario.also.clone() }
    }
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../../../scenarios/", $name, ".toml")))),+] };
}

/// In the order of a reader: what ends the grant, what seems to, what comes back, what happens at once.
const SHIPPED: &[(&str, &str)] = shipped![
    "user_revokes_access",
    "refresh_token_expires",
    "policy_ends_the_grant",
    "secret_rotation_ends_the_grant",
    "refused_as_invalid_token_400",
    "refused_as_invalid_token_401",
    "refused_as_invalid_refresh_token",
    "refused_as_unauthorized_client",
    "refused_without_description",
    "refused_with_unfamiliar_description",
    "refused_with_status_401",
    "refused_with_status_403",
    "refused_with_status_200",
    "refused_with_unfamiliar_error_400",
    "refused_with_unfamiliar_error_403",
    "access_token_rejected",
    "api_401_and_refresh_refused",
    "api_403_and_refresh_refused",
    "api_keeps_answering_401",
    "api_keeps_answering_403",
    "html_in_place_of_tokens",
    "token_answer_without_tokens",
    "client_secret_rotated",
    "client_secret_rotated_with_overlap",
    "client_secret_with_every_character",
    "token_endpoint_unavailable",
    "token_endpoint_drops_connections",
    "token_endpoint_resets_connections",
    "proxy_answers_with_html",
    "token_endpoint_asks_for_patience",
    "too_many_refreshes",
    "token_endpoint_hangs",
    "token_endpoint_redirects_with_its_body",
    "token_endpoint_redirects",
    "reply_to_a_refresh_is_lost",
    "replies_are_lost_for_a_while",
    "lost_reply_within_a_grace_period",
    "token_answer_is_cut_off",
    "restarted_while_disconnected",
    "access_lost_twice",
    "revoked_in_mid_work",
    "a_report_meets_401",
    "work_during_the_outage",
    "reconnected_then_restarted",
    "callback_is_forged",
    "five_logins",
    "login_takes_its_time",
    "user_denies_consent",
    "user_abandons_consent",
    "denied_then_granted",
    "exchange_is_refused",
    "exchange_meets_an_outage",
    "exchange_is_dropped",
    "exchange_answers_without_tokens",
    "reconnected_while_connected",
    "another_company_consents",
    "job_in_progress",
    "user_disconnects",
    "user_disconnects_and_pleo_fails",
    "user_disconnects_and_pleo_hangs_up",
    "token_endpoint_hangs_for_users",
    "token_endpoint_refuses_connections_for_users",
    "refreshed_twice",
    "steady_work_with_long_lived_tokens",
    "access_token_runs_out",
    "access_token_runs_out_far_east",
    "access_token_runs_out_far_west",
    "off_longer_than_the_token_lives",
    "refused_right_after_a_restart",
    "tokens_with_unusual_characters",
    "tokens_that_look_like_jwts",
    "tokens_of_2000_characters",
    "lifetime_of_three_seconds",
    "lifetime_of_three_centuries",
    "lifetime_grows",
    "no_lifetime",
    "lifetime_as_text",
    "lifetime_as_fraction",
    "no_new_refresh_token",
    "refresh_token_is_null",
    "refresh_token_is_empty",
    "fewer_scopes_on_refresh",
    "killed_after_refresh",
    "killed_between_reply_and_save",
    "killed_while_it_refreshes",
    "one_of_two_is_revoked",
    "parallel_work_needs_one_refresh",
    "work_from_every_source_needs_one_refresh",
    "two_processes_need_one_refresh",
    "revoked_under_two_processes",
    "paused_while_it_refreshes",
    "the_caller_hangs_up",
    "two_companies_refresh_at_once",
    "a_second_refresh_loses",
    "a_call_meets_401_after_a_sibling_refreshed",
    "refusal_after_a_reconnection",
    "success_after_a_reconnection",
    "success_after_a_disconnection",
    "revoked_while_a_refresh_is_in_flight",
    "two_logins_at_once",
];

/// The stories that ship inside the program.
#[must_use]
#[allow(clippy::expect_used, reason = "shipped with the program and read by a test")]
pub fn built_in() -> &'static [Story] {
    static ALL: LazyLock<Vec<Story>> = LazyLock::new(|| {
        let read = |(name, text): &(&str, &str)| Story {
            name: (*name).to_owned(),
            scenario: Scenario::parse(text).map_err(|e| format!("{name}: {e}")).expect("a shipped scenario"),
        };
        SHIPPED.iter().map(read).collect()
    });
    &ALL
}

/// A scenario file of the user's own.
///
/// # Errors
/// It cannot be read, or something is wrong in it; the message shows the place.
pub(super) fn load(path: &Path) -> Result<Story, RunError> {
    let text =
        std::fs::read_to_string(path).map_err(|e| RunError::user(format!("cannot read the scenario file {}: {e}", path.display())))?;
    let scenario = read(&path.display().to_string(), &text)?;
    let name = path.file_stem().map_or_else(|| "scenario".to_owned(), |s| s.to_string_lossy().into_owned());
    if SHIPPED.iter().any(|(shipped, _)| *shipped == name) {
        return Err(RunError::user(format!("a story named {name} ships with regrant: give {} another file name", path.display())));
    }
    Ok(Story { name, scenario })
}

/// What a scenario file says; `shown` is where it came from.
///
/// # Errors
/// Something is wrong in it; the message shows the place.
pub(super) fn read(shown: &str, text: &str) -> Result<Scenario, RunError> {
    let wrong = |offset, message, advice| RunError::in_file(shown, text.to_owned(), offset, message, advice);
    let scenario = Scenario::parse(text).map_err(|e| wrong(e.offset, e.message, e.advice))?;
    let known = |id: &&String| crate::catalogue::find(id).is_none();
    if let Some(unknown) = scenario.tests.iter().chain(&scenario.also).find(known) {
        let offset = text.find(unknown.as_str()).unwrap_or(0);
        if crate::catalogue::not_decided(unknown).is_some() {
            let message = format!("`{unknown}` is not decided by this version");
            return Err(wrong(offset, message, Some(format!("see `regrant explain {unknown}`"))));
        }
        return Err(wrong(offset, format!("`{unknown}` is no requirement of the register"), Some(advice(unknown))));
    }
    Ok(scenario)
}

fn advice(unknown: &str) -> String {
    let scored = crate::catalogue::all().map(|r| (strsim::jaro_winkler(&unknown.to_uppercase(), r.id), r.id));
    let near = scored.filter(|(score, _)| *score > 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b));
    near.map_or_else(|| "see `regrant list`".into(), |(_, id)| format!("did you mean \"{id}\"? `regrant list` names all"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_file_ships_and_names_known_requirements() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder of scenarios")
            .filter_map(|entry| entry.ok()?.file_name().to_string_lossy().strip_suffix(".toml").map(str::to_owned))
            .collect();
        assert_eq!(files, built_in().iter().map(|s| s.name.clone()).collect());
        for story in built_in() {
            assert!(!story.scenario.tests.is_empty(), "{} tests nothing", story.name);
            for id in story.scenario.tests.iter().chain(&story.scenario.also) {
                assert!(crate::catalogue::find(id).is_some(), "{} names {id}", story.name);
            }
        }
    }

    #[test]
    fn every_requirement_is_decided_in_some_story() {
        for requirement in crate::catalogue::all() {
            assert!(built_in().iter().any(|s| s.scenario.tests.iter().any(|id| id == requirement.id)), "{}", requirement.id);
        }
    }
}
