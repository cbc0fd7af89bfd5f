//! Reading, selecting and describing pairs, on the published files and on our own. The published files lie beside the project, in
//! `../shared/data`; numbers are those of the method specification, sections 2, 10.4, 11.3 and 14.8.

#![expect(clippy::unwrap_used, reason = "tests")]

mod baselines;
mod fair_eval;
mod llmeval2;
mod long_files;
mod malformed_input;
mod own_and_other_formats;
mod skipping_bad_lines;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use widedeep::pair::{
    self, BadLines, Dataset, Fault, Format, Label, Pair, ReadError, Sample, Selection, Source, Taxonomy, anomalies,
    baseline, faireval,
};

fn shared(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    assert!(
        path.exists(),
        "this test needs `{}`, which is not part of the project",
        path.display()
    );
    path
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(path: &Path, bad: BadLines) -> Result<Dataset, ReadError> {
    pair::read(
        &Source {
            path: path.to_owned(),
            format: None,
        },
        bad,
    )
}

static LLMEVAL2: LazyLock<Dataset> =
    LazyLock::new(|| read(&shared("llmeval2/LLMEval2_benchmark.json"), BadLines::Stop).unwrap());
static FAIREVAL: LazyLock<Dataset> = LazyLock::new(|| read(&shared("faireval"), BadLines::Stop).unwrap());

fn indices(pairs: &[Pair], keep: impl Fn(&Pair) -> bool) -> Vec<usize> {
    pairs.iter().filter(|pair| keep(pair)).map(|pair| pair.index).collect()
}

fn of<'a>(pairs: &'a [Pair], dataset: &str) -> Vec<&'a Pair> {
    pairs.iter().filter(|pair| pair.dataset == dataset).collect()
}

fn label_counts<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> [usize; 3] {
    let mut counts = [0; 3];
    for pair in pairs {
        counts[pair.label.unwrap() as usize] += 1;
    }
    counts
}

/// Rows are gold, columns are predicted, both in the order model1, model2, tie.
fn confusion(pairs: &[Pair], judge: impl Fn(&Pair) -> Label) -> [[usize; 3]; 3] {
    let mut table = [[0; 3]; 3];
    for pair in pairs {
        table[pair.label.unwrap() as usize][judge(pair) as usize] += 1;
    }
    table
}
