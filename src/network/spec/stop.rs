//! The key `stop` and the table `[sequential]`.

use serde::{Deserialize, Serialize};

/// When a network stops before all its neurons have spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// It does not: every pair takes the same calls.
    #[default]
    Never,
    /// After a layer whose opinions all say the same, deeper layers are skipped.
    Unanimous,
    /// Layer 1 is asked neuron by neuron until its votes are decided; then the others and all deeper layers are skipped.
    Sequential,
}

impl Stop {
    /// The word in network files.
    pub fn name(self) -> &'static str {
        match self {
            Stop::Never => "never",
            Stop::Unanimous => "unanimous",
            Stop::Sequential => "sequential",
        }
    }

    // By reference, as serde calls it. A network that never stops is written as it was before there was this key, so that its runs go on.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn is_never(&self) -> bool {
        *self == Stop::Never
    }
}

/// When the votes of layer 1 are decided; the test itself is described in `src/network/sequential.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequential {
    /// Most accepted probability of stopping with another class than the one that most such neurons vote for. 0 stops only when the
    /// neurons left cannot change the majority.
    #[serde(default = "error")]
    pub error: f64,
    /// Of neurons that vote for the right class or for one given rival, at least this share is supposed to vote for the right one.
    #[serde(default = "p1")]
    pub p1: f64,
}

impl Default for Sequential {
    fn default() -> Self {
        Self {
            error: error(),
            p1: p1(),
        }
    }
}

impl Sequential {
    pub(super) fn check(&self) -> Result<(), String> {
        if !(self.error >= 0.0 && self.error < 0.5) {
            return Err(format!(
                "`sequential.error = {}` lies outside 0 to 0.5, the latter excluded: use for example 0.1, or 0 to stop only when the \
                 neurons left cannot change the majority",
                self.error
            ));
        }
        if !(self.p1 > 0.5 && self.p1 < 1.0) {
            return Err(format!(
                "`sequential.p1 = {}` lies outside 0.5 to 1, both excluded: use for example 0.8",
                self.p1
            ));
        }
        Ok(())
    }
}

fn error() -> f64 {
    0.1
}
fn p1() -> f64 {
    0.8
}
