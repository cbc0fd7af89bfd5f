//! The tables through which ggml calls a back end, as its header `ggml-backend-impl.h` lays them out.
//!
//! The bindings know these types by name only. The layout is that of API version 3, and of the llama.cpp to which `Cargo.toml` pins them; the tests in
//! `tests.rs` run operations through them, and do not survive a change.

use std::ffi::{c_char, c_int, c_void};

use llama_cpp_sys_2 as sys;

/// `GGML_BACKEND_API_VERSION`
pub(super) const API_VERSION: c_int = 3;

/// A function that this back end leaves out, which ggml allows for those that are marked optional in its header.
pub(super) type Absent = Option<unsafe extern "C" fn()>;

/// `struct ggml_backend_i`
#[repr(C)]
pub(super) struct BackendTable {
    pub(super) get_name: unsafe extern "C" fn(*mut Backend) -> *const c_char,
    pub(super) free: unsafe extern "C" fn(*mut Backend),
    pub(super) set_tensor_async: Absent,
    pub(super) get_tensor_async: Absent,
    pub(super) set_tensor_2d_async: Absent,
    pub(super) get_tensor_2d_async: Absent,
    pub(super) cpy_tensor_async: Absent,
    pub(super) synchronize: Absent,
    pub(super) graph_plan_create: Absent,
    pub(super) graph_plan_free: Absent,
    pub(super) graph_plan_update: Absent,
    pub(super) graph_plan_compute: Absent,
    pub(super) graph_compute: unsafe extern "C" fn(*mut Backend, *mut sys::ggml_cgraph) -> sys::ggml_status,
    pub(super) event_record: Absent,
    pub(super) event_wait: Absent,
    pub(super) graph_optimize: Absent,
}

/// `struct ggml_backend`
#[repr(C)]
pub(super) struct Backend {
    pub(super) guid: *mut [u8; 16],
    pub(super) iface: BackendTable,
    pub(super) device: *mut Device,
    pub(super) context: *mut c_void,
}

/// `struct ggml_backend_device_i`
#[repr(C)]
pub(super) struct DeviceTable {
    pub(super) get_name: unsafe extern "C" fn(*mut Device) -> *const c_char,
    pub(super) get_description: unsafe extern "C" fn(*mut Device) -> *const c_char,
    pub(super) get_memory: unsafe extern "C" fn(*mut Device, *mut usize, *mut usize),
    pub(super) get_type: unsafe extern "C" fn(*mut Device) -> sys::ggml_backend_dev_type,
    pub(super) get_props: unsafe extern "C" fn(*mut Device, *mut sys::ggml_backend_dev_props),
    pub(super) init_backend: unsafe extern "C" fn(*mut Device, *const c_char) -> *mut Backend,
    pub(super) get_buffer_type: unsafe extern "C" fn(*mut Device) -> sys::ggml_backend_buffer_type_t,
    pub(super) get_host_buffer_type: Absent,
    pub(super) buffer_from_host_ptr: Absent,
    pub(super) supports_op: unsafe extern "C" fn(*mut Device, *const sys::ggml_tensor) -> bool,
    pub(super) supports_buft: unsafe extern "C" fn(*mut Device, sys::ggml_backend_buffer_type_t) -> bool,
    pub(super) offload_op: Absent,
    pub(super) event_new: Absent,
    pub(super) event_free: Absent,
    pub(super) event_synchronize: Absent,
}

/// `struct ggml_backend_device`
#[repr(C)]
pub(super) struct Device {
    pub(super) iface: DeviceTable,
    pub(super) reg: *const Registration,
    pub(super) context: *mut c_void,
}

/// `struct ggml_backend_reg_i`
#[repr(C)]
#[expect(clippy::struct_field_names, reason = "ggml's names")]
pub(super) struct RegistrationTable {
    pub(super) get_name: unsafe extern "C" fn(*mut Registration) -> *const c_char,
    pub(super) get_device_count: unsafe extern "C" fn(*mut Registration) -> usize,
    pub(super) get_device: unsafe extern "C" fn(*mut Registration, usize) -> *const Device,
    pub(super) get_proc_address: unsafe extern "C" fn(*mut Registration, *const c_char) -> *mut c_void,
}

/// `struct ggml_backend_reg`
#[repr(C)]
pub(super) struct Registration {
    pub(super) api_version: c_int,
    pub(super) iface: RegistrationTable,
    pub(super) context: *mut c_void,
}

// SAFETY: statics of these types hold functions and pointers to other statics (`context` is null), which nobody writes to.
unsafe impl Sync for Device {}
// SAFETY: as above.
unsafe impl Sync for Registration {}
