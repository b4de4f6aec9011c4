//! A client that keeps to a timetable: `ADDRESS RATE SECONDS CONNECTIONS FILE`.
//!
//! Requests fall due at equal distances and go over whichever connection is free, and the time of an answer counts from when its request
//! was due. So one that had to wait because all connections were waiting is not forgotten, as it is by a client that sends the next when
//! the last was answered. `FILE` has the requests as they are sent, each ended by a NUL byte; they are sent in turn. With `RATE` 0 nothing
//! is waited for but a free connection, and the time counts from when that was there; with `SECONDS` 0 each is sent once.
//!
//! Says one line of JSON: how many answers of each status, how many exchanges failed, how many requests were never answered, the quantiles of the times in milliseconds, and how
//! late this client itself was: what came of the machine's load, and is in the times too.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

/// What a socket always has room for, when all before it was answered.
const SMALL: usize = 8 * 1024;
/// Seconds, where the number of requests is the end.
const WITHOUT_END: u64 = 3600;
/// How long answers are waited for after the last request was due.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of the quantiles, as one in how many is slower. The last is the slowest of all.
const RARITIES: [f64; 13] =
    [1.0, 1.11, 1.33, 2.0, 4.0, 10.0, 20.0, 100.0, 200.0, 1000.0, 2000.0, 10_000.0, f64::INFINITY];

struct Plan {
    address: SocketAddr,
    /// Between two requests.
    apart: Duration,
    /// How many in all, and for how long.
    count: usize,
    lasts: Duration,
    connections: usize,
    requests: Vec<Vec<u8>>,
}

impl Plan {
    fn read() -> Result<Self, Box<dyn Error>> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let [address, rate, seconds, connections, file] = arguments.as_slice() else {
            return Err("usage: paced ADDRESS RATE SECONDS CONNECTIONS FILE".into());
        };
        let requests: Vec<_> = fs::read(file)?.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        let requests: Vec<_> = requests.into_iter().filter(|request| !request.is_empty()).collect();
        if requests.is_empty() {
            return Err("there are no requests in the file".into());
        }
        let (rate, seconds) = (rate.parse::<u32>()?, seconds.parse::<u32>()?);
        let apart = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        let count = match (rate, seconds) {
            (_, 0) => requests.len(),
            (0, _) => usize::MAX,
            _ => usize::try_from(u64::from(rate) * u64::from(seconds))?,
        };
        let lasts = Duration::from_secs(if seconds == 0 { WITHOUT_END } else { seconds.into() });
        Ok(Self { address: address.parse()?, apart, count, lasts, connections: connections.parse()?, requests })
    }

    fn is_paced(&self) -> bool {
        self.apart > Duration::ZERO
    }

    /// When the one of this number is due, from the start.
    fn due(&self, number: usize) -> Duration {
        Duration::from_nanos(u64::try_from(self.apart.as_nanos() * number as u128).unwrap_or(u64::MAX))
    }
}

/// The one clock here: a timetable is points in time, which the server's stopwatch does not tell.
#[expect(clippy::disallowed_methods, reason = "nothing that doorward does depends on it")]
fn now() -> Instant {
    Instant::now()
}

/// An exchange that has not ended.
struct Exchange {
    due: Instant,
    answer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    exchange: Option<Exchange>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, exchange: None })
    }

    fn write(&mut self, request: &[u8]) -> io::Result<()> {
        if request.len() <= SMALL {
            return self.stream.write_all(request);
        }
        self.stream.set_nonblocking(false)?;
        self.stream.write_all(request)?;
        self.stream.set_nonblocking(true)
    }

    /// What came of the exchange, if it has ended: its status, when it was due, whether the connection goes on.
    fn read(&mut self) -> io::Result<Option<(u16, Instant, bool)>> {
        let Some(exchange) = &mut self.exchange else { return Ok(None) };
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => exchange.answer.extend(buffer.iter().take(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            if let Some((status, goes_on)) = whole(&exchange.answer)? {
                let due = exchange.due;
                self.exchange = None;
                return Ok(Some((status, due, goes_on)));
            }
        }
    }
}

/// The status of an answer, if all of it is there, and whether its connection goes on.
fn whole(answer: &[u8]) -> io::Result<Option<(u16, bool)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
    let head = str::from_utf8(answer.get(..end).unwrap_or_default()).map_err(|_| unreadable())?.to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(unreadable)?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length = field("content-length:").map_or(Some(0), |length| length.parse::<usize>().ok());
    if field("transfer-encoding:").is_some() {
        return Err(unreadable());
    }
    let whole = answer.len() >= end + 4 + length.ok_or_else(unreadable)?;
    Ok(whole.then_some((status, field("connection:") != Some("close"))))
}

#[derive(Default)]
struct Tally {
    statuses: BTreeMap<u16, u64>,
    failed: u64,
    /// What fell due, for which there was no connection or no answer in time.
    unanswered: usize,
    /// From when they were due to the whole answer.
    times: Vec<Duration>,
    /// Between when one was due, or its connection free if that was later, and when it went out.
    late: Vec<Duration>,
}

