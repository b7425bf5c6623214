//! The engine: MetricOpt (Huang, Zhai, Guo and Susskind, CVPR 2021, arXiv 2104.10631).
//!
//! It knows no dataset, no network and no metric. Data flows one way:
//!
//! 1. [`calibrate`] finds how wide to search;
//! 2. [`collect`] runs diversified loss-only trajectories ([`trajectory`]) and observes the metric ([`observe`]) along them;
//!    [`interpolation`] fills the gaps ([`gaussian_process`]);
//! 3. [`value_function`] learns adapter to metric from them ([`projection`], [`mlp`], [`losses`], [`meta_training`]),
//!    and [`trust`] measures how far to believe it;
//! 4. [`finetune`](mod@finetune) follows loss, value function and [`guided_es`] with an [`optimizer`], or with a
//!    [`learned_optimizer`] (an [`update_rule`] made of a [`gru`], taught by [`optimizer_training`]);
//! 5. [`acceptance`] keeps the result or the pre-trained network; [`baselines`] and the intervals of [`bootstrap`] make
//!    the [`table`](mod@table) honest.
//!
//! [`memory`] lets a run that was interrupted go on; [`past`] is what a run takes from an earlier one, and
//! [`predictions`] what it keeps for a later one; [`budget`] bounds its queries, [`cost`] counts them before they are
//! asked, and [`probe`] says how long they take. [`tune`](mod@tune) is the whole run. Vectors are plain `f32` slices: an adapter has some hundreds to some ten
//! thousands of components, so that all the engine's own arithmetic is cheap beside one pass through the network, and
//! the same bits come out whatever the device or the number of threads. Tensors begin at the task.

pub mod acceptance;
pub mod amounts;
pub mod baselines;
pub mod bootstrap;
pub mod budget;
pub mod calibrate;
pub mod class_weights;
pub mod collect;
pub mod config;
pub mod contender;
pub mod contest;
pub mod cost;
mod elu;
pub mod events;
pub mod finetune;
pub mod footing;
pub mod gaussian_process;
pub mod groundwork;
pub mod gru;
pub mod guided_es;
pub mod history;
pub mod interpolation;
pub mod landscape;
pub mod learned_optimizer;
pub mod loss_grid;
pub mod losses;
pub mod memory;
pub mod meta_training;
pub mod meter;
pub mod metric_on;
pub mod mlp;
pub mod observation;
pub mod observe;
pub mod on_test;
pub mod optimizer;
mod optimizer_practice;
pub mod optimizer_training;
pub mod past;
pub mod predictions;
pub mod probe;
pub mod profile;
pub mod projection;
pub mod random;
pub mod recorder;
pub mod reference;
pub mod samples;
pub mod statistics;
pub mod stopping;
pub mod table;
pub mod threshold;
pub mod trajectory;
pub mod trust;
pub mod tune;
pub mod update_rule;
pub mod value_function;
pub mod vector;
