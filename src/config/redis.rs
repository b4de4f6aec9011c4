//! `store.redis`.

use std::net::IpAddr;
use std::time::Duration;

use url::Url;

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::section::Section;
use crate::base::Secret;
use crate::revocation::RedisSettings;
use crate::revocation::redis::{Address, Authorities, Login, Mode, Wait};

/// `None` if something that must be given is not, or cannot be used: a problem by then.
pub(super) fn redis(section: &Section<'_>) -> Option<RedisSettings> {
    let urls = section.required("url", "say where Redis is: `url: { env: REDIS_URL }`").map(|field| places(&field));
    let prefix =
        section.field("prefix").map_or_else(|| Some(defaults::REDIS_PREFIX.to_owned()), |field| prefix(&field));
    let mode = section.word("mode", Kind::Single, &KINDS);
    let master = section.nullable("master");
    let has_password = |places: &Vec<Place>| places.iter().any(|place| place.login.is_some());
    // Those of Sentinels are in the URL, those of the master are not.
    let elsewhere = mode != Kind::Sentinel && urls.as_ref().and_then(Option::as_ref).is_some_and(has_password);
    let login = login(section, elsewhere);
    let authorities = section.nullable("ca_file").map(|field| (field.authorities(), field));
    let replicas = section.integer("wait_replicas", 0, 0..=MOST_REPLICAS);
    let timeout = section.duration("wait_timeout", defaults::REDIS_WAIT_TIMEOUT, SHORTEST_WAIT..=LONGEST_WAIT);
    let (places, at) = (urls??, section.field("url")?);
    let first = places.first()?;
    if places.iter().any(|place| (place.tls, place.database, &place.login) != (first.tls, first.database, &first.login))
    {
        let help = "give all the same scheme, user, password and database: it is one deployment";
        return at.refuse(Code::Contradiction, "names servers that are reached in different ways", help);
    }
    if let (Some((_, field)), false) = (&authorities, first.tls) {
        let help = "write `rediss://` in `store.redis.url`, or take this out";
        field.refuse::<()>(Code::Contradiction, "is given where there is no TLS", help);
    }
    if !first.tls && !places.iter().all(Place::is_local) {
        let what = "leads to another machine, and sessions and the password travel there in the clear";
        at.warn(Code::PlainDatabase, what, "write `rediss://`, with `ca_file` if the server has a private CA");
    }
    let (mode, login) = standing(mode, master.as_ref(), &places, (login.ok()?, &at))?;
    Some(RedisSettings {
        mode,
        prefix: prefix?,
        login,
        database: first.database,
        tls: if first.tls {
            Some(Authorities(authorities.map_or(Some(Vec::new()), |(roots, _)| roots)?))
        } else {
            None
        },
        wait: u32::try_from(replicas).ok().filter(|replicas| *replicas > 0).map(|replicas| Wait { replicas, timeout }),
        servers: places.into_iter().map(|place| place.address).collect(),
    })
}

