//! One file per upstream, beside what several of them share.

pub(super) mod almalinux;
pub(super) mod alpine_secdb;
pub(super) mod amazon;
pub(super) mod azure_linux;
pub(super) mod csv;
pub(super) mod cvss;
pub(super) mod debian_tracker;
pub(super) mod endoflife;
pub(super) mod epss;
mod erratum;
pub(super) mod fedora;
pub(super) mod govulndb;
pub(super) mod kev;
pub(super) mod oracle;
pub(super) mod osv;
mod oval;
pub(super) mod photon;
pub(super) mod redhat;
pub(super) mod redhat_oval;
mod releases;
pub(super) mod rocky;
#[cfg(test)]
mod samples;
pub(super) mod suse;
pub(super) mod ubuntu_oval;
mod updateinfo;
