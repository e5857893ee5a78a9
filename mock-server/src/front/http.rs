//! HTTP/1.1 as the subject's port speaks it (RFC 9112): heads, bodies, replies. Bytes in, messages out; no I/O.
//!
//! The server is our own because the journal needs to know when the last byte of a reply left, and faults need to stop a
//! reply at any byte; servers meant for production hide both.

use std::{fmt::Write as _, mem::MaybeUninit};

use bytes::{BufMut, Bytes, BytesMut};
use regrant_authority::Time;

use super::reply::Reply;

/// Longest head that is read.
pub(super) const HEAD_LIMIT: usize = 64 * 1024;
/// Longest body that is read.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;
const MOST_HEADERS: usize = 256;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Its length in bytes.
    pub(super) length: usize,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
}

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
}

/// A message that is answered at once with this status, and no more is read on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Unreadable {
    pub(super) status: u16,
    pub(super) message: &'static str,
}

const fn unreadable(status: u16, message: &'static str) -> Unreadable {
    Unreadable { status, message }
}

/// Reads a head; `None`: more bytes are needed.
///
/// # Errors
/// What is no HTTP/1 request, or too long.
pub(super) fn head(bytes: &[u8]) -> Result<Option<Head>, Unreadable> {
    // Left as it is, so that room for many headers costs nothing when there are few.
    let mut room = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_LIMIT => length,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_LIMIT => return Ok(None),
        Ok(_) if !bytes[..HEAD_LIMIT].contains(&b'\n') => return Err(unreadable(414, "The request's first line is longer than 64 KiB")),
        Ok(_) => return Err(unreadable(431, "The request's head is longer than 64 KiB")),
        Err(httparse::Error::TooManyHeaders) => return Err(unreadable(431, "The request has more than 256 headers")),
        Err(httparse::Error::Version) => return Err(unreadable(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here")),
        Err(_) => return Err(unreadable(400, "This is no HTTP/1.1 request")),
    };
    let old = request.version == Some(0);
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).trim().to_owned()))
        .collect();
    let has = |name: &str, word: &str| {
        let mut values = headers.iter().filter(|(n, _)| n == name).flat_map(|(_, value)| value.split(','));
        values.any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let hosts = headers.iter().filter(|(name, _)| name == "host").count();
    if hosts > 1 || hosts == 0 && !old {
        return Err(unreadable(400, "A request has one Host header"));
    }
    let framing = framing(&headers)?;
    if old && framing == Framing::Chunked {
        return Err(unreadable(400, "HTTP/1.0 knows no Transfer-Encoding"));
    }
    let keep_alive = if old { has("connection", "keep-alive") } else { !has("connection", "close") };
    let expects_continue = !old && has("expect", "100-continue");
    let (method, target) = (request.method.unwrap_or_default().to_owned(), request.path.unwrap_or_default().to_owned());
    Ok(Some(Head { length, method, target, framing, keep_alive, expects_continue, headers }))
}