/// How the servers stand to each other, and as whom those with the data are asked.
fn standing(
    kind: Kind,
    master: Option<&Field<'_>>,
    places: &[Place],
    (login, at): (Option<Login>, &Field<'_>),
) -> Option<(Mode, Option<Login>)> {
    let of_url = places.first().and_then(|place| place.login.clone());
    if let (Some(field), true) = (master, kind != Kind::Sentinel) {
        let help = "write `mode: sentinel`, or take this out";
        return field.refuse(Code::Contradiction, "is given where `store.redis.mode` is not `sentinel`", help);
    }
    let whole = |mode| match (of_url.clone(), login.clone()) {
        (Some(_), Some(_)) => {
            let help = "take the user and password out of the URL, or `username` and `password` away";
            at.refuse(Code::Contradiction, "has a user or password, and so has `store.redis`", help)
        }
        (of_url, login) => Some((mode, login.or(of_url))),
    };
    match kind {
        Kind::Single if places.len() > 1 => {
            let help = "write `mode: sentinel` or `mode: cluster`, or name one server";
            at.refuse(Code::Contradiction, "names several servers where `store.redis.mode` is `single`", help)
        }
        Kind::Single => whole(Mode::Single),
        Kind::Cluster if places.iter().any(|place| place.database != 0) => {
            at.refuse(Code::Contradiction, "names a database, and a Cluster has but one", "take it out of the URL")
        }
        Kind::Cluster => whole(Mode::Cluster),
        // Sentinels have users of their own: those of the URL, which is where they are asked.
        Kind::Sentinel => match master {
            Some(name) => Some((Mode::Sentinel { master: name.name()?, login: of_url }, login)),
            None => {
                let help = "name the master as the Sentinels know it: `master: mymaster`";
                at.refuse(Code::MissingKey, "leads to Sentinels, and `store.redis.master` is missing", help)
            }
        },
    }
}

/// A problem was noted.
struct Noted;

/// `username` and `password`; `elsewhere` if a URL has one too, or both.
fn login(section: &Section<'_>, elsewhere: bool) -> Result<Option<Login>, Noted> {
    let username = section.nullable("username").map(|field| (field.name(), field));
    let password = section.nullable("password").map(|field| field.secret());
    match (username, password) {
        (None, None) => Ok(None),
        (None, Some(password)) => Ok(Some(Login { username: None, password: password.ok_or(Noted)? })),
        (Some((name, _)), Some(password)) => {
            Ok(Some(Login { username: Some(name.ok_or(Noted)?), password: password.ok_or(Noted)? }))
        }
        (Some((_, field)), None) if elsewhere => {
            let help = "write both in the URL (`redis://USER:PASSWORD@HOST`), or both as `username` and `password`";
            field.refuse::<()>(Code::Contradiction, "is given here, and the password in `store.redis.url`", help);
            Err(Noted)
        }
        (Some((_, field)), None) => {
            let help = "give it: `password: { file: … }` or `{ env: … }`";
            field.refuse::<()>(Code::MissingKey, "is given without `store.redis.password`", help);
            Err(Noted)
        }
    }
}

/// What a URL says.
struct Place {
    address: Address,
    tls: bool,
    database: u16,
    login: Option<Login>,
}

impl Place {
    /// Whether nothing leaves this machine.
    fn is_local(&self) -> bool {
        let host = &self.address.host;
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// One URL or a list; each may hold a password.
fn places(field: &Field<'_>) -> Option<Vec<Place>> {
    if field.is_text() || field.is_map() {
        return Some(vec![place(field)?]);
    }
    let fields = field.filled_list("name at least one server: `[redis://host-1:26379, redis://host-2:26379]`")?;
    let places: Vec<_> = fields.iter().map(place).collect();
    places.into_iter().collect()
}

fn place(field: &Field<'_>) -> Option<Place> {
    let secret = field.secret()?;
    let text = std::str::from_utf8(secret.expose()).ok();
    // Nothing of what is wrong is shown: it may be a part of the password.
    match text.ok_or(NO_TEXT).and_then(|text| read(text.trim())) {
        Ok(place) => Some(place),
        Err(what) => field.refuse(Code::BadUrl, what, URL_HELP),
    }
}

/// What a URL says, or what is wrong with it, without a word of it.
fn read(text: &str) -> Result<Place, &'static str> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => NO_SCHEME,
        url::ParseError::EmptyHost => NO_HOST,
        url::ParseError::InvalidPort => BAD_PORT,
        _ => BAD_HOST,
    })?;
    let tls = match url.scheme() {
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        _ => return Err(NO_SCHEME),
    };
    let database = match url.path().trim_start_matches('/') {
        "" => 0,
        number => number.parse().map_err(|_| BAD_DATABASE)?,
    };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(PARAMETERS);
    }
    let username = Some(decoded(url.username()).ok_or(BAD_ESCAPE)?).filter(|name| !name.is_empty());
    let login = match url.password() {
        Some(password) => Some(Login { username, password: Secret::new(decoded(password).ok_or(BAD_ESCAPE)?) }),
        None if username.is_some() => return Err(NO_PASSWORD),
        None => None,
    };
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NO_HOST)?.trim_matches(['[', ']']).to_owned();
    Ok(Place { address: Address { host, port: url.port().unwrap_or(PORT) }, tls, database, login })
}

