//! `regrant supervise`: the process that starts the subject, and ends all of it when its standard input closes.
//!
//! It is a child subreaper: whatever a subject leaves behind, `setsid` included, becomes its child. Standard input is held open by
//! the harness alone, so that it closes when the harness dies, however it dies.

mod output;
pub(in crate::subject) mod protocol;
mod registry;
mod tree;

use std::{
    io::{BufRead, stdin},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use output::Outbox;
use protocol::{Answer, Command, Message, Order};
use registry::Registry;
use tree::Whose;

/// How long the last answers may take on their way out.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The hidden subcommand: reads commands on stdin, writes events on stdout, one JSON line each.
#[must_use]
pub fn supervise_main() -> ExitCode {
    let subreaper = become_subreaper();
    let outbox = Arc::new(Outbox::new());
    let registry = Arc::new(Registry::new(Arc::clone(&outbox)));
    spawn_threads(&outbox, &registry);
    outbox.say(Message::Hello { subreaper });
    for line in stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(Command { ask, order }) = serde_json::from_str(&line) else { break };
        let last = matches!(order, Order::Finish);
        outbox.say(Message::Answer { ask, answer: obey(&registry, order) });
        if last {
            outbox.drain(LAST_WORDS);
            return ExitCode::SUCCESS;
        }
    }
    tree::kill(&registry, Whose::Everyones);
    ExitCode::SUCCESS
}

fn obey(registry: &Arc<Registry>, order: Order) -> Answer {
    match order {
        Order::Spawn(spawn) => registry.spawn(*spawn),
        Order::Feed { proc, text } => Answer::Count(u32::from(registry.feed(proc, text))),
        Order::Signal { proc, signal } => Answer::Count(tree::signal(registry, proc, signal.into())),
        Order::Kill { proc } => Answer::Count(tree::kill(registry, Whose::Of(proc))),
        Order::Pause { proc } => Answer::Count(tree::pause(registry, proc)),
        Order::Resume { proc } => Answer::Count(tree::resume(registry, proc)),
        Order::Tree { proc } => Answer::Pids(tree::pids(registry, proc)),
        Order::Finish => Answer::Count(tree::kill(registry, Whose::Everyones)),
    }
}

fn spawn_threads(outbox: &Arc<Outbox>, registry: &Arc<Registry>) {
    let (pen, reaper, undertaker) = (Arc::clone(outbox), Arc::clone(registry), Arc::clone(registry));
    thread::spawn(move || pen.write_out());
    thread::spawn(move || reaper.reap());
    thread::spawn(move || end_on_signal(&undertaker));
}

/// Somebody ends the supervisor itself: nothing may be left behind then either.
fn end_on_signal(registry: &Registry) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let came = runtime.block_on(async {
        let (Ok(mut term), Ok(mut int), Ok(mut hup)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
        else {
            return false;
        };
        tokio::select! { _ = term.recv() => true, _ = int.recv() => true, _ = hup.recv() => true }
    });
    if came {
        tree::kill(registry, Whose::Everyones);
        std::process::exit(1);
    }
}

#[cfg(target_os = "linux")]
fn become_subreaper() -> bool {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn become_subreaper() -> bool {
    false
}
