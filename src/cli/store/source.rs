//! The store that is exported: in a running doorward, or in a file that nobody has open.

use std::num::NonZeroUsize;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::app::transfer::{self, TransferError};
use crate::base::{Clock, SystemClock, Timestamp};
use crate::cli::environment;
use crate::cli::exit::Failure;
use crate::cli::revoke::instance::{Answer, Instance};
use crate::cli::serve::runtime;
use crate::config::{self, Settings};
use crate::endpoints::Operators;
use crate::revocation::transfer::{Cursor, Exports, Header, Origin, Record, issued_until};
use crate::revocation::{EmbeddedStore, OpenError};

/// Where the store is.
pub(super) enum Source {
    /// In a doorward that runs.
    Running(Instance),
    /// In a file. The settings are those that it was served with.
    Stopped(Box<(EmbeddedStore, Settings, Runtime)>),
}

/// What a running doorward says of its store once it is sealed.
#[derive(Deserialize)]
struct Told {
    origin: Origin,
    sealed_at: i64,
    latest_access_exp: i64,
    latest_session_end: i64,
}

#[derive(Deserialize)]
struct Page {
    sealed_at: i64,
    records: Vec<String>,
}

impl Source {
    /// The file first: if nobody has it open, nobody can write to it while it is read, whatever listens where doorward would.
    pub(super) fn find(path: &Path) -> Result<Self, Failure> {
        let settings = config::load(path, &environment).map_err(Failure::Configuration)?.settings;
        // The store's writer needs it, when it is opened and when it is closed.
        let runtime = runtime(NonZeroUsize::new(1))?;
        let opened = {
            let _entered = runtime.enter();
            transfer::source(&settings)
        };
        match opened {
            Ok(store) => Ok(Self::Stopped(Box::new((store, settings, runtime)))),
            Err(TransferError::Open(OpenError::InUse { .. })) => Ok(Self::Running(Instance::find(path)?)),
            Err(error) => Err(Failure::usage(error)),
        }
    }

    /// Seals it. What stands before the records then.
    pub(super) fn seal(&self) -> Result<Header, Failure> {
        match self {
            Self::Running(instance) => {
                let answer = done(instance.post(Operators::STORE_PATH, &json!({ "sealed": true }))?)?;
                let sealed: Told = serde_json::from_value(answer).map_err(strange)?;
                Ok(Header {
                    origin: sealed.origin,
                    exported_at: sealed.sealed_at,
                    latest_access_exp: sealed.latest_access_exp,
                    latest_session_end: sealed.latest_session_end,
                })
            }
            Self::Stopped(stopped) => {
                let (store, settings, runtime) = &**stopped;
                // Before it is sealed: what fails here should leave it as it was.
                let origin = transfer::origin(settings).map_err(Failure::usage)?;
                let sealed = runtime.block_on(async {
                    let since = store.seal(SystemClock.now()).await?;
                    Ok::<_, crate::revocation::StoreError>((since, issued_until(store).await?))
                });
                let (since, until) = sealed.map_err(Failure::internal)?;
                Ok(Header::new(origin, since, until))
            }
        }
    }

    pub(super) fn unseal(&self) -> Result<(), Failure> {
        match self {
            Self::Running(instance) => {
                done(instance.post(Operators::STORE_PATH, &json!({ "sealed": false }))?).map(drop)
            }
            Self::Stopped(stopped) => {
                let (store, _, runtime) = &**stopped;
                runtime.block_on(store.unseal()).map_err(Failure::internal)
            }
        }
    }

    /// The records behind `after`, under the seal of then; none are left behind an empty page.
    pub(super) fn page(&self, after: Option<Cursor>, sealed_at: i64) -> Result<Vec<Record>, Failure> {
        let (found, records) = match self {
            Self::Running(instance) => {
                // Its two words are letters of base64url, but for the space.
                let after = after.map(|after| after.to_string().replace(' ', "+")).unwrap_or_default();
                let answer = done(instance.get(Operators::STORE_PATH, &format!("after={after}"))?)?;
                let page: Page = serde_json::from_value(answer).map_err(strange)?;
                let records: Option<Vec<Record>> = page.records.iter().map(|line| Record::parse(line)).collect();
                let broken =
                    || Failure::Internal("a record cannot be read: is this another version of doorward?".to_owned());
                (Some(page.sealed_at), records.ok_or_else(broken)?)
            }
            Self::Stopped(stopped) => {
                let (store, _, runtime) = &**stopped;
                let page = runtime.block_on(store.page(after, PAGE)).map_err(Failure::internal)?;
                (page.sealed_at.map(Timestamp::millis), page.records)
            }
        };
        if found == Some(sealed_at) {
            Ok(records)
        } else {
            Err(Failure::usage("the store was unsealed while it was exported: export it again"))
        }
    }
}

fn done(answer: Answer) -> Result<Value, Failure> {
    match answer {
        Answer::Done(answer) => Ok(answer),
        Answer::Nothing(why) => Err(Failure::Usage(why)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn strange(error: serde_json::Error) -> Failure {
    Failure::Internal(format!("the answer cannot be read: {error}; is this another version of doorward?"))
}

/// Records read at once.
const PAGE: usize = 1000;
