//! The objects of the class at hand, found by the number of an image without a search.

use std::ops::Range;

use super::truth::{Group, Truth};

/// A table of all images that holds one class at a time.
#[derive(Debug)]
pub(crate) struct ByImage {
    objects: Vec<[u32; 2]>,
}

impl ByImage {
    pub(crate) fn new(images: usize) -> Self {
        Self {
            objects: vec![[0, 0]; images],
        }
    }

    /// Calls `call` while the table holds a class. Only the entries of that class are written, and emptied again.
    pub(crate) fn with_class<T>(
        &mut self,
        truth: &Truth,
        class: usize,
        call: impl FnOnce(&Self) -> T,
    ) -> T {
        let groups = truth.groups(class);
        for &Group { image, objects } in groups {
            self.objects[image as usize] = objects;
        }
        let result = call(self);
        for group in groups {
            self.objects[group.image as usize] = [0, 0];
        }
        result
    }

    /// Which objects of the class lie on the image.
    pub(crate) fn objects(&self, image: usize) -> Range<usize> {
        let [from, to] = self.objects[image];
        from as usize..to as usize
    }
}
