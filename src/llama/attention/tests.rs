//! Operations computed through ggml, against the definition in double precision.

use std::ptr::NonNull;

use half::f16;
use llama_cpp_sys_2 as sys;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{AttentionKernel, offered, with_threads};

/// Sizes of an operation, and its mask.
#[derive(Debug, Clone)]
struct Case {
    key: usize,
    value: usize,
    query_heads: usize,
    key_heads: usize,
    cells: usize,
    /// For each token, the cells that it sees.
    seen: Vec<Vec<bool>>,
}

/// Numbers of a case: rows × heads × values, as a cache has them.
struct Numbers {
    q: Vec<f32>,
    k: Vec<f16>,
    v: Vec<f16>,
}

impl Case {
    fn smollm(cells: usize, seen: Vec<Vec<bool>>) -> Self {
        Self {
            key: 64,
            value: 64,
            query_heads: 9,
            key_heads: 3,
            cells,
            seen,
        }
    }

    fn tokens(&self) -> usize {
        self.seen.len()
    }

    fn numbers(&self, seed: u64) -> Numbers {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut halves = |count: usize| {
            (0..count)
                .map(|_| f16::from_f32(random.random_range(-1.5..1.5)))
                .collect()
        };
        let (k, v) = (
            halves(self.cells * self.key_heads * self.key),
            halves(self.cells * self.key_heads * self.value),
        );
        let q = (0..self.tokens() * self.query_heads * self.key)
            .map(|_| random.random_range(-2.0..2.0f32))
            .collect();
        Numbers { q, k, v }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.key as f32).sqrt()
    }

    /// softmax(scale · Q Kᵀ + mask) V, token × head × value.
    fn expected(&self, numbers: &Numbers) -> Vec<f64> {
        let mut result = Vec::new();
        for (token, seen) in self.seen.iter().enumerate() {
            for head in 0..self.query_heads {
                let key_head = head / (self.query_heads / self.key_heads);
                let q = &numbers.q[(token * self.query_heads + head) * self.key..][..self.key];
                let weights: Vec<(usize, f64)> = (0..self.cells)
                    .filter(|&cell| seen[cell])
                    .map(|cell| {
                        let k = &numbers.k[(cell * self.key_heads + key_head) * self.key..][..self.key];
                        let dot: f64 = q.iter().zip(k).map(|(q, k)| f64::from(*q) * k.to_f64()).sum();
                        (cell, (dot * f64::from(self.scale())).exp())
                    })
                    .collect();
                let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
                for at in 0..self.value {
                    let sum: f64 = weights
                        .iter()
                        .map(|(cell, weight)| {
                            weight * numbers.v[(cell * self.key_heads + key_head) * self.value + at].to_f64()
                        })
                        .sum();
                    result.push(if total > 0.0 { sum / total } else { 0.0 });
                }
            }
        }
        result
    }

    /// The operation over tensors that ggml has made, as llama.cpp lays them out.
    fn with_operation<T>(
        &self,
        numbers: &Numbers,
        other: &Other,
        then: impl FnOnce(&mut sys::ggml_tensor, NonNull<sys::ggml_context>) -> T,
    ) -> T {
        let n = |n: usize| i64::try_from(n).expect("small");
        // SAFETY: ggml's own constructors; the tensors' data lie in the context's memory, of as many numbers as are copied there, and the context outlives
        // `then`.
        unsafe {
            let context = sys::ggml_init(sys::ggml_init_params {
                mem_size: 64 << 20,
                mem_buffer: std::ptr::null_mut(),
                no_alloc: false,
            });
            let tensor = |kind, a, b, c| sys::ggml_new_tensor_4d(context, kind, n(a), n(b), n(c), 1);
            let q = tensor(sys::GGML_TYPE_F32, self.key, self.query_heads, self.tokens());
            let k = tensor(other.cache, self.key, self.key_heads, self.cells);
            let v = tensor(other.cache, self.value, self.key_heads, self.cells);
            let mask = tensor(sys::GGML_TYPE_F16, self.cells, self.tokens(), 1);
            std::slice::from_raw_parts_mut((*q).data.cast::<f32>(), numbers.q.len()).copy_from_slice(&numbers.q);
            if other.cache == sys::GGML_TYPE_F16 {
                std::slice::from_raw_parts_mut((*k).data.cast::<f16>(), numbers.k.len()).copy_from_slice(&numbers.k);
                std::slice::from_raw_parts_mut((*v).data.cast::<f16>(), numbers.v.len()).copy_from_slice(&numbers.v);
            }
            let masks = std::slice::from_raw_parts_mut((*mask).data.cast::<f16>(), self.cells * self.tokens());
            for (to, seen) in masks.iter_mut().zip(self.seen.iter().flatten()) {
                *to = if *seen { f16::ZERO } else { f16::NEG_INFINITY };
            }
            let [q, k, v] = [q, k, v].map(|tensor| sys::ggml_permute(context, tensor, 0, 2, 1, 3));
            let op = sys::ggml_flash_attn_ext(context, q, k, v, mask, self.scale(), other.slope, other.cap);
            if other.sinks {
                sys::ggml_flash_attn_ext_add_sinks(op, tensor(sys::GGML_TYPE_F32, self.query_heads, 1, 1));
            }
            let result = then(&mut *op, NonNull::new(context).expect("memory for tensors"));
            sys::ggml_free(context);
            result
        }
    }

    /// The result of this back end on so many threads.
    fn computed(&self, numbers: &Numbers, threads: usize) -> Vec<f32> {
        self.with_operation(numbers, &Other::default(), |op, context| {
            let backend = Backend::new(threads);
            // SAFETY: a graph of one operation, whose tensors have memory; the result has as many numbers as ggml says.
            unsafe {
                let graph = sys::ggml_new_graph(context.as_ptr());
                sys::ggml_build_forward_expand(graph, op);
                assert_eq!(
                    sys::ggml_backend_graph_compute(backend.0, graph),
                    sys::GGML_STATUS_SUCCESS
                );
                let len = self.tokens() * self.query_heads * self.value;
                std::slice::from_raw_parts(op.data.cast::<f32>(), len).to_vec()
            }
        })
    }

    fn check(&self) {
        let numbers = self.numbers(7);
        let expected = self.expected(&numbers);
        for threads in [1, 3] {
            let computed = self.computed(&numbers, threads);
            assert_eq!(computed.len(), expected.len());
            for (i, (computed, expected)) in computed.iter().zip(&expected).enumerate() {
                assert!(
                    (f64::from(*computed) - expected).abs() < 2e-6,
                    "number {i} on {threads} threads: {computed}, not {expected}"
                );
            }
        }
    }
}

