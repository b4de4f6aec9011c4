//! What operators of this instance must show.

use super::Core;
use super::data_dir::{self, DataDirError};
use crate::base::Secret;
use crate::config::Settings;

/// `admin.token`, or the one in `data_dir`, made if there is none. `None` where nobody else can connect.
pub(super) fn admin_token(settings: &Settings, core: &Core) -> Result<Option<Secret>, DataDirError> {
    if core.admin_is_private {
        return Ok(None);
    }
    if let Some(token) = &settings.admin.token {
        return Ok(Some(token.clone()));
    }
    data_dir::create(&core.data_dir)?;
    data_dir::admin_token(&core.data_dir).map(Some)
}
