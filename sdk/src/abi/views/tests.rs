//! Tensors that no caller should hand over: each is refused with a reason.

use super::*;
use crate::ErrorKind;

/// A tensor `x` of two rows and three columns that nothing is wrong with, after `change`.
fn outcome(change: impl FnOnce(&mut View)) -> Result<(Vec<usize>, usize)> {
    let (mut elements, mut shape) = ([0.5_f32; 6], [2_i64, 3]);
    let mut view = View {
        name: Str::borrow("x"),
        tensor: DLTensor {
            data: elements.as_mut_ptr().cast(),
            device: DLDevice {
                device_type: dlpack::CPU,
                device_id: 0,
            },
            ndim: 2,
            dtype: DLDataType {
                code: dlpack::FLOAT,
                bits: 32,
                lanes: 1,
            },
            shape: shape.as_mut_ptr(),
            strides: std::ptr::null_mut(),
            byte_offset: 0,
        },
    };
    change(&mut view);
    // SAFETY: what is wrong with it is nothing that the other side could not see.
    let views = unsafe { borrow(&raw const view, 1) }?;
    Ok((views[0].shape().to_vec(), views[0].data().len()))
}

#[track_caller]
fn refused(expected: &str, change: impl FnOnce(&mut View)) {
    let error = outcome(change).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    assert_ne!(error.kind(), ErrorKind::Undefined);
}

#[test]
fn a_tensor_that_is_right() {
    assert_eq!(outcome(|_| {}).unwrap(), (vec![2, 3], 6));
    let mut strides = [3, 1];
    let found = outcome(|view| view.tensor.strides = strides.as_mut_ptr());
    assert_eq!(found.unwrap(), (vec![2, 3], 6));
    // A single number has no shape.
    let found = outcome(|view| {
        view.tensor.ndim = 0;
        view.tensor.shape = std::ptr::null_mut();
    });
    assert_eq!(found.unwrap(), (vec![], 1));
    // No elements need no memory.
    let mut shape = [0, 3];
    let found = outcome(|view| {
        view.tensor.shape = shape.as_mut_ptr();
        view.tensor.data = std::ptr::null_mut();
    });
    assert_eq!(found.unwrap(), (vec![0, 3], 0));
}

#[test]
fn lists_that_are_none() {
    for (views, len) in [
        (std::ptr::null(), 1),
        (std::ptr::without_provenance(1), 1),
        (std::ptr::dangling(), MAX_VIEWS + 1),
        (std::ptr::dangling(), usize::MAX),
    ] {
        // SAFETY: a list that cannot be one is not followed.
        let error = unsafe { borrow(views, len) }.unwrap_err();
        assert!(error.to_string().ends_with("are no predictions"), "{error}");
    }
    for (candidates, len) in [
        (std::ptr::null(), 1),
        (std::ptr::without_provenance(1), 1),
        (std::ptr::dangling(), usize::MAX),
    ] {
        // SAFETY: as above.
        let error = unsafe { borrow_many(candidates, len) }.unwrap_err();
        assert!(error.to_string().ends_with("are no list"), "{error}");
    }
    // SAFETY: an empty list needs no memory.
    unsafe {
        assert!(borrow(std::ptr::null(), 0).unwrap().is_empty());
        assert!(borrow_many(std::ptr::null(), 0).unwrap().is_empty());
    }
}

#[test]
fn pointers_that_point_nowhere() {
    refused("null or crooked pointer", |view| {
        view.tensor.data = std::ptr::null_mut();
    });
    refused("null or crooked pointer", |view| {
        view.tensor.byte_offset = 2
    });
    refused("null or crooked pointer to its shape", |view| {
        view.tensor.shape = std::ptr::null_mut();
    });
    refused("null or crooked pointer to its shape", |view| {
        view.tensor.shape = std::ptr::without_provenance_mut(4);
    });
    refused("crooked pointer to its strides", |view| {
        view.tensor.strides = std::ptr::without_provenance_mut(4);
    });
    refused("is not UTF-8", |view| {
        view.name = Str {
            data: c"\xff".as_ptr(),
            len: 1,
        };
    });
}

#[test]
fn shapes_that_are_impossible() {
    for ndim in [-1, i32::MIN, 17, i32::MAX] {
        refused("dimensions", |view| view.tensor.ndim = ndim);
    }
    for mut shape in [[-1, 3], [i64::MIN, 0], [i64::MAX, 3], [1 << 32, 1 << 32]] {
        refused("impossible shape", |view| {
            view.tensor.shape = shape.as_mut_ptr();
        });
    }
    let (mut shape, mut strides) = ([0, i64::MAX], [i64::MAX, 1]);
    let found = outcome(|view| {
        view.tensor.shape = shape.as_mut_ptr();
        view.tensor.strides = strides.as_mut_ptr();
    });
    assert_eq!(found.unwrap().1, 0);
    // More of it would not fit a number.
    let (mut shape, mut strides) = ([0, i64::MAX, i64::MAX], [1, 1, 1]);
    let found = outcome(|view| {
        view.tensor.ndim = 3;
        view.tensor.shape = shape.as_mut_ptr();
        view.tensor.strides = strides.as_mut_ptr();
    });
    assert_eq!(found.unwrap().1, 0);
}

#[test]
fn layouts_and_types_that_do_not_cross() {
    for mut strides in [[1, 2], [6, 1], [3, 2], [0, 0], [-3, 1]] {
        refused("is not contiguous", |view| {
            view.tensor.strides = strides.as_mut_ptr();
        });
    }
    for (code, bits, lanes) in [
        (dlpack::FLOAT, 16, 1),
        (dlpack::FLOAT, 32, 2),
        (dlpack::FLOAT, 32, 0),
        (dlpack::INT, 32, 1),
        (dlpack::UINT, 64, 1),
        (4, 16, 1),
        (255, 255, 65535),
    ] {
        refused("has the unknown type", |view| {
            view.tensor.dtype = DLDataType { code, bits, lanes };
        });
    }
    let error = outcome(|view| view.tensor.device.device_type = 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
