//! Runs of the detection task.
