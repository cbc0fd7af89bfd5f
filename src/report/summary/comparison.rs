//! Several configurations side by side, as text.

use super::{
    cost::usd,
    number::{UNDEFINED, decimals, figure, interval, p_value, percent},
    page::{Page, figures, words},
};
use crate::{
    agreement::{Difference, Interval},
    report::compare::{Compared, Configuration, Labelling, Unit, Versus, saved, times_faster},
    report::metrics::FEW,
};

/// Sets a comparison in text, in lines of at most `width` columns (unless a single word is longer). Undefined figures are shown as `–`.
pub fn comparison(compared: &Compared, width: u16) -> String {
    let mut page = Page::new(width);
    page.note(&format!(
        "{} configurations over {}",
        compared.configurations.len(),
        compared.data.path.display()
    ));
    agreement(&mut page, compared);
    behaviour(&mut page, compared);
    cost(&mut page, compared);
    for versus in &compared.versus {
        table_of(&mut page, compared, versus);
    }
    if !compared.versus.is_empty() {
        page.note(&format!(
            "Differences are first minus second, on the pairs that both judged and people labelled; intervals and p by the paired bootstrap over pairs. \
             McNemar's exact test counts pairs that only one has right (with several seeds, pairs on which a larger share of its runs is right). \
             Holm's correction is over {} pairs of configurations.",
            compared.versus.len()
        ));
    }
    pareto(&mut page, compared);
    if !compared.hand_over.is_empty() {
        hand_over(&mut page, compared);
    }
    page.finish()
}

fn agreement(page: &mut Page, compared: &Compared) {
    page.heading("Agreement with the human labels");
    let columns = [
        words("configuration"),
        figures("N"),
        figures("accuracy"),
        figures("macro-F1"),
        figures("kappa"),
    ];
    let row = |of: &Configuration| {
        let with = |value: Option<f64>, bounds: Option<Interval>| match value {
            Some(value) => format!("{} {}", figure(value), interval(bounds)),
            None => UNDEFINED.to_owned(),
        };
        let found = of.agreement;
        let intervals = found.map(|found| found.intervals);
        vec![
            of.name.clone(),
            of.compared.to_string(),
            with(found.map(|found| found.accuracy), intervals.map(|found| found.accuracy)),
            with(
                found.map(|found| found.macro_f1_all),
                intervals.map(|found| found.macro_f1_all),
            ),
            with(of.kappa(), intervals.and_then(|found| found.kappa.interval)),
        ]
    };
    page.table(&columns, compared.configurations.iter().map(row));
    page.note(&format!(
        "N counts pairs with a label and a verdict in every run; macro-F1 is over all three classes. {} % intervals by bootstrap over pairs ({} draws, seed {}).",
        decimals(100.0 * compared.bootstrap.level.get(), 0),
        compared.bootstrap.draws,
        compared.bootstrap.seed
    ));
    if compared.configurations.iter().any(|of| (of.compared as u64) < FEW) {
        page.note(&format!(
            "Over fewer than {FEW} pairs neither figures nor intervals can be relied on."
        ));
    }
    for of in &compared.configurations {
        if of.judged < of.pairs {
            page.note(&format!(
                "{} has finished {} of {} pairs: the command that started it goes on.",
                of.name, of.judged, of.pairs
            ));
        }
    }
}

fn behaviour(page: &mut Page, compared: &Compared) {
    page.heading("Bias and variance");
    let columns = [
        words("configuration"),
        figures("seeds"),
        figures("bias"),
        figures("variance"),
        figures("sd of kappa"),
        figures("P(longer)"),
        figures("P(first)"),
        figures("parsed"),
    ];
    let row = |of: &Configuration| {
        vec![
            of.name.clone(),
            of.seeds.len().to_string(),
            figure(of.spread.map(|spread| spread.bias)),
            figure(of.spread.and_then(|spread| spread.variance)),
            figure(of.spread.and_then(|spread| spread.kappa_sd)),
            figure(of.longer.share),
            figure(of.first.share),
            share(of.parsed),
        ]
    };
    page.table(&columns, compared.configurations.iter().map(row));
    page.note(
        "Bias: how often the verdict that most seeds give is wrong; variance: how often a seed departs from it. P(longer): verdicts for the longer \
         response; P(first): calls that prefer the response shown first (where each pair is shown in one order only, that may be the better one). \
         Parsed: opinions with readable scores.",
    );
}