/// What this back end does not do.
struct Other {
    cache: sys::ggml_type,
    slope: f32,
    cap: f32,
    sinks: bool,
}

impl Default for Other {
    fn default() -> Self {
        Self {
            cache: sys::GGML_TYPE_F16,
            slope: 0.0,
            cap: 0.0,
            sinks: false,
        }
    }
}

struct Backend(sys::ggml_backend_t);

impl Backend {
    fn new(threads: usize) -> Self {
        crate::llama::model::backend().expect("llama.cpp");
        // SAFETY: a name that is registered, and no parameters.
        Self(with_threads(threads, || unsafe {
            sys::ggml_backend_dev_init(sys::ggml_backend_dev_by_name(c"widedeep".as_ptr()), std::ptr::null())
        }))
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // SAFETY: made in `new`, and used by nobody else.
        unsafe { sys::ggml_backend_free(self.0) };
    }
}

/// Tokens that share a beginning, each of which sees one further cell in turn: what neurons look like that write together.
fn neurons(tokens: usize, shared: usize, cells: usize) -> Vec<Vec<bool>> {
    (0..tokens)
        .map(|token| (0..cells).map(|cell| cell < shared || cell % tokens == token).collect())
        .collect()
}

/// Tokens of a prompt, of which each sees those before it, after `before` cells.
fn prompt(tokens: usize, before: usize, cells: usize) -> Vec<Vec<bool>> {
    (0..tokens)
        .map(|token| (0..cells).map(|cell| cell <= before + token).collect())
        .collect()
}

