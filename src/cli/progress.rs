//! The progress bar of a run: pairs, calls per second, tokens per second, running kappa, time left.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::batch::told;
use super::note;
use widedeep::agreement::{Confusion, kappa};
use widedeep::pair::Label;
use widedeep::run::{Event, Tally};

/// Without a terminal a line is printed this often instead.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Listens to a run and shows how it goes.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
    before: usize,
    done: usize,
    total: usize,
    confusion: Confusion,
    /// Batches when they were last told of, and how far each was.
    batches: Vec<(String, String)>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
        // The template is a constant; were it wrong, the bar would show its default.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} pairs  {msg}  {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        let now = Instant::now();
        let confusion = std::iter::empty().collect();
        Self {
            bar,
            started: now,
            last_line: now,
            before: 0,
            done: 0,
            total: 0,
            confusion,
            batches: Vec::new(),
        }
    }

    pub(crate) fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { pairs, finished } => {
                self.started = Instant::now();
                self.last_line = self.started;
                (self.total, self.before) = (*pairs, finished.len());
                self.done = self.before;
                finished
                    .iter()
                    .for_each(|outcome| self.count(outcome.label, outcome.verdict));
                self.bar.set_length(*pairs as u64);
                self.bar.set_position(self.before as u64);
                self.bar.reset_eta();
                if self.before > 0 {
                    note(&format!(
                        "going on with a run of {pairs} pairs of which {} are done",
                        self.before
                    ));
                }
            }
            Event::Finished { judged, tally } => {
                self.count(judged.pair.label, judged.verdict);
                self.done += 1;
                let message = self.message(*tally);
                self.bar.set_message(message.clone());
                self.bar.inc(1);
                if !std::io::stderr().is_terminal() && self.last_line.elapsed() >= LINE_EVERY {
                    self.last_line = Instant::now();
                    note(&format!(
                        "{}/{} pairs  {message}  {} s left",
                        self.done,
                        self.total,
                        self.seconds_left()
                    ));
                }
            }
            Event::Batches(batches) => {
                let text = told(batches);
                self.bar.set_message(text.clone());
                self.bar.tick();
                let states: Vec<_> = batches
                    .iter()
                    .map(|batch| (batch.remote.clone(), batch.status.clone()))
                    .collect();
                let is_news = states != self.batches || self.last_line.elapsed() >= LINE_EVERY;
                if !std::io::stderr().is_terminal() && is_news && !batches.is_empty() {
                    self.last_line = Instant::now();
                    note(&text);
                }
                self.batches = states;
            }
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Pairs done and in all.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.done, self.total)
    }

    fn count(&mut self, label: Option<Label>, verdict: Option<Label>) {
        if let (Some(gold), Some(verdict)) = (label, verdict) {
            self.confusion.add(gold, verdict);
        }
    }

    fn message(&self, tally: Tally) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let kappa = kappa(&self.confusion).map_or("–".to_owned(), |kappa| format!("{kappa:.3}"));
        let free: Vec<String> = [(tally.replayed, "replayed"), (tally.reused, "reused")]
            .into_iter()
            .filter(|(calls, _)| *calls > 0)
            .map(|(calls, how)| format!("{calls} {how}"))
            .collect();
        let free = if free.is_empty() {
            String::new()
        } else {
            format!(" ({})", free.join(", "))
        };
        format!(
            "{:.1} calls/s{free}  {:.0} tokens/s  kappa {kappa}",
            tally.asked as f64 / seconds,
            tally.tokens as f64 / seconds
        )
    }

    fn seconds_left(&self) -> u64 {
        let (here, left) = (self.done - self.before, self.total - self.done);
        let per_pair = self.started.elapsed().as_secs_f64() / here as f64;
        Duration::from_secs_f64(per_pair * left as f64).as_secs()
    }
}
