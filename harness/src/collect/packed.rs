//! What is packed with gzip, unpacked within bounds and searched.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use super::walk::open;
use crate::canary::{Hit, Searcher};

/// So much of one file is unpacked.
pub(super) const UNPACKED: u64 = 64 << 20;
/// How gzip begins: its magic number, and the only method that there is.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// How an SQLite database begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// What was inside.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pub(super) hits: Vec<Hit>,
    /// It is a database: which of its rows are live is not known.
    pub(super) is_database: bool,
    /// Why not all of it was looked at.
    pub(super) unread: Option<String>,
}

/// Whether a file is packed, whatever its name says.
pub(super) fn is_packed(path: &Path) -> bool {
    open(path).is_ok_and(|file| begins_packed(&file))
}

/// The same of an open file, at its beginning.
pub(super) fn begins_packed(mut file: &File) -> bool {
    let mut head = [0; MAGIC.len()];
    file.read_exact(&mut head).is_ok() && head == MAGIC
}

/// Searches what is inside; `left` is how much may be unpacked in all, and becomes less.
pub(super) fn search(path: &Path, searcher: &Searcher, left: &mut u64) -> io::Result<Inside> {
    let limit = UNPACKED.min(*left);
    let mut unpacking = Unpacking { from: MultiGzDecoder::new(open(path)?), left: limit, head: Vec::new(), trouble: None };
    let hits = searcher.find_in(&mut unpacking)?;
    *left -= limit - unpacking.left;
    let is_database = unpacking.head == SQLITE;
    let unread = unpacking.trouble.or_else(|| {
        // Whoever is stopped exactly at the end has read all.
        let more = unpacking.left == 0 && unpacking.from.read(&mut [0]).is_ok_and(|read| read > 0);
        more.then(|| format!("only the first {} MiB inside were looked at", limit >> 20))
    });
    Ok(Inside { hits, is_database, unread })
}

/// What was unpacked before the file turned out to be broken counts.
struct Unpacking<R> {
    from: R,
    left: u64,
    head: Vec<u8>,
    trouble: Option<String>,
}

impl<R: Read> Read for Unpacking<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = match self.from.read(&mut into[..most]) {
            Ok(read) => read,
            Err(error) => {
                self.trouble = Some(format!("not wholly unpacked: {error}"));
                0
            }
        };
        self.left -= read as u64;
        let missing = SQLITE.len().saturating_sub(self.head.len()).min(read);
        self.head.extend_from_slice(&into[..missing]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::PathBuf};

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::canary::{Canary, Kind};

    const TOKEN: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(content).expect("packed");
        packed.finish().expect("finished")
    }

    fn searched(content: &[u8], left: u64) -> (Inside, u64) {
        let dir = tempfile::tempdir().expect("a folder");
        let path: PathBuf = dir.path().join("a.gz");
        fs::write(&path, content).expect("a file");
        assert!(is_packed(&path));
        let searcher = Searcher::new(&[Canary { name: "refresh#1".into(), value: TOKEN.into(), kind: Kind::Refresh, client_id: None }]);
        let mut left = left;
        let inside = search(&path, &searcher, &mut left).expect("read");
        (inside, left)
    }

    #[test]
    fn all_that_is_inside_is_searched_in_every_member() {
        let packed = [gzip(b"nothing"), gzip(format!("token={TOKEN}").as_bytes())].concat();
        let (inside, left) = searched(&packed, 1_000);
        assert_eq!((inside.hits.len(), inside.is_database, inside.unread), (1, false, None));
        assert_eq!(left, 1_000 - 7 - 6 - TOKEN.len() as u64);
        assert!(searched(&gzip(&[SQLITE, TOKEN.as_bytes()].concat()), 1_000).0.is_database);
    }

    #[test]
    fn a_bomb_is_unpacked_up_to_the_limit_only() {
        let packed = gzip(&vec![b'x'; usize::try_from(UNPACKED).expect("fits") + 1]);
        let (inside, left) = searched(&packed, 2 * UNPACKED);
        assert_eq!(inside.unread.as_deref(), Some("only the first 64 MiB inside were looked at"));
        assert_eq!(left, UNPACKED);
        let (inside, left) = searched(&gzip(&vec![b'x'; 1 << 20]), 1 << 20);
        assert_eq!((inside.unread, left), (None, 0));
    }

    #[test]
    fn what_stood_before_the_break_is_found_and_the_break_is_told() {
        let mut packed = gzip(format!("{TOKEN} {}", (0..50_000).map(|n| n.to_string()).collect::<String>()).as_bytes());
        packed.truncate(packed.len() - 20);
        let (inside, _) = searched(&packed, UNPACKED);
        assert_eq!(inside.hits.len(), 1);
        assert!(inside.unread.is_some_and(|reason| reason.starts_with("not wholly unpacked")));
    }
}
