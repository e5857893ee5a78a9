//! Escapes that a writer may apply to any part of a value, as it likes: percent, backslash, HTML. They are undone around the places
//! where they stand, and the search is made again there.

use std::{ops::Range, sync::LazyLock};

use regex::bytes::Regex;

use super::Form;

/// A way of escaping.
#[derive(Debug, Clone, Copy)]
pub(super) enum Escape {
    Percent,
    Backslash,
    Html,
}

/// A piece of the input with its escapes undone, and the way back.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

/// A run of literal bytes (`escaped` 0), or one byte that took `escaped` bytes.
struct Piece {
    here: usize,
    there: usize,
    escaped: usize,
}

// The patterns are constants; a test compiles them.
static PERCENT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"%[0-9A-Fa-f]{2}").ok());
static BACKSLASH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"\\(?:u00[0-7][0-9A-Fa-f]|x[0-7][0-9A-Fa-f]|["'\\/])"#).ok());
static HTML: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"&(?:amp|lt|gt|quot|apos|#0{0,4}[0-9]{2,3}|#[xX]0{0,4}[0-9A-Fa-f]{2});").ok());

impl Escape {
    pub(super) const ALL: [Self; 3] = [Self::Percent, Self::Backslash, Self::Html];

    /// What a value is that was found raw behind this escape. HTML counts as raw: that is what a browser shows.
    pub(super) fn form(self) -> Form {
        match self {
            Self::Percent => Form::Percent,
            Self::Backslash => Form::Json,
            Self::Html => Form::Raw,
        }
    }

    fn pattern(self) -> Option<&'static Regex> {
        match self {
            Self::Percent => PERCENT.as_ref(),
            Self::Backslash => BACKSLASH.as_ref(),
            Self::Html => HTML.as_ref(),
        }
    }

    /// The input around its escapes, undone; `reach` unescaped bytes on either side are kept.
    pub(super) fn views(self, input: &[u8], reach: usize) -> Vec<View> {
        let Some(pattern) = self.pattern() else { return Vec::new() };
        let mut views: Vec<(View, usize)> = Vec::new();
        for found in pattern.find_iter(input) {
            let Some(byte) = self.undo(found.as_bytes()) else { continue };
            match views.last_mut() {
                Some((view, end)) if *end + 2 * reach >= found.start() => {
                    view.literal(input, *end..found.start());
                    view.escape(byte, found.range());
                    *end = found.end();
                }
                last => {
                    if let Some((view, end)) = last {
                        view.literal(input, *end..input.len().min(*end + reach));
                    }
                    let mut view = View { bytes: Vec::new(), pieces: Vec::new() };
                    view.literal(input, found.start().saturating_sub(reach)..found.start());
                    view.escape(byte, found.range());
                    views.push((view, found.end()));
                }
            }
        }
        if let Some((view, end)) = views.last_mut() {
            view.literal(input, *end..input.len().min(*end + reach));
        }
        views.into_iter().map(|(view, _)| view).collect()
    }

    fn undo(self, escape: &[u8]) -> Option<u8> {
        let text = std::str::from_utf8(escape).ok()?;
        match self {
            Self::Percent => u8::from_str_radix(&text[1..], 16).ok(),
            Self::Backslash => match escape.get(1)? {
                b'u' | b'x' => u8::from_str_radix(&text[2..], 16).ok(),
                other => Some(*other),
            },
            Self::Html => entity(text.trim_start_matches('&').trim_end_matches(';')),
        }
    }
}

fn entity(name: &str) -> Option<u8> {
    match name {
        "amp" => Some(b'&'),
        "lt" => Some(b'<'),
        "gt" => Some(b'>'),
        "quot" => Some(b'"'),
        "apos" => Some(b'\''),
        _ => match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => name.strip_prefix('#')?.parse().ok(),
        },
    }
}

impl View {
    /// Where a range of this view stood in the input; none if no escape is in it (then it stands there as it is).
    pub(super) fn origin(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let start = self.piece(range.start)?;
        let last = self.piece(range.end.checked_sub(1)?)?;
        let begin = if start.escaped == 0 { start.there + (range.start - start.here) } else { start.there };
        let end = if last.escaped == 0 { last.there + (range.end - last.here) } else { last.there + last.escaped };
        (end - begin != range.len()).then_some(begin..end)
    }

    fn piece(&self, at: usize) -> Option<&Piece> {
        self.pieces.partition_point(|p| p.here <= at).checked_sub(1).and_then(|i| self.pieces.get(i))
    }

    fn literal(&mut self, input: &[u8], range: Range<usize>) {
        if !range.is_empty() {
            self.pieces.push(Piece { here: self.bytes.len(), there: range.start, escaped: 0 });
            self.bytes.extend_from_slice(&input[range]);
        }
    }

    fn escape(&mut self, byte: u8, range: Range<usize>) {
        self.pieces.push(Piece { here: self.bytes.len(), there: range.start, escaped: range.len() });
        self.bytes.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_undone_and_found_again() {
        for (escape, text) in [(Escape::Percent, "a%2Fb%2fc"), (Escape::Backslash, r"a\/b\u002Fc"), (Escape::Html, "a&#x2F;b&#47;c")] {
            let views = escape.views(text.as_bytes(), 8);
            assert_eq!(views.len(), 1);
            assert_eq!(views[0].bytes, b"a/b/c");
            assert_eq!(views[0].origin(&(0..5)), Some(0..text.len()));
            assert_eq!(views[0].origin(&(0..1)), None);
        }
    }

    #[test]
    fn distant_escapes_give_views_of_their_own() {
        let text = format!("%41{}%42", "x".repeat(100));
        let views = Escape::Percent.views(text.as_bytes(), 10);
        assert_eq!(views.iter().map(|v| v.bytes.clone()).collect::<Vec<_>>(), [b"Axxxxxxxxxx".to_vec(), b"xxxxxxxxxxB".to_vec()]);
        assert_eq!(views[1].origin(&(9..11)), Some(102..106));
    }

    #[test]
    fn what_only_looks_like_an_escape_is_left_alone() {
        for (escape, text) in [(Escape::Percent, "100%"), (Escape::Backslash, r"\n \u12"), (Escape::Html, "a & b; &#;")] {
            assert!(escape.views(text.as_bytes(), 8).is_empty(), "{text}");
        }
    }
}
