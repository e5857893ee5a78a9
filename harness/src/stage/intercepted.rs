//! Whether the subject's requests to Pleo's own hosts came through the proxy, and if not, why.

use regrant_mock_server::journal::{Arrived, Proxied, What as Journalled};

use super::{Setting, cast::Cast};
use crate::{
    collect::AGENT_HEADER,
    subject::{Runtime, manifest::Verb},
};

impl Cast {
    /// What keeps an intercepted subject from being judged; none if something of it came through, or if nothing is intercepted.
    pub(super) fn missed_by_the_proxy(&self) -> Option<String> {
        let hosts = &self.setting.manifest.intercept;
        if hosts.is_empty() {
            return None;
        }
        let journal = self.control().journal();
        if journal.iter().any(|entry| matches!(&entry.what, Journalled::Arrived(arrived) if is_subjects(arrived, hosts))) {
            return None;
        }
        let mut seen = "the subject did not come to the proxy at all".to_owned();
        for entry in &journal {
            let Journalled::Proxied { authority, outcome } = &entry.what else { continue };
            match outcome {
                Proxied::Untrusted(why) => {
                    seen = format!(
                        "the subject asked the proxy for {authority}, and gave up TLS ({why}): it does not trust the run's authority"
                    );
                }
                Proxied::Refused(why) => seen = format!("the subject came to the proxy for something else: {why}"),
                Proxied::Served => {}
            }
        }
        let hint = runtime(&self.setting).hint();
        Some(format!("no request for {} came through the proxy: {seen}. {hint}", hosts.join(" or ")))
    }
}

fn is_subjects(arrived: &Arrived, hosts: &[String]) -> bool {
    hosts.iter().any(|host| host.eq_ignore_ascii_case(&arrived.host)) && !arrived.headers.iter().any(|(name, _)| name == AGENT_HEADER)
}

/// Of the program that is started, or else of that which works.
fn runtime(setting: &Setting) -> Runtime {
    let started = setting.manifest.start.as_ref().and_then(|start| start.run.as_deref());
    let argv = started.or(match &setting.manifest.trigger.verb {
        Verb::Run(argv) => Some(&argv[..]),
        Verb::Http(_) | Verb::Auto | Verb::Human(_) => None,
    });
    argv.map_or(Runtime::Unknown, Runtime::of)
}
