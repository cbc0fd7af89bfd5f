//! What a pair costs with more roles.

use std::sync::Arc;

use kuva::prelude::{Layout, LinePlot, Plot, render_to_svg};

use super::alternate::order;
use super::ask::{Judge, forget};
use super::page::Page;
use super::setting::Setting;
use super::spread::Spread;

const WIDTHS: [usize; 5] = [1, 2, 4, 8, 16];

/// Of the network's first `layers`, one or both.
pub fn run(setting: &Setting, layers: usize) -> anyhow::Result<Page> {
    let columns = [
        "repeat",
        "pair",
        "roles",
        "seconds",
        "calls",
        "prompt",
        "evaluated",
        "reply",
    ];
    let mut page = Page::new("width", setting, &columns);
    let judges: Vec<Judge> = WIDTHS
        .iter()
        .map(|&width| {
            let mut network = setting.network(width)?;
            network.layers.truncate(layers);
            Judge::new(network)
        })
        .collect::<anyhow::Result<_>>()?;
    let model = setting.load(&setting.config())?;
    let mut seconds = vec![vec![0.0; setting.repeats]; WIDTHS.len()];
    let mut evaluated = [0; WIDTHS.len()];
    let mut replies = [0; WIDTHS.len()];
    #[expect(clippy::needless_range_loop, reason = "the number of a repeat is written down, too")]
    for repeat in 0..setting.repeats {
        for (at, pair) in setting.pairs.iter().enumerate() {
            for i in order(WIDTHS.len(), repeat + at) {
                forget(&model)?;
                let before = model.stats();
                let judged = judges[i].judge(Arc::new(model.clone()), pair)?;
                let fresh = model.stats().prompt_evaluated - before.prompt_evaluated;
                seconds[i][repeat] += judged.took.as_secs_f64();
                evaluated[i] += fresh;
                replies[i] += judged.usage.completion;
                page.row(vec![
                    repeat.to_string(),
                    pair.index.to_string(),
                    WIDTHS[i].to_string(),
                    format!("{:.4}", judged.took.as_secs_f64()),
                    judged.calls.to_string(),
                    judged.usage.prompt.to_string(),
                    fresh.to_string(),
                    judged.usage.completion.to_string(),
                ]);
            }
        }
    }
    let ratios: Vec<Spread> = seconds
        .iter()
        .map(|of_width| Spread::of(of_width.iter().zip(&seconds[0]).map(|(wide, one)| wide / one)))
        .collect();
    let n = (setting.repeats * setting.pairs.len()) as u64;
    let rows: Vec<Vec<String>> = WIDTHS
        .iter()
        .enumerate()
        .map(|(i, width)| {
            vec![
                width.to_string(),
                format!(
                    "{:.2}",
                    Spread::of(seconds[i].iter().map(|total| total / setting.pairs.len() as f64))
                ),
                format!("{:.2}", ratios[i]),
                (evaluated[i] / n).to_string(),
                (replies[i] / n).to_string(),
            ]
        })
        .collect();
    page.say(&format!(
        "{} pairs, `widedeep` with fixed roles, 2 orders, {layers} of 2 layers, {} evidence tokens; {} repeats, in turns. Seconds and tokens per pair; medians with least and \
         most. By itself a network wider than 4 reads two neighbours' reviews in layer 2 (`neighbourhood = \"auto\"`).\n",
        setting.pairs.len(),
        setting.evidence,
        setting.repeats
    ));
    page.table(
        &[
            "roles",
            "seconds",
            "ratio to one role",
            "prompt tokens evaluated",
            "reply tokens",
        ],
        &rows,
    );
    let slope = slope(&ratios);
    page.say(&format!(
        "A further role costs {slope:.3} of what one role costs (least squares over the medians).\n"
    ));
    page.figure(figure(&ratios));
    Ok(page)
}

/// Of the ratios over the widths.
fn slope(ratios: &[Spread]) -> f64 {
    let n = WIDTHS.len() as f64;
    let x: Vec<f64> = WIDTHS.iter().map(|&width| width as f64).collect();
    let y: Vec<f64> = ratios.iter().map(Spread::median).collect();
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let covariance: f64 = x.iter().zip(&y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    covariance / x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>()
}

fn figure(ratios: &[Spread]) -> String {
    let measured = WIDTHS
        .iter()
        .zip(ratios)
        .map(|(&width, ratio)| (width as f64, ratio.median()));
    let proportional = WIDTHS.iter().map(|&width| (width as f64, width as f64));
    let plots: Vec<Plot> = vec![
        LinePlot::new()
            .with_data(measured)
            .with_color("#1b6ca8")
            .with_legend("measured")
            .into(),
        LinePlot::new()
            .with_data(proportional)
            .with_color("#7a7a7a")
            .with_legend("in proportion")
            .into(),
    ];
    let layout = Layout::auto_from_plots(&plots)
        .with_title("Cost of a pair")
        .with_x_label("roles")
        .with_y_label("time, one role = 1");
    render_to_svg(plots, layout)
}
