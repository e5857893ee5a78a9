//! `junit.xml`, for CI servers: a suite per story, a case per requirement judged in it.
//!
//! Which case is red, and why another is `skipped`, is said in `cases`.

use std::io;

use quick_xml::{Writer, events::BytesText};

use super::{
    Report,
    cases::{Case, Outcome, Suite, suites},
};

/// The document.
///
/// # Errors
/// None that a run can cause; those of the writer.
pub fn junit(report: &Report<'_>) -> io::Result<String> {
    let suites = suites(report);
    let mut out = Vec::from(*b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    write(&mut Writer::new_with_indent(&mut out, b' ', 2), report, &suites)?;
    out.push(b'\n');
    String::from_utf8(out).map_err(io::Error::other)
}

#[derive(Default)]
struct Totals {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Totals {
    fn of<'c>(cases: impl Iterator<Item = &'c Case>) -> Self {
        cases.fold(Self::default(), |mut totals, case| {
            totals.tests += 1;
            match case.outcome {
                Outcome::Passed => {}
                Outcome::Skipped(_) => totals.skipped += 1,
                Outcome::Failure { .. } => totals.failures += 1,
                Outcome::Error { .. } => totals.errors += 1,
            }
            totals
        })
    }

    fn attributes(&self) -> [(&'static str, String); 4] {
        [("tests", self.tests), ("failures", self.failures), ("errors", self.errors), ("skipped", self.skipped)]
            .map(|(name, count)| (name, count.to_string()))
    }
}

type Xml<'w> = Writer<&'w mut Vec<u8>>;

fn write(xml: &mut Xml<'_>, report: &Report<'_>, suites: &[Suite]) -> io::Result<()> {
    let totals = Totals::of(suites.iter().flat_map(|suite| &suite.cases)).attributes();
    xml.create_element("testsuites")
        .with_attribute(("name", legal(&report.run.header.subject).as_str()))
        .with_attributes(totals.iter().map(|(name, value)| (*name, value.as_str())))
        .with_attribute(("time", time(report.run.seconds).as_str()))
        .write_inner_content(|xml| suites.iter().try_for_each(|one| suite(xml, one)))?;
    Ok(())
}

fn suite(xml: &mut Xml<'_>, suite: &Suite) -> io::Result<()> {
    let totals = Totals::of(suite.cases.iter()).attributes();
    xml.create_element("testsuite")
        .with_attribute(("name", legal(&suite.title).as_str()))
        .with_attributes(totals.iter().map(|(name, value)| (*name, value.as_str())))
        .with_attribute(("time", time(suite.seconds).as_str()))
        .write_inner_content(|xml| suite.cases.iter().try_for_each(|case| testcase(xml, &suite.story, case)))?;
    Ok(())
}

fn testcase(xml: &mut Xml<'_>, story: &str, case: &Case) -> io::Result<()> {
    let element = xml.create_element("testcase").with_attribute(("classname", story)).with_attribute(("name", case.name.as_str()));
    match &case.outcome {
        Outcome::Passed => element.write_empty()?,
        Outcome::Skipped(message) => element.write_inner_content(|xml| {
            xml.create_element("skipped").with_attribute(("message", legal(message).as_str())).write_empty()?;
            Ok(())
        })?,
        Outcome::Failure { message, body } => element.write_inner_content(|xml| {
            let failure = xml.create_element("failure").with_attribute(("message", legal(message).as_str()));
            failure.with_attribute(("type", "fail")).write_text_content(BytesText::new(&legal(body)))?;
            Ok(())
        })?,
        Outcome::Error { kind, message } => element.write_inner_content(|xml| {
            let error = xml.create_element("error").with_attribute(("message", legal(message).as_str()));
            error.with_attribute(("type", *kind)).write_empty()?;
            Ok(())
        })?,
    };
    Ok(())
}

fn time(seconds: f64) -> String {
    format!("{seconds:.3}")
}

/// Without the characters that XML 1.0 cannot hold, escaped or not: a subject may log escape sequences.
fn legal(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Rules, fixture};

    fn rendered(run: &crate::run::Run, rules: Rules) -> String {
        let (register, labels) = (fixture::register(), fixture::labels());
        let register: Vec<_> = register.iter().collect();
        junit(&Report::new(run, &register, &labels, rules, &[], "check")).expect("writes")
    }

    #[test]
    fn a_run_with_failures_reads_like_this() {
        insta::assert_snapshot!(rendered(&fixture::run(), Rules::default()));
    }

    #[test]
    fn a_failed_warning_is_a_failure_under_strict_and_skipped_otherwise() {
        let mut run = fixture::run();
        run.judgement.requirements.retain(|judged| judged.id == "LOG-06");
        assert!(rendered(&run, Rules::default()).contains("<skipped message=\"failed, but only a warning"));
        assert!(rendered(&run, Rules { strict: true, allow_undecided: false }).contains("<failure message=\"340 lines"));
    }

    #[test]
    fn an_undecided_requirement_that_is_allowed_is_skipped() {
        let mut run = fixture::run();
        run.judgement.requirements.retain(|judged| judged.id == "PURGE-03");
        assert!(rendered(&run, Rules::default()).contains("type=\"undecided\""));
        assert!(!rendered(&run, Rules { strict: false, allow_undecided: true }).contains("<error"));
    }

    #[test]
    fn what_a_subject_says_cannot_break_the_document() {
        let mut run = fixture::run();
        run.judgement.requirements[0].stories[0].finding.reason = "\u{1b}[31m<oops> & \"quoted\" \u{0}".into();
        let xml = rendered(&run, Rules::default());
        assert!(xml.contains("[31m&lt;oops&gt; &amp; &quot;quoted&quot; "));
        let mut reader = quick_xml::Reader::from_str(&xml);
        while reader.read_event().expect("well-formed") != quick_xml::events::Event::Eof {}
    }
}
