//! Length, counts, and what a reader must know before quoting a figure.

use super::{
    agreement::{Measure, measures},
    number::{decimals, pairs},
    page::{Page, figures, words},
};
use crate::report::{Metrics, PreferLonger, metrics::FEW};

pub(super) fn length(page: &mut Page, metrics: &Metrics) {
    let length = &metrics.length;
    page.heading("Length");
    let row = |name, found: PreferLonger| Measure::new(name, found.share, found.interval, found.n);
    let rows = [
        row("verdicts that prefer the longer response", length.verdicts),
        row("human labels that prefer the longer response", length.labels),
    ];
    measures(page, metrics.bootstrap, rows);
    page.note("N counts pairs with a preference and with responses of different length.");
}

pub(super) fn counts(page: &mut Page, metrics: &Metrics) {
    let counts = &metrics.counts;
    page.heading("Counts");
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, count: String| rows.push((name.to_owned(), count));
    row("pairs of the run", counts.pairs.to_string());
    row("judged", counts.judged.to_string());
    row("compared (with a label and a verdict)", counts.compared.to_string());
    let verdicts = &counts.verdicts;
    row(
        "verdicts model1 / model2 / tie",
        format!("{} / {} / {}", verdicts.model1, verdicts.model2, verdicts.tie),
    );
    if let Some(roles) = &metrics.roles {
        row(
            // A network that stops early may not ask them all.
            match metrics.stopping {
                Some(_) => "roles per pair: mean (least to most)",
                None => "neurons per layer: mean (least to most)",
            },
            format!(
                "{} ({} to {})",
                decimals(roles.mean_width, 2),
                roles.min_width,
                roles.max_width
            ),
        );
        row("different roles", roles.distinct.to_string());
        row("opinions asked for", counts.opinions.to_string());
    }
    let mut if_any = |name: &str, count: usize| {
        if count > 0 {
            row(name, count.to_string());
        }
    };
    for (reason, &count) in &counts.missing {
        if_any(&format!("missing opinions: {reason}"), count);
    }
    if_any("undecided pairs (every opinion missing)", counts.undecided);
    if_any("pairs without a human label", counts.unlabelled);
    if_any("pairs judged under the fallback roles", counts.role_fallbacks);
    if_any("opinions on shortened reviews", counts.reviews_shortened);
    if_any("malformed entries skipped in the source", counts.skipped);
    for (dataset, &count) in counts.default_family.iter().flatten() {
        if_any(&format!("pairs of {dataset}, judged as the default family"), count);
    }
    page.table(
        &[words("what"), figures("count")],
        rows.into_iter().map(|(name, count)| vec![name, count]),
    );
}

pub(super) fn caveats(page: &mut Page, metrics: &Metrics) {
    let caveats = found(metrics);
    if caveats.is_empty() {
        return;
    }
    page.heading("Caveats");
    for caveat in caveats {
        page.item(&caveat);
    }
}

fn found(metrics: &Metrics) -> Vec<String> {
    let counts = &metrics.counts;
    let mut caveats = Vec::new();
    if counts.judged < counts.pairs {
        caveats.push(format!(
            "the run is not finished: {} not judged yet",
            are(counts.pairs - counts.judged)
        ));
    }
    if let Some(overall) = &metrics.overall {
        if overall.n < FEW {
            caveats.push(format!("N = {}: intervals are wide", overall.n));
        }
        let undefined = overall.intervals.kappa.undefined;
        if overall.kappa.is_none() {
            caveats.push("kappa is undefined: labels and verdicts are all of one and the same class".to_owned());
        } else if undefined > 0 {
            caveats.push(format!(
                "kappa is undefined in {undefined} of {} resamples, which its interval leaves out",
                metrics.bootstrap.draws
            ));
        }
    }
    if counts.undecided > 0 {
        caveats.push(format!(
            "{} undecided because every opinion is missing: left out of agreement, and no tie",
            are(counts.undecided)
        ));
    }
    if counts.missing_as_zero > 0 {
        caveats.push(format!(
            "{} of {} missing opinions count as 0–0, as the network's `reply.failure` asks for",
            counts.missing_as_zero,
            counts.missing_opinions()
        ));
    }
    if metrics.run.layers.is_some() && counts.default_family.is_none() {
        caveats.push(
            "the taxonomy at hand is not the one that the run was judged with: groups are by the one at hand"
                .to_owned(),
        );
    }
    caveats
}

/// `1 pair is`, `2 pairs are`.
fn are(n: usize) -> String {
    format!("{} {}", pairs(n), if n == 1 { "is" } else { "are" })
}
