//! `multipart/form-data` (RFC 7578), fields only.

use multer::{Constraints, Multipart, SizeLimit};

use super::OAuthError;
use super::parameters::MAX_PARAMETERS;

/// Reads the fields of a body that is all there. A part with a file name is an upload, which no endpoint takes.
///
/// # Errors
/// [`OAuthError::InvalidRequest`].
pub async fn pairs(body: &[u8], boundary: &str) -> Result<Vec<(String, String)>, OAuthError> {
    let whole = bytes::Bytes::copy_from_slice(body);
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(u64::try_from(body.len()).unwrap_or(0)));
    let stream = Once(Some(whole));
    let mut parts = Multipart::with_constraints(stream, boundary, limits);
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| UNREADABLE)? {
        if is_file(&part) || pairs.len() > MAX_PARAMETERS {
            return Err(OAuthError::InvalidRequest("The form has a file or too many fields"));
        }
        let name = part.name().ok_or(UNREADABLE)?.to_owned();
        let value = part.bytes().await.map_err(|_| UNREADABLE)?;
        let value = String::from_utf8(value.to_vec()).map_err(|_| UNREADABLE)?;
        if super::urlencoded::has_controls(&name, &value) {
            return Err(UNREADABLE);
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// By any spelling of the parameter, `filename*` (RFC 8187) too.
fn is_file(part: &multer::Field<'_>) -> bool {
    let disposition = part.headers().get(http::header::CONTENT_DISPOSITION);
    let disposition = disposition.map(|value| value.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    disposition.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).any(|parameter| {
        let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        name == b"filename" || name == b"filename*"
    })
}

const UNREADABLE: OAuthError = OAuthError::InvalidRequest("The form cannot be read");

/// A stream of the one chunk there is.
struct Once(Option<bytes::Bytes>);

impl futures_core::Stream for Once {
    type Item = Result<bytes::Bytes, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Ok))
    }
}
