//! Reading a struct of the other side, which may be older or newer.

#![expect(unsafe_code, reason = "reads memory of the other side of the boundary")]

use std::mem::{MaybeUninit, offset_of, size_of};

use super::types::{Batch, Call, Host, MetricTable, Open, Plugin, Rows, TaskTable};
use crate::{Error, Result};

/// A struct that begins with its size and only grows at its end.
///
/// # Safety
///
/// The first field must be `size: usize`, and all fields must be valid when all their bytes are zero.
pub(super) unsafe trait Growing: Copy {
    /// What it is, for messages.
    const NAME: &'static str;
    /// Size of the least that can be worked with.
    const REQUIRED: usize;
}

macro_rules! growing {
    ($($type:ty, $name:literal, up_to $field:ident;)*) => {
        // SAFETY: begins with `size: usize`; integers, floats, raw pointers and optional functions may all be zero.
        $(unsafe impl Growing for $type {
            const NAME: &'static str = $name;
            const REQUIRED: usize = offset_of!($type, $field);
        })*
    };
}

growing! {
    Call, "call", up_to context;
    Host, "host", up_to context;
    Plugin, "plugin", up_to tasks;
    MetricTable, "metric", up_to evaluate_many;
    TaskTable, "task", up_to check;
    Open, "open", up_to call;
    Batch, "batch", up_to class_weights;
    Rows, "rows", up_to fold;
}

/// Copies what both sides know of a struct; the rest is zero.
///
/// # Errors
///
/// If the pointer is null, or the struct is too small to work with.
///
/// # Safety
///
/// The pointer must be null or point to a `usize` that says how many bytes from there on can be read.
pub(super) unsafe fn read<T: Growing>(pointer: *const T) -> Result<T> {
    if pointer.is_null() || !pointer.cast::<usize>().is_aligned() {
        return Err(Error::failed(format!(
            "the {} struct is missing (a null or crooked pointer)",
            T::NAME
        )));
    }
    // SAFETY: not null, aligned, and the caller vouches that a size stands there.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < T::REQUIRED {
        return Err(Error::failed(format!(
            "the {} struct has {size} bytes, ABI {} needs {}",
            T::NAME,
            super::VERSION,
            T::REQUIRED
        )));
    }
    let mut value = MaybeUninit::<T>::zeroed();
    let known = size.min(size_of::<T>());
    // SAFETY: the caller vouches for `size` readable bytes, `known` is no more, and `value` holds as many.
    unsafe {
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), known);
    }
    // SAFETY: every byte is zero or copied, and a `Growing` struct is valid with zeros.
    Ok(unsafe { value.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::c_void;

    unsafe extern "C" fn never(_: *mut c_void) -> i32 {
        0
    }

    fn call(size: usize) -> Call {
        Call {
            size,
            threads: 3,
            flags: 0,
            context: std::ptr::null_mut(),
            cancelled: Some(never),
        }
    }

    /// An older plugin ends before the fields it does not know.
    #[test]
    fn an_older_struct_reads_as_zero_where_it_ends() {
        let older = call(offset_of!(Call, cancelled));
        // SAFETY: `size` is no more than what is there.
        let read = unsafe { read(&raw const older) }.unwrap();
        assert_eq!(read.threads, 3);
        assert!(read.cancelled.is_none());
    }

    /// A newer plugin has fields behind those that this side knows.
    #[test]
    fn a_newer_struct_is_read_as_far_as_it_is_known() {
        #[repr(C)]
        struct Newer {
            known: Call,
            unknown: [u64; 4],
        }
        let newer = Newer {
            known: call(size_of::<Newer>()),
            unknown: [u64::MAX; 4],
        };
        // SAFETY: `size` is what is there.
        let read = unsafe { read((&raw const newer).cast::<Call>()) }.unwrap();
        assert_eq!((read.threads, newer.unknown.len()), (3, 4));
        assert!(read.cancelled.is_some());
    }

    #[test]
    fn too_small_or_missing_is_an_error() {
        let small = call(8);
        // SAFETY: null, and a struct larger than its size.
        let errors = unsafe {
            [
                read::<Call>(std::ptr::null()).unwrap_err(),
                read(&raw const small).unwrap_err(),
            ]
        };
        assert_eq!(
            errors.map(|error| error.to_string()),
            [
                "the call struct is missing (a null or crooked pointer)",
                "the call struct has 8 bytes, ABI 1 needs 16",
            ]
        );
    }
}
