//! How long a spectrum takes, and how much memory: `cargo run --release --example emergence_speed -- MODEL.gguf…`
//!
//! For every file: opening it, reading the samples (ten of 64 nodes per group), their spectrum, the full network; wall and processor time, the latter being
//! what other work on the machine disturbs least. The same samples are what `rival.py` puts into a NetworkX graph. One JSON line per file; memory is the
//! process's greatest so far, so start it once per model.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::path::Path;
use std::time::Instant;

use widedeep::inside::emergence::{Analysis, Config, Plan, ScalingRule, Scope, measure, measure_samples, open, sample};

const NODES: usize = 64;
const REPETITIONS: usize = 10;
/// Each stage is timed so often, and the least is kept: the first run reads from the disk, others disturb the rest.
const RUNS: usize = 3;

fn main() {
    for path in std::env::args().skip(1) {
        println!("{}", timed(Path::new(&path)));
    }
}

fn timed(path: &Path) -> serde_json::Value {
    let config = Config {
        analysis: Analysis {
            scaling: ScalingRule::ReportAnyway,
            ..Analysis::default()
        },
        ..Config::default().with_sample(NODES, REPETITIONS)
    };
    let everything = Config {
        scope: Scope::Full,
        ..config.clone()
    };
    let (opened, opening) = least(|| open(path).unwrap());
    let weights = opened.weights.as_ref();
    let plan = Plan::new(weights.shape(), NODES, REPETITIONS);
    let (samples, sampling) = least(|| sample(weights, &plan, &config).unwrap());
    let (found, measuring) = least(|| measure_samples(&samples, &config).unwrap());
    let sampled_peak = peak();
    let (whole, full) = least(|| measure(weights, &everything).unwrap());
    serde_json::json!({
        "model": path.file_name().unwrap().to_string_lossy(),
        "threads": rayon::current_num_threads(),
        "alpha0": found.alpha0.mean,
        "width": found.width.mean,
        "weights_sampled": found.fate.total,
        "open": opening,
        "sample": sampling,
        "spectrum": measuring,
        "peak_mib_sampled": sampled_peak,
        "full_alpha0": whole.alpha0.mean,
        "full_width": whole.width.mean,
        "full_weights": whole.fate.total,
        "full": full,
        "peak_mib": peak(),
    })
}

/// The least wall time and the least processor time of all threads, in seconds.
#[derive(serde::Serialize)]
struct Seconds {
    wall: f64,
    processor: f64,
}

fn least<T>(mut work: impl FnMut() -> T) -> (T, Seconds) {
    let mut best = Seconds {
        wall: f64::INFINITY,
        processor: f64::INFINITY,
    };
    let mut last = None;
    for _ in 0..RUNS {
        let (started, before) = (Instant::now(), processor());
        last = Some(work());
        let wall = started.elapsed().as_secs_f64();
        let busy = processor() - before;
        if wall < best.wall {
            best.wall = wall;
        }
        if busy < best.processor {
            best.processor = busy;
        }
    }
    (last.unwrap(), best)
}

/// Seconds that this process has computed for, in hundredths, where the system tells it; 0 elsewhere.
fn processor() -> f64 {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name, in brackets, may hold spaces; user and system time are the 14th and 15th fields.
    let fields = status.rsplit(')').next().unwrap_or_default();
    let ticks = |place: usize| {
        fields
            .split_whitespace()
            .nth(place)
            .and_then(|ticks| ticks.parse::<f64>().ok())
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

/// The greatest resident set of this process so far, in MiB, where the system tells it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}
