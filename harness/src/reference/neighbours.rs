//! The connections side by side in one program: each is a company's, with a store, a queue and tokens of its own.
//!
//! A request names its connection (`?connection=globex`); one that names none is for the first. A callback belongs to the connection
//! whose login it ends.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use axum::{Router, extract::Request, response::Response};
use tower::ServiceExt;
use url::form_urlencoded;

use super::{
    App, StartError,
    config::Config,
    flaw::{Flaw, Flaws},
    pages,
    store::{Disk, Snapshot, Store},
};

/// All connections, the first one's store in the folder itself, each other one's in a folder of its name.
pub(super) fn apps(config: &Config, flaws: Flaws) -> Result<Vec<Arc<App>>, StartError> {
    let mut apps = Vec::new();
    for (name, state_dir) in folders(config) {
        fs::create_dir_all(&state_dir).map_err(StartError::Folder)?;
        apps.push(Arc::new(App::new(&name, &Config { state_dir, ..config.clone() }, flaws)?));
    }
    infect(&apps, flaws);
    introduce(&apps, flaws);
    Ok(apps)
}

/// Each connection's folder.
pub(super) fn folders(config: &Config) -> Vec<(String, PathBuf)> {
    let folder =
        |(index, name): (usize, &String)| (name.clone(), if index == 0 { config.state_dir.clone() } else { config.state_dir.join(name) });
    config.connections.iter().enumerate().map(folder).collect()
}

/// One router for all.
pub(super) fn router(apps: &[Arc<App>]) -> Router {
    let desks: Vec<(Arc<App>, Router)> = apps.iter().map(|app| (Arc::clone(app), pages::router(Arc::clone(app)))).collect();
    let desks: Arc<[(Arc<App>, Router)]> = desks.into();
    Router::new().fallback(move |request: Request| {
        let desk = pick(&desks, &request);
        async move { answer(desk, request).await }
    })
}

async fn answer(desk: Option<Router>, request: Request) -> Response {
    match desk {
        Some(desk) => desk.oneshot(request).await.unwrap_or_else(|never| match never {}),
        None => Response::default(),
    }
}

fn pick(desks: &[(Arc<App>, Router)], request: &Request) -> Option<Router> {
    let query: HashMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let named = |(app, _): &&(Arc<App>, Router)| match (request.uri().path(), query.get("state"), query.get("connection")) {
        ("/callback", Some(state), _) => app.logins.knows(state),
        (_, _, Some(name)) => app.name == *name,
        (_, _, None) => true,
    };
    // A callback that nobody waits for is refused by the first.
    desks.iter().find(named).or(desks.first()).map(|(_, router)| router.clone())
}

/// Planted: what ends one connection is taken for the end of the others.
fn infect(apps: &[Arc<App>], flaws: Flaws) {
    if !flaws.has(Flaw::PurgesAll) && !flaws.has(Flaw::MarksAll) {
        return;
    }
    for app in apps {
        let mut ends = app.tokens.ends();
        let others: Vec<Arc<App>> = apps.iter().filter(|other| other.name != app.name).cloned().collect();
        tokio::spawn(async move {
            while ends.changed().await.is_ok() {
                for other in &others {
                    if flaws.has(Flaw::PurgesAll) {
                        drop(other.tokens.discard("invalid_grant"));
                    } else {
                        drop(other.store.set_note("neighbour_ended", "yes"));
                    }
                }
            }
        });
    }
}

/// Planted: whoever refreshes knows the stores of the others.
fn introduce(apps: &[Arc<App>], flaws: Flaws) {
    if !flaws.has(Flaw::WritesAllBack) {
        return;
    }
    for app in apps {
        let others = apps.iter().filter(|other| other.name != app.name).map(|other| Arc::clone(&other.store)).collect();
        drop(app.tokens.others.set(others));
    }
}

/// Planted: what was read of the others when a refresh set out, to be written back with what it brings.
pub(super) struct Copies(Vec<(Arc<Store>, Snapshot)>);

impl Copies {
    pub(super) fn of(others: &OnceLock<Vec<Arc<Store>>>) -> Self {
        let all = others.get().into_iter().flatten();
        Self(all.filter_map(|store| Some((Arc::clone(store), store.snapshot().ok()?))).collect())
    }

    /// What is saved, and the copies, are written at one go.
    pub(super) fn written_with<T>(self, save: impl FnOnce() -> T) -> T {
        static GO: Mutex<()> = Mutex::new(());
        if self.0.is_empty() {
            return save();
        }
        let go = GO.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = save();
        for (store, snapshot) in self.0 {
            drop(store.transit(|_| Some((snapshot, Disk::Same))));
        }
        drop(go);
        saved
    }
}
