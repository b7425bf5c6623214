//! Metrics of embeddings.

mod brute_force;
mod golden;
mod hand_worked;
mod hostile;
mod predictions;
mod query_rows;
