//! The bytes of one connection, plain or under TLS, and the ways to end it.

use std::io;

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// What is read at once.
const AT_ONCE: usize = 16 * 1024;

/// A connection's byte stream.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Reads some more; 0 at the end. Cancelling loses nothing.
    pub(crate) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => loop {
                // Room is made only once there is something: thousands of connections may be idle.
                tcp.readable().await?;
                buffer.reserve(AT_ONCE);
                match tcp.try_read_buf(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return other,
                }
            },
            Self::Tls(tls) => {
                buffer.reserve(AT_ONCE);
                // A peer that closes without saying goodbye in TLS has closed all the same.
                match tls.read_buf(buffer).await {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                    other => other,
                }
            }
        }
    }

    /// Writes all of `bytes` and returns when the kernel has them; `written` counts what it took, also if this fails.
    pub(crate) async fn write(&mut self, mut bytes: &[u8], written: &mut u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = match self {
                Self::Plain(tcp) => tcp.write(bytes).await?,
                Self::Tls(tls) => tls.write(bytes).await?,
            };
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            *written += count as u64;
            bytes = &bytes[count..];
        }
        match self {
            Self::Plain(tcp) => tcp.flush().await,
            Self::Tls(tls) => tls.flush().await,
        }
    }

    /// Whether TLS agreed on HTTP/2; `None`: there is no TLS.
    pub(super) fn agreed(&self) -> Option<bool> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls.get_ref().1.alpn_protocol() == Some(b"h2")),
        }
    }

    /// The socket underneath.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Says that no more comes.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.shutdown().await,
            Self::Tls(tls) => tls.shutdown().await,
        }
    }

    /// Ends the connection with RST.
    pub(super) fn reset(self) {
        // If the option cannot be set, closing is the next best thing.
        let _set = self.socket().set_zero_linger();
    }
}
