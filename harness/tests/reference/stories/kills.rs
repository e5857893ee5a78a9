//! The subject is killed.

use regrant_mock_server::{authority::Kind, control::UnitKind, journal::Endpoint};

use super::{Misses, Sheet, presented};
use crate::bench::Bench;

/// The subject is killed after a refresh.
pub async fn killed(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let mut bench = Bench::connected(defects).await;
    bench.reject();
    bench.trigger().await;
    let newest = bench.newest(Kind::Refresh);
    bench.restart(true, None).await;
    bench.reject();
    let mark = bench.mark();
    let done = bench.trigger().await.as_deref() == Some("work_done");
    let refreshes = bench.refreshes(mark);
    sheet.holds("REFRESH-03", done && refreshes.first().is_some_and(|request| presented(std::slice::from_ref(request), &newest)));
    assert_eq!(bench.end(false).await, Some(0), "an orderly stop");
    sheet.0
}

/// Upright only: killed in the middle of twenty rounds of work, each a little later than the one before.
pub async fn kills() {
    let mut bench = Bench::connected(&[]).await;
    let mut units = Vec::new();
    for moment in 1..=20 {
        units.extend(bench.control.add_work(UnitKind::Export, 1).into_iter().map(|unit| unit.id));
        bench.reject();
        let mark = bench.mark();
        let mut journal = bench.control.follow();
        bench.post("/sync", "{}").await;
        let mut seen = 0;
        while seen < moment {
            let entry = journal.recv().await.expect("the journal lives");
            seen += usize::from(entry.n > mark);
        }
        bench.restart(true, None).await;
        // A refresh whose reply was lost with the process ends the grant: then the user reconnects.
        if bench.trigger().await.as_deref() != Some("work_done") {
            assert_eq!(bench.status().await.as_deref(), Some("needs_reauth"), "moment {moment}");
            bench.get("/connect").await;
            assert_eq!(bench.trigger().await.as_deref(), Some("work_done"), "moment {moment}");
        }
    }
    let puts: Vec<_> = bench.requests(Endpoint::Api, 0).into_iter().filter(|request| request.method == "PUT").collect();
    let named = |unit: &String| puts.iter().any(|request| String::from_utf8_lossy(&request.body).contains(unit.as_str()));
    assert!(units.iter().all(named), "every unit was reported");
}
