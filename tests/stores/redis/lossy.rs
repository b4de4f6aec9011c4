//! What was done, and nobody was told.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use doorward::revocation::redis::{Address, Mode};
use doorward::revocation::{RedisSettings, Store, Swap};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::server::{Maker, Server, settings, store};
use crate::fixtures::{at, family, rotated, sid};

/// A way to the server that loses answers: `armed` of those that come next, and the connection with each.
struct Lossy {
    address: Address,
    armed: Arc<AtomicU32>,
}

impl Lossy {
    async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = listener.local_addr().unwrap();
        let (armed, target) = (Arc::<AtomicU32>::default(), (server.host, server.port));
        let lost = Arc::clone(&armed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(target).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&lost)));
            }
        });
        Self { address: Address { host: place.ip().to_string(), port: place.port() }, armed }
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, lost: Arc<AtomicU32>) {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(length) if length > 0 => server.write_all(&asked[..length]).await.unwrap(),
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(length) if length > 0 => {
                    let one_less = |left: u32| left.checked_sub(1);
                    if lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                        return;
                    }
                    client.write_all(&answered[..length]).await.unwrap();
                }
                _ => return,
            },
        }
    }
}

#[tokio::test]
async fn a_rotation_whose_answer_was_lost_is_the_askers_own() {
    let server = Server::start(Maker::Redis, &[]);
    let lossy = Lossy::to(&server).await;
    let direct = settings(&[&server], Mode::Single);
    let (straight, store) = (store(&direct), store(&RedisSettings { servers: vec![lossy.address.clone()], ..direct }));
    let first = family();
    straight.create(sid(1), first.clone()).await.unwrap();
    // The script is known from now on, and the connection made.
    let second = rotated(&first, at(1));
    assert_eq!(store.swap(sid(1), &first, second.clone()).await, Ok(Swap::Done));

    lossy.armed.store(1, Ordering::SeqCst);
    let third = rotated(&second, at(2));
    assert_eq!(store.swap(sid(1), &second, third.clone()).await, Ok(Swap::Done));
    assert_eq!((straight.family(sid(1)).await, lossy.armed.load(Ordering::SeqCst)), (Ok(Some(third.clone())), 0));

    // Somebody else's stays somebody else's, also where the question is asked twice.
    lossy.armed.store(1, Ordering::SeqCst);
    let late = rotated(&second, at(3));
    assert_eq!(store.swap(sid(1), &second, late).await, Ok(Swap::Lost(Some(third))));
}
