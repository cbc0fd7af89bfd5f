//! The figures of a run as text, for a terminal of a given width or for a file: no colour, no marks without a word beside them.

mod agreement;
mod closing;
mod comparison;
mod cost;
mod network;
mod number;
mod page;
mod stopping;

use page::Page;

pub use comparison::comparison;

use super::Metrics;
use crate::pair::Selection;

/// Columns of the summary where the terminal's width is not known, as in a pipe.
pub const WIDTH: u16 = 100;

/// Sets the figures in text, in lines of at most `width` columns (unless a single word is longer). Undefined figures are shown as `–`.
pub fn summary(metrics: &Metrics, width: u16) -> String {
    let mut page = Page::new(width);
    opening(&mut page, metrics);
    agreement::headline(&mut page, metrics);
    agreement::confusion(&mut page, metrics);
    agreement::groups(&mut page, metrics);
    network::grid(&mut page, metrics);
    network::position(&mut page, metrics);
    network::discussion(&mut page, metrics);
    stopping::stopping(&mut page, metrics);
    closing::length(&mut page, metrics);
    network::stages(&mut page, metrics);
    cost::cost(&mut page, metrics);
    closing::counts(&mut page, metrics);
    closing::caveats(&mut page, metrics);
    page.finish()
}

/// What was judged, by whom and how.
fn opening(page: &mut Page, metrics: &Metrics) {
    let run = &metrics.run;
    let judge = match run.layers {
        Some(1) => format!("network {} (1 layer)", run.judge),
        Some(layers) => format!("network {} ({layers} layers)", run.judge),
        None => format!("baseline {}", run.judge),
    };
    let models = if run.models.is_empty() {
        String::new()
    } else {
        format!(" with {}", run.models.join(", "))
    };
    page.note(&format!(
        "{} of {} pairs of {} judged by the {judge}{models}",
        metrics.counts.judged,
        metrics.counts.pairs,
        run.data.path.display(),
    ));
    if let Some(selection) = selection(&run.data.selection) {
        page.note(&format!("selected: {selection}"));
    }
    if let Some(by) = run.aggregate {
        page.note(&format!("verdicts by {}, tie margin {}", by.cell, by.tie_margin));
    }
    if let Some(from) = run.reaggregated_from {
        page.note(&format!(
            "decided again from the stored opinions; the run itself decided by {}, tie margin {}",
            from.cell, from.tie_margin
        ));
    }
    page.note(&format!("seed {}, started by widedeep {}", run.seed, run.widedeep));
}

fn selection(selection: &Selection) -> Option<String> {
    let mut parts = Vec::new();
    if !selection.datasets.is_empty() {
        parts.push(format!("datasets {}", selection.datasets.join(", ")));
    }
    if let Some(sample) = selection.sample {
        parts.push(format!("a sample of {} (seed {})", sample.n, sample.seed));
    }
    if let Some(limit) = selection.limit {
        parts.push(format!("the first {limit}"));
    }
    (!parts.is_empty()).then(|| parts.join(", then "))
}
