//! Where and when something was measured.

use std::num::NonZeroUsize;

/// The processor and the number of cores.
pub fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    format!("{name}, {cores} cores")
}

/// In UTC.
pub fn today() -> String {
    let now = jiff::Timestamp::now().to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}