#[test]
fn neurons_that_write_together_attend_as_defined() {
    Case::smollm(1024, neurons(8, 800, 1024)).check();
    // Neither cells nor tokens fill what is computed at a time.
    Case::smollm(777, neurons(7, 300, 777)).check();
    Case::smollm(30, neurons(2, 10, 30)).check();
    Case::smollm(600, neurons(1, 300, 600)).check();
}

#[test]
fn prompts_attend_as_defined() {
    Case::smollm(512, prompt(150, 0, 512)).check();
    Case::smollm(900, prompt(90, 700, 900)).check();
}

#[test]
fn heads_of_other_models_do() {
    // Gemma-3-270M, Qwen2.5-1.5B, and one whose values are shorter than its keys.
    let gemma = Case {
        key: 256,
        value: 256,
        query_heads: 4,
        key_heads: 1,
        cells: 512,
        seen: neurons(5, 400, 512),
    };
    let qwen = Case {
        key: 128,
        value: 128,
        query_heads: 12,
        key_heads: 2,
        cells: 512,
        seen: neurons(16, 300, 512),
    };
    let uneven = Case {
        key: 192,
        value: 128,
        query_heads: 2,
        key_heads: 2,
        cells: 300,
        seen: prompt(40, 200, 300),
    };
    for case in [gemma, qwen, uneven] {
        case.check();
    }
}

#[test]
fn a_token_that_sees_nothing_is_zero() {
    let mut seen = neurons(3, 100, 600);
    seen[1].fill(false);
    Case::smollm(600, seen).check();
}

#[test]
fn large_scores_do_not_overflow() {
    let case = Case::smollm(300, neurons(4, 200, 300));
    let mut numbers = case.numbers(3);
    for q in &mut numbers.q {
        *q *= 300.0;
    }
    let computed = case.computed(&numbers, 2);
    assert!(computed.iter().all(|number| number.is_finite() && number.abs() <= 1.5));
}

/// What a reply is must not depend on what else is in the batch, nor on the threads of the moment.
#[test]
fn a_token_attends_alike_in_any_batch_on_any_threads() {
    let all = Case::smollm(2000, neurons(20, 1500, 2000));
    let numbers = all.numbers(11);
    let together = all.computed(&numbers, 1);
    assert_eq!(together, all.computed(&numbers, 4));
    let of_token = all.query_heads * all.value;
    for (first, count) in [(0, 2), (3, 1), (13, 5)] {
        let few = Case {
            seen: all.seen[first..first + count].to_vec(),
            ..all.clone()
        };
        let q = numbers.q[first * 9 * 64..(first + count) * 9 * 64].to_vec();
        let few = few.computed(
            &Numbers {
                q,
                k: numbers.k.clone(),
                v: numbers.v.clone(),
            },
            2,
        );
        assert_eq!(
            few,
            together[first * of_token..(first + count) * of_token],
            "tokens from {first}"
        );
    }
}

#[test]
fn what_it_cannot_do_is_left_to_others() {
    let case = Case::smollm(256, neurons(4, 100, 256));
    let numbers = case.numbers(1);
    let offers = |case: &Case, other: &Other| {
        let backend = Backend::new(1);
        case.with_operation(&numbers, other, |op, _| {
            // SAFETY: ggml's own back end and operation.
            offered(AttentionKernel::Widedeep, || unsafe {
                sys::ggml_backend_supports_op(backend.0, op)
            })
        })
    };
    let plain = Other::default();
    assert!(offers(&case, &plain));
    let others = [
        Other {
            cache: sys::GGML_TYPE_F32,
            ..Other::default()
        },
        Other {
            slope: 8.0,
            ..Other::default()
        },
        Other {
            cap: 50.0,
            ..Other::default()
        },
        Other {
            sinks: true,
            ..Other::default()
        },
    ];
    for (i, other) in others.iter().enumerate() {
        assert!(!offers(&case, other), "{i}");
    }
    let backend = Backend::new(1);
    // Not offered: llama.cpp plans a context's memory, and checks where attention is computed, without it.
    case.with_operation(&numbers, &plain, |op, _| {
        // SAFETY: as above.
        assert!(!unsafe { sys::ggml_backend_supports_op(backend.0, op) });
    });
}
