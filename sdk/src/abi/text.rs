//! Text across the boundary.

#![expect(
    unsafe_code,
    reason = "reads and writes text of the other side of the boundary"
)]

use std::ffi::c_void;

use super::types::{Sink, Str};
use crate::{Error, Result};

/// Longest text taken from the other side: far more than any schema, so that a wild length is an error.
const MAX_BYTES: usize = 16 << 20;

impl Str {
    /// No text.
    pub const EMPTY: Self = Self {
        data: std::ptr::null(),
        len: 0,
    };

    /// Borrows text for the other side, which must not use it for longer than `text` lives.
    pub const fn borrow(text: &str) -> Self {
        Self {
            data: text.as_ptr().cast(),
            len: text.len(),
        }
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// `data` must be null or point to `len` bytes that live as long as `'a`.
    pub(super) unsafe fn bytes<'a>(self, what: &str) -> Result<&'a [u8]> {
        if self.len == 0 {
            return Ok(&[]);
        }
        if self.data.is_null() || self.len > MAX_BYTES {
            return Err(Error::failed(format!(
                "the {what} is no text: pointer {:p}, {} bytes",
                self.data, self.len
            )));
        }
        // SAFETY: not null, and the caller vouches for the bytes.
        Ok(unsafe { std::slice::from_raw_parts(self.data.cast(), self.len) })
    }

    /// The text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    ///
    /// # Safety
    ///
    /// `data` must be null or point to `len` bytes that live as long as `'a`.
    pub(super) unsafe fn text<'a>(self, what: &str) -> Result<&'a str> {
        // SAFETY: as the caller vouches.
        let bytes = unsafe { self.bytes(what) }?;
        std::str::from_utf8(bytes).map_err(|error| {
            Error::failed(format!(
                "the {what} is not UTF-8 (from byte {}): `{}`",
                error.valid_up_to(),
                bytes
                    .escape_ascii()
                    .to_string()
                    .chars()
                    .take(80)
                    .collect::<String>()
            ))
        })
    }
}

impl Sink {
    /// Hands text to the caller.
    pub(super) fn put(self, text: &str) {
        if let Some(write) = self.write {
            // SAFETY: a sink's function takes its own context and text borrowed for the call.
            unsafe { write(self.context, Str::borrow(text)) }
        }
    }
}

/// Collects what the other side writes into a sink.
#[derive(Default)]
pub(super) struct Collector(Vec<u8>);

impl Collector {
    /// The sink, for one call.
    pub(super) fn sink(&mut self) -> Sink {
        Sink {
            context: (&raw mut *self).cast(),
            write: Some(collect),
        }
    }

    /// What was written. Bytes that are no UTF-8 are replaced: it is shown to people or parsed as JSON.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

unsafe extern "C" fn collect(context: *mut c_void, text: Str) {
    // SAFETY: the context is the collector that made this sink, borrowed by nobody else during the call.
    let collector = unsafe { &mut *context.cast::<Collector>() };
    // SAFETY: the other side vouches for the text for the duration of the call.
    if let Ok(bytes) = unsafe { text.bytes("message") } {
        let room = MAX_BYTES.saturating_sub(collector.0.len());
        collector.0.extend(bytes.iter().take(room));
    }
}
