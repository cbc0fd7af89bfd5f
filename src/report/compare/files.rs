//! A comparison as files that other programs read.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Compared, Configuration, Labelling, plot::svg};
use crate::{
    agreement::Interval,
    report::export::{ExportError, Fault, whole},
};

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparisonFiles {
    /// All figures.
    pub json: PathBuf,
    /// One row per configuration.
    pub configurations: PathBuf,
    /// One row per pair of configurations, with the tests.
    pub versus: PathBuf,
    /// Cost and kappa, with who is on the front.
    pub pareto: PathBuf,
    /// The same as a plot; absent where no configuration has both.
    pub plot: Option<PathBuf>,
    /// The pairs that people should label, where that was asked for.
    pub hand_over: Option<PathBuf>,
}

impl ComparisonFiles {
    /// All that were written.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let required = [&self.json, &self.configurations, &self.versus, &self.pareto];
        let optional = [self.plot.as_ref(), self.hand_over.as_ref()];
        required
            .into_iter()
            .chain(optional.into_iter().flatten())
            .map(PathBuf::as_path)
    }
}

/// Writes `compare.json`, `compare.csv`, `pairs.csv`, `pareto.csv`, `pareto.svg` and, if pairs are handed over, `hand-over.csv` into a folder that
/// exists. Each appears whole or not at all.
pub fn export_comparison(compared: &Compared, folder: &Path) -> Result<ComparisonFiles, ExportError> {
    let json = whole(folder, "compare.json", |file| {
        serde_json::to_writer_pretty(&mut *file, compared).map_err(std::io::Error::from)?;
        Ok(file.write_all(b"\n")?)
    })?;
    let plot = match svg(&compared.pareto) {
        Some(svg) => Some(whole(folder, "pareto.svg", |file| Ok(file.write_all(svg.as_bytes())?))?),
        None => None,
    };
    let hand_over = if compared.hand_over.is_empty() {
        None
    } else {
        Some(table(folder, "hand-over.csv", handed(compared))?)
    };
    Ok(ComparisonFiles {
        json,
        configurations: table(
            folder,
            "compare.csv",
            compared.configurations.iter().map(ConfigurationRow::of),
        )?,
        versus: table(folder, "pairs.csv", versus(compared))?,
        pareto: table(folder, "pareto.csv", pareto(compared))?,
        plot,
        hand_over,
    })
}

fn table<R: Serialize>(folder: &Path, name: &str, rows: impl IntoIterator<Item = R>) -> Result<PathBuf, ExportError> {
    whole(folder, name, |file| {
        let mut writer = csv::Writer::from_writer(file);
        for row in rows {
            writer.serialize(row).map_err(std::io::Error::other)?;
        }
        writer.flush().map_err(Fault::from)
    })
}

fn ends(interval: Option<Interval>) -> (Option<f64>, Option<f64>) {
    interval.map(|interval| (interval.low, interval.high)).unzip()
}

#[derive(Serialize)]
struct ConfigurationRow<'a> {
    configuration: &'a str,
    seeds: usize,
    pairs: usize,
    judged: usize,
    compared: usize,
    accuracy: Option<f64>,
    accuracy_low: Option<f64>,
    accuracy_high: Option<f64>,
    macro_f1: Option<f64>,
    macro_f1_low: Option<f64>,
    macro_f1_high: Option<f64>,
    kappa: Option<f64>,
    kappa_low: Option<f64>,
    kappa_high: Option<f64>,
    bias: Option<f64>,
    variance: Option<f64>,
    accuracy_sd: Option<f64>,
    kappa_sd: Option<f64>,
    longer_preferred: Option<f64>,
    first_preferred: Option<f64>,
    parsed: Option<f64>,
    calls_per_thousand: Option<f64>,
    prompt_tokens_per_thousand: Option<f64>,
    completion_tokens_per_thousand: Option<f64>,
    seconds_per_thousand: Option<f64>,
    seconds_estimated: bool,
    usd_per_thousand: Option<f64>,
    billed_calls: u64,
    reused_calls: u64,
    seconds: f64,
}

impl<'a> ConfigurationRow<'a> {
    fn of(of: &'a Configuration) -> Self {
        let agreement = of.agreement;
        let intervals = agreement.map(|agreement| agreement.intervals);
        let (accuracy_low, accuracy_high) = ends(intervals.map(|intervals| intervals.accuracy));
        let (macro_f1_low, macro_f1_high) = ends(intervals.map(|intervals| intervals.macro_f1_all));
        let (kappa_low, kappa_high) = ends(intervals.and_then(|intervals| intervals.kappa.interval));
        let cost = of.spending.per_thousand;
        Self {
            configuration: &of.name,
            seeds: of.seeds.len(),
            pairs: of.pairs,
            judged: of.judged,
            compared: of.compared,
            accuracy: agreement.map(|agreement| agreement.accuracy),
            accuracy_low,
            accuracy_high,
            macro_f1: agreement.map(|agreement| agreement.macro_f1_all),
            macro_f1_low,
            macro_f1_high,
            kappa: of.kappa(),
            kappa_low,
            kappa_high,
            bias: of.spread.map(|spread| spread.bias),
            variance: of.spread.and_then(|spread| spread.variance),
            accuracy_sd: of.spread.and_then(|spread| spread.accuracy_sd),
            kappa_sd: of.spread.and_then(|spread| spread.kappa_sd),
            longer_preferred: of.longer.share,
            first_preferred: of.first.share,
            parsed: of.parsed,
            calls_per_thousand: cost.map(|cost| cost.calls),
            prompt_tokens_per_thousand: cost.map(|cost| cost.prompt_tokens),
            completion_tokens_per_thousand: cost.map(|cost| cost.completion_tokens),
            seconds_per_thousand: cost.and_then(|cost| cost.seconds),
            seconds_estimated: of.spending.seconds_estimated,
            usd_per_thousand: cost.and_then(|cost| cost.usd),
            billed_calls: of.spending.billed_calls,
            reused_calls: of.spending.reused_calls,
            seconds: of.spending.seconds,
        }
    }
}

