//! A whole evaluation with this program's attention and with llama.cpp's; and one call at a time without sharing, as llama.cpp alone would do it.

use std::sync::Arc;

use widedeep::llama::{AttentionKernel, EngineConfig};

use super::alternate::order;
use super::ask::{Judge, forget};
use super::page::Page;
use super::setting::{Setting, WIDTH};
use super::spread::Spread;

const NAMES: [&str; 3] = ["ours", "llama.cpp's", "llama.cpp's, one call at a time, unshared"];

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let columns = ["repeat", "pair", "attention", "seconds", "evaluated", "reply"];
    let mut page = Page::new("attention", setting, &columns);
    let judge = Judge::new(setting.network(WIDTH)?)?;
    let mut models = Vec::new();
    for (attention, config) in [
        (AttentionKernel::Widedeep, setting.config()),
        (AttentionKernel::Ggml, setting.config()),
        (AttentionKernel::Ggml, setting.plain_config()),
    ] {
        models.push(setting.load(&EngineConfig { attention, ..config })?);
    }
    let mut seconds = NAMES.map(|_| vec![0.0; setting.repeats]);
    let mut replies = NAMES.map(|_| 0);
    let mut of_pairs: [Vec<f64>; 3] = NAMES.map(|_| Vec::new());
    #[expect(clippy::needless_range_loop, reason = "the number of a repeat is written down, too")]
    for repeat in 0..setting.repeats {
        for (at, pair) in setting.pairs.iter().enumerate() {
            let mut took = NAMES.map(|_| 0.0);
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
                    NAMES[i].to_owned(),
                    format!("{:.4}", took[i]),
                    (models[i].stats().prompt_evaluated - before.prompt_evaluated).to_string(),
                    judged.usage.completion.to_string(),
                ]);
            }
            for (ratios, one) in of_pairs.iter_mut().zip(took) {
                ratios.push(one / took[0]);
            }
        }
    }
    page.say(&format!(
        "{} pairs, `widedeep` with {WIDTH} fixed roles, 2 orders, 2 layers, {} evidence tokens; {} repeats, in turns. Medians with least and most; *per pair* is over every pair of every repeat. Greedy replies may part at near-ties, \
         after which they differ in length.\n",
        setting.pairs.len(),
        setting.evidence,
        setting.repeats
    ));
    let rows: Vec<Vec<String>> = (0..NAMES.len())
        .map(|i| {
            let ratios = seconds[i].iter().zip(&seconds[0]).map(|(one, ours)| one / ours);
            vec![
                NAMES[i].to_owned(),
                format!("{:.1}", Spread::of(seconds[i].iter().copied())),
                format!("{:.2}", Spread::of(ratios)),
                format!("{:.2}", Spread::of(of_pairs[i].iter().copied())),
                (replies[i] / setting.repeats as u64).to_string(),
            ]
        })
        .collect();
    page.table(
        &["attention", "seconds", "ratio to ours", "per pair", "reply tokens"],
        &rows,
    );
    Ok(page)
}
