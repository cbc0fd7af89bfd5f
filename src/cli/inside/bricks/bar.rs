//! How far a long piece of work is.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::note;

/// Without a terminal a line is printed this often instead.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// A bar on standard error that is told what is done, and of how much.
pub(super) fn bar(what: &'static str) -> impl FnMut(usize, usize) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
    // The template is a constant; were it wrong, the bar would show its default.
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}  {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    let mut last = Instant::now();
    move |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        if done >= total {
            bar.finish_and_clear();
        } else if !std::io::stderr().is_terminal() && last.elapsed() >= LINE_EVERY {
            last = Instant::now();
            note(&format!("{done}/{total} {what}"));
        }
    }
}
