//! Every choice of the method as a flag.

use std::num::NonZeroUsize;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use widedeep::inside::emergence::{
    Analysis, Average, Centre, Config, Derivative, GatedMlp, Hops, Line, Measure, Normaliser, Peak, QGrid, Radii,
    Reject, Rounding, Scale, ScalingRule, Scope, TARGET_RMS, Window,
};

use crate::cli::{Failure, input};

/// Words for values, the default first.
type Words<T> = &'static [(&'static str, T)];

const MODES: Words<Mode> = &[
    ("compat", Mode::Compat),
    ("compat-rms", Mode::CompatRms),
    ("fixed-grid", Mode::FixedGrid),
    ("fixed-grid-rms", Mode::FixedGridRms),
];
const SCOPES: Words<Whole> = &[("sampled", Whole::Sampled), ("full", Whole::Full)];
const HOPS: Words<Hops> = &[("1", Hops::One), ("2", Hops::Two), ("3", Hops::Three)];
const GATED: Words<GatedMlp> = &[("gate-and-up", GatedMlp::GateAndUp), ("up-only", GatedMlp::UpOnly)];
const SCALES: Words<Relative> = &[("absolute", Relative::Absolute), ("rms", Relative::Rms)];
const ROUNDINGS: Words<Rounding> = &[("integer", Rounding::Integer), ("none", Rounding::None)];
const NORMALISERS: Words<Normaliser> = &[
    ("own-maximum", Normaliser::OwnMaximum),
    ("total-nodes", Normaliser::TotalNodes),
];
const CENTRES: Words<Centre> = &[("counted", Centre::Counted), ("excluded", Centre::Excluded)];
const PEAKS: Words<Peak> = &[
    ("centred", Peak::Centred),
    ("exact", Peak::Exact),
    ("arg-max", Peak::ArgMax),
];
const DERIVATIVES: Words<Derivative> = &[
    ("forward", Derivative::Forward),
    ("central", Derivative::Central),
    ("exact", Derivative::Exact),
];
const LINES: Words<Line> = &[
    ("free-intercept", Line::FreeIntercept),
    ("through-origin", Line::ThroughOrigin),
];
const REJECTS: Words<Reject> = &[
    ("none", Reject::None),
    ("positive-f", Reject::PositiveF),
    ("non-monotone", Reject::NonMonotone),
    ("both", Reject::Both),
];
const AVERAGES: Words<Average> = &[("metrics", Average::Metrics), ("spectra", Average::Spectra)];

/// A parser of one of these words.
fn one_of<T: Copy + Send + Sync + 'static>(words: Words<T>) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).try_map(move |word: String| {
        let found = words.iter().find(|(known, _)| *known == word);
        found.map(|(_, value)| *value).ok_or("an unknown word")
    })
}

/// The four ways of the spec's section 7.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Compat,
    CompatRms,
    FixedGrid,
    FixedGridRms,
}

#[derive(Clone, Copy, Debug)]
enum Whole {
    Sampled,
    Full,
}

#[derive(Clone, Copy, Debug)]
enum Relative {
    Absolute,
    Rms,
}

/// The flags of the analysis.
#[derive(Debug, clap::Args)]
pub(super) struct Choices {
    /// Start from these choices: `compat` is what the paper's code does, integer lengths and all radii seen; `fixed-grid` takes 30 radii from 15 to
    /// 150 without rounding, which one extreme weight cannot tilt; `-rms` brings all weights to a root mean square of 0.02 first, for models of
    /// different scale. The flags below change single choices
    #[arg(long, default_value = "compat", value_parser = one_of(MODES))]
    mode: Mode,

    /// Look at sampled nodes, or at every node and weight (`full`: no sampling noise, and values that compare with no sample's)
    #[arg(long, default_value = "sampled", value_parser = one_of(SCOPES), help_heading = "Network")]
    scope: Whole,

    /// Nodes sampled per group; twice as many of the MLP's hidden units. The paper's first code took 64, its release 32. Values of different sizes never
    /// compare
    #[arg(long, default_value = "64", value_name = "N", help_heading = "Network")]
    nodes: NonZeroUsize,

    /// Independent samples, over which means and standard errors go
    #[arg(long, default_value = "10", value_name = "N", help_heading = "Network")]
    repetitions: NonZeroUsize,

    /// Seed of the first sample; the others follow it
    #[arg(long, default_value_t = 0, help_heading = "Network")]
    seed: u64,

    /// Edges that a path from a box's centre may have. The published curves were made with 1
    #[arg(long, default_value = "1", value_parser = one_of(HOPS), help_heading = "Network")]
    hops: Hops,

    /// What the input of a gated MLP leads to
    #[arg(long, default_value = "gate-and-up", value_parser = one_of(GATED), help_heading = "Network")]
    gated: GatedMlp,

