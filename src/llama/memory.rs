//! What an engine will need of the machine's memory, and whether it is there.
//!
//! llama.cpp finds out by failing, or the system by swapping or killing; a plan made from the model's dimensions says it before anything is
//! allocated, and what would fit instead.

use super::room::{Room, RoomSource};
use super::{AttentionKernel, EngineConfig, Model, attention};

/// Number format of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvType {
    /// 16-bit floating point.
    #[default]
    F16,
    /// 8-bit integers with a scale per 32: about half of the memory, somewhat slower, slightly different replies. Needs flash attention, which
    /// llama.cpp has for most architectures, and heads whose size is a multiple of 32.
    Q8_0,
}

impl KvType {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            KvType::F16 => "f16",
            KvType::Q8_0 => "q8_0",
        }
    }

    fn bytes(self, values: u64) -> u64 {
        match self {
            KvType::F16 => 2 * values,
            KvType::Q8_0 => 34 * values.div_ceil(32),
        }
    }
}

impl std::str::FromStr for KvType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [KvType::F16, KvType::Q8_0]
            .into_iter()
            .find(|kv| kv.name() == text)
            .ok_or_else(|| "expected `f16` or `q8_0`".to_owned())
    }
}

/// llama.cpp rounds the context up to a multiple of this.
const CELLS: usize = 256;
/// A neuron of ordinary size, for saying how wide a network fits: tokens of the prompt that all share, and of one neuron's role, history and reply.
const SHARED: usize = 1024;
const OWN: usize = 384;

/// What an engine needs, in bytes. Weights and cache are exact for ordinary transformers; the rest is estimated from what llama.cpp allocates for
/// its largest batch, a little too high rather than too low.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPlan {
    /// KV cells for all sequences together.
    pub context: usize,
    /// Their number format.
    pub kv: KvType,
    /// The model's tensors.
    pub weights: u64,
    /// The KV cache.
    pub cache: u64,
    /// Intermediate results of a batch, logits, attention mask and sums.
    pub compute: u64,
    /// What one more cell takes, in cache and mask.
    per_cell: u64,
}

/// The numbers of a model that decide about memory.
struct Dimensions {
    weights: u64,
    /// Values per token in the cache, over all layers.
    values: u64,
    /// Values of a head.
    value: u64,
    vocabulary: u64,
    embedding: u64,
    feed_forward: u64,
    /// One attention mask, and another for layers with a sliding window.
    masks: u64,
}

impl MemoryPlan {
    /// The plan for an engine that is not started yet.
    pub fn new(model: &Model, config: &EngineConfig) -> Self {
        Self::of(&Dimensions::of(model), config.cells(model), config)
    }

    fn of(dimensions: &Dimensions, context: usize, config: &EngineConfig) -> Self {
        let context = context.next_multiple_of(CELLS);
        let (batch, sequences) = (config.batch as u64, config.sequences() as u64);
        let mask = 2 * batch * dimensions.masks;
        let sums = match (config.kv, config.attention) {
            (KvType::F16, AttentionKernel::Widedeep) => {
                attention::memory_per_cell(config.threads.ceiling(), dimensions.value)
            }
            _ => 0,
        };
        // Logits stand in the graph's buffer and in the output buffer.
        let logits = 2 * 4 * sequences * dimensions.vocabulary;
        let activations = 4 * batch * 2 * (dimensions.embedding + dimensions.feed_forward);
        Self {
            context,
            kv: config.kv,
            weights: dimensions.weights,
            cache: config.kv.bytes(dimensions.values) * context as u64,
            compute: logits + activations + (mask + sums) * context as u64,
            per_cell: config.kv.bytes(dimensions.values) + mask + sums,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.cache + self.compute
    }

    /// The largest context with which the engine would need no more than `limit` bytes; nothing if none does.
    pub fn largest_context(&self, limit: u64) -> Option<usize> {
        let fixed = self.total() - self.per_cell * self.context as u64;
        let cells = limit.checked_sub(fixed)? / self.per_cell.max(1);
        let cells = usize::try_from(cells).unwrap_or(usize::MAX) / CELLS * CELLS;
        (cells > 0).then_some(cells)
    }

    /// How many neurons fit in a context of so many tokens at the same time, when their prompts begin with `shared` common tokens and each takes `own` more
    /// for its role, its history and its reply.
    pub fn width(context: usize, shared: usize, own: usize) -> usize {
        context.saturating_sub(shared) / own.max(1)
    }

    /// Checks the plan against what there is.
    pub(super) fn check(&self, room: &Room) -> Result<(), Shortage> {
        if self.total() <= room.bytes {
            return Ok(());
        }
        Err(Shortage {
            plan: self.clone(),
            room: room.clone(),
            largest_context: self.largest_context(room.bytes),
        })
    }
}

impl std::fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({} of weights, {} for a cache of {} tokens in {}, {} to work in)",
            size(self.total()),
            size(self.weights),
            size(self.cache),
            self.context,
            self.kv.name(),
            size(self.compute)
        )
    }
}

/// An engine that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// What it needs.
    pub plan: MemoryPlan,
    /// What there is.
    pub room: Room,
    /// The largest context that would fit, if any does.
    pub largest_context: Option<usize>,
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let there = match self.room.source {
            RoomSource::Machine => "are available on this machine",
            RoomSource::ControlGroup => "are left in this process's control group",
            RoomSource::Configured => "are allowed by `--memory-limit`",
        };
        write!(
            f,
            "the model needs {}, but {} {there}; ",
            self.plan,
            size(self.room.bytes)
        )?;
        match self.largest_context {
            Some(context) => {
                let width = MemoryPlan::width(context, SHARED, OWN);
                write!(
                    f,
                    "the largest cache that fits is `--context {context}`, room for {width} neurons at once with {OWN} tokens each beside {SHARED} shared ones"
                )?;
                match self.plan.kv {
                    KvType::F16 => write!(f, " (`--kv q8_0` halves the cache)"),
                    KvType::Q8_0 => Ok(()),
                }
            }
            None => write!(f, "no context fits: take a smaller model or quantisation"),
        }
    }
}

