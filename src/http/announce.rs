//! `/calls`: the dialplan tells about a call before its audio comes and gets the call's id.
//!
//! `CURL(url)` in a dialplan asks, `CURL(url,data)` sends a form; both are understood. Only this
//! machine may announce calls, as there is no password in a dialplan.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};

use super::{Problem, Rooms};
use crate::pbx::asterisk::Announcement;

pub(super) async fn by_query(
    State(rooms): State<Rooms>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<String, Problem> {
    let query = uri.query().unwrap_or_default();
    announce(&rooms, from, &headers, query)
}

pub(super) async fn by_form(
    State(rooms): State<Rooms>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Result<String, Problem> {
    let form = std::str::from_utf8(&body).unwrap_or_default().trim();
    let form = match form {
        "" => uri.query().unwrap_or_default(),
        form => form,
    };
    announce(&rooms, from, &headers, form)
}

fn announce(
    rooms: &Rooms,
    from: SocketAddr,
    headers: &HeaderMap,
    form: &str,
) -> Result<String, Problem> {
    // A browser on this machine is no dialplan, whatever page it shows.
    if !from.ip().to_canonical().is_loopback() || headers.contains_key(header::ORIGIN) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "calls are announced by the PBX on this machine only",
        )
        .remedy("let the PBX announce calls over its manager instead: leave HOTLINE_CURL empty"));
    }
    let Some(take) = &rooms.announce else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "calls are announced over HTTP by Asterisk only",
        )
        .remedy("FreeSWITCH tells who calls on the call's own socket: nothing needs announcing"));
    };
    let announcement = read(form)?;
    if announcement.did.trim().is_empty() {
        return Err(Problem::bad(
            "did",
            "the number that was dialled is missing",
            "send did=${EXTEN}",
        ));
    }
    Ok(take(&announcement).to_string())
}

/// Reads a form; what is not known in it is left out.
fn read(form: &str) -> Result<Announcement, Problem> {
    let refused = || {
        Problem::bad(
            "did",
            "the announcement cannot be read",
            "send did=…&caller=…&name=…&lang=…&channel=…, each through URIENCODE()",
        )
    };
    // Axum reads forms out of addresses only.
    let uri: Uri = format!("/?{form}").parse().map_err(|_| refused())?;
    let Query(announcement) = Query::try_from_uri(&uri).map_err(|_| refused())?;
    Ok(announcement)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_with_danish_letters_is_read() {
        let read =
            read("did=70101010&caller=20123456&name=S%C3%B8ren+%26+Co&lang=da&channel=PJSIP%2Fa-1")
                .unwrap();
        assert_eq!(read.name, "Søren & Co");
        assert_eq!(read.channel, "PJSIP/a-1");
    }

    #[test]
    fn what_is_not_sent_is_empty_and_what_is_not_known_is_left_out() {
        let read = read("did=1&colour=blue").unwrap();
        assert_eq!((read.did.as_str(), read.caller.as_str()), ("1", ""));
    }

    proptest! {
        #[test]
        fn garbage_is_an_announcement_or_a_problem(form in ".*") {
            let _ = read(&form);
        }
    }
}
