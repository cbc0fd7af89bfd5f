//! The back end as ggml sees it: a device of kind `ACCEL` beside the CPU, which works on the CPU's buffers and takes one operation off it.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Once;

use llama_cpp_sys_2 as sys;

use super::AttentionKernel;
use super::abi::{API_VERSION, Backend, BackendTable, Device, DeviceTable, Registration, RegistrationTable};
use super::operation::Attention;
use super::workshop::Workshop;

thread_local! {
    /// Whether graphs that this thread has planned may use the device.
    static OFFERED: Cell<bool> = const { Cell::new(false) };
    /// Threads that a context gets which this thread makes.
    static THREADS: Cell<usize> = const { Cell::new(1) };
}

/// Makes the device known to ggml, whose list of devices is guarded by nothing: nobody else may use llama.cpp until this returns.
pub(in crate::llama) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the tables below live as long as the program, and ggml only reads them. The list is written to here alone, before `Model::load` lets anyone
        // have a model.
        unsafe { sys::ggml_backend_register((&raw const REGISTRATION).cast_mut().cast()) };
    });
}

/// Runs `make`, which makes a context whose attention has so many threads.
pub(in crate::llama) fn with_threads<T>(threads: usize, make: impl FnOnce() -> T) -> T {
    THREADS.set(threads.max(1));
    let made = make();
    THREADS.set(1);
    made
}

/// Runs `decode`, whose graphs may use the device if `kernel` is this one.
pub(in crate::llama) fn offered<T>(kernel: AttentionKernel, decode: impl FnOnce() -> T) -> T {
    OFFERED.set(kernel == AttentionKernel::Widedeep);
    let done = decode();
    OFFERED.set(false);
    done
}

static REGISTRATION: Registration = Registration {
    api_version: API_VERSION,
    iface: RegistrationTable {
        get_name: registration_name,
        get_device_count: device_count,
        get_device: device,
        get_proc_address: procedure,
    },
    context: ptr::null_mut(),
};

static DEVICE: Device = Device {
    iface: DeviceTable {
        get_name: device_name,
        get_description: device_description,
        get_memory: device_memory,
        get_type: device_type,
        get_props: device_properties,
        init_backend,
        get_buffer_type: buffer_type,
        get_host_buffer_type: None,
        buffer_from_host_ptr: None,
        supports_op,
        supports_buft,
        offload_op: None,
        event_new: None,
        event_free: None,
        event_synchronize: None,
    },
    reg: &raw const REGISTRATION,
    context: ptr::null_mut(),
};

const NAME: &CStr = c"widedeep";
const DESCRIPTION: &CStr = c"attention over half-precision caches";
static mut GUID: [u8; 16] = *b"widedeep attentn";

unsafe extern "C" fn registration_name(_: *mut Registration) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn device_count(_: *mut Registration) -> usize {
    1
}

unsafe extern "C" fn device(_: *mut Registration, _: usize) -> *const Device {
    &raw const DEVICE
}

unsafe extern "C" fn procedure(_: *mut Registration, name: *const c_char) -> *mut c_void {
    // SAFETY: ggml asks by NUL-terminated names.
    if unsafe { CStr::from_ptr(name) } == c"ggml_backend_set_n_threads" {
        (set_threads as unsafe extern "C" fn(*mut Backend, c_int)) as *mut c_void
    } else {
        ptr::null_mut()
    }
}

unsafe extern "C" fn device_name(_: *mut Device) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn device_description(_: *mut Device) -> *const c_char {
    DESCRIPTION.as_ptr()
}

unsafe extern "C" fn device_memory(_: *mut Device, free: *mut usize, total: *mut usize) {
    // SAFETY: ggml gives addresses to write to. It has no memory of its own.
    unsafe { (*free, *total) = (0, 0) };
}

unsafe extern "C" fn device_type(_: *mut Device) -> sys::ggml_backend_dev_type {
    sys::GGML_BACKEND_DEVICE_TYPE_ACCEL
}

unsafe extern "C" fn device_properties(_: *mut Device, properties: *mut sys::ggml_backend_dev_props) {
    // SAFETY: ggml gives the address of one, filled with zeros: that means no capabilities, no memory and no id.
    let properties = unsafe { &mut *properties };
    properties.name = NAME.as_ptr();
    properties.description = DESCRIPTION.as_ptr();
    properties.type_ = sys::GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

unsafe extern "C" fn buffer_type(_: *mut Device) -> sys::ggml_backend_buffer_type_t {
    // SAFETY: returns the address of a static.
    unsafe { sys::ggml_backend_cpu_buffer_type() }
}

unsafe extern "C" fn supports_buft(_: *mut Device, of: sys::ggml_backend_buffer_type_t) -> bool {
    // SAFETY: ggml asks for buffer types that it has.
    unsafe { sys::ggml_backend_buft_is_host(of) }
}

unsafe extern "C" fn supports_op(_: *mut Device, op: *const sys::ggml_tensor) -> bool {
    // SAFETY: ggml asks for operations of graphs that it has built.
    OFFERED.get() && unsafe { Attention::of(&*op) }.is_some()
}

unsafe extern "C" fn init_backend(_: *mut Device, _: *const c_char) -> *mut Backend {
    let workshop = Box::new(Workshop::new(THREADS.get() - 1));
    Box::into_raw(Box::new(Backend {
        guid: &raw mut GUID,
        iface: BackendTable {
            get_name: backend_name,
            free: free_backend,
            set_tensor_async: None,
            get_tensor_async: None,
            set_tensor_2d_async: None,
            get_tensor_2d_async: None,
            cpy_tensor_async: None,
            synchronize: None,
            graph_plan_create: None,
            graph_plan_free: None,
            graph_plan_update: None,
            graph_plan_compute: None,
            graph_compute,
            event_record: None,
            event_wait: None,
            graph_optimize: None,
        },
        device: (&raw const DEVICE).cast_mut(),
        context: Box::into_raw(workshop).cast(),
    }))
}

unsafe extern "C" fn backend_name(_: *mut Backend) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn free_backend(backend: *mut Backend) {
    // SAFETY: both boxes were made in `init_backend`, and ggml frees a back end once.
    unsafe {
        let backend = Box::from_raw(backend);
        drop(Box::from_raw(backend.context.cast::<Workshop>()));
    }
}

unsafe extern "C" fn set_threads(backend: *mut Backend, threads: c_int) {
    // SAFETY: the back end is one of `init_backend`'s, and the thread that sets its threads is the one that computes.
    let workshop = unsafe { &mut *(*backend).context.cast::<Workshop>() };
    workshop.set_threads(usize::try_from(threads).unwrap_or(1));
}

unsafe extern "C" fn graph_compute(backend: *mut Backend, graph: *mut sys::ggml_cgraph) -> sys::ggml_status {
    // SAFETY: as above.
    let workshop = unsafe { &mut *(*backend).context.cast::<Workshop>() };
    // SAFETY: ggml's graph, whose length it says itself.
    let nodes = unsafe { sys::ggml_graph_n_nodes(graph) };
    for i in 0..nodes {
        // SAFETY: within the graph, whose tensors ggml has made and given memory. What is not attention are views, which need no work: nothing else is
        // planned for this device.
        let attention = unsafe { Attention::of(&*sys::ggml_graph_node(graph, i)) };
        match attention {
            Some(attention) if attention.is_ready() => workshop.compute(&attention),
            Some(_) => return sys::GGML_STATUS_FAILED,
            None => {}
        }
    }
    sys::GGML_STATUS_SUCCESS
}
