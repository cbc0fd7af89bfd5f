//! A llama.cpp context with a thread pool of its own.
//!
//! The safe crate has no door to `llama_set_n_threads` or to thread pools, so this file talks to the C API. A pool keeps its threads between
//! batches (llama.cpp otherwise starts new ones for each) and lets them sleep while there is none.
#![expect(
    unsafe_code,
    reason = "the safe crate can neither change a context's threads nor attach a thread pool"
)]

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_sys_2 as sys;

use super::adapter::{Adapter, AdapterError};
use super::attention::AttentionKernel;
use super::memory::KvType;
use super::{Model, Token, attention, log};

/// What a context is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// KV cells.
    pub(super) cells: usize,
    /// Most tokens in one batch.
    pub(super) batch: usize,
    /// Sequence ids.
    pub(super) sequences: usize,
    /// Threads in the pool.
    pub(super) threads: usize,
    pub(super) kv: KvType,
    pub(super) attention: AttentionKernel,
}

pub(super) struct Context<'m> {
    raw: NonNull<sys::llama_context>,
    pool: NonNull<sys::ggml_threadpool>,
    vocabulary: usize,
    cells: usize,
    batch: usize,
    attention: AttentionKernel,
    /// What llama.cpp's context uses; see `set_adapters`.
    adapters: Vec<Arc<Adapter>>,
    model: &'m Model,
}

impl<'m> Context<'m> {
    /// llama.cpp's complaint is the error.
    pub(super) fn new(model: &'m Model, shape: &Shape) -> Result<Self, String> {
        // No more logits are read from one batch than there are sequences; the default reserves them for every token.
        Self::with(model, shape, |params| params.n_outputs_max = wide(shape.sequences))
    }

    /// A context whose every operation passes by `callback`, with logits for every token of a batch.
    ///
    /// # Safety
    ///
    /// The callback does not unwind, and may be called with `user` on the thread that decodes, until the context is dropped.
    pub(super) unsafe fn watched(
        model: &'m Model,
        shape: &Shape,
        callback: sys::ggml_backend_sched_eval_callback,
        user: *mut c_void,
    ) -> Result<Self, String> {
        Self::with(model, shape, |params| {
            params.n_outputs_max = wide(shape.batch);
            params.cb_eval = callback;
            params.cb_eval_user_data = user;
        })
    }

    fn with(
        model: &'m Model,
        shape: &Shape,
        adapt: impl FnOnce(&mut sys::llama_context_params),
    ) -> Result<Self, String> {
        log::forget();
        let raw_model = model.raw();
        // SAFETY: returns a plain value.
        let mut params = unsafe { sys::llama_context_default_params() };
        params.n_ctx = wide(shape.cells);
        params.n_batch = wide(shape.batch);
        params.n_ubatch = wide(shape.batch);
        params.n_seq_max = wide(shape.sequences);
        params.kv_unified = true;
        // Sliding-window models keep their whole history, so that prefixes can be shared at any length.
        params.swa_full = true;
        params.n_threads = narrow(shape.threads);
        params.n_threads_batch = narrow(shape.threads);
        if shape.kv == KvType::Q8_0 {
            params.type_k = sys::GGML_TYPE_Q8_0;
            params.type_v = sys::GGML_TYPE_Q8_0;
            // Quantised values are only read by flash attention: fail here rather than fall back.
            params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_ENABLED;
        }
        adapt(&mut params);
        // SAFETY: the model is alive, the parameters are llama.cpp's defaults with numbers changed, and whoever called `watched` answers for
        // the callback. Making a context may write to the model's trained context; engines are started one after the other by their
        // callers' loading.
        let raw = attention::with_threads(shape.threads, || unsafe {
            sys::llama_init_from_model(raw_model.as_ptr(), params)
        });
        let raw = NonNull::new(raw).ok_or_else(log::complaints)?;
        // SAFETY: plain values in and out; `poll` 0 lets threads sleep between batches at once.
        let pool = unsafe {
            let mut params = sys::ggml_threadpool_params_default(narrow(shape.threads));
            params.poll = 0;
            sys::ggml_threadpool_new(&raw mut params)
        };
        let Some(pool) = NonNull::new(pool) else {
            // SAFETY: the context was made above and is used by nobody else.
            unsafe { sys::llama_free(raw.as_ptr()) };
            return Err("no thread pool could be made".to_owned());
        };
        // SAFETY: both live until `drop`, which frees the context first. The sizes are read from a live context.
        let (cells, batch) = unsafe {
            sys::llama_attach_threadpool(raw.as_ptr(), pool.as_ptr(), pool.as_ptr());
            (sys::llama_n_ctx(raw.as_ptr()), sys::llama_n_batch(raw.as_ptr()))
        };
        Ok(Self {
            raw,
            pool,
            vocabulary: usize::try_from(model.inner.n_vocab()).unwrap_or(0),
            cells: cells as usize,
            batch: batch as usize,
            attention: shape.attention,
            adapters: Vec::new(),
            model,
        })
    }

