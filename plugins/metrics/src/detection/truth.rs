//! The objects of a set of images, grouped by class and image.

use metricopt_sdk::{Detection, Result};

use super::ids::Ids;
use super::input::check_truth;
use super::overlap::{Areas, Region};
use super::ties::{Ties, by_corners};

/// An object of the images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    pub(crate) region: Region,
    pub(crate) difficult: bool,
}

/// The objects of one class on one image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Number of the image.
    pub(crate) image: u32,
    /// Where its objects begin and end among those of all classes.
    pub(crate) objects: [u32; 2],
}

/// The objects of one class.
#[derive(Clone, Copy, Debug)]
struct Class {
    groups: [u32; 2],
    /// Those that are not difficult.
    counted: u32,
}

/// The true boxes, indexed once for all candidates of a step.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) labels: Ids,
    pub(crate) images: Ids,
    pub(crate) areas: Areas,
    objects: Vec<Object>,
    groups: Vec<Group>,
    classes: Vec<Class>,
}

impl Truth {
    /// Groups the true boxes. Within a group they are in the order of their rows, or by their corners.
    pub(crate) fn new(input: &Detection<'_>, areas: Areas, ties: Ties) -> Result<Self> {
        check_truth(input)?;
        let labels = Ids::of(input.gt_labels);
        let images = Ids::of(input.gt_image_ids);
        let number = |ids: &Ids, values: &[i64]| -> Vec<u32> {
            let numbers = values.iter().map(|&value| ids.number(value));
            numbers.map(|number| number.unwrap_or(0)).collect()
        };
        let label_of = number(&labels, input.gt_labels);
        let image_of = number(&images, input.gt_image_ids);
        let rows: Vec<u32> = (0..input.gt_boxes.len() as u32).collect();
        let by_image = counting_sort(&rows, &image_of, images.len());
        let mut order = counting_sort(&by_image, &label_of, labels.len());

        let place = |row: u32| (label_of[row as usize], image_of[row as usize]);
        if ties == Ties::Content {
            for group in order.chunk_by_mut(|&a, &b| place(a) == place(b)) {
                group.sort_unstable_by(|&a, &b| {
                    let difficult = |row: u32| input.gt_difficult[row as usize] != 0;
                    by_corners(input.gt_boxes, a, b).then(difficult(a).cmp(&difficult(b)))
                });
            }
        }
        let objects: Vec<Object> = order
            .iter()
            .map(|&row| Object {
                region: Region::new(input.gt_boxes[row as usize], areas),
                difficult: input.gt_difficult[row as usize] != 0,
            })
            .collect();

        let mut groups: Vec<Group> = Vec::new();
        let mut classes = Vec::with_capacity(labels.len());
        let mut at = 0;
        for class in order.chunk_by(|&a, &b| place(a).0 == place(b).0) {
            let first = groups.len() as u32;
            let class_start = at;
            for group in class.chunk_by(|&a, &b| place(a) == place(b)) {
                let end = at + group.len();
                groups.push(Group {
                    image: place(group[0]).1,
                    objects: [at as u32, end as u32],
                });
                at = end;
            }
            let counted = objects[class_start..at].iter().filter(|o| !o.difficult);
            classes.push(Class {
                groups: [first, groups.len() as u32],
                counted: counted.count() as u32,
            });
        }
        Ok(Self {
            labels,
            images,
            areas,
            objects,
            groups,
            classes,
        })
    }

    /// All objects, group by group.
    pub(crate) fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The groups of a class, by image.
    pub(crate) fn groups(&self, class: usize) -> &[Group] {
        let [from, to] = self.classes[class].groups;
        &self.groups[from as usize..to as usize]
    }

    /// Objects of a class that are not difficult.
    pub(crate) fn counted(&self, class: usize) -> usize {
        self.classes[class].counted as usize
    }

    /// The classes with an object that is not difficult: those that have a value.
    pub(crate) fn scored_classes(&self) -> impl Iterator<Item = usize> {
        (0..self.classes.len()).filter(|&class| self.counted(class) > 0)
    }
}

/// The rows in the order of their keys, which are below `keys`; rows of the same key stay in their order.
fn counting_sort(rows: &[u32], key_of: &[u32], keys: usize) -> Vec<u32> {
    let mut places = vec![0_u32; keys];
    for &row in rows {
        places[key_of[row as usize] as usize] += 1;
    }
    let mut next = 0;
    for place in &mut places {
        next += std::mem::replace(place, next);
    }
    let mut sorted = vec![0; rows.len()];
    for &row in rows {
        let place = &mut places[key_of[row as usize] as usize];
        sorted[*place as usize] = row;
        *place += 1;
    }
    sorted
}
