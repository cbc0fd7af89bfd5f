//! How long a spectrum takes, and how much memory: `cargo run --release --example emergence_speed -- MODEL.gguf…`
//!
//! For every file: opening it, reading the samples (ten of 64 nodes per group), their spectrum, both ways of the full network. The same samples are
//! what `rival.py` puts into a NetworkX graph. One JSON line per file; memory is the process's greatest so far, so start it once per model.
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
    let full = Config {
        scope: Scope::Full,
        ..config.clone()
    };
    let (opened, open_s) = least(|| open(path).unwrap());
    let weights = opened.weights.as_ref();
    let plan = Plan::new(weights.shape(), NODES, REPETITIONS);
    let (samples, sample_s) = least(|| sample(weights, &plan, &config).unwrap());
    let (found, spectrum_s) = least(|| measure_samples(&samples, &config).unwrap());
    let sampled_peak = peak();
    let (whole, full_s) = least(|| measure(weights, &full).unwrap());
    serde_json::json!({
        "model": path.file_name().unwrap().to_string_lossy(),
        "threads": rayon::current_num_threads(),
        "alpha0": found.alpha0.mean,
        "width": found.width.mean,
        "weights_sampled": found.fate.total,
        "open_s": open_s,
        "sample_s": sample_s,
        "spectrum_s": spectrum_s,
        "peak_mib_sampled": sampled_peak,
        "full_alpha0": whole.alpha0.mean,
        "full_width": whole.width.mean,
        "full_weights": whole.fate.total,
        "full_s": full_s,
        "peak_mib": peak(),
    })
}

fn least<T>(mut work: impl FnMut() -> T) -> (T, f64) {
    let mut best = f64::INFINITY;
    let mut last = None;
    for _ in 0..RUNS {
        let started = Instant::now();
        last = Some(work());
        best = best.min(started.elapsed().as_secs_f64());
    }
    (last.unwrap(), best)
}

/// The greatest resident set of this process so far, in MiB, where the system tells it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}