    /// KV cells.
    pub(super) fn cells(&self) -> usize {
        self.cells
    }

    /// Most tokens in one batch.
    pub(super) fn batch_size(&self) -> usize {
        self.batch
    }

    /// Evaluates a batch with so many threads of the pool.
    pub(super) fn decode(&mut self, batch: &Batch, threads: usize) -> Result<(), String> {
        log::forget();
        let threads = narrow(threads);
        // SAFETY: the context is ours alone; the batch's arrays hold `n_tokens` entries, and llama.cpp only reads them.
        let code = unsafe {
            sys::llama_set_n_threads(self.raw.as_ptr(), threads, threads);
            let code = attention::offered(self.attention, || sys::llama_decode(self.raw.as_ptr(), batch.raw));
            // Reading the logits would wait all the same; here the wait counts as llama.cpp's.
            sys::llama_synchronize(self.raw.as_ptr());
            code
        };
        match (code, log::complaints()) {
            (0, _) => Ok(()),
            (1, _) => Err("the cache is full".to_owned()),
            (code, complaints) if complaints.is_empty() => Err(format!("code {code}")),
            (_, complaints) => Err(complaints),
        }
    }

    /// The logits of a row of the last batch that asked for them; nothing for others.
    pub(super) fn logits(&self, row: usize) -> &[f32] {
        // SAFETY: llama.cpp checks the row and returns null for one without logits.
        let data = unsafe { sys::llama_get_logits_ith(self.raw.as_ptr(), narrow(row)) };
        if data.is_null() {
            return &[];
        }
        // SAFETY: a row has one value per token of the vocabulary and stays valid until the next decode, which takes `&mut self`.
        unsafe { std::slice::from_raw_parts(data, self.vocabulary) }
    }

    /// Removes a sequence's cells from `from` on; false where the memory cannot be cut there.
    pub(super) fn remove(&mut self, id: i32, from: usize) -> bool {
        // SAFETY: the context is alive and ours alone; llama.cpp checks the id.
        unsafe { sys::llama_memory_seq_rm(sys::llama_get_memory(self.raw.as_ptr()), id, narrow(from), -1) }
    }

    /// Makes `to` hold the first `len` positions of `from` (all of them if `None`).
    pub(super) fn copy(&mut self, from: i32, to: i32, len: Option<usize>) {
        // SAFETY: as above.
        unsafe {
            let memory = sys::llama_get_memory(self.raw.as_ptr());
            sys::llama_memory_seq_cp(memory, from, to, 0, len.map_or(-1, narrow));
        }
    }

    /// Empties the cache, as in a new context.
    pub(super) fn clear(&mut self) {
        // SAFETY: as above.
        unsafe { sys::llama_memory_clear(sys::llama_get_memory(self.raw.as_ptr()), true) };
    }
}

impl Context<'_> {
    /// Uses these adapters at these scales from now on, in place of others.
    pub(super) fn set_adapters(&mut self, adapters: &[(Arc<Adapter>, f32)]) -> Result<(), AdapterError> {
        for (adapter, scale) in adapters {
            if !adapter.is_of(self.model) {
                return Err(AdapterError::OtherModel(adapter.path().to_owned()));
            }
            if !scale.is_finite() {
                return Err(AdapterError::Scale(*scale));
            }
        }
        let mut raw: Vec<_> = adapters.iter().map(|(adapter, _)| adapter.raw().as_ptr()).collect();
        let mut scales: Vec<f32> = adapters.iter().map(|(_, scale)| *scale).collect();
        // The ones in use stay alive until llama.cpp has taken the new ones.
        let new: Vec<Arc<Adapter>> = adapters.iter().map(|(adapter, _)| Arc::clone(adapter)).collect();
        // SAFETY: both lists have `raw.len()` entries. The adapters are of this context's model (checked above), and `self.adapters` holds them until others
        // are set; `drop` frees the context before its fields go.
        let code = unsafe {
            sys::llama_set_adapters_lora(self.raw.as_ptr(), raw.as_mut_ptr(), raw.len(), scales.as_mut_ptr())
        };
        if code != 0 {
            return Err(AdapterError::Refused(code));
        }
        self.adapters = new;
        Ok(())
    }
}

