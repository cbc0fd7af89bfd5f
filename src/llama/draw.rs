//! How the next token of free text is found in the model's distribution.

use std::num::NonZeroU16;

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use super::Token;
use super::nucleus::Nucleus;
use super::sequence::Sampling;

/// A sequence's way to draw.
#[derive(Debug)]
pub(super) struct Draw(Option<Sampler>);

#[derive(Debug)]
struct Sampler {
    /// The mass of the nucleus, where it alone narrows the choice.
    top_p: Option<f32>,
    /// The rest, and the state of its random numbers.
    chain: LlamaSampler,
}

/// What drawing works on, kept from token to token: lists that may have the size of the vocabulary.
#[derive(Debug)]
pub(super) struct Candidates {
    nucleus: Nucleus,
    tokens: LlamaTokenDataArray,
}

impl Candidates {
    pub(super) fn new() -> Self {
        Self {
            nucleus: Nucleus::default(),
            tokens: LlamaTokenDataArray::new(Vec::new(), false),
        }
    }
}

impl Draw {
    pub(super) fn new(sampling: Sampling) -> Self {
        Self((sampling.temperature > 0.0).then(|| {
            // llama.cpp's seed has 32 bits; fold the 64, so that both halves count.
            let seed = u32::try_from((sampling.seed ^ (sampling.seed >> 32)) & u64::from(u32::MAX)).unwrap_or(0);
            let top_p = (sampling.top_k.is_none() && sampling.top_p < 1.0).then_some(sampling.top_p);
            let top_k = sampling
                .top_k
                .map(|top_k: NonZeroU16| LlamaSampler::top_k(top_k.get().into()));
            let after_top_k = top_p.is_none().then(|| LlamaSampler::top_p(sampling.top_p, 1));
            let rest = [LlamaSampler::temp(sampling.temperature), LlamaSampler::dist(seed)];
            Sampler {
                top_p,
                chain: LlamaSampler::chain_simple(top_k.into_iter().chain(after_top_k).chain(rest)),
            }
        }))
    }

    /// The next token; without a temperature the most probable one, the first of equal ones.
    pub(super) fn next(&mut self, logits: &[f32], candidates: &mut Candidates) -> Token {
        let token = |i: usize| LlamaToken(i32::try_from(i).unwrap_or(i32::MAX));
        let best = (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
        let Some(Sampler { top_p, chain }) = &mut self.0 else {
            return token(best);
        };
        let Candidates { nucleus, tokens: all } = candidates;
        let data = |i: usize| LlamaTokenData::new(token(i), logits[i], 0.0);
        all.data.clear();
        match *top_p {
            Some(top_p) => all
                .data
                .extend(nucleus.of(logits, best, top_p).iter().copied().map(data)),
            None => all.data.extend((0..logits.len()).map(data)),
        }
        all.sorted = top_p.is_some();
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
    fn a_nucleus_is_drawn_from_as_by_llama_cpp() {
        let draw = |top_k: Option<u16>| {
            let mut candidates = Candidates::new();
            let mut draw = Draw::new(Sampling {
                temperature: 0.7,
                top_p: 0.9,
                top_k: top_k.and_then(NonZeroU16::new),
                seed: 3,
            });
            let mut drawn = Vec::new();
            for nth in 0..500_u16 {
                let logits: Vec<f32> = (0..1009_u16)
                    .map(|i| f32::from((i * 37 + nth * 11) % 1009) / 80.0)
                    .collect();
                drawn.push(draw.next(&logits, &mut candidates).0);
            }
            drawn
        };
        let ours = draw(None);
        // With a top-k that leaves all tokens llama.cpp finds the nucleus.
        assert_eq!(ours, draw(Some(1009)));
        assert!(
            ours.iter().collect::<std::collections::HashSet<_>>().len() > 50,
            "{ours:?}"
        );
    }
}