/// With what stands as `%XX` put in.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn prefix(field: &Field<'_>) -> Option<String> {
    let prefix = field.name()?;
    if prefix.contains(['{', '}']) {
        return field.refuse(
            Code::BadName,
            "has braces, which would gather all keys in one place of a Cluster",
            "take them out",
        );
    }
    Some(prefix)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Single,
    Sentinel,
    Cluster,
}

const KINDS: [(&str, Kind); 3] = [("single", Kind::Single), ("sentinel", Kind::Sentinel), ("cluster", Kind::Cluster)];

const PORT: u16 = 6379;

const NO_TEXT: &str = "is no URL of Redis: it is not UTF-8";
const NO_SCHEME: &str =
    "is no URL of Redis: it begins with none of `redis://`, `rediss://`, `valkey://` and `valkeys://`";
const NO_HOST: &str = "is no URL of Redis: it has no host where one is expected";
const BAD_HOST: &str = "is no URL of Redis: its host is none";
const BAD_PORT: &str = "is no URL of Redis: what stands behind the host and its colon is no port";
const BAD_DATABASE: &str = "is no URL of Redis: its path is not the number of a database";
const PARAMETERS: &str = "is no URL of Redis: it has parameters, or a fragment";
const BAD_ESCAPE: &str =
    "is no URL of Redis: there is a `%` without two hexadecimal digits behind it, or what they mean is not UTF-8";
const NO_PASSWORD: &str = "is no URL of Redis: it has a user without a password";

const URL_HELP: &str = "write `rediss://USER:PASSWORD@HOST:6379/0`, with signs other than letters and digits as %XX";

/// More than anybody has.
const MOST_REPLICAS: u64 = 100;

const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// Less than a request waits in all.
const LONGEST_WAIT: Duration = Duration::from_millis(900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let login = |username: Option<&str>, password: &str| {
            Some(Login { username: username.map(str::to_owned), password: Secret::new(password) })
        };
        for (text, expected) in [
            ("redis://h", Ok(("h", 6379, false, 0, None))),
            ("rediss://h:6380/3", Ok(("h", 6380, true, 3, None))),
            ("valkeys://u:p@h/", Ok(("h", 6379, true, 0, login(Some("u"), "p")))),
            ("redis://:p%40%2f@[::1]:1", Ok(("::1", 1, false, 0, login(None, "p@/")))),
            ("redis://u@h", Err(NO_PASSWORD)),
            ("redis://h/x", Err(BAD_DATABASE)),
            ("redis://h?db=1", Err(PARAMETERS)),
            ("redis://h#1", Err(PARAMETERS)),
            ("redis://:p%4@h", Err(BAD_ESCAPE)),
            ("redis://:p%ff@h", Err(BAD_ESCAPE)),
            ("redis://h:x", Err(BAD_PORT)),
            ("redis://h:65536", Err(BAD_PORT)),
            ("redis://:1/x@h", Err(NO_HOST)),
            ("redis://u:p/x@h", Err(BAD_PORT)),
            ("redis://[::1", Err(BAD_HOST)),
            ("redis://", Err(NO_HOST)),
            ("redis:///0", Err(NO_HOST)),
            ("http://h", Err(NO_SCHEME)),
            ("h:6379", Err(NO_SCHEME)),
            ("h", Err(NO_SCHEME)),
        ] {
            let found = read(text);
            let found = found.as_ref().map_err(|what| *what).map(|Place { address, tls, database, login }| {
                (address.host.as_str(), address.port, *tls, *database, login.clone())
            });
            assert_eq!(found, expected, "{text}");
        }
    }
}
