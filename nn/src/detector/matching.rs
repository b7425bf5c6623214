//! Which anchor answers for which object (Lin et al., ICCV 2017, section 4; Ren et al., NeurIPS 2015, section 3.1.2).

use super::coding::encode;
use super::{Corners, overlap};

/// Least overlap of an anchor that answers for an object.
const FOREGROUND: f32 = 0.5;

/// An anchor that overlaps no object as much as this is background; one in between is left out of the loss.
const BACKGROUND: f32 = 0.4;

/// An object to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object {
    /// Where; it has an area.
    pub corners: Corners,
    /// Its class.
    pub class: i64,
    /// Whether anchors that see it are left out of the loss instead, as for objects marked difficult.
    pub ignored: bool,
}

/// What an anchor should say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Nothing is here.
    Background,
    /// Whatever: it is left out of the loss.
    Ignored,
    /// An object of this class is here, with this code.
    Object(i64, [f32; 4]),
}

/// The role of each anchor on an image with these objects. An object whose best anchor overlaps it too little is answered
/// for by that anchor and those that tie with it; of two such objects at one anchor, the later one.
pub fn assign(anchors: &[Corners], objects: &[Object]) -> Vec<Role> {
    let mut best = vec![(0.0_f32, 0_usize); anchors.len()];
    let mut forced: Vec<(usize, usize)> = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let overlaps: Vec<f32> = anchors
            .iter()
            .map(|anchor| overlap(anchor, &object.corners))
            .collect();
        let highest = overlaps.iter().copied().fold(0.0, f32::max);
        for (at, (&overlap, best)) in overlaps.iter().zip(&mut best).enumerate() {
            if overlap > best.0 {
                *best = (overlap, index);
            }
            if !object.ignored && overlap == highest && highest > 0.0 {
                forced.push((at, index));
            }
        }
    }
    let mut roles: Vec<Role> = anchors
        .iter()
        .zip(best)
        .map(|(anchor, (overlap, index))| match objects.get(index) {
            Some(object) if overlap >= FOREGROUND => role_of(object, anchor),
            Some(_) if overlap >= BACKGROUND => Role::Ignored,
            _ => Role::Background,
        })
        .collect();
    for (at, index) in forced {
        if let (Some(role), Some(anchor), Some(object)) =
            (roles.get_mut(at), anchors.get(at), objects.get(index))
        {
            *role = role_of(object, anchor);
        }
    }
    roles
}

fn role_of(object: &Object, anchor: &Corners) -> Role {
    if object.ignored {
        Role::Ignored
    } else {
        Role::Object(object.class, encode(&object.corners, anchor))
    }
}
