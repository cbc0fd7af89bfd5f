//! Checkpoints as a user names them: in training order, each with its step.

use std::path::{Path, PathBuf};

/// A checkpoint and where it stands in training.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The step, or tokens seen.
    pub step: f64,
    /// The step as it was written.
    pub label: String,
    /// A GGUF file, a safetensors file, a folder of safetensors files, or a model's name.
    pub path: PathBuf,
}

/// Names that make no series.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum SeriesError {
    /// A step that is no number.
    #[error("`{step}` in `{word}` is not a step: write `STEP=PATH` with a number, such as `1000=step1000.gguf`")]
    Step {
        /// What stands for the step.
        step: String,
        /// The whole argument.
        word: String,
    },
    /// A name without a step.
    #[error(
        "the step of `{word}` cannot be told from its name, which should hold `step`, `checkpoint`, `ckpt` or `iter` with a number behind it, or be a number; write `STEP={word}`"
    )]
    NoStep {
        /// The argument.
        word: String,
    },
    /// Steps that do not grow.
    #[error("step {after} comes behind step {before}: give the checkpoints in training order, each step once")]
    Order {
        /// The earlier argument's step.
        before: String,
        /// The later one's.
        after: String,
    },
    /// A baseline that is not there.
    #[error("no checkpoint is of step {step}, which should be the baseline; there are steps {steps}")]
    Baseline {
        /// What was asked for.
        step: f64,
        /// What there is.
        steps: String,
    },
}

/// Reads `STEP=PATH`, or a path whose name tells the step, and checks that steps grow.
pub fn series(words: &[String]) -> Result<Vec<Named>, SeriesError> {
    let all = words
        .iter()
        .map(|word| named(word))
        .collect::<Result<Vec<Named>, _>>()?;
    for pair in all.windows(2) {
        if pair[0].step >= pair[1].step {
            return Err(SeriesError::Order {
                before: pair[0].label.clone(),
                after: pair[1].label.clone(),
            });
        }
    }
    Ok(all)
}

/// The place of a step among checkpoints.
pub fn place_of(step: f64, among: &[Named]) -> Result<usize, SeriesError> {
    #[expect(clippy::float_cmp, reason = "steps are labels here: equal text gives equal numbers")]
    let found = among.iter().position(|one| one.step == step);
    found.ok_or_else(|| SeriesError::Baseline {
        step,
        steps: among
            .iter()
            .map(|one| one.label.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn named(word: &str) -> Result<Named, SeriesError> {
    let (label, path) = match word.split_once('=') {
        Some((step, path)) => (step.trim().to_owned(), path),
        None => (
            step_in(Path::new(word)).ok_or_else(|| SeriesError::NoStep { word: word.to_owned() })?,
            word,
        ),
    };
    let step = label.parse().ok().filter(|step: &f64| step.is_finite());
    Ok(Named {
        step: step.ok_or_else(|| SeriesError::Step {
            step: label.clone(),
            word: word.to_owned(),
        })?,
        path: PathBuf::from(path),
        label,
    })
}

/// Words that a step follows.
const MARKS: [&str; 4] = ["step", "checkpoint", "ckpt", "iter"];

/// The step that the name of a file, or of the folder that it is in, tells.
fn step_in(path: &Path) -> Option<String> {
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_lowercase());
    let own = name(path)?;
    let own = [".gguf", ".safetensors"]
        .iter()
        .fold(own.as_str(), |own, ending| own.strip_suffix(ending).unwrap_or(own));
    let folder = path.parent().and_then(name).unwrap_or_default();
    let marked = marked(own).or_else(|| marked(&folder));
    marked.or_else(|| bare(own)).or_else(|| bare(&folder))
}

/// The number behind a word that a step follows.
fn marked(name: &str) -> Option<String> {
    MARKS.iter().find_map(|mark| {
        let (_, rest) = name.rsplit_once(mark)?;
        let rest = rest.trim_start_matches(['s', '-', '_', '.', ' ']);
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        shortened(&rest[..digits])
    })
}

/// A name that is a number.
fn bare(name: &str) -> Option<String> {
    let is_number = name.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| shortened(name)).flatten()
}

/// A number without leading zeros; `None` for no digits.
fn shortened(digits: &str) -> Option<String> {
    let short = digits.trim_start_matches('0');
    match (digits.is_empty(), short.is_empty()) {
        (true, _) => None,
        (false, true) => Some("0".to_owned()),
        (false, false) => Some(short.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_step() {
        for (name, step) in [
            ("run/step-00100/model.safetensors", Some("100")),
            ("run/step-00000", Some("0")),
            ("pythia-70m-step143000-f32.gguf", Some("143000")),
            ("checkpoint-500", Some("500")),
            ("out/2000.gguf", Some("2000")),
            ("runs/2/model.gguf", Some("2")),
            ("llama-3-8b.gguf", None),
            ("model.gguf", None),
        ] {
            assert_eq!(step_in(Path::new(name)).as_deref(), step, "{name}");
        }
    }
}