fn framing(headers: &[(String, String)]) -> Result<Framing, Unreadable> {
    let all = |wanted: &'static str| headers.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut codings = all("transfer-encoding").flat_map(|value| value.split(',')).map(str::trim).filter(|coding| !coding.is_empty());
    let mut lengths = all("content-length").flat_map(|value| value.split(',')).map(str::trim);
    match (codings.next(), codings.next(), lengths.next()) {
        (Some(coding), None, None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (Some(_), _, Some(_)) => Err(unreadable(400, "Content-Length and Transfer-Encoding exclude each other")),
        (Some(_), _, None) => Err(unreadable(501, "Only the transfer coding \"chunked\" is understood")),
        (None, _, None) => Ok(Framing::Length(0)),
        // `parse` alone would take a sign, and fail at a number that is only too large.
        (None, _, Some(first)) if first.is_empty() || !first.bytes().all(|b| b.is_ascii_digit()) => {
            Err(unreadable(400, "Content-Length is no number"))
        }
        (None, _, Some(first)) if lengths.all(|other| other == first) => match first.parse::<usize>() {
            Ok(length) if length <= BODY_LIMIT => Ok(Framing::Length(length)),
            Ok(_) | Err(_) => Err(TOO_LARGE),
        },
        (None, _, Some(_)) => Err(unreadable(400, "There are several different Content-Length")),
    }
}

/// The answer to a request that takes too long to arrive.
pub(super) const TOO_SLOW: Unreadable = unreadable(408, "The request was not whole in time");

/// The answer to a body beyond [`BODY_LIMIT`].
pub(super) const TOO_LARGE: Unreadable = unreadable(413, "The request's body is longer than 1 MiB");

/// Reads a body at the start of `bytes`, and says how many bytes it took; `None`: more are needed.
///
/// # Errors
/// A malformed or too long body.
pub(super) fn body(framing: Framing, bytes: &[u8]) -> Result<Option<(Bytes, usize)>, Unreadable> {
    match framing {
        Framing::Length(length) => Ok(bytes.get(..length).map(|body| (Bytes::copy_from_slice(body), length))),
        Framing::Chunked => chunked(bytes),
    }
}

fn chunked(bytes: &[u8]) -> Result<Option<(Bytes, usize)>, Unreadable> {
    const MALFORMED: Unreadable = unreadable(400, "The chunked body is malformed");
    let mut body = BytesMut::new();
    let mut at = 0;
    while at < bytes.len() {
        let (line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(chunk)) => chunk,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(MALFORMED),
        };
        at += line;
        if size == 0 {
            return trailer(&bytes[at..]).map(|end| end.map(|length| (body.freeze(), at + length)));
        }
        let size = usize::try_from(size).map_err(|_| TOO_LARGE)?;
        if body.len().saturating_add(size) > BODY_LIMIT {
            return Err(TOO_LARGE);
        }
        let Some(chunk) = bytes.get(at..at + size) else { return Ok(None) };
        match bytes.get(at + size..at + size + 2) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(_) => return Err(MALFORMED),
        }
        body.extend_from_slice(chunk);
        at += size + 2;
    }
    Ok(None)
}

/// The length of the trailer section with its final empty line. Its fields are of no interest.
fn trailer(bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some(2));
    }
    match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(at) => Ok(Some(at + 4)),
        None if bytes.len() > HEAD_LIMIT => Err(unreadable(431, "The trailer is longer than 64 KiB")),
        None => Ok(None),
    }
}

