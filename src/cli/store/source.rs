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
use crate::cli::revoke::instance::{Answer, Instance, Unanswered};
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
            Err(TransferError::Open(OpenError::InUse { .. })) => Ok(Self::Running(running(Instance::find(path)?)?)),
            Err(error) => Err(Failure::usage(error)),
        }
    }

    /// Seals it. What stands before the records then.
    pub(super) fn seal(&self) -> Result<Header, Failure> {
        match self {
            Self::Running(instance) => {
                let answer = done(instance.post(Operators::STORE_PATH, &json!({ "sealed": true }))?)?;
                let sealed = Told::deserialize(answer).map_err(|_| instance.stranger())?;
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
                let answer = done(instance.post(Operators::STORE_PATH, &json!({ "sealed": false }))?)?;
                let is_open = answer.get("sealed_at") == Some(&Value::Null);
                if is_open { Ok(()) } else { Err(instance.stranger()) }
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
                let page = Page::deserialize(answer).map_err(|_| instance.stranger())?;
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

/// The one that has the file open, if it answers where it is asked: before anything is sealed, and so that what is sealed is its store.
fn running(instance: Instance) -> Result<Instance, Failure> {
    match instance.get(Operators::STORE_PATH, "limit=1") {
        // Sealed before, or not as it should be yet.
        Ok(Answer::Done(_) | Answer::Nothing(_)) => Ok(instance),
        Err(Unanswered::NotThere(name)) => Err(Failure::Internal(format!(
            "a doorward has the store in `data_dir` open, but does not answer at `{name}`: is `admin.listen` the one it was started with?"
        ))),
        Err(unanswered) => Err(unanswered.into()),
    }
}

fn done(answer: Answer) -> Result<Value, Failure> {
    match answer {
        Answer::Done(answer) => Ok(answer),
        Answer::Nothing(why) => Err(Failure::Usage(why)),
    }
}

/// Records read at once.
const PAGE: usize = 1000;
