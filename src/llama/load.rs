//! How busy the machine is, as the kernel counts it: time for which our threads were ready but had no core, and time for which cores were
//! idle. Where there is no `/proc`, there are no such counts, and the governor goes by the time that batches take.

use std::fs;
use std::time::Duration;

/// Counters since some time in the past; differences between two samples mean something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Time that the engine's threads waited for a core, added up over threads.
    pub(super) waited: Option<Duration>,
    /// Time that the cores open to this process were idle, added up over cores.
    pub(super) idle: Option<Duration>,
}

/// Reads the counters for the threads of one engine.
#[derive(Debug)]
pub(super) struct Meter {
    /// `/proc/self/task/ID/schedstat` of each thread.
    threads: Vec<String>,
    cores: Vec<usize>,
}

impl Meter {
    /// Watches the threads of this process that are called `name`: a thread gives its name to those that it starts.
    pub(super) fn of_threads_named(name: &str) -> Self {
        let mut threads = Vec::new();
        for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let folder = task.path();
            let ours = fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
            if ours {
                threads.push(folder.join("schedstat").to_string_lossy().into_owned());
            }
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        Self {
            threads,
            cores: allowed.map(cores).unwrap_or_default(),
        }
    }

    pub(super) fn sample(&self) -> Sample {
        Sample {
            waited: self.waited(),
            idle: fs::read_to_string("/proc/stat")
                .ok()
                .and_then(|text| idle(&text, &self.cores)),
        }
    }

    fn waited(&self) -> Option<Duration> {
        if self.threads.is_empty() {
            return None;
        }
        let mut total = Duration::ZERO;
        for path in &self.threads {
            total += waited(&fs::read_to_string(path).ok()?)?;
        }
        Some(total)
    }
}

/// The second number of a `schedstat`: nanoseconds in the queue of a core.
fn waited(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Idle time of some cores in `/proc/stat`, which counts hundredths of a second (USER_HZ on every architecture that Linux runs on today).
fn idle(stat: &str, cores: &[usize]) -> Option<Duration> {
    let mut ticks = 0u64;
    let mut found = false;
    for line in stat.lines() {
        let mut words = line.split_whitespace();
        let Some(core) = words.next().and_then(|word| word.strip_prefix("cpu")) else {
            continue;
        };
        if core.parse().is_ok_and(|core: usize| cores.contains(&core)) {
            // user, nice, system, idle
            ticks += words.nth(3)?.parse::<u64>().ok()?;
            found = true;
        }
    }
    found.then(|| Duration::from_millis(10 * ticks))
}

/// `0-3,8` as numbers.
fn cores(list: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for range in list.trim().split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(from), Ok(to)) = (from.parse::<usize>(), to.parse::<usize>()) {
            cores.extend(from..=to);
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_added_up_over_the_cores_that_the_process_may_use() {
        let stat = "cpu  9 9 9 999 0\ncpu0 10 20 30 100 5 0\ncpu1 1 2 3 250 0 0\ncpu10 0 0 0 7 0 0\nintr 1 2\n";
        assert_eq!(idle(stat, &[0, 10]), Some(Duration::from_millis(1070)));
        assert_eq!(idle(stat, &[3]), None);
        assert_eq!(idle("", &[0]), None);
    }

    #[test]
    fn lists_of_cores_may_have_ranges() {
        assert_eq!(cores("\t0-2,5,7-8\n"), [0, 1, 2, 5, 7, 8]);
        assert_eq!(cores(""), [0usize; 0]);
    }

    #[test]
    fn waiting_time_is_the_second_number_of_schedstat() {
        assert_eq!(waited("123 4500 7\n"), Some(Duration::from_nanos(4500)));
        assert_eq!(waited("garbage"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_thread_is_found_by_its_name() {
        let meter = std::thread::Builder::new()
            .name("meter-test".into())
            .spawn(|| Meter::of_threads_named("meter-test"))
            .map(std::thread::JoinHandle::join);
        assert!(matches!(meter, Ok(Ok(meter)) if meter.threads.len() == 1));
        let none = Meter::of_threads_named("no such thread");
        assert_eq!(none.sample().waited, None);
        assert!(none.sample().idle.is_some());
    }
}