/// A reply as bytes, dated `now`, how many of them are its head, and its headers, taken from it, as they went out, names in lower case.
pub(super) fn write(reply: &mut Reply, method: &str, keep_alive: bool, now: Time) -> (Bytes, usize, Vec<(String, String)>) {
    let mut headers = Vec::with_capacity(reply.headers.len() + 3);
    headers.append(&mut reply.headers);
    headers.push(("date".into(), crate::clock::http_date(now)));
    if reply.status != 204 && reply.status != 304 {
        headers.push(("content-length".into(), reply.body.len().to_string()));
    }
    if !keep_alive {
        headers.push(("connection".into(), "close".into()));
    }
    let reason = http::StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown");
    let body: &[u8] = if method == "HEAD" || reply.status == 204 || reply.status == 304 { &[] } else { &reply.body };
    let lines: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let mut bytes = BytesMut::with_capacity(64 + lines + body.len());
    // Writing to memory cannot fail.
    let _written = write!(bytes, "HTTP/1.1 {} {reason}\r\n", reply.status);
    for (name, value) in &headers {
        title(name, &mut bytes);
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(b"\r\n");
    let length = bytes.len();
    bytes.put_slice(body);
    (bytes.freeze(), length, headers)
}

/// A header's name as most servers write it.
fn title(name: &str, to: &mut BytesMut) {
    let mut begins = true;
    for byte in name.bytes() {
        to.put_u8(if begins { byte.to_ascii_uppercase() } else { byte });
        begins = byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let bytes = b"POST /oauth/token?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(head(&bytes[..20]), Ok(None));
        let head = head(bytes).expect("readable").expect("complete");
        assert_eq!((head.method.as_str(), head.target.as_str(), head.keep_alive), ("POST", "/oauth/token?x=1", true));
        assert_eq!(body(head.framing, &bytes[head.length..]), Ok(Some((Bytes::from_static(b"abc"), 3))));
        assert_eq!(body(head.framing, b"ab"), Ok(None));
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        let bytes = b"3;note=x\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\nGET";
        assert_eq!(chunked(bytes), Ok(Some((Bytes::from_static(b"abcde"), bytes.len() - 3))));
        for length in 0..bytes.len() - 3 {
            assert_eq!(chunked(&bytes[..length]), Ok(None), "{length} bytes");
        }
        assert!(chunked(b"3\r\nabcd\r\n").is_err());
        assert!(chunked(b"zz\r\n").is_err());
        assert_eq!(chunked(b"fffffffffffff\r\n").map_err(|e| e.status), Err(413));
    }

    #[test]
    fn requests_that_could_be_read_in_two_ways_are_refused() {
        let status = |headers: &str| head(format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n").as_bytes()).map_err(|e| e.status);
        assert_eq!(status("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), Err(400));
        assert_eq!(status("Content-Length: 3\r\nContent-Length: 4\r\n"), Err(400));
        assert_eq!(status("Content-Length: three\r\n"), Err(400));
        assert_eq!(status("Transfer-Encoding: gzip\r\n"), Err(501));
        assert_eq!(status("Content-Length: +3\r\n"), Err(400));
        assert_eq!(status("Host: b\r\n"), Err(400));
        for long in ["99999999", "99999999999999999999999999"] {
            assert_eq!(status(&format!("Content-Length: {long}\r\n")), Err(413));
        }
        assert_eq!(head(&[b'a'; HEAD_LIMIT + 2]).map_err(|e| e.status), Err(414));
        assert_eq!(status(&format!("X: {}", "a".repeat(HEAD_LIMIT))), Err(431));
        assert_eq!(head(b"GET / HTTP/1.1\r\n\r\n").map_err(|e| e.status), Err(400));
        assert_eq!(head(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").map_err(|e| e.status), Err(400));
    }

    #[test]
    fn a_reply_has_a_head_in_title_case_a_length_and_a_body() {
        let reply = || Reply::with_body(200, "text/plain", "hello").header("www-authenticate", "Bearer");
        let (bytes, _, headers) = write(&mut reply(), "GET", false, Time::default());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let date = &headers.iter().find(|(name, _)| name == "date").expect("a date").1;
        let head =
            format!("Content-Type: text/plain\r\nWww-Authenticate: Bearer\r\nDate: {date}\r\nContent-Length: 5\r\nConnection: close");
        assert_eq!(text, format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nhello"));
        let (bytes, _, _) = write(&mut reply(), "HEAD", true, Time::default());
        assert!(bytes.ends_with(b"Content-Length: 5\r\n\r\n"), "the length of what a GET would get, and nothing of it");
        let (bytes, _, headers) = write(&mut Reply::empty(204), "GET", true, Time::default());
        assert!(bytes.starts_with(b"HTTP/1.1 204 No Content\r\nDate: ") && headers.len() == 1);
    }

    #[test]
    fn an_old_client_keeps_its_connection_only_if_it_asks() {
        let keeps = |text: &str| head(text.as_bytes()).ok().flatten().map(|head| head.keep_alive);
        assert_eq!(keeps("GET / HTTP/1.0\r\n\r\n"), Some(false));
        assert_eq!(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), Some(true));
        assert_eq!(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n"), Some(false));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_fail(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _read = head(&bytes);
            let _read = chunked(&bytes);
        }

        #[test]
        fn what_was_cut_into_chunks_is_put_together_again(chunks in proptest::collection::vec("[a-z]{1,40}", 0..8)) {
            let text: String = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).chain(["0\r\n\r\n".into()]).collect();
            proptest::prop_assert_eq!(chunked(text.as_bytes()), Ok(Some((Bytes::from(chunks.concat()), text.len()))));
        }
    }
}
