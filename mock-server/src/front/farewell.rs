//! The last words to a client that is not served.

use std::{io, time::Duration};

use regrant_authority::Time;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{http, reply::Reply};

/// How long a refused client may take to read why.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says why, and closes once the client has read it or has had the time.
pub(crate) async fn say(mut tcp: TcpStream, mut reply: Reply, method: &str, now: Time) {
    let (bytes, ..) = http::write(&mut reply, method, false, now);
    let said = async {
        tcp.write_all(&bytes).await?;
        tcp.shutdown().await?;
        // Closing with something unread would reset the connection, and lose the reason.
        let mut rest = [0; 4096];
        while tcp.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _said = timeout(PATIENCE, said).await;
}
