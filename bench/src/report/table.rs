//! Tables, for a terminal and as Markdown.

use crate::{
    goals::{Goal, megabytes, thousands},
    measure::Row,
    statistics::Spread,
};

/// Rows of cells under a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// The alternatives side by side.
pub(crate) fn alternatives(rows: &[Row]) -> Table {
    let head = vec![
        "",
        "refreshes/s",
        "of hyper",
        "p50 µs",
        "p99 µs",
        "of hyper",
        "CPU µs each",
        "of hyper",
        "ready ms",
        "idle MB",
        "then MB",
        "refresh tokens",
    ];
    let cells = |row: &Row| {
        let name = row.peer.name().to_owned();
        match &row.figures {
            Ok(figures) => vec![
                name,
                spread(figures.rate, thousands),
                spread(figures.share, |share| format!("{share:.2}")),
                thousands(figures.p50.median),
                thousands(figures.p99.median),
                spread(figures.times_p99, |times| format!("{times:.1}×")),
                format!("{:.1}", figures.cost.median),
                spread(figures.times_cost, |times| format!("{times:.1}×")),
                format!("{:.0}", figures.ready.median),
                format!("{:.1}", megabytes(figures.idle)),
                format!("{:.0}", megabytes(figures.after)),
                row.peer.note().to_owned(),
            ],
            Err(why) => [vec![name], vec!["–".to_owned(); 10], vec![format!("left out: {why}")]].concat(),
        }
    };
    Table { head, rows: rows.iter().map(cells).collect() }
}

/// The goals, and how far they are.
pub(crate) fn goals(goals: &[Goal]) -> Table {
    let word = |reached: Option<bool>| match reached {
        Some(true) => "reached",
        Some(false) => "missed",
        None => "–",
    };
    let cells = |goal: &Goal| vec![goal.wanted.to_owned(), goal.measured.clone(), word(goal.reached).to_owned()];
    Table { head: vec!["goal", "measured", ""], rows: goals.iter().map(cells).collect() }
}

/// A table of goals in Markdown, with one of them measured anew.
pub(crate) fn with_goal(markdown: &str, goal: &Goal) -> Table {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut table = goals(std::slice::from_ref(goal));
    let old = markdown.lines().skip(2).map(cells).filter(|row| row.len() == table.head.len());
    let mut rows: Vec<Vec<String>> = old.collect();
    match rows.iter_mut().find(|row| row.first().is_some_and(|wanted| wanted == goal.wanted)) {
        Some(row) => row.clone_from(&table.rows[0]),
        None => rows.append(&mut table.rows.clone()),
    }
    table.rows = rows;
    table
}

fn spread(spread: Spread, shown: impl Fn(f64) -> String) -> String {
    format!("{} ({}–{})", shown(spread.median), shown(spread.min), shown(spread.max))
}

impl Table {
    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let rule = vec![String::new(); self.head.len()];
        self.lines(&rule, '─', "  ", "")
    }

    /// For a document.
    pub(crate) fn markdown(&self) -> String {
        let rule: Vec<String> = (0..self.head.len()).map(|_| "---".to_owned()).collect();
        self.lines(&rule, '-', " | ", "|")
    }

    fn lines(&self, rule: &[String], line: char, between: &str, edge: &str) -> String {
        let head: Vec<String> = self.head.iter().map(|&cell| cell.to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let widths: Vec<usize> =
            (0..head.len()).map(|i| all.iter().map(|row| row[i].chars().count()).max().unwrap_or(0).max(rule[i].len())).collect();
        let shown = |row: &Vec<String>, fill: char| {
            let cells =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell}{}", fill.to_string().repeat(width - cell.chars().count())));
            let cells = cells.collect::<Vec<_>>().join(between);
            if edge.is_empty() { cells.trim_end().to_owned() + "\n" } else { format!("{edge} {cells} {edge}\n") }
        };
        let ruled = shown(&rule.to_vec(), line);
        std::iter::once(shown(&head, ' ')).chain([ruled]).chain(self.rows.iter().map(|row| shown(row, ' '))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    fn small() -> Table {
        Table { head: vec!["", "µs"], rows: vec![vec!["regrant".into(), "7".into()], vec!["x".into(), "1,234".into()]] }
    }

    #[test]
    fn a_table_stands_in_columns() {
        assert_eq!(small().text(), "         µs\n───────  ─────\nregrant  7\nx        1,234\n");
    }

    #[test]
    fn a_table_in_a_document_has_pipes() {
        assert_eq!(small().markdown(), "|         | µs    |\n| ------- | ----- |\n| regrant | 7     |\n| x       | 1,234 |\n");
    }

    #[test]
    fn one_goal_is_measured_anew_among_others() {
        let goal = |measured: &str| Goal { wanted: "fast", measured: measured.into(), reached: Some(true) };
        let other = Goal { wanted: "small", measured: "7 MB".into(), reached: Some(false) };
        let added = with_goal(&goals(std::slice::from_ref(&other)).markdown(), &goal("1"));
        assert_eq!(added, goals(&[other.clone(), goal("1")]));
        assert_eq!(with_goal(&added.markdown(), &goal("2")), goals(&[other, goal("2")]));
    }

    #[test]
    fn a_peer_that_cannot_be_had_says_why() {
        let table = alternatives(&[Row { peer: Peer::NavMock, figures: Err("mvn cannot be run".into()) }]);
        assert!(table.text().ends_with("left out: mvn cannot be run\n"));
    }
}
