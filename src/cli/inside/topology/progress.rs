//! How far a measurement is, on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use widedeep::inside::topology::{Stage, Step};

use crate::cli::note;

/// Without a terminal a line is printed this often instead.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// A bar per stage.
pub(super) struct Progress {
    bar: ProgressBar,
    stage: Option<Stage>,
    last_line: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        // The template is a constant; were it wrong, the bar would show its default.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}  {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            stage: None,
            last_line: Instant::now(),
        }
    }

    /// `of` names the model.
    pub(super) fn hear(&mut self, of: &str, step: Step) {
        let message = format!("{}, {of}", words(step.stage));
        if self.stage != Some(step.stage) {
            self.stage = Some(step.stage);
            self.bar.reset();
            self.bar.set_message(message.clone());
        }
        self.bar.set_length(step.total as u64);
        self.bar.set_position(step.done as u64);
        if !std::io::stderr().is_terminal() && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            note(&format!("{}/{} {message}", step.done, step.total));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Weights => "blocks scanned",
        Stage::Baselines => "blocks shuffled",
        Stage::Text => "tokens read",
        Stage::Links => "blocks compared",
    }
}