    /// Take weights as they are, or brought to one root mean square [default: by --mode]
    #[arg(long, value_parser = one_of(SCALES), help_heading = "Network")]
    scale: Option<Relative>,

    /// The root mean square that `--scale rms` brings weights to
    #[arg(long, default_value_t = TARGET_RMS, value_name = "RMS", help_heading = "Network")]
    target_rms: f64,

    /// β in the length |w|^−β of an edge
    #[arg(long, default_value_t = 1.0, value_name = "BETA", help_heading = "Masses")]
    exponent: f64,

    /// Leave out edges that are not longer than this; 1 leaves out weights of 1 and more
    #[arg(long, default_value_t = 1.0, value_name = "LENGTH", help_heading = "Masses")]
    longer_than: f64,

    /// Leave out edges longer than this, or `none`; 150 leaves out weights below 1/150
    #[arg(long, default_value = "150", value_parser = limit, value_name = "LENGTH", help_heading = "Masses")]
    at_most: Limit,

    /// A node counts if more edges than this are left
    #[arg(long, default_value_t = 10, value_name = "N", help_heading = "Masses")]
    more_than: usize,

    /// Round the lengths, ties to even [default: by --mode]
    #[arg(long, value_parser = one_of(ROUNDINGS), help_heading = "Masses")]
    rounding: Option<Rounding>,

    /// Radii: `observed` (all lengths seen), `log:LOW:HIGH:COUNT`, `dyadic` (1, 2, 4, …) or a list such as `10,20,40` [default: by --mode]
    #[arg(long, value_parser = radii, help_heading = "Masses")]
    radii: Option<Radii>,

    /// Divide masses by the node's own mass at the greatest radius, or by the number of nodes
    #[arg(long, default_value = "own-maximum", value_parser = one_of(NORMALISERS), help_heading = "Masses")]
    normaliser: Normaliser,

    /// Whether a box holds its own centre
    #[arg(long, default_value = "counted", value_parser = one_of(CENTRES), help_heading = "Masses")]
    centre: Centre,

    /// Distortion exponents LOW:HIGH:STEPS, with so many steps per unit
    #[arg(long, default_value = "-3:3:10", value_parser = grid, allow_hyphen_values = true, value_name = "GRID", help_heading = "Spectrum")]
    q: QGrid,

    /// Which α is α0: the place of the greatest f (`arg-max`, the paper's) is decided by rounding, hence the default
    #[arg(long, default_value = "centred", value_parser = one_of(PEAKS), help_heading = "Spectrum")]
    peak: Peak,

    /// How α is made from τ
    #[arg(long, default_value = "forward", value_parser = one_of(DERIVATIVES), help_heading = "Spectrum")]
    derivative: Derivative,

    /// The line through ln Z over ln r
    #[arg(long, default_value = "free-intercept", value_parser = one_of(LINES), help_heading = "Spectrum")]
    line: Line,

    /// Lay the line through the radii from LOW to HIGH only [default: through all]
    #[arg(long, value_parser = window, value_name = "LOW:HIGH", help_heading = "Spectrum")]
    window: Option<Window>,

    /// Throw repetitions away by the filters of the paper's code
    #[arg(long, default_value = "none", value_parser = one_of(REJECTS), help_heading = "Spectrum")]
    reject: Reject,

    /// Average α0 and width over repetitions, or the curves
    #[arg(long, default_value = "metrics", value_parser = one_of(AVERAGES), help_heading = "Spectrum")]
    average: Average,

    /// Report a spectrum only where the worst R² over all q, averaged over repetitions, is at least this
    #[arg(long, default_value_t = 0.75, value_name = "R2", help_heading = "Scaling")]
    least_r2: f64,

    /// … and the line goes through at least so many radii
    #[arg(long, default_value_t = 5, value_name = "N", help_heading = "Scaling")]
    least_radii: usize,

    /// … and the greatest radius is at least so many times the smallest
    #[arg(long, default_value_t = 5.0, value_name = "RATIO", help_heading = "Scaling")]
    least_span: f64,

    /// Report a spectrum even where masses do not scale
    #[arg(long, conflicts_with_all = ["least_r2", "least_radii", "least_span"], help_heading = "Scaling")]
    report_anyway: bool,

    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
}

