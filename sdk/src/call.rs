//! What every longer call carries.

use crate::{Error, Result};

/// What every longer call carries.
///
/// ```
/// use metricopt_sdk::{Call, ErrorKind};
///
/// let call = Call { threads: 2, cancelled: &|| true };
/// assert_eq!(call.check().unwrap_err().kind(), ErrorKind::Cancelled);
/// ```
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Number of threads the call may use. The result must not depend on it.
    pub threads: usize,
    /// Says whether the user asked to stop.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Call<'_> {
    /// Returns early from a long computation once the user asked to stop.
    ///
    /// # Errors
    ///
    /// [`Error::cancelled`].
    pub fn check(&self) -> Result<()> {
        if (self.cancelled)() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }
}
