//! Binding sockets.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use strowger_model::Transport;
use tokio::net::{TcpListener, UdpSocket};

/// Kernel buffer of a UDP socket: 2 s of 1 000 INVITEs a second at 1 KiB.
const SOCKET_BUFFER_BYTES: usize = 2 << 20;
/// Connections the kernel keeps until they are accepted: all phones of a site come back at once after a fault.
const ACCEPT_BACKLOG: i32 = 1024;

/// An address that the node cannot use.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIP on {} {address}: {cause}; {advice}", transport.name())]
pub struct EdgeError {
    transport: Transport,
    address: SocketAddr,
    cause: std::io::Error,
    advice: &'static str,
}

/// `shared`: several nodes on one machine answer one address, and the kernel spreads senders over them.
pub(crate) fn udp(address: SocketAddr, shared: bool) -> Result<UdpSocket, EdgeError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_port(shared)?;
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|cause| fault(Transport::Udp, address, cause))
}

/// As `udp`.
pub(crate) fn tcp(address: SocketAddr, shared: bool) -> Result<TcpListener, EdgeError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Connections of a process that has just ended do not keep the address from the next one.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.bind(&address.into())?;
        socket.listen(ACCEPT_BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|cause| fault(Transport::Tcp, address, cause))
}

fn fault(transport: Transport, address: SocketAddr, cause: std::io::Error) -> EdgeError {
    let advice = match cause.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program has that port: stop it, or set another address under [sip] in the node's file"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: set one it has under [sip] in the node's file"
        }
        _ => "see the cause",
    };
    EdgeError { transport, address, cause, advice }
}
