//! What a search saw, for a person: how much was told, and of each failure the order that holds beside the order that fails.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Paint;
use crate::run::{Explored, Found, Trouble};

/// A column is not wider than this.
const COLUMN: usize = 58;

/// `explored.json`: the same for a program. `files` are the scenario files, in the order of what was found.
#[must_use]
pub fn explored_document(seen: &Explored, files: &[String]) -> Value {
    let found = seen.found.iter().zip(files).map(|(found, file)| {
        let (before, now) = found.size;
        let (again, failed) = found.repeated;
        let (orders_failing, orders) = found.failing;
        json!({
            "id": found.id,
            "severity": found.severity,
            "situation": found.situation,
            "first_seen_after_seconds": found.after.as_secs_f64(),
            "fails": found.fails,
            "holds": found.holds,
            "orders_failing": orders_failing,
            "orders": orders,
            "parts_before": before,
            "parts": now,
            "told_again": again,
            "failed_again": failed,
            "alike": found.alike,
            "scenario": file,
        })
    });
    json!({
        "contract": seen.run.header.contract,
        "regrant": seen.run.header.regrant,
        "seed": seen.run.header.seed,
        "seconds": seen.searching.as_secs_f64(),
        "situations": seen.tallies,
        "orders_not_told": seen.left,
        "broken": seen.broken,
        "found": found.collect::<Vec<Value>>(),
        "seen_once": seen.once.iter().map(|(story, one)| json!({
            "id": one.id,
            "story": story,
            "fails": one.fails,
            "told_again": one.repeated.0,
        })).collect::<Vec<Value>>(),
    })
}

/// The part of the report that `text` does not know; ends with a newline. `files` are the scenario files, in the order of what was found.
#[must_use]
pub fn explored(seen: &Explored, files: &[String], command: &str, paint: Paint) -> String {
    let mut out = String::new();
    for (place, found) in seen.found.iter().enumerate() {
        one(&mut out, found, files.get(place).map_or("", String::as_str), command, paint);
    }
    for (story, one) in &seen.once {
        let again = one.repeated.0;
        let _ = writeln!(
            out,
            "{} failed once, and in none of {again} more tries: nobody is accused of it. See explored/{story}.toml.\n",
            one.id
        );
    }
    let told: usize = seen.tallies.iter().map(|tally| tally.told).sum();
    let _ = writeln!(out, "{}", paint.strong("Orders told"));
    for tally in &seen.tallies {
        let _ = match &tally.left_out {
            Some(why) => writeln!(out, "  {:<34} left out: {why}", tally.name),
            None => {
                writeln!(out, "  {:<34} {:>4} told, {:>4} came about, {:>4} failing", tally.name, tally.told, tally.realised, tally.failing)
            }
        };
    }
    let seconds = seen.searching.as_secs_f64().max(0.001);
    #[allow(clippy::cast_precision_loss, reason = "a rate for a person")]
    let rate = told as f64 / seconds;
    let left = if seen.left > 0 { format!("; {} more orders are known and were not told", seen.left) } else { String::new() };
    let _ = writeln!(out, "{told} orders in {seconds:.0} s ({rate:.1} a second){left}. Seed {}.", seen.run.header.seed);
    match &seen.trouble {
        Some(Trouble::Environment(reason)) => {
            let _ = writeln!(out, "The surroundings failed in {} of them: {reason}", seen.broken);
        }
        Some(Trouble::Harness(reason)) => {
            let _ = writeln!(out, "The harness failed in {} of them: {reason}", seen.broken);
        }
        None => {}
    }
    if !seen.came_about() {
        let _ = writeln!(out, "No order came about, so nothing was looked at. `regrant doctor` says what is missing.");
    } else if seen.found.is_empty() && seen.once.is_empty() {
        let _ = writeln!(
            out,
            "{}",
            if seen.run.cancelled { "Cancelled; nothing failed until then." } else { "Nothing failed in any of them." }
        );
    }
    out
}

fn one(out: &mut String, found: &Found, file: &str, command: &str, paint: Paint) {
    let (failed, told) = found.failing;
    let place = found
        .situation
        .as_deref()
        .map_or_else(|| "in a sequence drawn at random".to_owned(), |name| format!("in {failed} of {told} orders of {name}"));
    let _ = writeln!(out, "{} fails {place}, first seen after {:.1} s", paint.strong(found.id), found.after.as_secs_f64());
    if let Some(holds) = &found.holds {
        let _ = writeln!(out, "      {:<COLUMN$}  fails", "holds");
        for line in 0..holds.len().max(found.fails.len()).max(1) {
            let cell = |column: &[String]| column.get(line).map_or("", String::as_str).to_owned();
            let (left, right) = (cell(holds), cell(&found.fails));
            let left = if line == 0 && holds.is_empty() { "(all goes on as it comes)".to_owned() } else { left };
            let right = if line == 0 && found.fails.is_empty() { "(all goes on as it comes)".to_owned() } else { right };
            let _ = writeln!(out, "  {:>2}  {left:<COLUMN$}  {right}", line + 1);
        }
    } else if !found.fails.is_empty() {
        let _ = writeln!(out, "      fails");
        for (line, words) in found.fails.iter().enumerate() {
            let _ = writeln!(out, "  {:>2}  {words}", line + 1);
        }
    }
    let (before, now) = found.size;
    let (again, failed) = found.repeated;
    let alike = if found.alike { "alike each time" } else { "not alike each time: the subject is not deterministic here" };
    let told = match again {
        0 => "There was no time to tell it again.".to_owned(),
        _ => format!("Told again, it failed {failed} of {again} times; {alike}."),
    };
    let _ = writeln!(out, "  Made smaller from {before} parts to {now}. {told}");
    let _ = writeln!(out, "  Again: regrant {command} --replay {file}\n");
}
