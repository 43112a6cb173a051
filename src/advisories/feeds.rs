//! One file per upstream.

pub(super) mod alpine_secdb;
pub(super) mod csv;
pub(super) mod cvss;
pub(super) mod debian_tracker;
pub(super) mod epss;
pub(super) mod kev;
pub(super) mod osv;
