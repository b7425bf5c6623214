//! The engine: MetricOpt (Huang, Zhai, Guo and Susskind, CVPR 2021, arXiv 2104.10631).
//!
//! It knows no dataset, no network and no metric. Data flows one way:
//!
//! 1. [`calibrate`] finds how wide to search;
//! 2. [`trajectory`] runs diversified loss-only trajectories, observes the metric ([`observe`]) along them, and fills
//!    the gaps ([`gaussian_process`]);
//! 3. [`value_function`] learns adapter to metric from them ([`projection`], [`mlp`], [`losses`], [`meta_training`]),
//!    and [`trust`] measures how far to believe it;
//! 4. [`finetune`](mod@finetune) follows loss, value function and [`guided_es`] with an [`optimizer`];
//! 5. [`acceptance`] keeps the result or the pre-trained network; [`baselines`] and the intervals of [`bootstrap`] make
//!    the [`table`](mod@table) honest.
//!
//! [`memory`] lets a run that was interrupted go on. [`tune`](mod@tune) is the whole run. Vectors are plain `f32` slices: an adapter has some hundreds to some ten
//! thousands of components, so that all the engine's own arithmetic is cheap beside one pass through the network, and
//! the same bits come out whatever the device or the number of threads. Tensors begin at the task.

pub mod acceptance;
pub mod baselines;
pub mod bootstrap;
pub mod calibrate;
pub mod class_weights;
pub mod config;
pub mod contender;
pub mod contest;
pub mod events;
pub mod finetune;
pub mod gaussian_process;
pub mod groundwork;
pub mod guided_es;
pub mod landscape;
pub mod loss_grid;
pub mod losses;
pub mod memory;
pub mod meta_training;
pub mod meter;
pub mod mlp;
pub mod observe;
pub mod optimizer;
pub mod profile;
pub mod projection;
pub mod random;
pub mod recorder;
pub mod statistics;
pub mod table;
pub mod threshold;
pub mod trajectory;
pub mod trust;
pub mod tune;
pub mod value_function;
pub mod vector;
