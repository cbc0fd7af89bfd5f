//! Whether greedy replies are the same with and without sharing, over the prompts of a network's layers.

use std::sync::Arc;

use llama_cpp_2::token::LlamaToken;
use widedeep::chat::{ChatModel, Reply, Request};
use widedeep::llama::{Block, Predicted, Reads, Reducer, Tap, TapConfig};
use widedeep::pair::Pair;

use super::ask::Judge;
use super::page::{Page, note};
use super::setting::{Setting, WIDTH, characters};
use super::tree::Recorder;

/// Prompts that are compared at the least.
const PROMPTS: usize = 200;
/// Longer pairs take the unshared side long.
const LONGEST: usize = 900;

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let columns = [
        "pair",
        "call",
        "tokens in common",
        "shared goes on",
        "unshared goes on",
        "logit gap",
        "rank 1",
        "likeliest",
    ];
    let mut page = Page::new("same", setting, &columns);
    let judge = Judge::new(setting.network(WIDTH)?)?;
    let shared = Recorder::new(setting.load(&setting.config())?);
    let plain = setting.load(&setting.plain_config())?;
    let mut tap = Tap::new(shared.inner.engine().model(), &TapConfig::default())?;
    let (mut prompts, mut pairs, mut differences) = (0, 0, Vec::new());
    for pair in chosen(&setting.benchmark) {
        if prompts >= PROMPTS {
            break;
        }
        // What the network asks is what is asked again: layer 2's prompts hold the replies of layer 1.
        judge.judge(Arc::clone(&shared) as Arc<dyn ChatModel>, pair)?;
        let requests = shared.take();
        let with = replies(&judge, &shared.inner, &requests)?;
        let without = replies(&judge, &plain, &requests)?;
        for (call, ((request, with), without)) in requests.iter().zip(&with).zip(&without).enumerate() {
            if with.text == without.text {
                continue;
            }
            let prompt = shared.prompts(std::slice::from_ref(request))?.remove(0);
            let fork = Fork::find(&mut tap, &prompt, &with.text, &without.text)?;
            page.row(vec![
                pair.index.to_string(),
                call.to_string(),
                fork.common.to_string(),
                format!("{:?}", fork.goes_on[0]),
                format!("{:?}", fork.goes_on[1]),
                format!("{:.4}", fork.gap),
                format!("{:.4}", fork.lead),
                format!("{}", fork.is_between_the_likeliest),
            ]);
            differences.push(fork);
        }
        prompts += requests.len();
        pairs += 1;
        note(&format!("{prompts} prompts, {} differences", differences.len()));
    }
    page.say(&format!(
        "{prompts} prompts of {pairs} pairs (`widedeep`, {WIDTH} fixed roles, 2 orders, 2 layers, {} evidence tokens, greedy), answered once in one shared cache with all calls of a layer \
         in common batches, once one at a time in an empty one. {} replies are the same to the byte, {} differ.\n",
        setting.evidence,
        prompts - differences.len(),
        differences.len()
    ));
    if !differences.is_empty() {
        page.say(
            "For every difference: the two tokens with which the replies go on, and the gap between their logits after the common beginning, read alone. A gap near \
             zero is a tie that the shape of the batch decides: llama.cpp adds in another order for another shape.\n",
        );
        let rows: Vec<Vec<String>> = differences
            .iter()
            .map(|fork| {
                vec![
                    fork.common.to_string(),
                    format!("`{}`", fork.goes_on[0].escape_debug()),
                    format!("`{}`", fork.goes_on[1].escape_debug()),
                    format!("{:.4}", fork.gap),
                    if fork.is_between_the_likeliest { "yes" } else { "no" }.to_owned(),
                ]
            })
            .collect();
        page.table(
            &[
                "reply tokens in common",
                "shared",
                "unshared",
                "logit gap",
                "the two likeliest",
            ],
            &rows,
        );
        let largest = differences
            .iter()
            .map(|fork| fork.gap)
            .max_by(f32::total_cmp)
            .unwrap_or(0.0);
        page.say(&format!("Largest gap: {largest:.4}.\n"));
    }
    Ok(page)
}

/// Every tenth pair that is not long, over all datasets.
fn chosen(pairs: &[Pair]) -> impl Iterator<Item = &Pair> {
    pairs
        .iter()
        .filter(|pair| (1..=LONGEST).contains(&characters(pair)))
        .step_by(61)
}

fn replies(judge: &Judge, model: &dyn ChatModel, requests: &[Request]) -> anyhow::Result<Vec<Reply>> {
    let replies = judge.runtime.block_on(model.reply_all(requests.to_vec()));
    Ok(replies.into_iter().collect::<Result<_, _>>()?)
}

/// Where two replies part.
struct Fork {
    /// Tokens of the reply that are the same.
    common: usize,
    /// The token with which each goes on.
    goes_on: [String; 2],
    /// Between the logits of the two.
    gap: f32,
    /// Of the likeliest token over the second.
    lead: f32,
    /// Whether no other token is likelier than the two.
    is_between_the_likeliest: bool,
}

impl Fork {
    fn find(tap: &mut Tap<'_>, prompt: &[i32], with: &str, without: &str) -> anyhow::Result<Self> {
        let model = tap.model();
        let begins = model.tokens("").len();
        let tokens = |text: &str| model.tokens(text).split_off(begins);
        let (with, without) = (tokens(with), tokens(without));
        let common = with
            .iter()
            .zip(&without)
            .take_while(|(one, other)| one == other)
            .count();
        let end = LlamaToken(-1);
        let next = [&with, &without].map(|reply| reply.get(common).copied().unwrap_or(end));
        let mut text: Vec<LlamaToken> = prompt.iter().map(|&token| LlamaToken(token)).collect();
        text.extend(&with[..common]);
        let mut last = Last::default();
        tap.read(&text, 0, &mut last)?;
        let logit = |token: LlamaToken| usize::try_from(token.0).ok().and_then(|i| last.logits.get(i)).copied();
        let [one, other] = next.map(logit);
        let mut sorted = last.logits.clone();
        sorted.sort_by(|one, other| other.total_cmp(one));
        let second = sorted.get(1).copied().unwrap_or(f32::NEG_INFINITY);
        Ok(Self {
            common,
            goes_on: next.map(|token| {
                if token == end {
                    "(the end)".to_owned()
                } else {
                    String::from_utf8_lossy(&model.bytes(token)).into_owned()
                }
            }),
            gap: one.zip(other).map_or(f32::NAN, |(one, other)| (one - other).abs()),
            lead: sorted.first().copied().unwrap_or(f32::NAN) - second,
            is_between_the_likeliest: one
                .zip(other)
                .is_some_and(|(one, other)| one >= second && other >= second),
        })
    }
}

/// The logits after the last token of a text.
#[derive(Default)]
struct Last {
    logits: Vec<f32>,
}

impl Reducer for Last {
    fn reads(&self) -> Reads {
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {}

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        if predicted.next.is_none() {
            self.logits = predicted.logits.to_vec();
        }
    }
}