#[derive(Serialize)]
struct VersusRow<'a> {
    first: &'a str,
    second: &'a str,
    pairs: u64,
    measure: &'static str,
    value_first: Option<f64>,
    value_second: Option<f64>,
    difference: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    bootstrap_p: Option<f64>,
    bootstrap_p_holm: Option<f64>,
    only_first_right: Option<u64>,
    only_second_right: Option<u64>,
    mcnemar_p: Option<f64>,
    mcnemar_p_holm: Option<f64>,
}

fn versus(compared: &Compared) -> impl Iterator<Item = VersusRow<'_>> {
    compared.versus.iter().flat_map(|versus| {
        let blank = |measure| VersusRow {
            first: &versus.first,
            second: &versus.second,
            pairs: versus.comparison.map_or(0, |comparison| comparison.n),
            measure,
            value_first: None,
            value_second: None,
            difference: None,
            low: None,
            high: None,
            bootstrap_p: None,
            bootstrap_p_holm: None,
            only_first_right: None,
            only_second_right: None,
            mcnemar_p: None,
            mcnemar_p_holm: None,
        };
        let with = |measure, found: Option<crate::agreement::Difference>, holm| {
            let (low, high) = ends(found.map(|found| found.interval));
            VersusRow {
                value_first: found.map(|found| found.first),
                value_second: found.map(|found| found.second),
                difference: found.map(|found| found.difference),
                low,
                high,
                bootstrap_p: found.map(|found| found.p_value),
                bootstrap_p_holm: holm,
                ..blank(measure)
            }
        };
        let comparison = versus.comparison;
        let mcnemar = comparison.map(|comparison| comparison.mcnemar);
        let [one, two] = versus.macro_f1;
        [
            VersusRow {
                only_first_right: mcnemar.map(|test| test.only_first),
                only_second_right: mcnemar.map(|test| test.only_second),
                mcnemar_p: mcnemar.map(|test| test.p_value),
                mcnemar_p_holm: versus.mcnemar_holm,
                ..with(
                    "accuracy",
                    comparison.map(|comparison| comparison.accuracy),
                    versus.accuracy_holm,
                )
            },
            VersusRow {
                value_first: one,
                value_second: two,
                difference: one.zip(two).map(|(one, two)| one - two),
                ..blank("macro-f1")
            },
            with(
                "kappa",
                comparison.and_then(|comparison| comparison.kappa.difference),
                versus.kappa_holm,
            ),
        ]
    })
}

#[derive(Serialize)]
struct ParetoRow<'a> {
    configuration: &'a str,
    unit: &'static str,
    cost: Option<f64>,
    kappa: Option<f64>,
    kappa_low: Option<f64>,
    kappa_high: Option<f64>,
    on_front: bool,
}

fn pareto(compared: &Compared) -> impl Iterator<Item = ParetoRow<'_>> {
    compared.pareto.points.iter().map(|point| {
        let (kappa_low, kappa_high) = ends(point.interval);
        ParetoRow {
            configuration: &point.configuration,
            unit: compared.pareto.unit.name(),
            cost: point.cost,
            kappa: point.kappa,
            kappa_low,
            kappa_high,
            on_front: point.on_front,
        }
    })
}

#[derive(Serialize)]
struct HandedRow<'a> {
    configuration: &'a str,
    rank: usize,
    index: usize,
    id: Option<&'a str>,
    dataset: &'a str,
    bpde: Option<f64>,
    verdict: Option<&'static str>,
    label: Option<&'static str>,
}

fn handed(compared: &Compared) -> impl Iterator<Item = HandedRow<'_>> {
    compared.hand_over.iter().flat_map(|of| {
        of.pairs.iter().enumerate().map(|(place, pair)| HandedRow {
            configuration: &of.configuration,
            rank: place + 1,
            index: pair.index,
            id: pair.id.as_deref(),
            dataset: &pair.dataset,
            bpde: pair.bpde,
            verdict: pair.verdict.map(crate::pair::Label::name),
            label: pair.label.map(crate::pair::Label::name),
        })
    })
}

impl Labelling {
    /// What the other saves in money, as a share; `None` where a price is not known.
    pub fn usd_saved(&self, human: Option<f64>) -> Option<f64> {
        super::versus::saved(self.usd_per_thousand, human.map(|usd| 1000.0 * usd))
    }

    /// How many times faster it is than people alone.
    pub fn times_faster(&self, human: Option<f64>) -> Option<f64> {
        super::versus::times_faster(self.seconds_per_thousand, human.map(|seconds| 1000.0 * seconds))
    }
}