fn cost(page: &mut Page, compared: &Compared) {
    page.heading("Cost for 1,000 pairs, as if each configuration had run alone");
    let human = compared.human;
    let with_people = human.usd_per_pair.is_some() || human.seconds_per_pair.is_some();
    let mut columns = vec![
        words("configuration"),
        figures("calls"),
        figures("prompt tokens"),
        figures("reply tokens"),
        figures("seconds"),
        figures("USD"),
    ];
    if with_people {
        columns.extend([figures("faster"), figures("cheaper")]);
    }
    let (human_usd, human_seconds) = (
        human.usd_per_pair.map(|usd| 1000.0 * usd),
        human.seconds_per_pair.map(|seconds| 1000.0 * seconds),
    );
    let row = |of: &Configuration| {
        let cost = of.spending.per_thousand;
        let seconds = cost.and_then(|cost| cost.seconds);
        let dollars = cost.and_then(|cost| cost.usd);
        let mark = if of.spending.seconds_estimated && seconds.is_some() {
            "~"
        } else {
            ""
        };
        let mut row = vec![
            of.name.clone(),
            decimals(cost.map(|cost| cost.calls), 0),
            decimals(cost.map(|cost| cost.prompt_tokens), 0),
            decimals(cost.map(|cost| cost.completion_tokens), 0),
            format!("{mark}{}", decimals(seconds, 1)),
            usd(dollars),
        ];
        if with_people {
            row.extend([
                times(times_faster(of.spending.comparable_seconds(), human_seconds)),
                share(saved(dollars, human_usd)),
            ]);
        }
        row
    };
    let mut rows: Vec<Vec<String>> = compared.configurations.iter().map(row).collect();
    if with_people {
        let none = || UNDEFINED.to_owned();
        rows.push(vec![
            "people".to_owned(),
            none(),
            none(),
            none(),
            decimals(human_seconds, 1),
            usd(human_usd),
            none(),
            none(),
        ]);
    }
    page.table(&columns, rows);
    if with_people {
        page.note("Faster and cheaper are against people.");
    }
    let reused: u64 = compared.configurations.iter().map(|of| of.spending.reused_calls).sum();
    let billed: u64 = compared.configurations.iter().map(|of| of.spending.billed_calls).sum();
    if reused > 0 {
        page.note(&format!(
            "{billed} calls were made and {reused} reused from the shared cache; the figures are as if all had been made. Seconds with `~` are an \
             estimate: as many per token as for the calls that were made."
        ));
    }
    if compared
        .configurations
        .iter()
        .any(|of| of.spending.per_thousand.is_some_and(|cost| cost.usd.is_none()))
    {
        page.note(
            "Where USD is missing, give the price of this machine with --machine-usd-per-hour, or of an API model with --prices.",
        );
    }
}

/// A percentage with a decimal: what is nearly all should not look like all.
fn share(share: Option<f64>) -> String {
    match share {
        Some(share) => format!("{} %", decimals(100.0 * share, 1)),
        None => UNDEFINED.to_owned(),
    }
}

fn times(factor: Option<f64>) -> String {
    factor.map_or_else(|| UNDEFINED.to_owned(), |factor| format!("{factor:.1}×"))
}

