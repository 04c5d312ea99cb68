//! Free ports on the loopback address.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Single ports lie below those that are searched for ranges, and all of them below those that the
/// system hands out by itself: it would give them to whoever connects next.
const SINGLE: std::ops::Range<u16> = 5_000..10_000;
const LOWEST: u16 = SINGLE.end;
const HIGHEST: u16 = 32_000;

/// Returns a TCP port that was free a moment ago.
pub fn free_tcp() -> io::Result<u16> {
    single(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// Returns a port that was free a moment ago for both UDP and TCP, as SIP wants it.
pub fn free_udp() -> io::Result<u16> {
    single(|port| {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    })
}

fn single(is_free: impl Fn(u16) -> bool) -> io::Result<u16> {
    let room = u64::from(SINGLE.end - SINGLE.start);
    (0..100u64)
        .map(|attempt| SINGLE.start + (random(attempt) % room) as u16)
        .find(|port| is_free(*port))
        .ok_or_else(|| io::Error::other(format!("no free port among {SINGLE:?}")))
}

/// Returns the first of `count` consecutive free UDP ports, beginning at an even number and below
/// the range the system hands out by itself.
pub fn free_udp_range(count: u16) -> io::Result<u16> {
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
