//! `report.html`: one page that needs nothing else. What failed comes first, with what was seen.

use std::fmt::Write;

use super::{
    ExitStatus, Report,
    excerpt::{Line, excerpt},
    model::{severity_word, verdict_word},
};
use crate::{
    catalogue::{Severity, Verdict},
    judge::{InStory, Judged},
};

/// Lines of an excerpt: a page can be long.
const LINES: usize = 120;

const STYLE: &str = include_str!("html.css");

/// The page; ends with a newline. It runs no script and loads nothing.
#[must_use]
pub fn html(report: &Report<'_>) -> String {
    let mut page = Page { report, out: String::new() };
    page.head();
    page.counts();
    match report.stopped_by() {
        Some(reason) => page.put(format_args!("<h2>Nothing could be checked</h2>\n<pre>{}</pre>\n", safe(reason))),
        None => page.body(),
    }
    page.put(format_args!("</main>\n</html>\n"));
    page.out
}

struct Page<'a> {
    report: &'a Report<'a>,
    out: String,
}

impl Page<'_> {
    fn put(&mut self, words: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(words);
    }

    fn head(&mut self) {
        let run = self.report.run;
        let subject = safe(&run.header.subject);
        let meaning = self.report.exit.meaning();
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{subject}: {meaning}</title>\n<style>\n{STYLE}</style>\n<main>\n<h1>{subject}</h1>\n"
        ));
        let (class, stories) = (tone(self.report.exit), run.judgement.stories.len());
        self.put(format_args!(
            "<p><strong class=\"{class}\">{meaning}</strong> <span class=\"faint\">exit {}; {stories} stories in {:.1} s; seed {}; regrant {}</span></p>\n",
            self.report.exit.code(),
            run.seconds,
            run.header.seed,
            safe(&run.header.regrant)
        ));
    }

    fn counts(&mut self) {
        const SHOWN: [Verdict; 6] =
            [Verdict::Pass, Verdict::Fail, Verdict::Undecided, Verdict::KnownFail, Verdict::NotApplicable, Verdict::HarnessFault];
        let head: String = SHOWN.iter().map(|verdict| format!("<th>{}</th>", verdict_word(*verdict))).collect();
        self.put(format_args!("<table class=\"counts\">\n<tr><th></th>{head}</tr>\n"));
        for severity in [Severity::Error, Severity::Warning, Severity::Advice] {
            let of =
                |verdict| self.report.run.judgement.requirements.iter().filter(|j| j.severity == severity && j.verdict == verdict).count();
            let cells: String = SHOWN.iter().map(|verdict| format!("<td>{}</td>", of(*verdict))).collect();
            self.put(format_args!("<tr><td>{}</td>{cells}</tr>\n", severity_word(severity)));
        }
        self.put(format_args!("</table>\n"));
    }

    fn body(&mut self) {
        self.failures();
        self.stale();
        self.faults();
        self.undecided();
        self.listing("Known failures", Verdict::KnownFail);
        self.listing("Not applicable", Verdict::NotApplicable);
        self.listing("Passed", Verdict::Pass);
        self.stories();
    }

    fn failures(&mut self) {
        let failed = self.report.having(Verdict::Fail);
        if failed.is_empty() {
            return;
        }
        self.put(format_args!("<h2>Failed</h2>\n"));
        for judged in failed {
            self.failure(judged);
        }
    }

    fn failure(&mut self, judged: &Judged) {
        let class = if judged.severity == Severity::Error { "bad" } else { "warn" };
        let severity = severity_word(judged.severity);
        self.put(format_args!(
            "<section id=\"{0}\">\n<h3><span class=\"{class}\">{0}</span> <span class=\"rank\">{severity}</span></h3>\n",
            safe(judged.id)
        ));
        let requirement = self.report.requirement(judged.id);
        if let Some(requirement) = requirement {
            self.put(format_args!("<p>The subject {}.</p>\n", safe(requirement.sentence)));
        }
        self.put(format_args!("<p><strong>Seen:</strong> {}.</p>\n", safe(judged.reason.trim_end_matches('.'))));
        for (index, story) in judged.stories.iter().filter(|story| story.finding.verdict == Verdict::Fail).enumerate() {
            self.story(story, index == 0, story.finding.reason != judged.reason);
        }
        if let Some(requirement) = requirement {
            self.put(format_args!("<p><strong>What to do:</strong> {}</p>\n", safe(requirement.remedy)));
            let sources: Vec<String> = requirement.sources.iter().map(|source| safe(source)).collect();
            self.put(format_args!(
                "<p class=\"faint\">Source: {}. More: <code>regrant explain {}</code></p>\n",
                sources.join("; "),
                safe(judged.id)
            ));
        }
        self.put(format_args!("</section>\n"));
    }

    fn story(&mut self, story: &InStory, open: bool, tell_reason: bool) {
        let open = if open { " open" } else { "" };
        let (title, name) = (safe(self.report.title(&story.name)), safe(&story.name));
        self.put(format_args!("<details{open}>\n<summary>In \"{title}\" <span class=\"faint\">({name})</span></summary>\n"));
        if tell_reason {
            self.put(format_args!("<p>{}</p>\n", safe(&story.finding.reason)));
        }
        if let Some(history) = self.report.history(&story.name) {
            self.put(format_args!("<table class=\"seen\">\n"));
            for line in excerpt(history, &story.finding.evidence, LINES) {
                match line {
                    Ok(Line { at, sentence, cited }) => {
                        let (class, mark) = if cited { (" class=\"cited\"", "&gt;") } else { ("", "") };
                        self.put(format_args!("<tr{class}><td>{mark}</td><td>{}</td><td>{}</td></tr>\n", safe(&at), safe(&sentence)));
                    }
                    Err(left_out) => self.put(format_args!("<tr><td></td><td>…</td><td>{left_out} left out</td></tr>\n")),
                }
            }
            self.put(format_args!("</table>\n"));
        }
        self.put(format_args!("</details>\n"));
    }

    fn stale(&mut self) {
        if self.report.stale.is_empty() {
            return;
        }
        self.put(format_args!("<h2>Stale in the baseline</h2>\n<ul>\n"));
        for entry in self.report.stale {
            let (requirement, story, why) = (safe(&entry.requirement), safe(&entry.story), safe(&entry.why));
            self.put(format_args!("<li><strong class=\"bad\">{requirement}</strong> in {story}: {why}</li>\n"));
        }
        self.put(format_args!("</ul>\n"));
    }

    fn faults(&mut self) {
        let mut faults: Vec<String> = Vec::new();
        for told in self.report.troubled() {
            let reasons = [("the harness failed", &told.harness_fault), ("the surroundings failed", &told.environment_fault)];
            faults.extend(reasons.into_iter().filter_map(|(who, reason)| Some(format!("{}: {who}: {}", told.name, reason.as_ref()?))));
        }
        faults.extend(self.report.faults.iter().cloned());
        if faults.is_empty() {
            return;
        }
        self.put(format_args!("<h2>Not the subject's doing</h2>\n<ul>\n"));
        for fault in faults {
            self.put(format_args!("<li>{}</li>\n", safe(&fault)));
        }
        self.put(format_args!("</ul>\n"));
    }

    fn undecided(&mut self) {
        let undecided = self.report.having(Verdict::Undecided);
        if undecided.is_empty() {
            return;
        }
        self.put(format_args!("<h2>Undecided</h2>\n<ul>\n"));
        for judged in undecided {
            let unlock = judged.unlock.as_ref();
            let unlock =
                unlock.map_or(String::new(), |line| format!("; decided by this line of regrant.toml: <code>{}</code>", safe(line)));
            self.put(format_args!("<li><strong class=\"warn\">{}</strong> {}{unlock}</li>\n", safe(judged.id), safe(&judged.reason)));
        }
        self.put(format_args!("</ul>\n"));
    }

    fn listing(&mut self, heading: &str, verdict: Verdict) {
        let judged = self.report.having(verdict);
        if judged.is_empty() {
            return;
        }
        self.put(format_args!("<details>\n<summary><strong>{heading}</strong> ({})</summary>\n<ul>\n", judged.len()));
        for judged in judged {
            self.put(format_args!("<li><strong>{}</strong> {}</li>\n", safe(judged.id), safe(&judged.reason)));
        }
        self.put(format_args!("</ul>\n</details>\n"));
    }

    fn stories(&mut self) {
        let stories = &self.report.run.judgement.stories;
        self.put(format_args!("<details>\n<summary><strong>Stories</strong> ({})</summary>\n<table>\n", stories.len()));
        for told in stories {
            let missed =
                if told.realised { String::new() } else { format!("not told as planned: {}", safe(self.report.missed(&told.name))) };
            let (title, name) = (safe(self.report.title(&told.name)), safe(&told.name));
            self.put(format_args!(
                "<tr><td>{title} <span class=\"faint\">({name})</span></td><td>{:.1} s</td><td>{missed}</td></tr>\n",
                told.seconds
            ));
        }
        self.put(format_args!("</table>\n</details>\n"));
    }
}

