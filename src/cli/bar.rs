//! How far a stage is, on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::note;

/// Without a terminal a line is printed this often instead.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// A bar for one stage after the other.
pub(crate) struct Bar {
    shown: ProgressBar,
    stage: &'static str,
    last_line: Instant,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        // The template is a constant; were it wrong, the bar would show its default.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}  {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            shown: bar,
            stage: "",
            last_line: Instant::now(),
        }
    }

    /// So many of so many are done of a stage, such as `questions answered`.
    pub(crate) fn show(&mut self, stage: &'static str, done: usize, total: usize) {
        if self.stage != stage {
            self.stage = stage;
            self.shown.reset();
            self.shown.set_message(stage);
            self.shown.set_length(total as u64);
            // What was done before says nothing about the speed.
            self.shown.set_position(done as u64);
            self.shown.reset_eta();
        }
        self.shown.set_position(done as u64);
        if !std::io::stderr().is_terminal() && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            note(&format!("{done}/{total} {stage}"));
        }
    }

    pub(crate) fn finish(&self) {
        self.shown.finish_and_clear();
    }
}

/// A bar for one stage, as a function that is told what is done, and of how much.
pub(crate) fn bar(stage: &'static str) -> impl FnMut(usize, usize) {
    let mut bar = Bar::new();
    move |done, total| {
        bar.show(stage, done, total);
        if done >= total {
            bar.finish();
        }
    }
}
