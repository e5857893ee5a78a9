//! What happens while a run goes on, on stderr: a line that changes on a terminal, a line per story elsewhere.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::{report::Verbosity, run::Progress};

/// Erases the line and goes to its beginning.
const CLEAR: &str = "\r\x1b[2K";

/// Shows progress until the sender is gone.
pub(super) async fn show(mut progress: UnboundedReceiver<Progress>, verbosity: Verbosity) {
    let mut shown = Shown::new(io::stderr().is_terminal());
    while let Some(event) = progress.recv().await {
        if verbosity > Verbosity::Quiet {
            // Progress that cannot be shown keeps nobody from working.
            let _ = io::stderr().lock().write_all(shown.after(event).as_bytes());
        }
    }
    if verbosity > Verbosity::Quiet {
        let _ = io::stderr().lock().write_all(shown.end().as_bytes());
    }
}

struct Shown {
    live: bool,
    planned: usize,
    ended: usize,
    failing: usize,
    telling: BTreeSet<String>,
}

impl Shown {
    fn new(live: bool) -> Self {
        Self { live, planned: 0, ended: 0, failing: 0, telling: BTreeSet::new() }
    }

    /// What to write after an event.
    fn after(&mut self, event: Progress) -> String {
        let line = match event {
            Progress::Note { text } => Some(format!("note: {text}")),
            Progress::Building => Some("building the subject".to_owned()),
            Progress::Planned { stories } => {
                self.planned = stories;
                Some(if stories == 1 { "telling 1 story".into() } else { format!("telling {stories} stories") })
            }
            Progress::Searched { told, failing } => {
                (self.planned, self.ended, self.failing) = (self.planned.max(told), told, failing);
                None
            }
            Progress::Began { story } => {
                self.telling.insert(story);
                None
            }
            Progress::Ended { story, seconds, failed, trouble } => {
                self.ended += 1;
                self.failing += usize::from(!failed.is_empty() || trouble.is_some());
                self.telling.remove(&story);
                Some(ended(&story, seconds, &failed, trouble.as_deref()))
            }
        };
        match (self.live, line) {
            (false, line) => line.map(|line| line + "\n").unwrap_or_default(),
            (true, Some(line)) if !line.starts_with("ok") => format!("{CLEAR}{line}\n{}", self.status()),
            (true, _) => format!("{CLEAR}{}", self.status()),
        }
    }

    /// The line that changes.
    fn status(&self) -> String {
        if self.planned == 0 {
            return String::new();
        }
        let failing = if self.failing > 0 { format!(", {} failing", self.failing) } else { String::new() };
        let telling: Vec<_> = self.telling.iter().map(String::as_str).take(2).collect();
        let more = if self.telling.len() > 2 { " …" } else { "" };
        format!("{}/{} told{failing}  {}{more}", self.ended, self.planned, telling.join(", "))
    }

    fn end(&self) -> &'static str {
        if self.live { CLEAR } else { "" }
    }
}

fn ended(story: &str, seconds: f64, failed: &[&str], trouble: Option<&str>) -> String {
    match (trouble, failed) {
        (Some(trouble), _) => format!("fault {story} ({seconds:.1} s): {trouble}"),
        (None, []) => format!("ok    {story} ({seconds:.1} s)"),
        (None, failed) => format!("FAIL  {story} ({seconds:.1} s): {}", failed.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Progress> {
        let end = |failed: &[&'static str]| Progress::Ended { story: "a".into(), seconds: 1.25, failed: failed.to_vec(), trouble: None };
        vec![
            Progress::Building,
            Progress::Planned { stories: 2 },
            Progress::Began { story: "a".into() },
            Progress::Began { story: "b".into() },
            end(&["STOP-01", "PURGE-02"]),
            Progress::Ended { story: "b".into(), seconds: 2.0, failed: Vec::new(), trouble: Some("no port".into()) },
        ]
    }

    #[test]
    fn elsewhere_there_is_a_line_per_story() {
        let mut shown = Shown::new(false);
        let written: String = events().into_iter().map(|event| shown.after(event)).collect();
        assert_eq!(written, "building the subject\ntelling 2 stories\nFAIL  a (1.2 s): STOP-01 PURGE-02\nfault b (2.0 s): no port\n");
    }

    #[test]
    fn on_a_terminal_the_last_line_says_where_things_stand() {
        let mut shown = Shown::new(true);
        let written: Vec<_> = events().into_iter().map(|event| shown.after(event)).collect();
        assert_eq!(written[3], format!("{CLEAR}0/2 told  a, b"));
        assert!(written[4].ends_with("1/2 told, 1 failing  b"), "{}", written[4]);
    }
}
