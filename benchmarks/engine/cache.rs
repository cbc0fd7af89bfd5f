//! The cache in f16 and in q8_0.

use std::sync::Arc;

use widedeep::llama::{EngineConfig, KvType, MemoryPlan};

use super::alternate::order;
use super::ask::{Judge, agreeing, forget};
use super::page::Page;
use super::setting::{Setting, WIDTH};
use super::spread::Spread;

const FORMATS: [KvType; 2] = [KvType::F16, KvType::Q8_0];

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let mut page = Page::new("cache", setting, &["repeat", "pair", "cache", "seconds"]);
    let judge = Judge::new(setting.network(WIDTH)?)?;
    let configs = FORMATS.map(|kv| EngineConfig { kv, ..setting.config() });
    let models = configs
        .iter()
        .map(|config| setting.load(config))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut seconds = vec![vec![0.0; setting.repeats]; FORMATS.len()];
    let (mut same, mut opinions) = (0, 0);
    #[expect(clippy::needless_range_loop, reason = "the number of a repeat is written down, too")]
    for repeat in 0..setting.repeats {
        for (at, pair) in setting.pairs.iter().enumerate() {
            let mut judged = [None, None];
            for i in order(FORMATS.len(), repeat + at) {
                forget(&models[i])?;
                let one = judge.judge(Arc::new(models[i].clone()), pair)?;
                seconds[i][repeat] += one.took.as_secs_f64();
                page.row(vec![
                    repeat.to_string(),
                    pair.index.to_string(),
                    FORMATS[i].name().to_owned(),
                    format!("{:.4}", one.took.as_secs_f64()),
                ]);
                judged[i] = Some(one);
            }
            if let [Some(half), Some(eight)] = &judged {
                same += agreeing(&half.scores, &eight.scores);
                opinions += half.scores.len();
            }
        }
    }
    page.say(&format!(
        "{} pairs, `widedeep` with {WIDTH} fixed roles, 2 orders, 2 layers, {} evidence tokens; {} repeats, in turns. {same} of {opinions} opinions have the same two scores.\n",
        setting.pairs.len(),
        setting.evidence,
        setting.repeats
    ));
    let rows: Vec<Vec<String>> = FORMATS
        .iter()
        .enumerate()
        .map(|(i, format)| {
            let ratio = seconds[i].iter().zip(&seconds[0]).map(|(one, half)| one / half);
            vec![
                format.name().to_owned(),
                format!("{:.1}", Spread::of(seconds[i].iter().copied())),
                format!("{:.2}", Spread::of(ratio)),
                MemoryPlan::new(models[i].engine().model(), &configs[i]).to_string(),
            ]
        })
        .collect();
    page.table(&["cache", "seconds", "ratio", "memory"], &rows);
    Ok(page)
}
