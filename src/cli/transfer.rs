//! How fetches are shown: a progress bar on a terminal, plain lines elsewhere. Everything goes to standard error, so that
//! standard output holds results only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use widedeep::fetch::Progress;

/// A progress bar that listens to a fetch.
pub struct TransferBar {
    bar: ProgressBar,
    name: String,
}

impl TransferBar {
    /// A bar for the fetch of `name`. Where standard error is no terminal it stays invisible and only notices are written.
    pub fn new(name: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(counting());
        bar.set_prefix(name.to_owned());
        Self {
            bar,
            name: name.to_owned(),
        }
    }

    /// Shows one event.
    pub fn show(&self, event: &Progress<'_>) {
        match event {
            Progress::Waiting { lock } => {
                self.note(&format!(
                    "waiting for another process that is fetching it (lock `{}`)",
                    lock.display()
                ));
            }
            Progress::Stale { path, why } => {
                self.note(&format!(
                    "`{}` is not as it should be ({why}); fetching it again",
                    path.display()
                ));
            }
            Progress::Trying { source, .. } => {
                self.bar.set_message("");
                self.note(&format!("from {source}"));
            }
            Progress::Package { index, of, .. } if *of > 1 => {
                self.bar.set_message(format!("package {}/{of}", index + 1));
            }
            Progress::Started { done, total } => {
                match total {
                    Some(total) => {
                        self.bar.set_length(*total);
                        self.bar.set_style(measured());
                    }
                    None => self.bar.set_style(counting()),
                }
                self.bar.set_position(*done);
                self.bar.reset_eta();
            }
            Progress::Advanced { done } => self.bar.set_position(*done),
            Progress::Interrupted { done, why } => {
                self.note(&format!("{why}; going on from {}", indicatif::DecimalBytes(*done)));
            }
            Progress::Verifying { done, total } => {
                self.bar.set_message("checking the hash");
                self.bar.set_length(*total);
                self.bar.set_style(measured());
                self.bar.set_position(*done);
            }
            Progress::Failed { source, error } => self.note(&format!("{source}: {error}")),
            _ => {}
        }
    }

    fn note(&self, text: &str) {
        // Not `self.bar.prefix()`: the bar is locked while it is suspended.
        self.bar.suspend(|| super::note(&format!("{}: {text}", self.name)));
    }
}

impl Drop for TransferBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn measured() -> ProgressStyle {
    style("{prefix} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} {msg}")
}

fn counting() -> ProgressStyle {
    style("{prefix} {spinner} {decimal_bytes} {decimal_bytes_per_sec} {msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A length as people read it; decimal units, as hubs and disks use them.
pub fn readable_size(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "unknown".to_owned(),
        |bytes| indicatif::DecimalBytes(bytes).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use widedeep::fetch::Source;

    use super::*;

    #[test]
    fn every_event_can_be_shown() {
        let source = Source::Url {
            url: "http://127.0.0.1/a.gguf".to_owned(),
            unzip: None,
        };
        let path = Path::new("a.gguf");
        let bar = TransferBar::new("a");
        for event in [
            Progress::Waiting { lock: path },
            Progress::Stale {
                path,
                why: "it is short".to_owned(),
            },
            Progress::Trying {
                source: &source,
                index: 0,
            },
            Progress::Package {
                requirement: "a==1",
                index: 0,
                of: 2,
            },
            Progress::Started { done: 1, total: None },
            Progress::Started {
                done: 1,
                total: Some(3),
            },
            Progress::Advanced { done: 2 },
            Progress::Interrupted {
                done: 2,
                why: "cut".to_owned(),
            },
            Progress::Verifying { done: 3, total: 3 },
            Progress::Placed { path },
        ] {
            bar.show(&event);
        }
    }
}
