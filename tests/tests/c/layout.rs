//! What a Rust struct looks like in C: its size, and name, type, place and size of each field.

use std::ffi::{c_char, c_void};
use std::mem::{align_of, size_of};

use metricopt_sdk::abi;

/// A type that the ABI uses, as C spells it.
pub(crate) trait CType {
    /// The spelling.
    fn spelling() -> String;
}

macro_rules! spelled {
    ($($rust:ty => $c:literal,)*) => {
        $(impl CType for $rust {
            fn spelling() -> String {
                $c.to_owned()
            }
        })*
    };
}

spelled! {
    () => "void",
    c_void => "void",
    c_char => "char",
    u8 => "uint8_t",
    u16 => "uint16_t",
    u32 => "uint32_t",
    u64 => "uint64_t",
    usize => "size_t",
    i32 => "int32_t",
    i64 => "int64_t",
    f32 => "float",
    f64 => "double",
    abi::Str => "metricopt_str",
    abi::Sink => "metricopt_sink",
    abi::DLDevice => "metricopt_dl_device",
    abi::DLDataType => "metricopt_dl_data_type",
    abi::DLTensor => "metricopt_dl_tensor",
    abi::View => "metricopt_view",
    abi::Candidate => "metricopt_candidate",
    abi::Call => "metricopt_call",
    abi::Host => "metricopt_host",
    abi::Plugin => "metricopt_plugin",
    abi::MetricTable => "metricopt_metric",
    abi::Open => "metricopt_open",
    abi::Batch => "metricopt_batch",
    abi::Rows => "metricopt_rows",
    abi::Emit => "metricopt_emit",
    abi::TaskTable => "metricopt_task",
}

impl<T: CType> CType for *const T {
    fn spelling() -> String {
        format!("{} const *", T::spelling())
    }
}

impl<T: CType> CType for *mut T {
    fn spelling() -> String {
        format!("{} *", T::spelling())
    }
}

macro_rules! function {
    ($($argument:ident)*) => {
        impl<R: CType, $($argument: CType),*> CType for Option<unsafe extern "C" fn($($argument),*) -> R> {
            fn spelling() -> String {
                let arguments = [$($argument::spelling()),*];
                format!("{} (*)({})", R::spelling(), arguments.join(", "))
            }
        }
    };
}

function!(A);
function!(A B);
function!(A B C);
function!(A B C D);
function!(A B C D E);
function!(A B C D E F);
function!(A B C D E F G);
function!(A B C D E F G H);

/// A struct.
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) size: usize,
    pub(crate) align: usize,
    pub(crate) fields: Vec<Field>,
}

/// A field of it.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) spelling: String,
    pub(crate) offset: usize,
    pub(crate) size: usize,
}

impl Struct {
    pub(crate) fn of<T: CType>(fields: Vec<Field>) -> Self {
        Self {
            name: T::spelling(),
            size: size_of::<T>(),
            align: align_of::<T>(),
            fields,
        }
    }
}

impl Field {
    /// `get` is there for its type alone.
    pub(crate) fn of<T, F: CType>(
        name: &'static str,
        offset: usize,
        _get: impl FnOnce(T) -> F,
    ) -> Self {
        Self {
            name,
            spelling: F::spelling(),
            offset,
            size: size_of::<F>(),
        }
    }
}
