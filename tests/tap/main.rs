//! Activations of the feed-forward layers: on small models of floats, where everything can be computed again exactly, and on the default model.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod architectures;
mod edits;
mod predictions;
mod reading;
mod reducers;
mod reference;

use std::num::NonZeroUsize;
use std::sync::Arc;

use support::gguf::Gguf;
use widedeep::llama::{Capture, Model, Reads, Tap, TapConfig, Threads};

/// Over 40 tokens of the default model.
const TEXT: &str = "The river rises in the hills above the old town, passes under three stone bridges and reaches the sea after \
    two hundred miles; nobody has counted how many mills it once drove, but the last one closed in 1961.";

fn default_model() -> Arc<Model> {
    Model::load(&support::default_model(), 0).unwrap()
}

fn small(gguf: &Gguf) -> Arc<Model> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gguf");
    gguf.write(&path);
    // Loaded models are mapped from their files, which stay readable until then.
    let model = Model::load(&path, 0).unwrap();
    std::mem::forget(folder);
    model
}

/// Tokens that the small models know.
const SMALL_TEXT: &str = "HELLO,WORLD!12345678:THE-END";

fn config(chunk: usize) -> TapConfig {
    TapConfig {
        context: 256,
        chunk: Some(chunk),
        // Tests run beside each other, and llama.cpp's threads wait for each other.
        threads: Threads::Fixed(NonZeroUsize::MIN),
    }
}

fn tap(model: &Model) -> Tap<'_> {
    Tap::new(model, &config(256)).unwrap()
}

fn capture(tap: &mut Tap<'_>, text: &str, from: usize, also: Reads) -> Capture {
    let tokens = tap.model().tokens(text);
    let mut capture = Capture::new(tap.ffn(), also);
    tap.read(&tokens, from, &mut capture).unwrap();
    capture
}

/// Largest difference between numbers, relative to the largest number.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().map(|x| x.abs()).max_by(f32::total_cmp).unwrap();
    let apart = a
        .iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .max_by(f32::total_cmp)
        .unwrap();
    f64::from(apart) / f64::from(largest)
}

/// How far a token's numbers are from other ones, relative to their length, for the token where that is most.
fn farthest_row(a: &[f32], b: &[f32], columns: usize) -> f64 {
    assert_eq!(a.len(), b.len());
    let rows = a.chunks_exact(columns).zip(b.chunks_exact(columns));
    let apart = rows.map(|(a, b)| norm(a.iter().zip(b).map(|(x, y)| x - y)) / norm(a.iter().copied()));
    apart.max_by(f64::total_cmp).unwrap()
}

/// L2 norm.
fn norm(values: impl IntoIterator<Item = f32>) -> f64 {
    values
        .into_iter()
        .map(|x| f64::from(x) * f64::from(x))
        .sum::<f64>()
        .sqrt()
}

/// Rows × columns times a vector, in f64.
fn product(matrix: &[f32], vector: &[f32]) -> Vec<f32> {
    matrix
        .chunks_exact(vector.len())
        .map(|row| {
            let sum: f64 = row.iter().zip(vector).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            #[expect(clippy::cast_possible_truncation, reason = "back to the model's own precision")]
            let sum = sum as f32;
            sum
        })
        .collect()
}
