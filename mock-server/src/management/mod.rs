//! The second port.

use tokio::net::TcpListener;

use crate::{Control, front::Listener};

pub(crate) fn serve(control: Control, listener: TcpListener) -> Listener {
    Listener::accept(listener, move |_, _| {
        let _c = control.clone();
        async {}
    })
}
