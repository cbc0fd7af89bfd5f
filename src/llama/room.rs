//! How much memory there is: what the system calls available, within the limits of containers and batch systems.

use std::fs;
use std::path::PathBuf;

use super::context::{Offload, build};
use super::{EngineConfig, Model};

/// Memory that an engine may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Who says so.
    pub source: RoomSource,
}

/// Where a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomSource {
    /// What the system calls available.
    Machine,
    /// What a control group (a container, a job of a batch system) leaves.
    ControlGroup,
    /// The configuration.
    Configured,
}

/// What an engine may use now; nothing where that is unknown, or where llama.cpp may put the model on a GPU.
pub(super) fn room(model: &Model, config: &EngineConfig) -> Option<Room> {
    if let Some(bytes) = config.memory_limit {
        return Some(Room {
            bytes,
            source: RoomSource::Configured,
        });
    }
    if build().1 == Offload::Possible {
        return None;
    }
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let machine = kibibytes(&meminfo, "MemAvailable:")?;
    let group = control_group();
    let (bytes, source) = match group {
        Some(group) if group < machine => (group, RoomSource::ControlGroup),
        _ => (machine, RoomSource::Machine),
    };
    // The weights that are loaded already count as needed, so they must not be missing here.
    let bytes = bytes + model.allocated();
    Some(Room { bytes, source })
}

/// Anonymous memory of this process, where the system tells.
pub(super) fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kibibytes(&status, "RssAnon:").unwrap_or(0)
}

/// A line like `MemAvailable:  24012345 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| 1024 * kib)
}

/// What the memory controllers above this process leave: the limit, less what is used and cannot be reclaimed.
fn control_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least: Option<u64> = None;
    for line in groups.lines() {
        // `0::/path` for version 2, `4:memory:/path` for version 1.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, limit, usage) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.max", "memory.current")
        } else if controllers.split(',').any(|name| name == "memory") {
            (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        } else {
            continue;
        };
        let mut folder = PathBuf::from(format!("{root}{path}"));
        // A limit on any group above holds too.
        while folder.starts_with(root) {
            let number = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
            if let (Some(limit), Some(usage)) = (number(limit), number(usage)) {
                let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
                let left = limit.saturating_sub(usage.saturating_sub(reclaimable(&stat)));
                least = Some(least.map_or(left, |least| least.min(left)));
            }
            folder.pop();
        }
    }
    least
}

/// Pages of files: they go when memory is wanted.
fn reclaimable(stat: &str) -> u64 {
    ["inactive_file ", "active_file "]
        .iter()
        .filter_map(|name| {
            stat.lines()
                .find_map(|line| line.strip_prefix(name))?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_tables_are_read_in_bytes() {
        assert_eq!(
            kibibytes("MemFree: 1 kB\nMemAvailable:    24 kB\n", "MemAvailable:"),
            Some(24 * 1024)
        );
        assert_eq!(reclaimable("anon 5\ninactive_file 70\nactive_file 7\nfile 100\n"), 77);
    }
}
