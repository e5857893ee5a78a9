//! The whole measurement, from the first start to the last table.

use std::{env, path::PathBuf, time::Duration};

use crate::{
    args::Wanted,
    error::BenchError,
    goals::{self, Besides, goals},
    measure::{
        Row, Server, grants,
        judge::{self, Judged},
        side_by_side, soak,
    },
    peer::{ALL, Peer, Place},
    process, report,
};

/// Seconds that each authority is refreshed.
const AUTHORITY: u64 = 2;

/// Measures and reports.
///
/// # Errors
/// regrant itself, or bare hyper, cannot be measured.
pub(crate) fn run(typed: &Wanted) -> Result<(), BenchError> {
    let wanted = typed.meant();
    let peers = selected(&wanted.only)?;
    let pinned = process::pin_load();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::io("starting a runtime"))?;
    let (rows, besides) = runtime.block_on(measure(&peers, &wanted))?;
    let mut text = String::new();
    let mut markdown = String::new();
    for table in [report::alternatives(&rows), report::goals(&goals(&rows, &besides))] {
        text += &format!("\n{}", table.text());
        markdown += &format!("{}\n", table.markdown());
    }
    let how = how(&wanted, pinned);
    println!("{text}\n{how}");
    if typed.write {
        println!("written to {}", report::write(&format!("{markdown}{how}"))?.display());
    }
    Ok(())
}

/// Measures the judge alone; of the tables only its line is written.
///
/// # Errors
/// The stories cannot be told to the reference subject, or there is no run to judge.
pub(crate) fn judge(typed: &Wanted) -> Result<(), BenchError> {
    let wanted = typed.meant();
    let goal = goals::judging(Some(judged(&here(&wanted)?, &wanted)?));
    println!("\n{}", report::goals(std::slice::from_ref(&goal)).text());
    if typed.write {
        println!("written to {}", report::write_goal(&goal)?.display());
    }
    Ok(())
}

fn judged(place: &Place, wanted: &Wanted) -> Result<Judged, BenchError> {
    let run = match &wanted.run {
        Some(run) => run.clone(),
        None => {
            println!("All stories, for the judge");
            judge::tell(place)?
        }
    };
    println!("The judge alone");
    judge::ask(&run, wanted.rounds)
}

async fn measure(peers: &[Peer], wanted: &Wanted) -> Result<(Vec<Row>, Besides), BenchError> {
    let place = place(wanted).await?;
    println!("Side by side:");
    let rows = side_by_side(peers, &place, wanted).await;
    if !peers.contains(&Peer::Regrant) {
        return Ok((rows, Besides::default()));
    }
    let mut besides = Besides::default();
    if wanted.soak > 0 {
        println!("Soak: {} s", wanted.soak);
        besides.soak = Some(soak(&place, wanted.connections, Duration::from_secs(wanted.soak)).await?);
    }
    println!("The authority alone");
    besides.few = Some(grants::ask(1_000, AUTHORITY)?);
    besides.many = Some(grants::ask(wanted.grants, AUTHORITY)?);
    besides.judge = Some(judged(&place, wanted)?);
    Ok((rows, besides))
}

/// Where things are; the constant answer is a real one of regrant's.
async fn place(wanted: &Wanted) -> Result<Place, BenchError> {
    let mut place = here(wanted)?;
    let mut server = Server::start(Peer::Regrant, &place)?;
    server.connect(&place, 1).await?;
    place.body = server.sample().await?;
    Ok(place)
}

fn here(wanted: &Wanted) -> Result<Place, BenchError> {
    let here = env::current_exe().map_err(BenchError::io("looking for this program"))?;
    let regrant = here.with_file_name("regrant");
    if !regrant.is_file() {
        return Err(BenchError::Install("regrant is not built: cargo xtask bench does that".into()));
    }
    let folder =
        here.parent().and_then(|profile| profile.parent()).map(|target| target.join("bench")).unwrap_or_else(|| PathBuf::from("bench"));
    Ok(Place { regrant, folder, body: String::new(), chains: wanted.connections })
}

/// Bare hyper, and what was asked for.
fn selected(only: &[String]) -> Result<Vec<Peer>, BenchError> {
    let is_meant = |peer: &Peer, name: &str| peer.name().to_lowercase().contains(&name.to_lowercase());
    if let Some(stray) = only.iter().find(|name| !ALL.iter().any(|peer| is_meant(peer, name))) {
        let names: Vec<_> = ALL.iter().map(|peer| peer.name()).collect();
        return Err(BenchError::Answer(format!("--only {stray}: there is none of that name; there are {}", names.join(", "))));
    }
    let meant = |peer: &Peer| *peer == Peer::Hyper || only.is_empty() || only.iter().any(|name| is_meant(peer, name));
    Ok(ALL.into_iter().filter(meant).collect())
}

fn how(wanted: &Wanted, pinned: bool) -> String {
    let cores = if pinned { "Server on one core, load on another." } else { "There is one core only, shared by server and load." };
    format!(
        "Medians of {} rounds of {} ms each (least–greatest); {} connections, a refresh chain on each. {cores}\n",
        wanted.rounds, wanted.turn, wanted.connections
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    #[test]
    fn bare_hyper_is_always_there() {
        assert_eq!(selected(&[]).expect("all"), ALL);
        assert_eq!(selected(&["regrant".into()]).expect("known"), [Peer::Hyper, Peer::Regrant]);
        assert_eq!(selected(&["oauth2-mock".into()]).expect("known"), [Peer::Hyper, Peer::OauthMock]);
        assert!(selected(&["nobody".into()]).is_err());
    }
}
