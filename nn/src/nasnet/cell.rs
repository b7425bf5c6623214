//! Cells: what was found by search, and is repeated.

use metricopt_sdk::Result;
use metricopt_sdk::tch::Tensor;

use super::branch::{Branch, Window, average, maximum};
use super::entry::Entry;
use crate::layout::Layout;
use crate::pass::Pass;

/// A cell takes the last two results and adds up its branches in pairs.
pub(super) struct Cell {
    previous: Entry,
    current: Entry,
    pairs: Pairs,
}

enum Pairs {
    /// Keeps the size; six results, of which the first is the previous input.
    Normal {
        left: [Branch; 3],
        right: [Branch; 2],
    },
    /// Halves the size; four results.
    Reduction {
        left: [Branch; 2],
        right: [Branch; 3],
        window: Window,
    },
}

impl Cell {
    /// A normal cell; the entries are those of the previous and the current input.
    pub(super) fn normal(
        name: &str,
        [previous, current]: [Entry; 2],
        width: i64,
        layout: &mut Layout,
    ) -> Self {
        let mut branch = |part: &str, kernel| {
            let name = format!("{name}.comb_iter_{part}");
            Branch::new(&name, [width; 3], kernel, Window::Keep, layout)
        };
        let zero = (branch("0_left", 5), branch("0_right", 3));
        let one = (branch("1_left", 5), branch("1_right", 3));
        Self {
            previous,
            current,
            pairs: Pairs::Normal {
                left: [zero.0, one.0, branch("4_left", 3)],
                right: [zero.1, one.1],
            },
        }
    }

    /// A reduction cell; the entries are those of the previous and the current input.
    pub(super) fn reduction(
        name: &str,
        entries: [Entry; 2],
        width: i64,
        window: Window,
        layout: &mut Layout,
    ) -> Self {
        Self::halving(name, entries, [width, width], window, layout)
    }

    /// The first cell: its previous input, the image behind one convolution, is taken as it is.
    pub(super) fn stem(name: &str, inputs: i64, width: i64, layout: &mut Layout) -> Self {
        let current = Entry::projection(&format!("{name}.conv_1x1"), [inputs, width], layout);
        let entries = [Entry::Unchanged, current];
        Self::halving(name, entries, [inputs, width], Window::Halve, layout)
    }

    /// `[channels of the previous input, width]`.
    fn halving(
        name: &str,
        [previous, current]: [Entry; 2],
        [inputs, width]: [i64; 2],
        window: Window,
        layout: &mut Layout,
    ) -> Self {
        let mut branch = |part: &str, input, kernel, window| {
            let name = format!("{name}.comb_iter_{part}");
            Branch::new(&name, [input, width, width], kernel, window, layout)
        };
        let first = branch("0_left", width, 5, window);
        let right = [
            branch("0_right", inputs, 7, window),
            branch("1_right", inputs, 7, window),
            branch("2_right", inputs, 5, window),
        ];
        Self {
            previous,
            current,
            pairs: Pairs::Reduction {
                left: [first, branch("4_left", width, 3, Window::Keep)],
                right,
                window,
            },
        }
    }

    pub(super) fn apply(
        &self,
        pass: &Pass<'_>,
        previous: &Tensor,
        current: &Tensor,
    ) -> Result<Tensor> {
        let previous = self.previous.apply(pass, previous)?;
        let current = self.current.apply(pass, current)?;
        let rectified = [previous.f_relu()?, current.f_relu()?];
        let from_previous = |branch: &Branch| branch.apply(pass, &rectified[0]);
        let from_current = |branch: &Branch| branch.apply(pass, &rectified[1]);
        let add = |a: Result<Tensor>, b: Result<Tensor>| -> Result<Tensor> { Ok(a?.f_add_(&b?)?) };
        let results = match &self.pairs {
            Pairs::Normal { left, right } => {
                let smooth = average(&previous, Window::Keep)?;
                vec![
                    previous.shallow_clone(),
                    add(from_current(&left[0]), from_previous(&right[0]))?,
                    add(from_previous(&left[1]), from_previous(&right[1]))?,
                    average(&current, Window::Keep)?.f_add(&previous)?,
                    smooth.f_add(&smooth)?,
                    from_current(&left[2])?.f_add(&current)?,
                ]
            }
            Pairs::Reduction {
                left,
                right,
                window,
            } => {
                let largest = maximum(&current, *window)?;
                let zero = add(from_current(&left[0]), from_previous(&right[0]))?;
                let one = from_previous(&right[1])?.f_add(&largest)?;
                let two = add(average(&current, *window), from_previous(&right[2]))?;
                let three = average(&zero, Window::Keep)?.f_add(&one)?;
                let four = left[1].apply(pass, &zero.f_relu()?)?.f_add(&largest)?;
                vec![one, two, three, four]
            }
        };
        Ok(Tensor::f_cat(&results, 1)?)
    }
}
