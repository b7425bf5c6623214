//! The metrics of detection.

mod degenerate;
mod hand_worked;
mod population;
mod pycocotools;
mod scene;
mod voc_devkit;
