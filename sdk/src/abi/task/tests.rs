//! Tasks through their tables, in one process.

use super::*;
use crate::{Batch, Call, Data, ErrorKind, Kind, Rows, Task, View};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::mem::offset_of;

const CALL: Call<'static> = Call {
    threads: 1,
    cancelled: &|| false,
};

/// None.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {}

/// A weight of 3 and a bias of 1, with one FiLM site behind them; the input is 2.
struct Line;

/// The same without `fold`.
struct Rigid;

fn description() -> Description {
    Description {
        sites: vec![crate::Site {
            name: "output".to_owned(),
            channels: 1,
        }],
        units: [1; 3],
        classes: None,
        facts: Vec::new(),
    }
}

/// Emits `scale * (3 * 2 + 1) + shift` of each candidate.
fn emit_scores(phis: &Tensor, emit: &mut crate::Emit<'_>) -> Result<()> {
    for (index, phi) in Vec::<Vec<f32>>::try_from(phis)?.iter().enumerate() {
        let score = [(1.0 + phi[0]) * 7.0 + phi[1]];
        let view = View::new("scores", &[1], Data::F32(&score))?;
        emit(index, &[Views::new(&[view])])?;
    }
    Ok(())
}

macro_rules! task {
    ($name:ident, $typed:literal, { $($fold:item)? }) => {
        impl Task for $name {
            const NAME: &'static str = $typed;
            const KIND: Kind = Kind::Named;
            const METRIC: &'static str = "none";
            type Config = Config;

            fn open(_: Config, _: &Context<'_>) -> Result<Self> {
                Ok(Self)
            }

            fn describe(&self) -> Description {
                description()
            }

            fn loss(&self, phi: &Tensor, _: &Batch<'_>) -> Result<Tensor> {
                Ok(phi.f_sum(tch::Kind::Float)?)
            }

            fn predict(
                &self,
                phis: &Tensor,
                _: &Rows,
                _: &Call<'_>,
                emit: &mut crate::Emit<'_>,
            ) -> Result<()> {
                emit_scores(phis, emit)
            }

            $($fold)?
        }
    };
}

task!(Line, "line", {
    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        let phi = Vec::<f32>::try_from(phi)?;
        if phi[0] < -1.0 {
            return Err(Error::data("a negative scale").hint("make it positive"));
        }
        let scale = 1.0 + phi[0];
        let weight = Tensor::from_slice(&[3.0 * scale]).view([1, 1]);
        let bias = Tensor::from_slice(&[scale + phi[1]]);
        let seen = Tensor::from_slice(&[41_i64]).view([]);
        Ok(vec![
            NamedTensor::new("weight", weight),
            NamedTensor::new("bias", bias),
            NamedTensor::new("seen", seen),
        ])
    }
});
task!(Rigid, "rigid", {});

/// The table of a task, as a plugin hands it over.
fn table<T: Task>() -> TaskTable {
    // SAFETY: what the SDK exports is whole.
    unsafe { *export(TaskEntry::of::<T>()) }
}

/// A task behind a table, as a host opens it.
fn opened(table: TaskTable) -> Box<dyn DynTask> {
    let context = Context {
        device: Device::Cpu,
        seed: 0,
        cache: None,
        progress: &|_, _, _| (),
        call: CALL,
    };
    // SAFETY: every table of these tests holds functions of its own, for the life of the process.
    let entry = unsafe { import(&raw const table) }.unwrap();
    entry.open(&entry.defaults, &context).unwrap()
}

fn phi(scale: f32, shift: f32) -> Tensor {
    Tensor::from_slice(&[scale - 1.0, shift])
}

fn f32s(tensor: &NamedTensor) -> Vec<f32> {
    Vec::try_from(tensor.tensor.reshape([-1])).unwrap()
}

