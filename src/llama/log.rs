//! llama.cpp reports why it failed only in its log: keep the last complaints so that an error can quote them.
#![expect(
    unsafe_code,
    reason = "llama.cpp's log hook is a C callback, and the safe crate offers no way to read what was logged"
)]

use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, Once, PoisonError};

use llama_cpp_sys_2 as sys;

const KEPT: usize = 16;
static COMPLAINTS: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Routes llama.cpp's and ggml's log to `tracing` (target `llama.cpp`) and starts keeping complaints. Repeated calls do nothing.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: `on_log` has the signature that llama.h declares, touches only its arguments and a static mutex, never
        // unwinds (it neither indexes nor unwraps, and a poisoned lock is entered anyway), and lives as long as the program;
        // the user pointer is unused. llama_log_set also sets ggml's hook.
        unsafe { sys::llama_log_set(Some(on_log), std::ptr::null_mut()) };
    });
}

/// Empties the list of complaints; call before an operation whose failure you want to explain.
pub(super) fn forget() {
    COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// What llama.cpp complained about since [`forget`], oldest first, joined by `; `.
pub(super) fn complaints() -> String {
    let lines = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
}

unsafe extern "C" fn on_log(level: sys::ggml_log_level, text: *const c_char, _user: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that is valid for the duration of the call, checked non-null above.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let line = text.trim();
    if line.is_empty() {
        return;
    }
    match level {
        sys::GGML_LOG_LEVEL_ERROR | sys::GGML_LOG_LEVEL_WARN => {
            let mut kept = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
            if level == sys::GGML_LOG_LEVEL_ERROR {
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(line.to_owned());
            }
            drop(kept);
            tracing::debug!(target: "llama.cpp", "{line}");
        }
        _ => tracing::trace!(target: "llama.cpp", "{line}"),
    }
}
