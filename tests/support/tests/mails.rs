//! Whether the test's mail server takes, keeps, refuses and loses mail as it is told.

#![expect(clippy::unwrap_used, reason = "a test may fail in its helpers too")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use street::smtp::{MailServer, Manner};

/// Sends everything at once, as a pipelining client may, and returns the reply lines.
fn send(port: u16, body: &str) -> Vec<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let commands = format!(
        "EHLO test\r\nMAIL FROM:<bot@x.example> SIZE=10\r\nRCPT TO:<dept@x.example>\r\nDATA\r\n{body}\r\n.\r\nQUIT\r\n"
    );
    let _ = stream.write_all(commands.as_bytes());
    BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .collect()
}

#[tokio::test]
async fn a_mail_arrives_with_its_dots() {
    let server = MailServer::start().unwrap();
    let replies = send(server.port(), "Subject: hej\r\n\r\n..one dot\r\n");
    assert!(
        replies
            .iter()
            .any(|line| line.starts_with("250 2.0.0 taken")),
        "{replies:?}"
    );
    let mail = server
        .mail(Duration::from_secs(1), |mail| mail.subject() == "hej")
        .await
        .unwrap();
    assert_eq!(mail.text().trim(), ".one dot");
    assert_eq!(mail.recipients, ["dept@x.example"]);
}

#[tokio::test]
async fn a_mail_server_fails_as_it_is_told() {
    let mut server = MailServer::start().unwrap();
    for (manner, line) in [
        (Manner::RefuseRecipient(450), "450 "),
        (Manner::RefuseMessage(554), "554 "),
    ] {
        server.set_manner(manner);
        let replies = send(server.port(), "Subject: hej\r\n");
        assert!(
            replies.iter().any(|reply| reply.starts_with(line)),
            "{replies:?}"
        );
    }
    server.set_manner(Manner::DropDuringData);
    assert!(
        send(server.port(), "Subject: hej\r\n")
            .last()
            .unwrap()
            .starts_with("354 ")
    );
    assert!(server.mails().is_empty());
    server.set_manner(Manner::DropAfterData);
    assert!(
        send(server.port(), "Subject: hej\r\n")
            .last()
            .unwrap()
            .starts_with("354 ")
    );
    assert_eq!(server.mails().len(), 1);

    server.stop();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_err());
    server.set_manner(Manner::Accept);
    server.start_again().unwrap();
    send(server.port(), "Subject: igen\r\n");
    server
        .mail(Duration::from_secs(1), |mail| mail.subject() == "igen")
        .await
        .unwrap();
}
