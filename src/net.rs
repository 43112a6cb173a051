//! The one HTTP client: certificate authorities, proxies, time limits, retries, and what a failure means.
//!
//! `reqwest` with rustls. No HTTP/2: every download has its own connection and its own flow control. No transparent
//! decompression: digests and ranges speak about the bytes on the wire.

mod client;
mod failure;
mod fetch;
mod presented;
pub mod retry;
mod sign_on;

pub use client::{
    USER_AGENT, Verification, client, client_for_registries, client_without_redirects, has_system_roots, trusted_roots,
};
pub use failure::{Failure, FailureKind};
pub use fetch::{Fetched, HttpFetch, Validators};
pub use presented::{Presented, presented};
pub use sign_on::{SIGN_ON_FIX, sign_on_needed, without_sign_on_token};

pub use crate::context::{ApiToken, Credential, Credentials, Login, LoginKind, NetworkSettings};

/// Why something could not be fetched.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NetError {
    /// The client itself cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
    /// The server was not reached, or the connection broke.
    #[error("`{url}`: {failure}")]
    Failed {
        /// What was asked for.
        url: String,
        /// What happened.
        failure: Failure,
    },
    /// The server answered with an error.
    #[error("`{url}`: the server answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// More bytes than the limit.
    #[error("`{url}`: larger than the limit of {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
}

impl NetError {
    /// Whether the server could not be reached at all, so that asking it again is of no use.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}
