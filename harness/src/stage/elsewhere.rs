//! Another origin than the provider's. Whoever comes here was led here by a redirect; what it brings along is noted, and it is given tokens
//! that nobody issued.

use std::{
    borrow::Cow,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use regrant_mock_server::fault::{Fate, scenario::Scenario};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::{StageError, cast::Cast, recorder::Recorder};
use crate::{
    canary::{CanarySet, Form},
    evidence::What,
};

/// Another host name than the provider's, so that no reading of "the same origin" covers both.
const HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// A request may take so long to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer request is looked at so far.
const LONGEST: usize = 64 * 1024;
/// So many at once; a subject sends one.
const GUESTS: usize = 32;

/// Open until it is dropped.
pub(super) struct Elsewhere {
    address: SocketAddr,
    door: JoinHandle<()>,
}

impl Cast {
    /// The story, its redirects to port 0 leading to another origin that is open from now on.
    ///
    /// # Errors
    /// The subject could not get there.
    pub(super) async fn with_elsewhere<'s>(&mut self, scenario: &'s Scenario) -> Result<Cow<'s, Scenario>, StageError> {
        if !scenario.rules.iter().any(|rule| path_elsewhere(&rule.fate).is_some()) {
            return Ok(Cow::Borrowed(scenario));
        }
        let manifest = &self.setting.manifest;
        let near = matches!(manifest.provider.reachable_as.as_deref(), None | Some("127.0.0.1" | "localhost"));
        if !near || !manifest.intercept.is_empty() {
            return Err(StageError::NotRealised("it needs another origin on loopback, where this subject may not get".into()));
        }
        let opened = Elsewhere::open(self.recorder.clone(), self.canaries.clone()).await;
        let elsewhere = opened.map_err(|e| StageError::NotRealised(format!("another origin could not be opened on {HOST}: {e}")))?;
        let mut led = scenario.clone();
        for rule in &mut led.rules {
            let path = path_elsewhere(&rule.fate);
            if let (Some(path), Fate::Redirect { to, .. }) = (path, &mut rule.fate) {
                *to = format!("http://{}{path}", elsewhere.address);
            }
        }
        self.elsewhere = Some(elsewhere);
        Ok(Cow::Owned(led))
    }
}

/// The path of a redirect to port 0, which stands for another origin.
fn path_elsewhere(fate: &Fate) -> Option<String> {
    let Fate::Redirect { to, .. } = fate else { return None };
    let url = url::Url::parse(to).ok()?;
    (url.port() == Some(0)).then(|| url.path().to_owned())
}

impl Elsewhere {
    async fn open(recorder: Recorder, canaries: CanarySet) -> io::Result<Self> {
        let listener = TcpListener::bind((HOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, door: tokio::spawn(receive(listener, recorder, canaries)) })
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.door.abort();
    }
}

async fn receive(listener: TcpListener, recorder: Recorder, canaries: CanarySet) {
    let mut guests = JoinSet::new();
    while let Ok((guest, _)) = listener.accept().await {
        if guests.len() >= GUESTS {
            let _ = guests.join_next().await;
        }
        let (recorder, canaries) = (recorder.clone(), canaries.clone());
        guests.spawn(async move {
            // Who does not finish is noted as far as it came.
            let _ = serve(guest, &recorder, &canaries).await;
        });
        while guests.try_join_next().is_some() {}
    }
}

async fn serve(mut guest: TcpStream, recorder: &Recorder, canaries: &CanarySet) -> io::Result<()> {
    let mut request = Vec::new();
    let _ = timeout(PATIENCE, read(&mut guest, &mut request)).await;
    if request.is_empty() {
        return Ok(());
    }
    let mut carried: Vec<String> =
        canaries.find(&request).into_iter().filter(|hit| hit.form != Form::Prefix).map(|hit| hit.name.clone()).collect();
    carried.sort();
    carried.dedup();
    let method = request.split(|byte| *byte == b' ').next().unwrap_or_default();
    let method = String::from_utf8_lossy(&method[..method.len().min(16)]).into_owned();
    recorder.record(What::CameElsewhere { method, carried });
    guest.write_all(answer().as_bytes()).await?;
    guest.shutdown().await
}

async fn read(guest: &mut TcpStream, request: &mut Vec<u8>) -> io::Result<()> {
    let mut part = [0; 4096];
    while request.len() < LONGEST && !is_whole(request) {
        match guest.read(&mut part).await? {
            0 => break,
            count => request.extend_from_slice(&part[..count]),
        }
    }
    Ok(())
}

/// The head is there, and as much body as it promises.
fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    request.len() - end - 4 >= length.unwrap_or(0)
}

/// A token answer as good as any, but for who gives it.
fn answer() -> String {
    let token = || format!("{:032x}{:016x}", rand::random::<u128>(), rand::random::<u64>());
    let body =
        serde_json::json!({ "access_token": token(), "refresh_token": token(), "token_type": "Bearer", "expires_in": 900 }).to_string();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::{Canary, Kind};

    #[tokio::test]
    async fn who_comes_is_noted_with_what_it_brings_and_is_given_tokens() {
        let recorder = Recorder::new("elsewhere");
        let canaries = CanarySet::new();
        let canary = Canary { name: "refresh#1".into(), value: "rt-0123456789abcdef0123".into(), kind: Kind::Refresh, client_id: None };
        canaries.add(canary).expect("a canary");
        let elsewhere = Elsewhere::open(recorder.clone(), canaries).await.expect("open");
        let body = "grant_type=refresh_token&refresh_token=rt-0123456789abcdef0123";
        for request in
            [format!("POST /oauth/token HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()), "GET / HTTP/1.1\r\n\r\n".into()]
        {
            let mut guest = TcpStream::connect(elsewhere.address).await.expect("connected");
            guest.write_all(request.as_bytes()).await.expect("written");
            let mut answer = String::new();
            guest.read_to_string(&mut answer).await.expect("answered");
            assert!(answer.contains("access_token"), "{answer}");
        }
        let came = recorder.all_since(0, |what| match what {
            What::CameElsewhere { method, carried } => Some((method.clone(), carried.clone())),
            _ => None,
        });
        assert_eq!(came, [("POST".to_owned(), vec!["refresh#1".to_owned()]), ("GET".to_owned(), Vec::new())]);
    }

    #[test]
    fn port_0_stands_for_another_origin() {
        let to = |to: &str| path_elsewhere(&Fate::Redirect { to: to.into(), status: None });
        assert_eq!(to("http://127.0.0.1:0/oauth/token").as_deref(), Some("/oauth/token"));
        assert_eq!(to("http://127.0.0.1:8080/oauth/token"), None);
        assert_eq!(to("/elsewhere"), None);
    }
}
