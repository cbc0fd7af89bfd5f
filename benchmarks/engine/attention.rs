//! A whole evaluation with this program's attention and with llama.cpp's.

use std::sync::Arc;

use widedeep::llama::{AttentionKernel, EngineConfig};

use super::alternate::order;
use super::ask::{Judge, forget};
use super::page::Page;
use super::setting::{Setting, WIDTH};
use super::spread::Spread;

const KERNELS: [(AttentionKernel, &str); 2] = [
    (AttentionKernel::Widedeep, "ours"),
    (AttentionKernel::Ggml, "llama.cpp's"),
];

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let columns = ["repeat", "pair", "attention", "seconds", "evaluated", "reply"];
    let mut page = Page::new("attention", setting, &columns);
    let judge = Judge::new(setting.network(WIDTH)?)?;
    let mut models = Vec::new();
    for (attention, _) in KERNELS {
        models.push(setting.load(&EngineConfig {
            attention,
            ..setting.config()
        })?);
    }
    let mut seconds = [vec![0.0; setting.repeats], vec![0.0; setting.repeats]];
    let mut replies = [0; 2];
    let mut of_pairs = Vec::new();
    #[expect(clippy::needless_range_loop, reason = "the number of a repeat is written down, too")]
    for repeat in 0..setting.repeats {
        for (at, pair) in setting.pairs.iter().enumerate() {
            let mut took = [0.0; 2];
            for i in order(models.len(), repeat + at) {
                forget(&models[i])?;
                let before = models[i].stats();
                let judged = judge.judge(Arc::new(models[i].clone()), pair)?;
                took[i] = judged.took.as_secs_f64();
                seconds[i][repeat] += took[i];
                replies[i] += judged.usage.completion;
                page.row(vec![
                    repeat.to_string(),
                    pair.index.to_string(),
                    KERNELS[i].1.to_owned(),
                    format!("{:.4}", took[i]),
                    (models[i].stats().prompt_evaluated - before.prompt_evaluated).to_string(),
                    judged.usage.completion.to_string(),
                ]);
            }
            of_pairs.push(took[1] / took[0]);
        }
    }
    page.say(&format!(
        "{} pairs, `widedeep` with {WIDTH} fixed roles, 2 orders, 2 layers, {} evidence tokens; {} repeats, in turns. Medians with least and most. Greedy replies may part at near-ties, \
         after which they differ in length.\n",
        setting.pairs.len(),
        setting.evidence,
        setting.repeats
    ));
    let rows: Vec<Vec<String>> = (0..KERNELS.len())
        .map(|i| {
            let ratios = seconds[i].iter().zip(&seconds[0]).map(|(one, ours)| one / ours);
            vec![
                KERNELS[i].1.to_owned(),
                format!("{:.1}", Spread::of(seconds[i].iter().copied())),
                format!("{:.2}", Spread::of(ratios)),
                (replies[i] / setting.repeats as u64).to_string(),
            ]
        })
        .collect();
    page.table(&["attention", "seconds", "ratio to ours", "reply tokens"], &rows);
    page.say(&format!("Per pair, of every repeat: {:.2}.\n", Spread::of(of_pairs)));
    Ok(page)
}