fn table_of(page: &mut Page, compared: &Compared, versus: &Versus) {
    page.heading(&format!("{} against {}", versus.first, versus.second));
    let Some(found) = versus.comparison else {
        page.note("No pair with a label was judged by both.");
        return;
    };
    let columns = [
        words("measure"),
        figures("first"),
        figures("second"),
        figures("difference"),
        figures("95 % interval"),
        figures("p"),
        figures("p (Holm)"),
    ];
    let p = |p: Option<f64>| {
        p.map_or_else(
            || UNDEFINED.to_owned(),
            |p| p_value(p).replace("p = ", "").replace("p < ", "< "),
        )
    };
    let tested = |name: &str, difference: Option<Difference>, holm: Option<f64>| {
        vec![
            name.to_owned(),
            figure(difference.map(|it| it.first)),
            figure(difference.map(|it| it.second)),
            figure(difference.map(|it| it.difference)),
            interval(difference.map(|it| it.interval)),
            p(difference.map(|it| it.p_value)),
            p(holm),
        ]
    };
    let [one, two] = versus.macro_f1;
    let none = || UNDEFINED.to_owned();
    let mut rows = vec![
        tested("accuracy", Some(found.accuracy), versus.accuracy_holm),
        vec![
            "macro-F1".to_owned(),
            figure(one),
            figure(two),
            figure(one.zip(two).map(|(one, two)| one - two)),
            none(),
            none(),
            none(),
        ],
        tested("Cohen's kappa", found.kappa.difference, versus.kappa_holm),
        vec![
            "only one right (McNemar)".to_owned(),
            found.mcnemar.only_first.to_string(),
            found.mcnemar.only_second.to_string(),
            none(),
            none(),
            p(Some(found.mcnemar.p_value)),
            p(versus.mcnemar_holm),
        ],
    ];
    let costs = [&versus.first, &versus.second].map(|name| {
        let of = compared.configurations.iter().find(|of| of.name == *name);
        of.and_then(|of| of.spending.per_thousand)
    });
    let mut plain = |name: &str, values: [Option<f64>; 2], text: &dyn Fn(Option<f64>) -> String, last: String| {
        rows.push(vec![
            name.to_owned(),
            text(values[0]),
            text(values[1]),
            last,
            none(),
            none(),
            none(),
        ]);
    };
    plain(
        "seconds for 1,000 pairs",
        costs.map(|cost| cost.and_then(|cost| cost.seconds)),
        &|seconds| decimals(seconds, 1),
        versus.times_faster.map_or_else(none, |factor| {
            if factor >= 1.0 {
                format!("{factor:.1}× faster")
            } else {
                format!("{:.1}× slower", 1.0 / factor)
            }
        }),
    );
    if costs.iter().any(|cost| cost.is_some_and(|cost| cost.usd.is_some())) {
        plain(
            "USD for 1,000 pairs",
            costs.map(|cost| cost.and_then(|cost| cost.usd)),
            &usd,
            versus.usd_saved.map_or_else(none, |share| {
                if share >= 0.0 {
                    format!("{:.0} % cheaper", 100.0 * share)
                } else {
                    format!("{:.0} % dearer", -100.0 * share)
                }
            }),
        );
    }
    page.table(&columns, rows);
    page.note(&format!("{} pairs.", found.n));
}

fn pareto(page: &mut Page, compared: &Compared) {
    let pareto = &compared.pareto;
    page.heading("Pareto front of cost and kappa");
    let columns = [
        words("configuration"),
        figures(pareto.unit.name()),
        figures("kappa"),
        words("on the front"),
    ];
    let rows = pareto.points.iter().map(|point| {
        vec![
            point.configuration.clone(),
            match pareto.unit {
                Unit::Usd => usd(point.cost),
                Unit::Seconds => decimals(point.cost, 1),
            },
            figure(point.kappa),
            if point.on_front { "yes" } else { "no" }.to_owned(),
        ]
    });
    page.table(&columns, rows);
    page.note("On the front: no other is as good and cheaper, or better and no dearer. What makes no calls costs nothing here.");
}

fn hand_over(page: &mut Page, compared: &Compared) {
    page.heading(&format!(
        "Hand-over of {} of the pairs to people, the most contradictory first",
        percent(compared.hand_over.first().map(|of| of.share.get()))
    ));
    let columns = [
        words("configuration"),
        figures("pairs"),
        figures("accuracy"),
        figures("kappa"),
        figures("seconds"),
        figures("USD"),
        figures("faster"),
        figures("cheaper"),
    ];
    let human = compared.human;
    let row = |name: String, pairs: String, labelling: &Labelling| {
        vec![
            name,
            pairs,
            figure(labelling.accuracy),
            figure(labelling.kappa),
            decimals(labelling.seconds_per_thousand, 1),
            usd(labelling.usd_per_thousand),
            times(labelling.times_faster(human.seconds_per_pair)),
            share(labelling.usd_saved(human.usd_per_pair)),
        ]
    };
    let rows = compared.hand_over.iter().flat_map(|of| {
        [
            row(of.configuration.clone(), "0".to_owned(), &of.before),
            row("  with people".to_owned(), of.pairs.len().to_string(), &of.after),
        ]
    });
    page.table(&columns, rows);
    page.note(
        "People are taken to give the label that is known, so agreement after the hand-over is the most that can be hoped for. Seconds and USD are for \
         1,000 pairs, faster and cheaper against people who label all of them.",
    );
    if human.usd_per_pair.is_none() || human.seconds_per_pair.is_none() {
        page.note("What people cost is given with --human-usd-per-pair and --human-seconds-per-pair.");
    }
}
