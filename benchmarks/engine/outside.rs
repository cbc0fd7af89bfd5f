//! What is spent outside llama.cpp: rendering, tokenising, scheduling, sampling, parsing; and what is allocated.

use std::sync::Arc;

use widedeep::chat::LocalModel;

use super::ALLOCATED;
use super::ask::{Judge, forget};
use super::page::Page;
use super::setting::{Setting, WIDTH};
use super::spread::Spread;

/// How evidence is drawn: sampling looks at the whole vocabulary for every token, and shows what could be gained by doing it elsewhere.
const DRAWS: [(&str, &[&str]); 2] = [
    ("greedy", &[]),
    (
        "temperature 0.8, top_p 0.95",
        &["sampling.temperature=0.8", "sampling.top_p=0.95"],
    ),
];

/// The measurements of one way to draw.
#[derive(Default)]
struct Measured {
    share: Vec<f64>,
    per_call: Vec<f64>,
    bytes: Vec<f64>,
}

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let columns = [
        "repeat",
        "draw",
        "seconds",
        "inside llama.cpp",
        "outside",
        "share",
        "calls",
        "bytes per call",
    ];
    let mut page = Page::new("outside", setting, &columns);
    let model = setting.load(&setting.config())?;
    let judges: Vec<Judge> = DRAWS
        .iter()
        .map(|(_, overrides)| Judge::new(setting.network_with(WIDTH, overrides)?))
        .collect::<anyhow::Result<_>>()?;
    if let Some(pair) = setting.pairs.first() {
        judges[0].judge(Arc::new(model.clone()), pair)?;
    }
    let mut measured: Vec<Measured> = DRAWS.iter().map(|_| Measured::default()).collect();
    for repeat in 0..setting.repeats {
        for i in super::alternate::order(DRAWS.len(), repeat) {
            let cells = measured[i].measure(setting, &judges[i], &model)?;
            page.row([vec![repeat.to_string(), DRAWS[i].0.to_owned()], cells].concat());
        }
    }
    page.say(&format!(
        "{} pairs, `widedeep` with {WIDTH} fixed roles, 2 orders, 2 layers, {} evidence tokens; {} repeats. Outside is the wall-clock of an evaluation less the time in \
         `llama_decode`. Allocated is what Rust asked for in all, freed or not; llama.cpp's own memory is not in it.\n",
        setting.pairs.len(),
        setting.evidence,
        setting.repeats
    ));
    let rows: Vec<Vec<String>> = measured
        .into_iter()
        .zip(DRAWS)
        .map(|(of, (name, _))| {
            vec![
                name.to_owned(),
                format!("{:.2}", Spread::of(of.share)),
                format!("{:.2}", Spread::of(of.per_call)),
                format!("{:.0}", Spread::of(of.bytes)),
            ]
        })
        .collect();
    page.table(
        &[
            "evidence",
            "outside, % of the wall-clock",
            "outside, ms per call",
            "allocated, KiB per call",
        ],
        &rows,
    );
    Ok(page)
}

impl Measured {
    /// All pairs once; the cells of the row.
    fn measure(&mut self, setting: &Setting, judge: &Judge, model: &LocalModel) -> anyhow::Result<Vec<String>> {
        let (mut total, mut calls) = (0.0, 0);
        forget(model)?;
        let (inside, allocated) = (model.engine().inside(), ALLOCATED.total_allocated());
        for pair in &setting.pairs {
            let judged = judge.judge(Arc::new(model.clone()), pair)?;
            total += judged.took.as_secs_f64();
            calls += judged.calls;
        }
        let allocated = (ALLOCATED.total_allocated() - allocated) as f64 / calls as f64;
        let inside = model.engine().inside().as_secs_f64() - inside.as_secs_f64();
        let outside = total - inside;
        self.share.push(100.0 * outside / total);
        self.per_call.push(1e3 * outside / calls as f64);
        self.bytes.push(allocated / 1024.0);
        Ok(vec![
            format!("{total:.4}"),
            format!("{inside:.4}"),
            format!("{outside:.4}"),
            format!("{:.5}", outside / total),
            calls.to_string(),
            format!("{allocated:.0}"),
        ])
    }
}
