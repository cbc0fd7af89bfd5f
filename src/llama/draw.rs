//! How the next token of free text is found in the model's distribution.

use std::num::NonZeroU16;

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use super::Token;
use super::sequence::Sampling;

/// How far below the most probable token's logit a token may lie and still be drawn from: it has at most e^-25 = 1.4e-11 of that token's probability, and all
/// 262,144 of the largest vocabularies together less than 4e-6. Temperatures above 1 widen it. Samplers otherwise take an exponential for every token of the
/// vocabulary, which is most of what drawing costs.
const NEGLIGIBLE: f32 = 25.0;

/// A sequence's way to draw: its sampler has the state of its random numbers.
#[derive(Debug)]
pub(super) struct Draw(Option<Sampler>);

#[derive(Debug)]
struct Sampler {
    chain: LlamaSampler,
    /// Logits below the largest one that still count.
    reach: f32,
}

/// The list of tokens that samplers work on, kept from token to token: it may grow to the size of the vocabulary.
#[derive(Debug)]
pub(super) struct Candidates(LlamaTokenDataArray);

impl Candidates {
    pub(super) fn new() -> Self {
        Self(LlamaTokenDataArray::new(Vec::new(), false))
    }
}

impl Draw {
    pub(super) fn new(sampling: Sampling) -> Self {
        Self((sampling.temperature > 0.0).then(|| {
            // llama.cpp's seed has 32 bits; fold the 64, so that both halves count.
            let seed = u32::try_from((sampling.seed ^ (sampling.seed >> 32)) & u64::from(u32::MAX)).unwrap_or(0);
            let top_k = sampling
                .top_k
                .map(|top_k: NonZeroU16| LlamaSampler::top_k(top_k.get().into()));
            let rest = [
                LlamaSampler::top_p(sampling.top_p, 1),
                LlamaSampler::temp(sampling.temperature),
                LlamaSampler::dist(seed),
            ];
            Sampler {
                chain: LlamaSampler::chain_simple(top_k.into_iter().chain(rest)),
                reach: NEGLIGIBLE
                    * if sampling.temperature > 1.0 {
                        sampling.temperature
                    } else {
                        1.0
                    },
            }
        }))
    }

    /// The next token; without a temperature the most probable one, the first of equal ones.
    pub(super) fn next(&mut self, logits: &[f32], candidates: &mut Candidates) -> Token {
        let token = |i: usize| LlamaToken(i32::try_from(i).unwrap_or(i32::MAX));
        let best = (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
        let Some(Sampler { chain, reach }) = &mut self.0 else {
            return token(best);
        };
        let least = logits.get(best).map_or(f32::NEG_INFINITY, |most| most - *reach);
        let Candidates(all) = candidates;
        all.data.clear();
        let near = logits
            .iter()
            .enumerate()
            .filter(|(i, logit)| *i == best || **logit >= least);
        all.data
            .extend(near.map(|(i, &logit)| LlamaTokenData::new(token(i), logit, 0.0)));
        all.sorted = false;
        all.selected = None;
        chain.apply(all);
        // `dist` always selects one; the most probable token is the fallback that keeps this total.
        all.selected_token().unwrap_or(token(best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(temperature: f32, seed: u64) -> Vec<i32> {
        let mut draw = Draw::new(Sampling {
            temperature,
            top_p: 0.9,
            top_k: NonZeroU16::new(3),
            seed,
        });
        let mut candidates = Candidates::new();
        // A short list after a long one: what is left of the latter must not count.
        let long: Vec<f32> = (0..50).map(|i: u8| f32::from(i)).collect();
        let short = [0.0, 1.0, 1.0, -3.0];
        (0..40)
            .map(|nth| draw.next(if nth % 2 == 0 { &long } else { &short }, &mut candidates).0)
            .collect()
    }

    #[test]
    fn tokens_come_from_the_distribution_at_hand() {
        assert!(drawn(0.0, 1).chunks(2).all(|pair| pair == [49, 1]));
        let some = drawn(1.0, 1);
        assert!(some.iter().step_by(2).all(|token| (47..50).contains(token)), "{some:?}");
        assert!(
            some.iter().skip(1).step_by(2).all(|token| (0..3).contains(token)),
            "{some:?}"
        );
        assert!(some.contains(&1) && some.contains(&2), "{some:?}");
        assert_eq!(some, drawn(1.0, 1));
        assert_ne!(some, drawn(1.0, 2));
        assert_ne!(drawn(1.0, 0), drawn(1.0, 1 << 32), "the upper half of a seed counts");
    }

    #[test]
    fn only_negligible_tokens_are_left_out() {
        let draw = |temperature: f32, logits: &[f32]| {
            let mut candidates = Candidates::new();
            let mut draw = Draw::new(Sampling {
                temperature,
                top_p: 1.0,
                top_k: None,
                seed: 3,
            });
            let tokens: Vec<i32> = (0..2000).map(|_| draw.next(logits, &mut candidates).0).collect();
            (candidates.0.data.len(), tokens)
        };
        // 24 below the first is considered and 26 below is not; at temperature 2 both are.
        let logits = [30.0, 29.0, 6.0, 4.0];
        let (kept, tokens) = draw(1.0, &logits);
        assert_eq!(kept, 3);
        let share = tokens.iter().filter(|&&token| token == 1).count() as f64 / tokens.len() as f64;
        // e^-1 / (1 + e^-1) = 0.269, within four standard deviations.
        assert!((share - 0.269).abs() < 0.04, "{share}");
        assert_eq!(draw(2.0, &logits).0, 4);
        // Without numbers there is a token all the same.
        assert_eq!(draw(1.0, &[f32::NAN, f32::NAN]).1[0], 0);
    }
}
