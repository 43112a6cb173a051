//! Side effects, last: alerts to the places where people see them, one file per channel.
//!
//! Each channel can be tried again without telling anything twice. The issue remembers in its own text what it told, its
//! notes what they told; the name of a pipeline is the same when it is set again; for webhooks, which have no memory, the
//! keys are kept in a [`Journal`] that is written before anything is sent.

mod issue;
mod journal;
mod pipeline;
mod webhook;

pub use issue::{Channel as IssueChannel, Settled, tell as tell_issue};
pub use journal::{Journal, JournalError};
pub use pipeline::tell as tell_pipeline;
pub use webhook::{Webhook, WebhookError, tell as tell_webhook};

/// What became of a channel's news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Told: so many alerts, or one summary.
    Told(usize),
    /// Everything was told before.
    Already,
    /// There was nothing to tell.
    Nothing,
}
