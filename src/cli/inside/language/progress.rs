//! How far a long command is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::note;

/// Without a terminal a line is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(30);

pub(super) struct Progress {
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
    done: usize,
    total: usize,
    what: String,
}

impl Progress {
    /// Of `total` tokens.
    pub(super) fn new(total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(4));
        // The template is a constant; were it wrong, the bar would show its default.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {human_pos}/{human_len} tokens  {msg}  {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        let now = Instant::now();
        Self {
            bar,
            started: now,
            last_line: now,
            done: 0,
            total,
            what: String::new(),
        }
    }

    /// What is done now.
    pub(super) fn at(&mut self, what: impl Into<String>) {
        self.what = what.into();
        self.bar.set_message(self.what.clone());
    }

    /// So many tokens need not be read.
    pub(super) fn skip(&mut self, tokens: usize) {
        self.total -= tokens.min(self.total);
        self.bar.set_length(self.total as u64);
    }

    pub(super) fn read(&mut self, tokens: usize) {
        self.done += tokens;
        self.bar.inc(tokens as u64);
        if !std::io::stderr().is_terminal() && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            note(&format!(
                "{}/{} tokens  {}  {:.0} tokens/s",
                self.done,
                self.total,
                self.what,
                self.done as f64 / seconds
            ));
        }
    }

    /// Tokens read and seconds taken.
    pub(super) fn finish(&self) -> (usize, f64) {
        self.bar.finish_and_clear();
        (self.done, self.started.elapsed().as_secs_f64())
    }
}