fn tone(exit: ExitStatus) -> &'static str {
    match exit {
        ExitStatus::Clean => "good",
        ExitStatus::Undecided => "warn",
        ExitStatus::Cancelled | ExitStatus::Usage | ExitStatus::Failed | ExitStatus::HarnessFault | ExitStatus::Environment => "bad",
    }
}

/// Words of a subject must not become markup, in text or in an attribute.
fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use scraper::{Html, Selector};

    use super::*;
    use crate::report::{Rules, fixture};

    fn rendered(run: &crate::run::Run) -> String {
        let (register, labels) = (fixture::register(), fixture::labels());
        let register: Vec<_> = register.iter().collect();
        html(&Report::new(run, &register, &labels, Rules::default(), &[], "check"))
    }

    #[test]
    fn a_run_with_failures_reads_like_this() {
        insta::assert_snapshot!(rendered(&fixture::run()).replace(STYLE, ""));
    }

    #[test]
    fn it_is_well_formed_and_needs_nothing_else() {
        let page = rendered(&fixture::run());
        let parsed = Html::parse_document(&page);
        // All that is open in HTML alone is left out: what remains must be balanced, which a browser would mend without a word.
        let balanced: Vec<&str> = page.lines().filter(|line| !line.starts_with("<meta") && !line.starts_with("<!doctype")).collect();
        let balanced = balanced.join("\n");
        let mut reader = quick_xml::Reader::from_str(&balanced);
        while reader.read_event().expect("balanced") != quick_xml::events::Event::Eof {}
        let loads = Selector::parse("script, link, img, iframe, [src], [href]").expect("a selector");
        assert_eq!(parsed.select(&loads).count(), 0);
    }

    #[test]
    fn what_a_subject_says_is_not_markup() {
        let mut run = fixture::run();
        run.header.subject = "<script>alert('x')</script>\u{1b}".into();
        run.judgement.requirements[0].reason = "\"><img src=x>".into();
        let page = rendered(&run);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    }
}
