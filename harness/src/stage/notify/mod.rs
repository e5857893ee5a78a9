//! Where the subject's messages to its user arrive: a webhook and a mail server on loopback, open as long as the story.

mod smtp;
#[cfg(test)]
mod tests;
mod webhook;

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use regex::Regex;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::{cast::Cast, recorder::Recorder};
use crate::{
    canary::CanarySet,
    collect::Notice,
    evidence::{Channel, Says, What},
    subject::manifest::Prompt,
};

/// A longer message is refused.
const LONGEST: usize = 1 << 20;
/// More messages in one story are counted, not kept.
const MOST: u32 = 1_000;
/// The links of so many messages are followed.
const FOLLOWED: u32 = 8;
/// So many visitors at once.
const GUESTS: usize = 32;
/// A visitor may stay so long.
const VISIT: Duration = Duration::from_secs(60);

/// The open doors; they close when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// `{notify_url}`.
    pub(super) webhook: Option<SocketAddr>,
    /// `{smtp_url}`.
    pub(super) mail: Option<SocketAddr>,
    desk: Option<Arc<Desk>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Where messages are written down.
#[derive(Debug)]
pub(super) struct Desk {
    recorder: Recorder,
    canaries: CanarySet,
    says: Option<Regex>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: u32,
    followed: u32,
    /// Messages that tell the user, whose links were not followed yet: number, page.
    waiting: Vec<(u32, String)>,
}

impl Doors {
    /// Opens what `[prompt]` asks for.
    ///
    /// # Errors
    /// There is no port.
    pub(super) async fn open(prompt: Option<&Prompt>, recorder: &Recorder, canaries: &CanarySet) -> io::Result<Self> {
        let Some(prompt) = prompt.filter(|prompt| prompt.webhook || prompt.mail) else { return Ok(Self::default()) };
        let (recorder, canaries) = (recorder.clone(), canaries.clone());
        let desk = Arc::new(Desk { recorder, canaries, says: prompt.says.clone(), state: Mutex::default() });
        let mut doors = Self::default();
        doors.desk = Some(Arc::clone(&desk));
        if prompt.webhook {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            doors.webhook = Some(listener.local_addr()?);
            doors.tasks.push(tokio::spawn(receive(listener, Arc::clone(&desk), webhook::serve)));
        }
        if prompt.mail {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            doors.mail = Some(listener.local_addr()?);
            doors.tasks.push(tokio::spawn(receive(listener, desk, smtp::serve)));
        }
        Ok(doors)
    }

    /// The next message whose links are to be followed.
    fn next(&self) -> Option<(u32, String)> {
        let mut state = self.desk.as_ref()?.lock();
        if state.waiting.is_empty() || state.followed >= FOLLOWED {
            return None;
        }
        state.followed += 1;
        Some(state.waiting.remove(0))
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message came; `raw` is all of it, as it came.
    fn note(&self, channel: Channel, notice: Notice, raw: &[u8]) {
        let number = {
            let mut state = self.lock();
            state.count += 1;
            state.count
        };
        if number > MOST {
            self.recorder.record(What::LogFlooded { lines: 1 });
            return;
        }
        let (what, found) = notice.told(channel, number, raw, self.says.as_ref(), &self.canaries);
        let tells = matches!(what, What::Notified { says: Says::Yes, .. });
        let at = self.recorder.now();
        let draft = self.recorder.record_at(at, what);
        self.recorder.found_in(at, found, draft);
        if tells {
            self.lock().waiting.push((number, notice.page));
        }
    }
}

impl Cast {
    /// Whether what the user was told leads to the authorise endpoint: tried when the subject is at rest, as with a page that prompts.
    pub(super) async fn follow_notices(&mut self) {
        while let Some((notice, page)) = self.doors.next() {
            let base = self.bindings.get("base_url").unwrap_or_default().to_owned();
            let way = self.driver.agent.leads(&page, &base, self.limit()).await;
            self.recorder.record(What::NoticeFollowed {
                notice,
                leads_to_authorize: way.is_some(),
                actions: way.map(|(actions, _)| actions),
                fields: way.map(|(_, fields)| fields),
            });
        }
    }
}

async fn receive<F>(listener: TcpListener, desk: Arc<Desk>, serve: fn(TcpStream, Arc<Desk>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut guests = JoinSet::new();
    loop {
        // One that cannot be accepted has gone again.
        let Ok((guest, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        if guests.len() >= GUESTS {
            let _ = guests.join_next().await;
        }
        // Who does not finish in time has said nothing.
        guests.spawn(timeout(VISIT, serve(guest, Arc::clone(&desk))));
        while guests.try_join_next().is_some() {}
    }
}
