//! JSON documents of images.

use serde::Deserialize;

use super::ExtractError;
use crate::model::Limits;

/// Reads a document whose values lie within one another as deep as the limits allow.
///
/// # Errors
/// They lie deeper, or it is not of the form that is wanted.
pub(super) fn json<'a, T: Deserialize<'a>>(content: &'a [u8], limits: &Limits) -> Result<T, ExtractError> {
    limits.check_depth(content).map_err(ExtractError::LimitMet)?;
    serde_json::from_slice(content).map_err(ExtractError::malformed)
}