struct Client {
    plan: Plan,
    connections: Vec<Connection>,
    free: Vec<usize>,
    sent: usize,
    freed: Instant,
    tally: Tally,
}

impl Client {
    fn run(&mut self) -> io::Result<Duration> {
        let began = now();
        loop {
            let now = now();
            let busy = self.connections.len() - self.free.len();
            let late = now.saturating_duration_since(began + self.plan.lasts);
            let over = self.sent == self.plan.count || late > Duration::ZERO && !self.plan.is_paced();
            if over && busy == 0 || late > PATIENCE {
                let never_sent = if self.plan.is_paced() { self.plan.count - self.sent } else { 0 };
                self.tally.unanswered = never_sent + busy;
                return Ok(began.elapsed());
            }
            let due = began + self.plan.due(self.sent);
            if !over && due <= now && !self.free.is_empty() {
                self.send(due, now)?;
                continue;
            }
            let next = if over || self.free.is_empty() { Duration::from_millis(100) } else { due - now };
            self.wait(next)?;
        }
    }

    fn send(&mut self, due: Instant, now: Instant) -> io::Result<()> {
        // The one that was free the longest: each keeps being used.
        let number = self.free.remove(0);
        let request = self.plan.requests.get(self.sent % self.plan.requests.len()).map_or(&[][..], Vec::as_slice);
        self.sent += 1;
        let due = if self.plan.is_paced() { due } else { now };
        self.tally.late.push(now.saturating_duration_since(due.max(self.freed)));
        let Some(connection) = self.connections.get_mut(number) else { return Ok(()) };
        connection.exchange = Some(Exchange { due, answer: Vec::new() });
        if connection.write(request).is_err() {
            self.failed(number)?;
        }
        Ok(())
    }

    fn failed(&mut self, number: usize) -> io::Result<()> {
        self.tally.failed += 1;
        self.replace(number)?;
        self.free.push(number);
        Ok(())
    }

    fn replace(&mut self, number: usize) -> io::Result<()> {
        let opened = Connection::open(self.plan.address)?;
        if let Some(connection) = self.connections.get_mut(number) {
            *connection = opened;
        }
        Ok(())
    }

    /// Takes the answers that come within this time, from the first of them on no longer.
    fn wait(&mut self, time: Duration) -> io::Result<()> {
        let busy: Vec<_> = self.connections.iter().enumerate().filter(|(_, one)| one.exchange.is_some()).collect();
        let mut asked: Vec<_> = busy.iter().map(|(_, one)| PollFd::new(&one.stream, PollFlags::IN)).collect();
        let timeout = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        poll(&mut asked, Some(&timeout))?;
        let ready = busy.iter().zip(&asked).filter(|(_, asked)| !asked.revents().is_empty());
        let ready: Vec<usize> = ready.map(|((number, _), _)| *number).collect();
        let all_were_busy = self.free.is_empty();
        for number in ready {
            let outcome = self.connections.get_mut(number).map_or(Ok(None), Connection::read);
            let now = now();
            match outcome {
                Ok(None) => continue,
                Ok(Some((status, due, goes_on))) => {
                    *self.tally.statuses.entry(status).or_default() += 1;
                    self.tally.times.push(now - due);
                    if !goes_on {
                        self.replace(number)?;
                    }
                    self.free.push(number);
                }
                Err(_) => self.failed(number)?,
            }
            if all_were_busy {
                self.freed = now;
            }
        }
        Ok(())
    }
}

fn milliseconds(times: &[Duration], rarity: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = (times.len() as f64 * (1.0 - rarity.recip())) as usize;
    times.get(rank.min(times.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

fn report(tally: &mut Tally, took: Duration) -> Result<String, Box<dyn Error>> {
    let Tally { statuses, failed, unanswered, times, late } = tally;
    times.sort_unstable();
    late.sort_unstable();
    let statuses: Vec<_> = statuses.iter().map(|(status, count)| format!("\"{status}\": {count}")).collect();
    let mut text =
        format!("{{\"statuses\": {{{}}}, \"failed\": {failed}, \"unanswered\": {unanswered}, ", statuses.join(", "));
    write!(text, "\"seconds\": {:.3}, \"late\": {:.4}, ", took.as_secs_f64(), milliseconds(late, 100.0))?;
    let quantiles: Vec<_> = RARITIES
        .iter()
        .map(|rarity| format!("[{:.6}, {:.4}]", 1.0 - rarity.recip(), milliseconds(times, *rarity)))
        .collect();
    write!(text, "\"quantiles\": [{}]}}", if times.is_empty() { String::new() } else { quantiles.join(", ") })?;
    Ok(text)
}

fn main() -> Result<(), Box<dyn Error>> {
    // Otherwise the system lets a sleep be 50 µs too long, to save power.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let plan = Plan::read()?;
    let connections: Vec<_> =
        (0..plan.connections).map(|_| Connection::open(plan.address)).collect::<io::Result<_>>()?;
    let free = (0..connections.len()).collect();
    let mut client = Client { plan, connections, free, sent: 0, freed: now(), tally: Tally::default() };
    let took = client.run()?;
    writeln!(io::stdout(), "{}", report(&mut client.tally, took)?)?;
    Ok(())
}