impl Model {
    /// llama.cpp's own pointer to the model.
    pub(super) fn raw(&self) -> NonNull<sys::llama_model> {
        const { assert!(size_of::<LlamaModel>() == size_of::<NonNull<sys::llama_model>>()) };
        // SAFETY: `LlamaModel` is `#[repr(transparent)]` over a non-null pointer to the model.
        unsafe { *(&raw const self.inner).cast::<NonNull<sys::llama_model>>() }
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are used by nobody else; the context uses the pool, so it goes first.
        unsafe {
            sys::llama_free(self.raw.as_ptr());
            sys::ggml_threadpool_free(self.pool.as_ptr());
        }
    }
}

/// Tokens for one call of [`Context::decode`].
pub(super) struct Batch {
    raw: sys::llama_batch,
    size: usize,
}

impl Batch {
    pub(super) fn new(size: usize) -> Self {
        // SAFETY: allocates arrays for `size` tokens with one sequence id each; freed in `drop`.
        let raw = unsafe { sys::llama_batch_init(narrow(size), 0, 1) };
        Self { raw, size }
    }

    pub(super) fn clear(&mut self) {
        self.raw.n_tokens = 0;
    }

    pub(super) fn len(&self) -> usize {
        usize::try_from(self.raw.n_tokens).unwrap_or(0)
    }

    /// Appends a token; the callers count the room down from the batch's size.
    pub(super) fn push(&mut self, token: Token, position: usize, id: i32, reads: Reads) {
        let row = self.len();
        assert!(row < self.size, "a batch of {} tokens overflows", self.size);
        // SAFETY: `row` is within the arrays that `new` allocated, each entry of `seq_id` pointing to room for one id.
        unsafe {
            self.raw.token.add(row).write(token.0);
            self.raw.pos.add(row).write(narrow(position));
            self.raw.n_seq_id.add(row).write(1);
            self.raw.seq_id.add(row).read().write(id);
            self.raw.logits.add(row).write(i8::from(reads == Reads::Logits));
        }
        self.raw.n_tokens += 1;
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: made by `llama_batch_init` and freed once.
        unsafe { sys::llama_batch_free(self.raw) };
    }
}

/// Whether somebody reads the logits after a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    Logits,
    Nothing,
}

impl Reads {
    pub(super) fn at(last: bool) -> Self {
        if last { Reads::Logits } else { Reads::Nothing }
    }
}

fn wide(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn narrow(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// What llama.cpp was compiled for, and whether it can put a model on a GPU. Both stay as they are while the program runs.
pub(super) fn build() -> &'static (String, Offload) {
    static BUILD: OnceLock<(String, Offload)> = OnceLock::new();
    BUILD.get_or_init(|| {
        // SAFETY: llama.cpp writes the text anew into a string of its own at each call, and returns its address: two calls at once would free one
        // another's memory. This one is the only one in the program, and happens once.
        let text = unsafe { std::ffi::CStr::from_ptr(sys::llama_print_system_info()) };
        // SAFETY: reads the registered devices.
        let offload = if unsafe { sys::llama_supports_gpu_offload() } {
            Offload::Possible
        } else {
            Offload::None
        };
        (text.to_string_lossy().into_owned(), offload)
    })
}

/// Whether weights and cache may live outside the main memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offload {
    Possible,
    None,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Engines start on threads of their own, and each asks.
    #[test]
    fn what_llama_cpp_was_compiled_for_may_be_asked_by_many_threads_at_once() {
        crate::llama::model::backend().unwrap();
        let ask = || (0..20_000).map(|_| build().0.clone()).all(|text| text == build().0);
        let agree = std::thread::scope(|scope| {
            let threads = [(); 8].map(|()| scope.spawn(ask));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(agree, [true; 8]);
        assert!(build().0.contains("CPU"), "{}", build().0);
    }
}
