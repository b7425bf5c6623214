//! Named tensors across the boundary, without a copy.

#![expect(unsafe_code, reason = "tensors cross as pointers")]

use std::mem::{align_of, size_of};

use super::types::{Call, Candidate, DLDataType, DLDevice, DLTensor, Str, View, dlpack};
use crate::{Data, Error, Result, Views};

/// Most dimensions of a tensor that is taken from the other side.
const MAX_DIMENSIONS: usize = 16;
/// Most tensors of one candidate.
const MAX_VIEWS: usize = 256;
/// Most candidates of one call.
const MAX_CANDIDATES: usize = 1 << 24;

// An extent is an `i64` in DLPack and a `usize` in Rust: the same bytes, and the same value where it is not negative.
const _: () =
    assert!(size_of::<usize>() == size_of::<i64>() && align_of::<usize>() == align_of::<i64>());

/// Borrows named tensors for the other side.
pub(super) fn lend(views: &Views<'_>) -> Vec<View> {
    let lend = |view: &crate::View<'_>| {
        let (data, code, bits): (*const (), u8, u8) = match view.data() {
            Data::F32(values) => (values.as_ptr().cast(), dlpack::FLOAT, 32),
            Data::F64(values) => (values.as_ptr().cast(), dlpack::FLOAT, 64),
            Data::I64(values) => (values.as_ptr().cast(), dlpack::INT, 64),
            Data::U8(values) => (values.as_ptr().cast(), dlpack::UINT, 8),
        };
        View {
            name: Str::borrow(view.name()),
            tensor: DLTensor {
                data: data.cast_mut().cast(),
                device: DLDevice {
                    device_type: dlpack::CPU,
                    device_id: 0,
                },
                ndim: view.shape().len() as i32,
                dtype: DLDataType {
                    code,
                    bits,
                    lanes: 1,
                },
                shape: view.shape().as_ptr().cast::<i64>().cast_mut(),
                strides: std::ptr::null_mut(),
                byte_offset: 0,
            },
        }
    };
    views.tensors().iter().map(lend).collect()
}

/// Lends the tensors of several candidates for the duration of `call`.
pub(super) fn lend_many<T>(candidates: &[Views<'_>], call: impl FnOnce(&[Candidate]) -> T) -> T {
    let views: Vec<Vec<View>> = candidates.iter().map(lend).collect();
    let candidates: Vec<Candidate> = views
        .iter()
        .map(|views| Candidate {
            views: views.as_ptr(),
            views_len: views.len(),
        })
        .collect();
    call(&candidates)
}

/// Borrows the named tensors of the other side.
///
/// # Errors
///
/// If a name, a shape, a type or a pointer is not what the ABI allows.
///
/// # Safety
///
/// `views` must point to `len` views, and what they point to must live as long as `'a`.
pub(super) unsafe fn borrow<'a>(views: *const View, len: usize) -> Result<Vec<crate::View<'a>>> {
    // SAFETY: the caller vouches for `len` views.
    let found = (len <= MAX_VIEWS).then(|| unsafe { elements_at(views, len) });
    let Some(views) = found.flatten() else {
        return Err(Error::failed(format!(
            "{len} tensors at {views:p} are no predictions"
        )));
    };
    // SAFETY: as the caller vouches.
    views
        .iter()
        .map(|view| unsafe { borrow_one(view) })
        .collect()
}

/// As [`borrow`], for several candidates.
///
/// # Errors
///
/// Those of [`borrow`].
///
/// # Safety
///
/// `candidates` must point to `len` candidates, and what they point to must live as long as `'a`.
pub(super) unsafe fn borrow_many<'a>(
    candidates: *const Candidate,
    len: usize,
) -> Result<Vec<Vec<crate::View<'a>>>> {
    // SAFETY: the caller vouches for `len` candidates.
    let found = (len <= MAX_CANDIDATES).then(|| unsafe { elements_at(candidates, len) });
    let Some(candidates) = found.flatten() else {
        return Err(Error::failed(format!(
            "{len} candidates at {candidates:p} are no list"
        )));
    };
    let each = candidates.iter();
    // SAFETY: as the caller vouches.
    each.map(|candidate| unsafe { borrow(candidate.views, candidate.views_len) })
        .collect()
}

