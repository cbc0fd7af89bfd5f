//! LoRA adapters at work.
#![expect(unsafe_code, reason = "the safe crate loads adapters through `&mut` models alone")]

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

use super::{Model, log};

/// An adapter that was loaded for a model. Which contexts use it, and how strongly, they say themselves: see [`Tap::set_adapters`](super::Tap::set_adapters).
#[derive(Debug)]
pub struct Adapter {
    raw: NonNull<sys::llama_adapter_lora>,
    path: PathBuf,
    /// Outlives the adapter, which is on its list.
    model: Arc<Model>,
}

// SAFETY: nothing changes an adapter after loading; contexts only read it.
unsafe impl Send for Adapter {}
// SAFETY: as above.
unsafe impl Sync for Adapter {}

/// Adapters that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// It cannot be loaded.
    #[error("llama.cpp failed to load the adapter `{path}`: {reason}")]
    Load {
        /// The file.
        path: PathBuf,
        /// llama.cpp's complaint.
        reason: String,
    },
    /// It was loaded for another model.
    #[error("the adapter `{0}` was loaded for another model; load it for this one")]
    OtherModel(PathBuf),
    /// A scale that is no number.
    #[error("an adapter cannot have the scale {0}; give a finite number")]
    Scale(f32),
    /// llama.cpp refuses.
    #[error("llama.cpp refused to use the adapters: code {0}")]
    Refused(i32),
}

/// llama.cpp keeps a list of adapters in the model, without a lock.
static LIST: Mutex<()> = Mutex::new(());

impl Adapter {
    /// Loads an adapter from a GGUF file for a model.
    pub fn load(model: &Arc<Model>, path: &Path) -> Result<Arc<Self>, AdapterError> {
        let fail = |reason: String| AdapterError::Load {
            path: path.to_owned(),
            reason,
        };
        // llama.cpp's own message for a file that is absent names no reason.
        std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
        let name = path.to_str().and_then(|path| CString::new(path).ok());
        let name = name.ok_or_else(|| fail("its path is not valid UTF-8".to_owned()))?;
        let _one_at_a_time = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        log::forget();
        // SAFETY: the model is alive, and nobody else changes its list of adapters while the lock is held; the name is NUL-terminated.
        let raw = unsafe { sys::llama_adapter_lora_init(model.raw().as_ptr(), name.as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| fail(log::complaints()))?;
        Ok(Arc::new(Self {
            raw,
            path: path.to_owned(),
            model: Arc::clone(model),
        }))
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn raw(&self) -> NonNull<sys::llama_adapter_lora> {
        self.raw
    }

    /// Whether it can be used with a model.
    pub(super) fn is_of(&self, model: &Model) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.model), model)
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        let _one_at_a_time = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: it was made by `llama_adapter_lora_init` and is freed once, before its model; contexts hold an `Arc` while they use it.
        unsafe { sys::llama_adapter_lora_free(self.raw.as_ptr()) };
    }
}
