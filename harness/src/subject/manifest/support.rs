//! Keys that are understood but not, or not wholly, acted on by this release: one place to look, and to shorten.

use super::{Disconnect, Manifest, MemoryMode, Opens, PromptChannel, Reload, StopHow, Verb, places::Wrong};

/// Refuses what would make a run meaningless.
pub(super) fn refuse(manifest: &Manifest) -> Result<(), Wrong> {
    let unsupported = |key: String, instead: &str| {
        let wrong = Wrong::new(&key, format!("`{key}` is not supported by this release")).label("not supported");
        Err(wrong.help(instead).code("manifest::unsupported"))
    };
    if manifest.start.as_ref().is_some_and(|start| start.attach.is_some()) {
        return unsupported("start.attach".into(), "write start.run, so that the harness starts the subject itself");
    }
    if manifest.connect.opens == Opens::Browser {
        return unsupported("connect.opens".into(), "let the subject print the address, and write opens = \"stdout\"");
    }
    match verbs(manifest).into_iter().find(|(_, verb)| matches!(verb, Verb::Human(_))) {
        Some((key, _)) => unsupported(format!("{key}.human"), "write http, steps or run: then the run needs nobody at the terminal"),
        None => Ok(()),
    }
}

/// What is read and left aside, and what happens instead.
pub(super) fn notes(manifest: &Manifest) -> Vec<(String, String)> {
    let mut notes = Vec::new();
    let mut note = |applies: bool, key: &str, instead: &str| {
        if applies {
            notes.push((key.to_owned(), instead.to_owned()));
        }
    };
    note(manifest.logs.otlp, "logs.otlp", "{otlp_url} is not served: logs are read from files and from stdout and stderr");
    note(!manifest.storage.urls.is_empty(), "storage.urls", "stores are not opened by URL: write storage.dump to have their content read");
    let memory = matches!(manifest.features.memory, MemoryMode::Report | MemoryMode::Strict);
    note(memory && manifest.memory_declared, "features.memory", "memory is not read: no requirement of this release rests on it");
    notes
}

fn verbs(manifest: &Manifest) -> Vec<(String, &Verb)> {
    let mut verbs = vec![("connect".to_owned(), &manifest.connect.verb), ("trigger".to_owned(), &manifest.trigger.verb)];
    verbs.extend(manifest.also.iter().enumerate().map(|(index, also)| (format!("trigger.also[{index}]"), &also.verb)));
    verbs.extend(manifest.status.iter().map(|status| ("status".to_owned(), &status.verb)));
    verbs.extend(manifest.settings.iter().map(|verb| ("settings".to_owned(), verb)));
    verbs.extend(manifest.data.iter().map(|verb| ("data".to_owned(), verb)));
    if let Disconnect::Verb(verb) = &manifest.disconnect {
        verbs.push(("disconnect".to_owned(), verb));
    }
    if let StopHow::Verb(verb) = &manifest.stop.how {
        verbs.push(("stop".to_owned(), verb));
    }
    if let Some(PromptChannel::Verb(verb)) = manifest.prompt.as_ref().map(|prompt| &prompt.channel) {
        verbs.push(("prompt".to_owned(), verb));
    }
    if let Some(Reload::Verb(verb)) = manifest.start.as_ref().and_then(|start| start.reload.as_ref()) {
        verbs.push(("start.reload".to_owned(), verb));
    }
    let replacements = [("stop.kill", &manifest.stop.kill), ("stop.pause", &manifest.stop.pause), ("stop.resume", &manifest.stop.resume)];
    verbs.extend(replacements.into_iter().filter_map(|(key, verb)| Some((key.to_owned(), verb.as_ref()?))));
    verbs
}