/// As [`borrow`], for one view.
unsafe fn borrow_one<'a>(view: &View) -> Result<crate::View<'a>> {
    // SAFETY: as the caller vouches.
    let name = unsafe { view.name.text("name of a tensor") }?;
    let tensor = &view.tensor;
    let wrong = |what: &str| Err(Error::data(format!("tensor `{name}` {what}")));
    if tensor.device.device_type != dlpack::CPU {
        return Err(Error::unsupported(format!(
            "tensor `{name}` is not in the memory of the CPU"
        )));
    }
    let dimensions = usize::try_from(tensor.ndim).unwrap_or(usize::MAX);
    if dimensions > MAX_DIMENSIONS {
        return wrong(&format!("has {} dimensions", tensor.ndim));
    }
    // SAFETY: the caller vouches for `ndim` extents.
    let Some(shape) = (unsafe { elements_at::<'a, i64>(tensor.shape, dimensions) }) else {
        return wrong("has a null or crooked pointer to its shape");
    };
    let mut elements = 1_usize;
    for &extent in shape {
        let product = usize::try_from(extent)
            .ok()
            .and_then(|extent| elements.checked_mul(extent));
        match product {
            Some(product) if product <= isize::MAX as usize / 8 => elements = product,
            _ => return wrong(&format!("has the impossible shape {shape:?}")),
        }
    }
    if !tensor.strides.is_null() {
        // SAFETY: the caller vouches for `ndim` strides.
        let Some(strides) = (unsafe { elements_at::<'a, i64>(tensor.strides, dimensions) }) else {
            return wrong("has a crooked pointer to its strides");
        };
        let mut expected = 1_i64;
        for (&stride, &extent) in strides.iter().zip(shape).rev() {
            if stride != expected && extent > 1 && elements > 0 {
                return wrong("is not contiguous");
            }
            // Without elements the extents may be huge.
            expected = expected.saturating_mul(extent.max(1));
        }
    }
    // SAFETY: `i64` and `usize` have the same layout, as asserted above, and no extent is negative.
    let shape = unsafe { std::slice::from_raw_parts(shape.as_ptr().cast::<usize>(), shape.len()) };
    let DLDataType { code, bits, lanes } = tensor.dtype;
    let start = tensor
        .data
        .cast::<u8>()
        .wrapping_add(tensor.byte_offset as usize);
    // SAFETY: as the caller vouches for the tensor, of the type that it names.
    let data = unsafe {
        match (code, bits, lanes) {
            (dlpack::FLOAT, 32, 1) => elements_at(start.cast(), elements).map(Data::F32),
            (dlpack::FLOAT, 64, 1) => elements_at(start.cast(), elements).map(Data::F64),
            (dlpack::INT, 64, 1) => elements_at(start.cast(), elements).map(Data::I64),
            (dlpack::UINT, 8, 1) => elements_at(start.cast(), elements).map(Data::U8),
            _ => {
                return wrong(&format!(
                    "has the unknown type (code {code}, {bits} bits, {lanes} lanes)"
                ));
            }
        }
    };
    match data {
        Some(data) => crate::View::new(name, shape, data),
        None => wrong("has a null or crooked pointer"),
    }
}

/// The elements at a place, unless it is null or not aligned.
///
/// # Safety
///
/// If neither, `len` elements must live there as long as `'a`.
unsafe fn elements_at<'a, T>(start: *const T, len: usize) -> Option<&'a [T]> {
    if len == 0 {
        return Some(&[]);
    }
    // SAFETY: not null, aligned, and the caller vouches for the elements.
    (!start.is_null() && start.is_aligned())
        .then(|| unsafe { std::slice::from_raw_parts(start, len) })
}

/// Lends threads and the wish to stop for the duration of `call`.
pub(super) fn lend_call<T>(call: &crate::Call<'_>, run: impl FnOnce(*const Call) -> T) -> T {
    unsafe extern "C" fn cancelled(context: *mut std::ffi::c_void) -> i32 {
        // SAFETY: the context is the `Call` below, which outlives the call; its function is `Sync`.
        let call = unsafe { &*context.cast::<crate::Call<'_>>() };
        i32::from((call.cancelled)())
    }
    let lent = Call {
        size: size_of::<Call>(),
        threads: u32::try_from(call.threads).unwrap_or(u32::MAX),
        flags: 0,
        context: (&raw const *call).cast_mut().cast(),
        cancelled: Some(cancelled),
    };
    run(&raw const lent)
}

/// Borrows threads and the wish to stop of the other side for the duration of `run`.
///
/// # Errors
///
/// Those of `run`, or if the struct is not what the ABI allows.
///
/// # Safety
///
/// `call` must be null or point to a [`Call`] whose function may be called from any thread meanwhile.
pub(super) unsafe fn borrow_call<T>(
    call: *const Call,
    run: impl FnOnce(&crate::Call<'_>) -> Result<T>,
) -> Result<T> {
    struct Asker(Call);
    // SAFETY: the ABI says that `cancelled` may be called from any thread.
    unsafe impl Sync for Asker {}
    impl Asker {
        fn ask(&self) -> bool {
            // SAFETY: the function belongs to this context.
            self.0
                .cancelled
                .is_some_and(|ask| unsafe { ask(self.0.context) } != 0)
        }
    }
    // SAFETY: as the caller vouches.
    let asker = Asker(unsafe { super::table::read(call) }?);
    run(&crate::Call {
        threads: (asker.0.threads as usize).max(1),
        cancelled: &|| asker.ask(),
    })
}

#[cfg(test)]
mod tests;
