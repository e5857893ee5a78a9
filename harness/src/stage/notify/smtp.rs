//! `{smtp_url}`: a mail server that takes everything and delivers nothing. No TLS; credentials are taken, whatever they are.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{Desk, LONGEST};
use crate::{collect::Notice, evidence::Channel};

/// A longer line is none (RFC 5321 asks for 1000 at the most; credentials may be longer).
const LINE: usize = 16 << 10;
/// More commands in one session are not taken.
const COMMANDS: usize = 2_000;

pub(super) async fn serve(guest: TcpStream, desk: Arc<Desk>) {
    let (from, to) = guest.into_split();
    let session = Session { from: BufReader::new(from), to, has_sender: false, recipients: 0 };
    // Who hangs up in the middle has sent nothing.
    let _ = session.talk(&desk).await;
}

struct Session {
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
    has_sender: bool,
    recipients: usize,
}

impl Session {
    async fn talk(mut self, desk: &Desk) -> io::Result<()> {
        self.say("220 localhost ESMTP").await?;
        for _ in 0..COMMANDS {
            let Some(line) = self.line().await? else { return Ok(()) };
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            let (verb, rest) = line.split_once([' ', ':']).unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    self.reset();
                    let size = format!("250-SIZE {LONGEST}");
                    for line in ["250-localhost", "250-8BITMIME", "250-SMTPUTF8", "250-PIPELINING", &size, "250 AUTH PLAIN LOGIN"] {
                        self.say(line).await?;
                    }
                }
                "HELO" => {
                    self.reset();
                    self.say("250 localhost").await?;
                }
                "AUTH" => self.authenticate(rest).await?,
                "MAIL" => {
                    self.reset();
                    self.has_sender = true;
                    self.say("250 2.1.0 ok").await?;
                }
                "RCPT" if self.has_sender => {
                    self.recipients += 1;
                    self.say("250 2.1.5 ok").await?;
                }
                "DATA" if self.recipients > 0 => self.take(desk).await?,
                "RCPT" | "DATA" => self.say("503 5.5.1 not in this order").await?,
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 ok").await?;
                }
                "NOOP" => self.say("250 2.0.0 ok").await?,
                "VRFY" => self.say("252 2.5.0 send it and see").await?,
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ => self.say("502 5.5.1 not known here").await?,
            }
        }
        self.say("421 4.7.0 that is enough").await
    }

    fn reset(&mut self) {
        (self.has_sender, self.recipients) = (false, 0);
    }

    async fn authenticate(&mut self, rest: &str) -> io::Result<()> {
        let (mechanism, first) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let questions: &[&str] = match (mechanism.to_ascii_uppercase().as_str(), first.is_empty()) {
            ("PLAIN", true) => &["334 "],
            ("PLAIN", false) => &[],
            // "Username:", "Password:".
            ("LOGIN", true) => &["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"],
            ("LOGIN", false) => &["334 UGFzc3dvcmQ6"],
            _ => return self.say("504 5.5.4 PLAIN or LOGIN").await,
        };
        for question in questions {
            self.say(question).await?;
            if self.line().await?.is_none_or(|answer| answer == b"*") {
                return self.say("501 5.7.0 as you like").await;
            }
        }
        self.say("235 2.7.0 welcome").await
    }

    /// The message, up to the line with nothing but a dot.
    async fn take(&mut self, desk: &Desk) -> io::Result<()> {
        self.say("354 go on").await?;
        let (mut mail, mut is_too_long) = (Vec::new(), false);
        while let Some(line) = self.line().await? {
            if line == b"." {
                self.reset();
                if is_too_long {
                    return self.say("552 5.3.4 too long").await;
                }
                desk.note(Channel::Mail, Notice::mailed(&mail), &mail);
                return self.say("250 2.0.0 taken").await;
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            is_too_long |= mail.len() + line.len() > LONGEST;
            if !is_too_long {
                mail.extend_from_slice(line);
                mail.extend_from_slice(b"\r\n");
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.to.write_all(format!("{line}\r\n").as_bytes()).await
    }

    /// A line without its end; none when the other side has gone. What is too long for a line is cut into several.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = (&mut self.from).take(LINE as u64).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }
}
