//! The doors, as real clients use them.

use std::{net::SocketAddr, process::Stdio};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use super::*;
use crate::canary::{Canary, Kind};

const TOKEN: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";

struct Opened {
    doors: Doors,
    recorder: Recorder,
}

impl Opened {
    async fn new() -> Self {
        let recorder = Recorder::new("messages");
        let canaries = CanarySet::new();
        canaries.add(Canary { name: "refresh#1".into(), value: TOKEN.into(), kind: Kind::Refresh, client_id: None }).expect("a canary");
        let text = "contract = 1\nname = \"x\"\n[start]\nrun = [\"x\"]\n[connect]\nhttp = \"GET {base_url}/c\"\n[trigger]\nhttp = \"POST {base_url}/t\"\n\
                    [prompt]\nhttp = \"GET {base_url}/\"\nwebhook = true\nmail = true\n";
        let manifest = crate::subject::Manifest::parse(text, "regrant.toml", std::path::Path::new("."), &[]).expect("a manifest");
        let doors = Doors::open(manifest.prompt.as_ref(), &recorder, &canaries).await.expect("open");
        Self { doors, recorder }
    }

    fn mail(&self) -> SocketAddr {
        self.doors.mail.expect("a mail server")
    }

    fn webhook(&self) -> SocketAddr {
        self.doors.webhook.expect("a webhook")
    }

    fn came(&self) -> Vec<(Channel, String, bool)> {
        self.recorder.all_since(0, |what| match what {
            What::Notified { channel, text, says, .. } => Some((*channel, text.clone(), *says == Says::Yes)),
            _ => None,
        })
    }

    fn leaks(&self) -> usize {
        self.recorder.all_since(0, |what| matches!(what, What::CanarySeen { .. }).then_some(())).len()
    }
}

/// Says this, and reads until the other side hangs up.
async fn talk(to: SocketAddr, said: &str) -> String {
    let mut stream = TcpStream::connect(to).await.expect("connected");
    stream.write_all(said.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

/// Runs a program of another language; false if there is none of that language here.
async fn run(program: &str, argument: &str, code: &str) -> bool {
    let ran = Command::new(program).args([argument, code]).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let Ok(ended) = ran else { return false };
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    true
}

#[tokio::test]
async fn a_post_is_a_message_and_a_look_is_none() {
    let opened = Opened::new().await;
    let body = format!(r#"{{"text": "Please reconnect", "token": "{TOKEN}"}}"#);
    let post = format!(
        "POST /hook HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(talk(opened.webhook(), &post).await.starts_with("HTTP/1.1 200"));
    let chunked = "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n";
    assert!(talk(opened.webhook(), chunked).await.starts_with("HTTP/1.1 200"));
    assert!(talk(opened.webhook(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    let long = format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", LONGEST + 1);
    assert!(talk(opened.webhook(), &long).await.starts_with("HTTP/1.1 413"));
    let text = |text: &str, tells: bool| (Channel::Webhook, text.to_owned(), tells);
    assert_eq!(opened.came(), [text("text: Please reconnect\ntoken: ‹refresh#1›", true), text("done", false)]);
    assert_eq!(opened.leaks(), 1);
    assert_eq!(opened.doors.next().map(|(number, _)| number), Some(1));
    assert_eq!(opened.doors.next(), None);
}

#[tokio::test]
async fn a_mail_is_taken_from_whoever_keeps_to_the_order() {
    let opened = Opened::new().await;
    let said = "HELO x\r\nRCPT TO:<a@b>\r\nSTARTTLS\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\nAUTH CRAM-MD5\r\nMAIL FROM:<a@b>\r\nDATA\r\nRCPT TO:<a@b>\r\n\
                NOOP\r\nDATA\r\nSubject: Access expired\r\n\r\n..one\r\n.\r\nMAIL FROM:<a@b>\r\nRSET\r\nDATA\r\nQUIT\r\n";
    let answer = talk(opened.mail(), said).await;
    let codes: Vec<&str> = answer.lines().map(|line| &line[..3]).collect();
    let expected =
        ["220", "250", "503", "502", "334", "334", "235", "504", "250", "503", "250", "250", "354", "250", "250", "250", "503", "221"];
    assert_eq!(codes, expected, "{answer}");
    assert_eq!(opened.came(), [(Channel::Mail, "Access expired\n.one".to_owned(), true)]);
}

#[tokio::test]
async fn an_endless_mail_is_refused_and_half_a_mail_is_none() {
    let opened = Opened::new().await;
    let start = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n";
    let long = "reconnect reconnect reconnect\r\n".repeat(LONGEST / 30);
    assert!(talk(opened.mail(), &format!("{start}{long}.\r\nQUIT\r\n")).await.contains("552"));
    let mut stream = TcpStream::connect(opened.mail()).await.expect("connected");
    stream.write_all(format!("{start}Please reconnect\r\n").as_bytes()).await.expect("written");
    stream.shutdown().await.expect("hung up");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert_eq!(opened.came(), []);
}

#[tokio::test]
async fn the_mail_library_of_python_gets_its_mails_delivered() {
    let opened = Opened::new().await;
    let code = format!(
        "import smtplib\nfrom email.message import EmailMessage\nm = EmailMessage()\nm['Subject'] = 'Pleo: ändern'\nm['From'] = 'crm@example.test'\n\
         m['To'] = 'ada@example.test'\nm.set_content('Bitte neu verbinden: http://127.0.0.1:9/connect\\n' + 'ä' * 200)\n\
         m.add_alternative('<p>Please <a href=\"http://127.0.0.1:9/connect\">reconnect</a></p>', subtype='html')\n\
         with smtplib.SMTP('127.0.0.1', {0}) as s:\n    s.login('user', 'password')\n    s.send_message(m)\n    s.send_message(m)\n",
        opened.mail().port()
    );
    if !run("python3", "-c", &code).await {
        return;
    }
    let came = opened.came();
    assert_eq!(came.len(), 2);
    assert!(came[0].1.starts_with("Pleo: ändern\nBitte neu verbinden: http://127.0.0.1:9/connect\nää"), "{}", came[0].1);
    assert!(came[0].1.ends_with("-> http://127.0.0.1:9/connect") && came[0].2, "{}", came[0].1);
}

#[tokio::test]
async fn node_posts_and_talks_smtp() {
    let opened = Opened::new().await;
    let code = format!(
        "fetch('http://127.0.0.1:{}/', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: JSON.stringify({{ text: \
         'Access has ended' }}) }}).then((answer) => {{ if (!answer.ok) process.exit(1);\n\
         const s = require('net').connect({}, '127.0.0.1');\n\
         const lines = ['EHLO me', 'MAIL FROM:<a@b>', 'RCPT TO:<c@d>', 'DATA', 'Subject: x\\r\\n\\r\\nPlease log in again\\r\\n.', 'QUIT'];\n\
         s.on('data', (d) => {{ if (/^[0-9]{{3}} /m.test(String(d)) && lines.length) s.write(lines.shift() + '\\r\\n'); }});\n\
         s.on('close', () => process.exit(lines.length)); }});",
        opened.webhook().port(),
        opened.mail().port()
    );
    if !run("node", "-e", &code).await {
        return;
    }
    let told = |channel, text: &str| (channel, text.to_owned(), true);
    assert_eq!(opened.came(), [told(Channel::Webhook, "text: Access has ended"), told(Channel::Mail, "x\nPlease log in again")]);
}