impl Choices {
    /// The choices as the library knows them, free of contradictions.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let base = match self.mode {
            Mode::Compat => Config::compat(),
            Mode::CompatRms => Config::compat().with_rms(),
            Mode::FixedGrid => Config::fixed_grid(),
            Mode::FixedGridRms => Config::fixed_grid().with_rms(),
        };
        let relative = match (self.scale, base.scale) {
            (Some(relative), _) => relative,
            (None, Scale::Absolute) => Relative::Absolute,
            (None, Scale::RootMeanSquare(_)) => Relative::Rms,
        };
        let config = Config {
            scope: match self.scope {
                Whole::Sampled => Scope::Sampled {
                    size: self.nodes.get(),
                    repetitions: self.repetitions.get(),
                    seed: self.seed,
                },
                Whole::Full => Scope::Full,
            },
            hops: self.hops,
            gated: self.gated,
            scale: match relative {
                Relative::Absolute => Scale::Absolute,
                Relative::Rms => Scale::RootMeanSquare(self.target_rms),
            },
            measure: Measure {
                exponent: self.exponent,
                longer_than: self.longer_than,
                at_most: self.at_most.0,
                more_than: self.more_than,
                rounding: self.rounding.unwrap_or(base.measure.rounding),
                radii: self.radii.clone().unwrap_or(base.measure.radii),
                normaliser: self.normaliser,
                centre: self.centre,
            },
            analysis: Analysis {
                q: self.q,
                peak: self.peak,
                derivative: self.derivative,
                line: self.line,
                window: self.window,
                reject: self.reject,
                average: self.average,
                scaling: if self.report_anyway {
                    ScalingRule::ReportAnyway
                } else {
                    ScalingRule::Require {
                        r2: self.least_r2,
                        radii: self.least_radii,
                        span: self.least_span,
                    }
                },
            },
        };
        config.check().map_err(input)?;
        Ok(config)
    }
}

/// The greatest length, if there is one.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<f64>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let length = text.parse().ok().filter(|length: &f64| *length > 0.0);
    length
        .map(|length| Limit(Some(length)))
        .ok_or_else(|| "expected a length such as `150`, or `none`".to_owned())
}

fn radii(text: &str) -> Result<Radii, String> {
    let wrong = || "expected `observed`, `dyadic`, `log:15:150:30` or a list such as `10,20,40`".to_owned();
    match text {
        "observed" => return Ok(Radii::Observed),
        "dyadic" => return Ok(Radii::Dyadic),
        _ => {}
    }
    let Some(rest) = text.strip_prefix("log:") else {
        let list = text.split(',').map(|radius| radius.trim().parse().map_err(|_| wrong()));
        return list.collect::<Result<Vec<f64>, String>>().map(Radii::Given);
    };
    let [low, high, count] = parts(rest).ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
    Ok(Radii::LogGrid {
        low: number(low)?,
        high: number(high)?,
        count: count.parse().map_err(|_| wrong())?,
    })
}

fn grid(text: &str) -> Result<QGrid, String> {
    let wrong = || "expected LOW:HIGH:STEPS in whole numbers, such as `-3:3:10`".to_owned();
    let [low, high, steps] = parts(text).ok_or_else(wrong)?;
    let whole = |text: &str| text.parse::<i32>().map_err(|_| wrong());
    let steps: u32 = steps.parse().map_err(|_| wrong())?;
    let scaled = |units: i32| i32::try_from(i64::from(units) * i64::from(steps)).map_err(|_| wrong());
    QGrid::new(scaled(whole(low)?)?, scaled(whole(high)?)?, steps).map_err(|error| error.to_string())
}

fn window(text: &str) -> Result<Window, String> {
    let wrong = || "expected two radii such as `15:150`".to_owned();
    let [low, high] = parts(text).ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
    Ok(Window {
        low: number(low)?,
        high: number(high)?,
    })
}

/// So many parts between colons.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split(':').collect::<Vec<&str>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        choices: Choices,
    }

    fn config(flags: &[&str]) -> Config {
        let words = std::iter::once("x").chain(flags.iter().copied());
        Flags::try_parse_from(words).unwrap().choices.config().unwrap()
    }

    #[test]
    fn without_flags_the_choices_are_the_recommended_ones() {
        assert_eq!(config(&[]), Config::default());
        assert_eq!(config(&["--mode", "fixed-grid-rms"]), Config::fixed_grid().with_rms());
    }

    #[test]
    fn flags_change_what_the_mode_begins_with() {
        let found = config(&[
            "--mode",
            "fixed-grid",
            "--scale",
            "rms",
            "--radii",
            "log:1:9:3",
            "--at-most",
            "none",
        ]);
        assert_eq!(found.scale, Scale::RootMeanSquare(TARGET_RMS));
        assert_eq!(
            found.measure.radii,
            Radii::LogGrid {
                low: 1.0,
                high: 9.0,
                count: 3
            }
        );
        assert_eq!(found.measure.at_most, None);
    }

    #[test]
    fn wrong_numbers_are_named() {
        for (flag, value) in [
            ("--radii", "log:1:9"),
            ("--q", "-3:3"),
            ("--window", "4"),
            ("--at-most", "-1"),
            ("--peak", "top"),
        ] {
            let error = Flags::try_parse_from(["x", flag, value]).unwrap_err().to_string();
            assert!(error.contains(value), "{error}");
        }
    }
}
