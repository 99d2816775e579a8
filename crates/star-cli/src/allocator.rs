//! The program's memory allocator: jemalloc, which keeps what is freed and asks for huge pages.
//!
//! Training allocates and frees maps of many megabytes by the thousand. The system's allocator hands them back to the kernel each
//! time, and they come again as small pages, each zeroed first: half of the time of the STAR loss, a tenth of a step.

use std::ffi::c_char;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// jemalloc reads it as it starts.
// SAFETY: no other symbol has this name; jemalloc's own is weak. It points to text that ends with a zero and lives for ever.
#[unsafe(export_name = "_rjem_malloc_conf")]
#[used]
static CONFIGURATION: &c_char =
    // SAFETY: a pointer to the first character of a text that is never freed.
    unsafe { &*c"thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1".as_ptr() };
