//! `widedeep detect` on the default model: few questions, few answers, one thread.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod collecting;
mod intervening;
mod origin;
mod running;
mod whitebox;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use widedeep::inside::hallucination::detector::{Training, Weighted};
use widedeep::inside::hallucination::evaluate::Platt;
use widedeep::inside::hallucination::logistic::Penalty;
use widedeep::inside::hallucination::{Aggregation, Detector, Mode, ModelId, OtherScope, Region, RegionRule};
use widedeep::inside::language::Shape;
use widedeep::llama::Weights;

/// A working directory, deleted in the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs the program with the default model on one thread; the arguments are split at white space.
    fn detect(&self, arguments: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_widedeep"))
            .arg("detect")
            .args(arguments.split_whitespace())
            .args(["--threads", "1", "--model"])
            .arg(support::default_model())
            .current_dir(self.0.path())
            .env("COLUMNS", "100")
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs it to a good end; what it printed.
    fn done(&self, arguments: &str) -> String {
        let output = self.detect(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs it to a refusal of the input; what it complained of.
    fn refused(&self, arguments: &str) -> String {
        let output = self.detect(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        assert_eq!(text(&output.stdout), "");
        text(&output.stderr)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn rule() -> RegionRule {
    RegionRule {
        region: Region::AnswerTokens,
        span: "trim-1".into(),
        other: OtherScope::NoBos,
        aggregation: Aggregation::Mean,
    }
}

/// A detector of three units that nobody has trained.
fn made_up(model: &Path) -> Detector {
    let ffn = Weights::open(model).unwrap().ffn().unwrap();
    let unit = |layer, index, weight| Weighted { layer, index, weight };
    Detector {
        model: ModelId::of(model, "smollm2-135m").unwrap(),
        shape: Shape {
            layers: ffn.layers,
            width: ffn.units,
        },
        rule: rule(),
        prompt: "few-shot-1".into(),
        units: vec![unit(3, 7, 40.0), unit(12, 100, -25.0), unit(29, 5, 10.0)],
        bias: -0.25,
        threshold: 0.0,
        calibration: Platt {
            slope: 2.0,
            intercept: 0.5,
        },
        training: Training {
            mode: Mode::OneVsOne,
            penalty: Penalty::L1,
            c: 1.0,
            tolerance: 1e-5,
            rows: 2,
            faithful: 1,
            hallucinated: 1,
            validation: 0,
            test: 0,
            prevalence: 0.5,
            longest: 4,
            cross_validated_auroc: 0.5,
            seed: 42,
            datasets: vec!["none".into()],
            notes: std::collections::BTreeMap::new(),
        },
    }
}