#[test]
fn folded_weights_cross_with_names_shapes_and_types() {
    let task = opened(table::<Line>());
    let tensors = task.fold(&phi(0.5, 4.0)).unwrap();
    let about: Vec<(&str, Vec<i64>)> = tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.tensor.size()))
        .collect();
    assert_eq!(
        about,
        [("weight", vec![1, 1]), ("bias", vec![1]), ("seen", vec![])]
    );
    assert_eq!(f32s(&tensors[0]), [1.5]);
    assert_eq!(f32s(&tensors[1]), [4.5]);
    assert_eq!(tensors[2].tensor.kind(), tch::Kind::Int64);
    // The folded line at 2 is what the adapter gives there.
    let mut scores: Vec<f32> = Vec::new();
    task.predict(
        &phi(0.5, 4.0).unsqueeze(0),
        &Rows::all(Split::Test),
        &CALL,
        &mut |_, views| {
            scores.extend(views[0].get("scores")?.f32()?);
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(scores, [1.5 * 2.0 + 4.5]);
}

#[test]
fn an_error_of_fold_crosses_with_its_kind_and_hint() {
    let error = opened(table::<Line>()).fold(&phi(-1.0, 0.0)).unwrap_err();
    assert_eq!(error.to_string(), "a negative scale");
    assert_eq!(error.hints(), ["make it positive"]);
    assert_eq!(error.kind(), ErrorKind::Data);
}

/// Three ways not to offer it: the author wrote none, the pointer is null, and the table ends before it, as those of ABI 1.0.
#[test]
fn not_offered_is_said_the_same_way_from_either_side() {
    let null = TaskTable {
        fold: None,
        ..table::<Line>()
    };
    let older = TaskTable {
        size: offset_of!(TaskTable, fold),
        ..table::<Line>()
    };
    for table in [table::<Rigid>(), null, older] {
        let error = opened(table).fold(&phi(1.0, 0.0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), not_folded().to_string());
        assert_eq!(error.hints(), not_folded().hints());
    }
}

/// Emits two candidates at once, which no task of the SDK does.
unsafe extern "C" fn two_at_once(_: *mut c_void, _: *mut c_void, emit: Emit, error: Sink) -> i32 {
    emitting(error, |value| {
        let view = View::new("weight", &[1], Data::F32(value))?;
        hand_over(&emit, 0, &[Views::new(&[view]), Views::new(&[view])])
    })
}

/// Begins to count at 1.
unsafe extern "C" fn from_one(_: *mut c_void, _: *mut c_void, emit: Emit, error: Sink) -> i32 {
    emitting(error, |value| {
        let view = View::new("weight", &[1], Data::F32(value))?;
        hand_over(&emit, 1, &[Views::new(&[view])])
    })
}

/// Goes on after the host refused.
unsafe extern "C" fn deaf(_: *mut c_void, _: *mut c_void, emit: Emit, error: Sink) -> i32 {
    emitting(error, |value| {
        let view = View::new("weight", &[1], Data::F32(value))?;
        for number in [0, 2, 1] {
            let _ = hand_over(&emit, number, &[Views::new(&[view])]);
        }
        Ok(())
    })
}

fn emitting(error: Sink, emit: impl FnOnce(&[f32]) -> Result<()>) -> i32 {
    run(error, || emit(&[1.0]))
}

#[test]
fn what_is_emitted_against_the_rules_is_refused() {
    type Fold = unsafe extern "C" fn(*mut c_void, *mut c_void, Emit, Sink) -> i32;
    let cases: [(Fold, &str); 3] = [
        (two_at_once, "the task emitted several tensors at once"),
        (from_one, "the task emitted tensor 1 after 0"),
        (deaf, "the task emitted tensor 2 after 1"),
    ];
    for (fold, expected) in cases {
        let broken = TaskTable {
            fold: Some(fold),
            ..table::<Line>()
        };
        let error = opened(broken).fold(&phi(1.0, 0.0)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

/// What a host reads of a table.
fn engine_defaults(table: TaskTable) -> Result<Value> {
    // SAFETY: the table is whole, or shorter, which its size says.
    unsafe { import(&raw const table) }.map(|entry| entry.engine_defaults)
}

#[test]
fn what_a_task_wants_of_the_engine_crosses() {
    let wanted = r#"{"finetune": {"batch_size": 16}}"#;
    let table = |text: &str, size| TaskTable {
        engine_defaults: Str::borrow(text),
        size,
        ..table::<Line>()
    };
    let whole = size_of::<TaskTable>();
    let crossed = engine_defaults(table(wanted, whole)).unwrap();
    assert_eq!(crossed, json!({ "finetune": { "batch_size": 16 } }));
    let older = offset_of!(TaskTable, engine_defaults);
    for (text, size) in [("", whole), (wanted, older)] {
        assert_eq!(engine_defaults(table(text, size)).unwrap(), json!({}));
    }
    let error = engine_defaults(table("[16]", whole)).unwrap_err();
    assert!(error.to_string().contains("no JSON object"), "{error}");
}
