//! Tensors that fit no other kind.

use super::{Kind, Predictions};
use crate::{Result, View, Views};

/// Any tensors, looked up by name; the metric checks what it needs.
///
/// ```
/// use metricopt_sdk::{Data, Named, Predictions, View, Views};
///
/// let tensors = [View::new("depth", &[2], Data::F32(&[1.5, 2.0]))?];
/// let input = Named::from_views(&Views::new(&tensors))?;
/// assert_eq!(input.get("depth")?.f32()?, [1.5, 2.0]);
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    views: Views<'a>,
}

impl<'a> Named<'a> {
    /// The tensor of that name.
    ///
    /// # Errors
    ///
    /// If there is none; the message lists what there is.
    pub fn get(&self, name: &str) -> Result<&'a View<'a>> {
        self.views.get(name)
    }

    /// All tensors.
    pub fn views(&self) -> &Views<'a> {
        &self.views
    }
}

impl<'a> Predictions<'a> for Named<'a> {
    const KIND: Kind = Kind::Named;

    fn from_views(views: &Views<'a>) -> Result<Self> {
        Ok(Self { views: *views })
    }
}