/// Whether a model's cache can be kept in a format; if not, why.
pub(super) fn supported(model: &Model, kv: KvType) -> Result<(), String> {
    if kv == KvType::F16 {
        return Ok(());
    }
    if model.architecture() == "grok" {
        return Err("llama.cpp has no flash attention for `grok`".to_owned());
    }
    let (key, value) = heads(model);
    match [key, value].into_iter().find(|size| size % 32 != 0) {
        Some(size) => Err(format!("its heads have {size} values, which is no multiple of 32")),
        None => Ok(()),
    }
}

/// Values per head: keys, values.
fn heads(model: &Model) -> (u64, u64) {
    let number = |name: &str| model.hyperparameter(name)?.parse::<u64>().ok();
    let even = u64::try_from(model.inner.n_embd()).unwrap_or(0) / u64::from(model.inner.n_head().max(1));
    (
        number("attention.key_length").unwrap_or(even),
        number("attention.value_length").unwrap_or(even),
    )
}

impl Dimensions {
    fn of(model: &Model) -> Self {
        let inner = &model.inner;
        let field = |name: &str| model.hyperparameter(name);
        let layers = u64::from(inner.n_layer());
        let embedding = u64::try_from(inner.n_embd()).unwrap_or(0);
        let (key, value) = heads(model);
        // One number, or one per layer.
        let heads = match field("attention.head_count_kv").map(|text| list(&text)) {
            Some(heads) if heads.len() > 1 => heads.iter().sum(),
            _ => layers * u64::from(inner.n_head_kv()),
        };
        Self {
            weights: inner.size(),
            values: heads * (key + value),
            value,
            vocabulary: u64::try_from(inner.n_vocab()).unwrap_or(0),
            embedding,
            feed_forward: field("feed_forward_length").map_or(0, |text| list(&text).into_iter().max().unwrap_or(0)),
            masks: 1 + u64::from(field("attention.sliding_window").is_some()),
        }
    }
}

/// `[4, 8, 8]` or `4` as numbers.
fn list(text: &str) -> Vec<u64> {
    text.trim_matches(['[', ']'])
        .split(',')
        .filter_map(|number| number.trim().parse().ok())
        .collect()
}

fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 {
        format!("{mib:.0} MiB")
    } else {
        format!("{:.1} GiB", mib / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const MIB: u64 = 1 << 20;

    /// SmolLM2-135M; llama.cpp allocates 90 MiB (f16) or 47.81 MiB (q8_0) of cache for 4,096 tokens.
    const SMOLLM2: Dimensions = Dimensions {
        weights: 92 * MIB,
        values: 30 * 2 * 192,
        value: 64,
        vocabulary: 49152,
        embedding: 576,
        feed_forward: 1536,
        masks: 1,
    };

    #[test]
    fn the_cache_is_as_large_as_llama_cpp_makes_it() {
        let config = EngineConfig::default();
        let plan = MemoryPlan::of(&SMOLLM2, 4000, &config);
        assert_eq!((plan.context, plan.cache), (4096, 90 * MIB));
        let config = EngineConfig {
            kv: KvType::Q8_0,
            ..config
        };
        let plan = MemoryPlan::of(&SMOLLM2, 4096, &config);
        assert_eq!(plan.cache, 4096 * 34 * 30 * 2 * 192 / 32);
        assert_eq!(size(plan.cache), "48 MiB");
    }

    #[test]
    fn the_largest_context_fits_and_the_next_larger_does_not() {
        let config = EngineConfig::default();
        for kv in [KvType::F16, KvType::Q8_0] {
            let config = EngineConfig { kv, ..config.clone() };
            for limit in [200 * MIB, 333 * MIB, 4096 * MIB] {
                let context = MemoryPlan::of(&SMOLLM2, 8192, &config).largest_context(limit).unwrap();
                assert!(MemoryPlan::of(&SMOLLM2, context, &config).total() <= limit);
                assert!(MemoryPlan::of(&SMOLLM2, context + CELLS, &config).total() > limit);
            }
            assert_eq!(MemoryPlan::of(&SMOLLM2, 8192, &config).largest_context(90 * MIB), None);
        }
    }

    #[test]
    fn a_shortage_says_what_would_fit() {
        let plan = MemoryPlan::of(&SMOLLM2, 16384, &EngineConfig::default());
        let room = Room {
            bytes: 300 * MIB,
            source: RoomSource::Configured,
        };
        let shortage = plan.check(&room).unwrap_err().to_string();
        let context = plan.largest_context(room.bytes).unwrap();
        for part in [
            "300 MiB",
            "360 MiB",
            "`--context ",
            &context.to_string(),
            "neurons",
            "q8_0",
        ] {
            assert!(shortage.contains(part), "{part}: {shortage}");
        }
        assert!(
            plan.check(&Room {
                bytes: 1024 * MIB,
                ..room
            })
            .is_ok()
        );
    }

    #[test]
    fn width_counts_what_each_neuron_adds_to_the_shared_text() {
        assert_eq!(MemoryPlan::width(4096, 1024, 384), 8);
        assert_eq!(MemoryPlan::width(512, 1024, 384), 0);
    }

    #[test]
    fn a_number_per_layer_is_read_like_one_for_all() {
        assert_eq!(list("[4, 8,8]"), [4, 8, 8]);
        assert_eq!(list("4"), [4]);
    }
}
