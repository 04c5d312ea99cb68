//! Free ports on the loopback address.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Returns a TCP port that was free a moment ago.
pub fn free_tcp() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Returns a UDP port that was free a moment ago.
pub fn free_udp() -> io::Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Returns the first of `count` consecutive free UDP ports, beginning at an even number and below
/// the range the system hands out by itself.
pub fn free_udp_range(count: u16) -> io::Result<u16> {
    const LOWEST: u16 = 10_000;
    const HIGHEST: u16 = 32_000;
    let room = u64::from(HIGHEST - LOWEST - count);
    for attempt in 0..50u64 {
        let first = LOWEST + (random(attempt) % room) as u16 / 2 * 2;
        let taken = (first..first + count)
            .map(|port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))
            .collect::<io::Result<Vec<_>>>();
        if taken.is_ok() {
            return Ok(first);
        }
    }
    Err(io::Error::other(format!(
        "no {count} free UDP ports between {LOWEST} and {HIGHEST}"
    )))
}

/// Returns a number nobody can guess, different at each call.
pub(crate) fn random(salt: u64) -> u64 {
    RandomState::new().hash_one(salt)
}
