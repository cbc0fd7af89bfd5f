//! The distance to what llama.cpp's own benchmarks do: unique prompt tokens at llama-bench's prefill rate, and reply tokens at
//! llama-batched-bench's decode rate in batches of the same size over as full a cache.

use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;
use widedeep::chat::ChatModel;

use super::ask::{Judge, forget};
use super::page::Page;
use super::setting::{Setting, WIDTH};
use super::spread::Spread;
use super::tree::{self, Recorder};

/// Calls of a layer that write at the same time: each role in both orders.
const TOGETHER: usize = 2 * WIDTH;

/// What an evaluation of all pairs cannot do without.
struct Work {
    /// Distinct prompt tokens.
    tree: usize,
    /// Tokens of replies.
    reply: u64,
    /// Tokens that the cache holds while replies are written, on average over pairs and layers.
    full: usize,
}

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let columns = [
        "repeat",
        "seconds",
        "prefill tokens/s",
        "decode tokens/s",
        "limit seconds",
        "ratio",
    ];
    let mut page = Page::new("limit", setting, &columns);
    let judge = Judge::new(setting.network(WIDTH)?)?;
    let model = setting.load(&setting.config())?;
    let work = measure(setting, &judge, &Recorder::new(model.clone()))?;
    let evaluated = model.stats().prompt_evaluated;
    let mut ratios = Vec::new();
    let mut seconds = Vec::new();
    let mut limits = Vec::new();
    for repeat in 0..setting.repeats {
        let ours = || -> anyhow::Result<f64> {
            let mut total = 0.0;
            forget(&model)?;
            for pair in &setting.pairs {
                total += judge.judge(Arc::new(model.clone()), pair)?.took.as_secs_f64();
            }
            Ok(total)
        };
        let ((took, prefill), decode) = if repeat % 2 == 0 {
            ((ours()?, prefill_rate(setting)?), decode_rate(setting, work.full)?)
        } else {
            let decode = decode_rate(setting, work.full)?;
            let prefill = prefill_rate(setting)?;
            ((ours()?, prefill), decode)
        };
        let limit = work.tree as f64 / prefill + work.reply as f64 / decode;
        page.row(
            [repeat as f64, took, prefill, decode, limit, took / limit]
                .iter()
                .map(|value| format!("{value:.3}"))
                .collect(),
        );
        ratios.push(took / limit);
        seconds.push(took);
        limits.push(limit);
    }
    page.say(&format!(
        "{} pairs, {} unique prompt tokens ({evaluated} evaluated), {} reply tokens (forced text included). Limit: unique prompt tokens / rate of `llama-bench -p 512`, and \
         reply tokens / rate of `llama-batched-bench -npl {TOGETHER} -npp {} -pps`. Medians with least and most of {} repeats, in turns.\n",
        setting.pairs.len(),
        work.tree,
        work.reply,
        work.full,
        setting.repeats
    ));
    page.table(
        &["seconds", "limit, seconds", "ratio"],
        &[vec![
            format!("{:.1}", Spread::of(seconds)),
            format!("{:.1}", Spread::of(limits)),
            format!("{:.2}", Spread::of(ratios)),
        ]],
    );
    Ok(page)
}

fn measure(setting: &Setting, judge: &Judge, recorder: &Arc<Recorder>) -> anyhow::Result<Work> {
    let mut work = Work {
        tree: 0,
        reply: 0,
        full: 0,
    };
    for pair in &setting.pairs {
        let judged = judge.judge(Arc::clone(recorder) as Arc<dyn ChatModel>, pair)?;
        let prompts = recorder.prompts(&recorder.take())?;
        let (first, all) = (tree::tokens(&prompts[..prompts.len() / 2]), tree::tokens(&prompts));
        work.tree += all;
        work.reply += judged.usage.completion;
        work.full += usize::midpoint(first, all);
    }
    work.full /= setting.pairs.len().max(1);
    Ok(work)
}

/// Tokens per second of a prompt, in batches like the engine's.
fn prefill_rate(setting: &Setting) -> anyhow::Result<f64> {
    let threads = setting.threads.to_string();
    let arguments = [
        "-p", "512", "-n", "0", "-b", "512", "-ub", "512", "-r", "1", "-o", "json", "-t", &threads,
    ];
    let said = tool(setting, "llama-bench", &arguments)?;
    let tests: Vec<Value> = serde_json::from_str(said.trim()).context("llama-bench's JSON")?;
    tests[0]["avg_ts"].as_f64().context("llama-bench's `avg_ts`")
}

/// Tokens per second of sequences that write together behind one prompt.
fn decode_rate(setting: &Setting, full: usize) -> anyhow::Result<f64> {
    let (threads, together, full, reply) = (
        setting.threads.to_string(),
        TOGETHER.to_string(),
        full.to_string(),
        setting.evidence.to_string(),
    );
    let arguments = [
        "-c",
        "16384",
        "-b",
        "512",
        "-ub",
        "512",
        "-t",
        &threads,
        "-tb",
        &threads,
        "-npp",
        &full,
        "-ntg",
        &reply,
        "-npl",
        &together,
        "-pps",
        "-kvu",
        "--output-format",
        "jsonl",
    ];
    let said = tool(setting, "llama-batched-bench", &arguments)?;
    let line = said
        .lines()
        .find(|line| line.starts_with('{'))
        .context("llama-batched-bench's line")?;
    let test: Value = serde_json::from_str(line)?;
    test["speed_tg"].as_f64().context("llama-batched-bench's `speed_tg`")
}

/// What one of llama.cpp's programs says about the model.
pub fn tool(setting: &Setting, name: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let program = setting.tools.join(name);
    let output = Command::new(&program)
        .arg("-m")
        .arg(&setting.model)
        .args(arguments)
        .output();
    let output =
        output.with_context(|| format!("failed to run `{}`: run benchmarks/engine/tools.sh", program.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
