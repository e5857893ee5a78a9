//! Finds a fixed set of canaries in bytes.

use std::{fmt, io::Read, sync::Arc};

use aho_corasick::{AhoCorasick, MatchKind};

use super::{Canary, Form, Hit, SHORTEST, escapes::Escape, forms};

/// How much of a big input is looked at in one go.
const CHUNK: usize = 1 << 20;
/// A form-encoded value in JSON in a form: more layers of escapes are not undone.
const LAYERS: u32 = 2;
/// The longest escape of one byte that is undone, `&#x0002F;`, once more escaped by percent.
const WIDEST: usize = 27;

/// Finds a fixed set of canaries. Values shorter than [`SHORTEST`] are left out.
#[derive(Clone, Default)]
pub struct Searcher {
    parts: Vec<Arc<Part>>,
}

/// One automaton and what its needles mean.
pub(super) struct Part {
    automaton: AhoCorasick,
    needles: Vec<(usize, Form)>,
    canaries: Vec<Canary>,
    longest: usize,
}

impl Searcher {
    /// A searcher for these.
    #[must_use]
    pub fn new(canaries: &[Canary]) -> Self {
        Self::of(Part::build(canaries).into_iter().map(Arc::new).collect())
    }

    pub(super) fn of(parts: Vec<Arc<Part>>) -> Self {
        Self { parts }
    }

    /// All hits, in order: at one place the longest wins, then the most exact form.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Vec<Hit> {
        resolve(self.parts.iter().flat_map(|part| part.find(bytes, LAYERS)).collect())
    }

    /// As [`Searcher::find`], for input of any size, in bounded memory.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn find_in(&self, mut input: impl Read) -> std::io::Result<Vec<Hit>> {
        let overlap = self.parts.iter().map(|part| part.longest).max().unwrap_or(0) * WIDEST;
        let mut hits: Vec<Hit> = Vec::new();
        let mut window: Vec<u8> = Vec::with_capacity(CHUNK + overlap);
        let mut offset = 0;
        loop {
            let read = input.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
            if read == 0 {
                return Ok(resolve(hits));
            }
            hits.extend(self.find(&window).into_iter().map(|hit| Hit { start: hit.start + offset, end: hit.end + offset, ..hit }));
            let done = window.len().saturating_sub(overlap);
            window.drain(..done);
            offset += done;
        }
    }

    /// The text with each hit replaced by its name, `‹refresh#3›`.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        match self.redacted(text.as_bytes()) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => text.to_owned(),
        }
    }

    /// As [`Searcher::redact`], for bytes.
    #[must_use]
    pub fn redact_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.redacted(bytes).unwrap_or_else(|| bytes.to_vec())
    }

    fn redacted(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let hits = self.find(bytes);
        if hits.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for hit in hits {
            out.extend_from_slice(&bytes[at.min(hit.start)..hit.start]);
            out.extend_from_slice("‹".as_bytes());
            out.extend_from_slice(hit.name.as_bytes());
            out.extend_from_slice("›".as_bytes());
            at = at.max(hit.end);
        }
        out.extend_from_slice(&bytes[at..]);
        Some(out)
    }
}

impl Part {
    /// None if no value is long enough. (An automaton that cannot be built would hold more states than 32 bits count.)
    pub(super) fn build(canaries: &[Canary]) -> Option<Self> {
        let canaries: Vec<Canary> = canaries.iter().filter(|c| c.value.len() >= SHORTEST).cloned().collect();
        let needles: Vec<(usize, forms::Needle)> =
            canaries.iter().enumerate().flat_map(|(i, canary)| forms::needles(canary).into_iter().map(move |n| (i, n))).collect();
        let longest = needles.iter().map(|(_, n)| n.bytes.len()).max()?;
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(needles.iter().map(|(_, n)| &n.bytes)).ok()?;
        Some(Self { automaton, needles: needles.into_iter().map(|(i, n)| (i, n.form)).collect(), canaries, longest })
    }

    fn find(&self, bytes: &[u8], layers: u32) -> Vec<Hit> {
        let mut hits: Vec<Hit> = self
            .automaton
            .find_iter(bytes)
            .map(|found| {
                let (index, form) = self.needles[found.pattern().as_usize()];
                let canary = &self.canaries[index];
                let end = if form == Form::Prefix {
                    found.start() + common(canary.value.as_bytes(), &bytes[found.start()..])
                } else {
                    found.end()
                };
                Hit { name: canary.name.clone(), kind: canary.kind, form, start: found.start(), end }
            })
            .collect();
        if layers > 0 {
            hits.extend(Escape::ALL.into_iter().flat_map(|escape| self.find_behind(escape, bytes, layers - 1)));
        }
        hits
    }

    fn find_behind(&self, escape: Escape, bytes: &[u8], layers: u32) -> Vec<Hit> {
        let mut hits = Vec::new();
        for view in escape.views(bytes, self.longest) {
            for hit in self.find(&view.bytes, layers) {
                if let Some(origin) = view.origin(&(hit.start..hit.end)) {
                    let form = if hit.form == Form::Raw { escape.form() } else { hit.form };
                    hits.push(Hit { form, start: origin.start, end: origin.end, ..hit });
                }
            }
        }
        hits
    }
}

impl fmt::Debug for Searcher {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.parts.iter().flat_map(|part| &part.canaries)).finish()
    }
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Orders hits; drops those that lie within another one, joins overlapping ones of the same canary.
fn resolve(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|a, b| (a.start, b.end, a.form, &a.name).cmp(&(b.start, a.end, b.form, &b.name)));
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match kept.last_mut() {
            Some(last) if hit.end <= last.end => {}
            Some(last) if hit.start < last.end && hit.name == last.name => last.end = hit.end,
            _ => kept.push(hit),
        }
    }
    kept
}
