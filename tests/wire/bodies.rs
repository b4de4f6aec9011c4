//! Bodies that are answered before they are there as a whole.

use std::time::Duration;

use crate::door::{Door, Setup};
use crate::macros;
use crate::scenarios::told;
use crate::wire::Connection;

/// A client that sends everything before it reads still gets its 401, however long the body is, and nothing of the body is
/// taken for a request.
pub(crate) async fn early_refusal() -> Result<(), String> {
    let mut door = Door::start(Setup::default()).await;
    let mut problems = Vec::new();
    let request = b"GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let body: Vec<u8> = request.iter().copied().cycle().take(BODY).collect();
    let chunk = [format!("{BODY:x}\r\n").as_bytes(), body.as_slice(), b"\r\n0\r\n\r\n"].concat();
    for (framing, body) in
        [(format!("Content-Length: {BODY}"), &body), ("Transfer-Encoding: chunked".to_owned(), &chunk)]
    {
        let mut connection = Connection::open(door.address).await;
        let head = format!("POST /x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        connection.write(&[head.as_bytes(), body].concat()).await?;
        let refused = connection.exchange(b"").await.map_err(|problem| format!("{framing}: {problem}"))?;
        macros::refused(&refused, "no-credential", &mut problems);
        macros::equal("Connection", &refused.values("Connection"), &vec!["close"], &mut problems);
        macros::equal("closed", &connection.is_closed().await, &true, &mut problems);
    }
    // One that is short is read, and the connection goes on.
    let mut connection = Connection::open(door.address).await;
    for _ in 0..2 {
        let refused = connection.exchange(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await?;
        macros::refused(&refused, "no-credential", &mut problems);
    }
    macros::equal("requests upstream", &door.upstream.take().len(), &0, &mut problems);
    door.stop().await;
    told(&problems)
}

/// A body that goes on coming, only too slowly: the time is for the whole of it.
pub(crate) async fn slow_body() -> Result<(), String> {
    let mut door = Door::start(Setup::default()).await;
    let mut problems = Vec::new();
    let head = "POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let drip = async |framing: &str| {
        let mut connection = Connection::open(door.address).await;
        connection.write(format!("{head}{framing}").as_bytes()).await?;
        connection.drip(b"a", Duration::from_millis(250)).await
    };
    let fixed = drip("Content-Length: 1000\r\n\r\n");
    let chunked = drip("Transfer-Encoding: chunked\r\n\r\n3e8\r\n");
    for refused in <[_; 2]>::from(tokio::join!(fixed, chunked)) {
        let refused = refused?;
        macros::oauth_error(&refused, 408, "invalid_request", &mut problems);
        macros::equal("Connection", &refused.values("Connection"), &vec!["close"], &mut problems);
    }
    door.stop().await;
    told(&problems)
}

/// More than all buffers on the way hold.
const BODY: usize = 10 << 20;
