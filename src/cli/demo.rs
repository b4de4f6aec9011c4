//! `doorward demo`: all of it, with nothing to configure.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::exit::Failure;
use super::output;
use super::serve;
use crate::app::Running;
use crate::app::echo;
use crate::app::serve::Parts;
use crate::app::signals::Signals;
use crate::base::{Secret, base64url, entropy};
use crate::config::{self, Listen};
use crate::telemetry::{Telemetry, logging, panics};
use crate::users::password;

/// Where the demo listens.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Port of the demo on 127.0.0.1; 0 = any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let directory = tempfile::Builder::new().prefix("doorward-demo-").tempdir().map_err(Failure::internal)?;
        let runtime = serve::runtime(None)?;
        runtime.block_on(self.play(directory.path()))
    }

    async fn play(self, directory: &Path) -> Result<ExitCode, Failure> {
        let mut signals = Signals::take().map_err(Failure::internal)?;
        let upstream = echo::start().map_err(Failure::internal)?;
        let password = base64url::encode(entropy::random::<12>());
        let path = write_files(directory, self.port, &upstream.address, &password)?;
        let loaded = config::load(&path, &|_| None).map_err(Failure::internal)?;
        let (sink, _flushed_at_the_end) = logging::install(&loaded.settings.telemetry).map_err(Failure::internal)?;
        let telemetry = Arc::new(Telemetry::new(sink, &loaded.settings.telemetry));
        panics::install();
        let parts = Parts::new(path, Box::new(|_| None), telemetry);
        let mut running = Running::start(loaded, parts).await.map_err(Failure::usage)?;
        output::text_of(script(&running, &password));
        signals.next().await;
        running.close().await;
        upstream.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}

fn write_files(directory: &Path, port: u16, upstream: &str, password: &str) -> Result<std::path::PathBuf, Failure> {
    let hash = password::hash(&Secret::new(password)).map_err(Failure::internal)?;
    let users =
        format!("- {{ username: demo, password_hash: {hash:?}, scopes: [me, items], email: demo@example.com }}\n");
    let settings = format!(
        "server: {{ listen: \"127.0.0.1:{port}\", shutdown: {{ lame_duck: 0s }} }}\n\
         admin: {{ listen: \"127.0.0.1:0\" }}\n\
         upstream: {{ url: \"http://{upstream}\" }}\n\
         policy:\n  routes:\n    - {{ path: /public, access: public }}\n    - {{ path: /items, scopes: [items] }}\n    - {{ path: /admin, scopes: [admin] }}\n\
         telemetry: {{ log: warn, access_log: false }}\n"
    );
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(Failure::internal)?;
        Ok(path)
    };
    write("users.yaml", &users)?;
    write("doorward.yaml", &settings)
}

/// What to paste. Nothing but a shell, curl and sed is needed.
fn script(running: &Running, password: &str) -> String {
    let at = |listen: Option<&Listen>| listen.map(ToString::to_string).unwrap_or_default();
    let (public, admin) = (at(running.bound.public.first()), at(Some(&running.bound.admin)));
    let take = |member: &str| format!("sed 's/.*\"{member}\":\"\\([^\"]*\\)\".*/\\1/'");
    let (access, refresh) = (take("access_token"), take("refresh_token"));
    format!(
        r#"doorward demo: an API without authentication, and doorward in front of it at http://{public}
The user is demo, the password {password}

# Without a token: 401
curl -si -w "\n" http://{public}/items

# Log in
LOGIN=$(curl -s http://{public}/token -d grant_type=password -d username=demo -d password={password}); echo "$LOGIN"
ACCESS=$(echo "$LOGIN" | {access}); REFRESH=$(echo "$LOGIN" | {refresh})

# With the token: 200, and the API sees who asks
curl -si -w "\n" http://{public}/items -H "Authorization: Bearer $ACCESS"

# A scope the user has not: 403
curl -si -w "\n" http://{public}/admin -H "Authorization: Bearer $ACCESS"

# A new pair for the refresh token
RENEWED=$(curl -s http://{public}/refresh-token -d refresh_token="$REFRESH"); echo "$RENEWED"
ACCESS=$(echo "$RENEWED" | {access})

# Revoke the token: the next request is refused
curl -s -w "\n" http://{public}/revoke-token -d token="$ACCESS"
curl -si -w "\n" http://{public}/items -H "Authorization: Bearer $ACCESS"

# What operators see
curl -s http://{admin}/metrics | grep doorward_decisions_total

Ctrl-C ends it, and nothing is left behind.
"#
    )
}
