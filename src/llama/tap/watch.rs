//! The callback that ggml asks about every operation.
#![expect(unsafe_code, reason = "ggml calls back through a C function pointer")]

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::node::Node;
use crate::llama::Model;
use crate::llama::adapter::{Adapter, AdapterError};
use crate::llama::context::{Batch, Context, Shape};

/// Somebody who looks at operations while a batch is evaluated.
pub(super) trait Watcher {
    /// Whether to see an operation once it has run; asked about each, in order, before it runs.
    fn wants(&mut self, node: Node<'_>) -> bool;

    /// Sees an operation that has run, before any later one does, and says whether later ones are worth running.
    fn see(&mut self, node: Node<'_>) -> Next;
}

/// What becomes of the operations that have not run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// They run.
    GoOn,
    /// They do not; the batch's logits mean nothing then, while the memory of its tokens is as it would be.
    Stop,
}

/// A watcher at work. It lives on the stack of [`Watched::decode`], where ggml's callback finds it.
struct Active<'w> {
    watcher: &'w mut dyn Watcher,
    panic: Option<Box<dyn Any + Send>>,
}

/// Where the callback finds who is watching: null between batches. ggml is given its address once and for all.
struct Slot(NonNull<Cell<*mut c_void>>);

impl Slot {
    fn new() -> Self {
        Self(NonNull::from(Box::leak(Box::new(Cell::new(std::ptr::null_mut())))))
    }

    fn set(&self, active: *mut c_void) {
        // SAFETY: allocated in `new`, freed in `drop`; the callback reads it on this thread, when nobody writes.
        unsafe { self.0.as_ref() }.set(active);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and is freed once. The context, which knows its address, is dropped first (field order in `Watched`).
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A context whose operations can be watched.
pub(super) struct Watched<'m> {
    context: Context<'m>,
    slot: Slot,
}

impl<'m> Watched<'m> {
    pub(super) fn new(model: &'m Model, shape: &Shape) -> Result<Self, String> {
        let slot = Slot::new();
        // SAFETY: `on_node` catches panics, and finds null or a live watcher in the slot, which outlives the context.
        let context = unsafe { Context::watched(model, shape, Some(on_node), slot.0.as_ptr().cast()) }?;
        Ok(Self { context, slot })
    }

    /// Evaluates a batch while somebody watches. A panic of the watcher is passed on when ggml is done.
    pub(super) fn decode(&mut self, batch: &Batch, threads: usize, watcher: &mut dyn Watcher) -> Result<(), String> {
        let mut active = Active { watcher, panic: None };
        self.slot.set((&raw mut active).cast());
        let result = self.context.decode(batch, threads);
        self.slot.set(std::ptr::null_mut());
        match active.panic {
            Some(panic) => resume_unwind(panic),
            None => result,
        }
    }

    pub(super) fn set_adapters(&mut self, adapters: &[(Arc<Adapter>, f32)]) -> Result<(), AdapterError> {
        self.context.set_adapters(adapters)
    }

    pub(super) fn logits(&self, row: usize) -> &[f32] {
        self.context.logits(row)
    }

    /// Forgets all tokens.
    pub(super) fn clear(&mut self) {
        self.context.clear();
    }
}

unsafe extern "C" fn on_node(tensor: *mut sys::ggml_tensor, ask: bool, user: *mut c_void) -> bool {
    // SAFETY: `user` is the slot's cell, which outlives the context that calls.
    let active = unsafe { &*user.cast::<Cell<*mut c_void>>() }.get();
    let (Some(mut active), Some(tensor)) = (NonNull::new(active.cast::<Active<'_>>()), NonNull::new(tensor)) else {
        return false;
    };
    // SAFETY: `decode` put its `Active` there and waits for ggml on this very thread, touching neither it nor the watcher until then; ggml makes one
    // call at a time.
    let active = unsafe { active.as_mut() };
    if active.panic.is_some() {
        return false;
    }
    // SAFETY: ggml passes an operation of the graph that it evaluates, and goes on when this call has returned. With `ask` false it has computed
    // it and waited for the device.
    let node = unsafe { Node::new(tensor) };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if ask {
            active.watcher.wants(node)
        } else {
            active.watcher.see(node) == Next::GoOn
        }
    }));
    outcome.unwrap_or_else(|panic| {
        active.panic = Some(panic);
        false
    })
}
