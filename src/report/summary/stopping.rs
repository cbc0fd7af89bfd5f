//! Where pairs stopped early, and what that saved.

use super::{
    number::{UNDEFINED, decimals, figure, percent},
    page::{Page, figures, words},
};
use crate::report::{Metrics, Share};

pub(super) fn stopping(page: &mut Page, metrics: &Metrics) {
    let Some(found) = &metrics.stopping else {
        return;
    };
    page.heading(&match &found.test {
        Some(test) => format!("Stopping ({}: error {}, p1 {})", found.rule.name(), test.error, test.p1),
        None => format!("Stopping ({})", found.rule.name()),
    });
    let columns = [
        words("stopped"),
        figures("pairs"),
        figures("share"),
        figures("N"),
        figures("accuracy"),
        figures("kappa"),
    ];
    let row = |name: String, share: Share| {
        let of_all = (found.pairs > 0).then(|| share.pairs as f64 / found.pairs as f64);
        let mut row = vec![name, share.pairs.to_string(), percent(of_all)];
        row.extend(match share.agreement {
            Some(agreement) => [
                agreement.n.to_string(),
                figure(agreement.accuracy),
                figure(agreement.kappa),
            ],
            None => ["0", UNDEFINED, UNDEFINED].map(str::to_owned),
        });
        row
    };
    let rows = found
        .places
        .iter()
        .map(|place| row(place.stopped.to_string(), place.share));
    page.table(&columns, rows.chain([row("not early".to_owned(), found.not_stopped)]));
    page.note(&format!(
        "{} opinions were asked for, where the full network asks for {}: {} calls ({}) were saved. Neurons of layer 1 asked per pair: {}.",
        found.opinions,
        found.full,
        found.saved,
        percent(found.saved_share()),
        decimals(found.mean_asked, 2),
    ));
    page.note("Other figures over opinions (grid, position, cost) are of the calls that were made.");
}
