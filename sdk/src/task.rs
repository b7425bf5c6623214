//! Tasks: data, a frozen network with an adapter, and a surrogate loss.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use tch::{Device, Tensor};

use crate::{
    Batch, Call, Error, Gradients, Kind, NamedTensor, Pictures, Result, Rows, Split, Views,
    autograd, config, panics,
};

/// A FiLM site: a place in the network where per-channel scale and shift act (Perez et al., AAAI 2018).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Name of the layer, as in the network.
    pub name: String,
    /// Number of channels; the site takes `2 * channels` numbers of the adapter.
    pub channels: usize,
}

/// What an opened task is.
///
/// ```
/// use metricopt_sdk::{Description, Site, Split};
///
/// let site = |name: &str, channels| Site { name: name.to_owned(), channels };
/// let description = Description {
///     sites: vec![site("hidden1", 100), site("hidden2", 50)],
///     units: [800, 100, 100],
///     classes: Some(2),
///     facts: vec![("data".to_owned(), "a table of mine".to_owned())],
/// };
/// assert_eq!(description.dimensions(), 300);
/// assert_eq!(description.units(Split::Validation), 100);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The FiLM sites in adapter order. In `phi` each site holds its `scale - 1` and then its `shift`.
    pub sites: Vec<Site>,
    /// Number of units in the train, validation and test split.
    pub units: [usize; 3],
    /// Number of classes, if the surrogate loss takes class weights.
    pub classes: Option<usize>,
    /// What a reader should know of data and network, in order: name and value.
    pub facts: Vec<(String, String)>,
}

impl Description {
    /// Length `D` of the adapter vector `phi`.
    pub fn dimensions(&self) -> usize {
        self.sites.iter().map(|site| 2 * site.channels).sum()
    }

    /// Number of units of a split.
    pub fn units(&self, split: Split) -> usize {
        self.units[split as usize]
    }
}

/// What a task is opened with.
pub struct Context<'a> {
    /// Where the network lives.
    pub device: Device,
    /// Seed of splits, initialisation and training.
    pub seed: u64,
    /// Folder for results that can be computed again, such as pre-trained weights; `None` to keep nothing.
    pub cache: Option<&'a std::path::Path>,
    /// Reports progress: what is being done, how much is done, of how much.
    pub progress: &'a dyn Fn(&str, u64, u64),
    /// Threads to use and the wish to stop.
    pub call: Call<'a>,
}

/// Takes predictions: the index of the first candidate, and the named tensors of it and of those that follow.
///
/// A task may emit all candidates at once or in groups, in any order, each once. What is emitted is borrowed for the
/// duration of the call.
pub type Emit<'a> = dyn FnMut(usize, &[Views<'_>]) -> Result<()> + 'a;

/// A task: it owns the data, the frozen network and the surrogate loss, and sees the world through its adapter `phi`.
///
/// `phi` is the deviation from the identity, so `phi = 0` is exactly the pre-trained network. Nothing the engine calls
/// changes a task: the same arguments give the same result, whatever was called before.
///
/// A complete task, logistic regression on two points with one FiLM site:
///
/// ```
/// use metricopt_sdk::prelude::*;
/// use metricopt_sdk::tch::{Kind as Dtype, Tensor};
///
/// /// Two points on a line.
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct Config {}
///
/// struct Line { x: Vec<f32>, labels: Vec<i64> }
///
/// impl Line {
///     fn logits(&self, phi: &Tensor) -> Tensor {
///         let scale = phi.narrow(0, 0, 1) + 1.0;
///         let shift = phi.narrow(0, 1, 1);
///         Tensor::from_slice(&self.x) * scale + shift
///     }
/// }
///
/// impl Task for Line {
///     const NAME: &'static str = "line";
///     const KIND: Kind = Kind::Classification;
///     const METRIC: &'static str = "accuracy";
///     type Config = Config;
///
///     fn open(_: Config, _: &Context<'_>) -> Result<Self> {
///         Ok(Self { x: vec![-1.0, 1.0], labels: vec![0, 1] })
///     }
///
///     fn describe(&self) -> Description {
///         let sites = vec![Site { name: "input".into(), channels: 1 }];
///         Description { sites, units: [2, 2, 2], classes: None, facts: vec![] }
///     }
///
///     fn loss(&self, phi: &Tensor, _: &Batch<'_>) -> Result<Tensor> {
///         let labels = Tensor::from_slice(&self.labels).to_kind(Dtype::Float);
///         let weight: Option<&Tensor> = None;
///         Ok(self.logits(phi).f_binary_cross_entropy_with_logits(
///             &labels, weight, weight, metricopt_sdk::tch::Reduction::Mean)?)
///     }
///
///     fn predict(&self, phis: &Tensor, rows: &Rows, call: &Call<'_>, emit: &mut Emit<'_>) -> Result<()> {
///         let rows = rows.part.indices(2);
///         let labels: Vec<i64> = rows.iter().map(|&row| self.labels[row as usize]).collect();
///         for candidate in 0..phis.size()[0] {
///             call.check()?;
///             let all = Vec::<f32>::try_from(self.logits(&phis.get(candidate)).sigmoid())?;
///             let scores: Vec<f32> = rows.iter().map(|&row| all[row as usize]).collect();
///             let shape = [rows.len()];
///             let tensors = [
///                 View::new("scores", &shape, Data::F32(&scores))?,
///                 View::new("labels", &shape, Data::I64(&labels))?,
///             ];
///             emit(candidate as usize, &[Views::new(&tensors)])?;
///         }
///         Ok(())
///     }
/// }
/// register!(task Line);
/// ```
pub trait Task: Send + Sized + 'static {
    /// The name users type: lower case with hyphens.
    const NAME: &'static str;
    /// The prediction kind it yields.
    const KIND: Kind;
    /// The metric that is tuned when the user names none.
    const METRIC: &'static str;
    /// Its configuration; the doc comment is what `host describe` shows.
    type Config: Default + Serialize + DeserializeOwned + JsonSchema;

    /// What the engine should take instead of its own defaults, as JSON by section and key (`host describe config`): a task
    /// whose network is costly takes smaller minibatches and fewer trajectories. Users can still set every key.
    ///
    /// ```
    /// use metricopt_sdk::Task;
    /// use serde_json::json;
    ///
    /// /// The minibatches of a task, for example.
    /// fn minibatch<T: Task>() -> Option<u64> {
    ///     T::engine_defaults()["finetune"]["batch_size"].as_u64()
    /// }
    /// assert_eq!(json!({ "finetune": { "batch_size": 16 } })["finetune"]["batch_size"], 16);
    /// ```
    fn engine_defaults() -> Value {
        json!({})
    }

    /// Checks the configuration beyond what its types say, before anything is opened.
    ///
    /// # Errors
    ///
    /// Names each value out of range.
    fn check(_config: &Self::Config) -> Result<()> {
        Ok(())
    }

    /// Reads the data and makes or loads the pre-trained network; the configuration has been checked.
    ///
    /// # Errors
    ///
    /// If the configuration is out of range or the data cannot be used.
    fn open(config: Self::Config, context: &Context<'_>) -> Result<Self>;

    /// Layout of the adapter, sizes of the splits, and facts for the reader.
    fn describe(&self) -> Description;

    /// The surrogate loss at one adapter: `phi` f32 `[D]` to a scalar tensor that autograd can follow back to `phi`.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    fn loss(&self, phi: &Tensor, batch: &Batch<'_>) -> Result<Tensor>;

    /// Losses and gradients at `P` adapters f32 `[P, D]`, each with a batch of its own.
    ///
    /// The default follows [`loss`](Self::loss) back by autograd, one adapter after the other. Override it where
    /// several can be computed side by side.
    ///
    /// # Errors
    ///
    /// Those of [`loss`](Self::loss), or that the user asked to stop.
    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        let mut losses = Vec::with_capacity(batches.len());
        let mut gradients = Vec::with_capacity(batches.len());
        for (index, batch) in batches.iter().enumerate() {
            call.check()?;
            let (loss, gradient) =
                autograd(&phis.f_get(index as i64)?, |phi| self.loss(phi, batch))?;
            losses.push(loss);
            gradients.push(gradient);
        }
        Ok(Gradients {
            losses,
            gradients: Tensor::f_stack(&gradients, 0)?,
        })
    }

    /// Predictions of `P` candidate adapters f32 `[P, D]` on the given units, emitted in the task's prediction kind.
    ///
    /// What stands in front of the first FiLM site does not depend on `phi`: compute it once and cache it.
    ///
    /// # Errors
    ///
    /// Those of libtorch or of `emit`, or that the user asked to stop.
    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()>;

    /// The network with an adapter `phi` f32 `[D]` folded into its weights: all of its tensors, under the names and in the
    /// shapes that the file of the pre-trained weights has for them, for `host export --fold`.
    ///
    /// A network with these weights and without FiLM must give the outputs of [`predict`](Self::predict) at `phi` within
    /// 1e-5. FiLM behind a linear layer, `scale * (W x + b) + shift`, folds exactly: each row of `W` is multiplied by the
    /// `scale` of its channel, and `b` becomes `scale * b + shift`. The same holds of a convolution and its output
    /// channels, and of a batch normalisation, whose weight and bias are such a `W` and `b` for each channel.
    ///
    /// The default says that it is not offered: where a nonlinearity stands between FiLM and the nearest layer there is
    /// nothing to fold into.
    ///
    /// ```
    /// use metricopt_sdk::prelude::*;
    /// use metricopt_sdk::tch::Tensor;
    ///
    /// /// What `fold` returns for one linear layer, weight `[outputs, inputs]` and bias `[outputs]`, and FiLM behind it.
    /// fn folded(weight: &Tensor, bias: &Tensor, phi: &Tensor) -> Result<Vec<NamedTensor>> {
    ///     let outputs = bias.size()[0];
    ///     let scale = phi.f_narrow(0, 0, outputs)?.f_add_scalar(1.0)?;
    ///     let shift = phi.f_narrow(0, outputs, outputs)?;
    ///     let weight = weight.f_mul(&scale.f_unsqueeze(1)?)?;
    ///     let bias = bias.f_mul(&scale)?.f_add(&shift)?;
    ///     Ok(vec![
    ///         NamedTensor::new("layer.weight", weight),
    ///         NamedTensor::new("layer.bias", bias),
    ///     ])
    /// }
    ///
    /// let (weight, bias) = (Tensor::from_slice(&[3.0_f32, 4.0]).view([1, 2]), Tensor::from_slice(&[5.0_f32]));
    /// let tensors = folded(&weight, &bias, &Tensor::from_slice(&[1.0_f32, -2.0]))?;
    /// assert_eq!(Vec::<f32>::try_from(&tensors[0].tensor.view([-1]))?, [6.0, 8.0]);
    /// assert_eq!(Vec::<f32>::try_from(&tensors[1].tensor)?, [8.0]);
    /// # Ok::<(), metricopt_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of libtorch, or that it is not offered.
    fn fold(&self, _phi: &Tensor) -> Result<Vec<NamedTensor>> {
        Err(not_folded())
    }

    /// Some units of a split as a person sees them, one for each of `rows`, for the report; `None` if they are no pictures, as
    /// by default. Like [`Metric::details`](crate::Metric::details) it is not part of the C ABI: the report shows less of a task
    /// in a library.
    ///
    /// # Errors
    ///
    /// If there is no unit of a row.
    fn pictures(&self, _split: Split, _rows: &[u32]) -> Result<Option<Pictures>> {
        Ok(None)
    }
}

/// What a task says that cannot fold.
pub(crate) fn not_folded() -> Error {
    Error::unsupported("does not offer to fold its adapter into the weights")
        .hint("`adapter.safetensors` of the run holds scale and shift of every FiLM site")
        .hint("the author of a task adds it with the method `fold` of `Task`")
}

/// An opened task behind one face, whether compiled in or loaded: what the engine calls.
///
/// See [`Task`] for what the methods do.
#[expect(missing_docs, reason = "documented at `Task`")]
pub trait DynTask: Send {
    fn describe(&self) -> Description;
    fn gradients(&self, phis: &Tensor, batches: &[Batch<'_>], call: &Call<'_>)
    -> Result<Gradients>;
    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()>;
    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>>;

    /// See [`Task::pictures`]. A task of a loaded library has none.
    ///
    /// # Errors
    ///
    /// If there is no unit of a row.
    fn pictures(&self, _split: Split, _rows: &[u32]) -> Result<Option<Pictures>> {
        Ok(None)
    }
}

/// A task of this binary, whose author's `Drop` may panic.
struct Opened<T: Task>(ManuallyDrop<T>);

impl<T: Task> Drop for Opened<T> {
    fn drop(&mut self) {
        panics::drop_guarded(&mut self.0, "task", T::NAME);
    }
}

impl<T: Task> DynTask for Opened<T> {
    fn describe(&self) -> Description {
        Task::describe(&*self.0)
    }

    fn gradients(
        &self,
        phis: &Tensor,
        batches: &[Batch<'_>],
        call: &Call<'_>,
    ) -> Result<Gradients> {
        Task::gradients(&*self.0, phis, batches, call)
    }

    fn predict(
        &self,
        phis: &Tensor,
        rows: &Rows,
        call: &Call<'_>,
        emit: &mut Emit<'_>,
    ) -> Result<()> {
        Task::predict(&*self.0, phis, rows, call, emit)
    }

    fn fold(&self, phi: &Tensor) -> Result<Vec<NamedTensor>> {
        Task::fold(&*self.0, phi)
    }

    fn pictures(&self, split: Split, rows: &[u32]) -> Result<Option<Pictures>> {
        Task::pictures(&*self.0, split, rows)
    }
}

/// Puts an opened task behind the face that the engine calls; a panic in its `Drop` is logged and goes no further.
///
/// [`TaskEntry::open`] does it for registered tasks. For a test of the engine with a task made by hand:
///
/// ```no_run
/// use metricopt_sdk::{DynTask, Task, boxed};
///
/// fn dimensions(task: impl Task) -> usize {
///     let task: Box<dyn DynTask> = boxed(task);
///     task.describe().dimensions()
/// }
/// ```
pub fn boxed<T: Task>(task: T) -> Box<dyn DynTask> {
    Box::new(Opened(ManuallyDrop::new(task)))
}

type Check = dyn Fn(&Value) -> Result<()> + Send + Sync;
type Open = dyn Fn(&Value, &Context<'_>) -> Result<Box<dyn DynTask>> + Send + Sync;

/// Everything known of a task before it is opened, whether it is compiled in or loaded.
#[derive(Clone)]
#[non_exhaustive]
pub struct TaskEntry {
    /// The name users type.
    pub name: String,
    /// The prediction kind it yields.
    pub kind: Kind,
    /// The metric that is tuned when the user names none.
    pub metric: String,
    /// JSON schema of the configuration; its `description` is the documentation.
    pub schema: Value,
    /// The default configuration.
    pub defaults: Value,
    /// What the engine takes instead of its own defaults, by section and key.
    pub engine_defaults: Value,
    check: Arc<Check>,
    open: Arc<Open>,
}

impl fmt::Debug for TaskEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TaskEntry")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl TaskEntry {
    /// The entry of `T`; called by [`register!`](crate::register).
    #[must_use]
    pub fn of<T: Task>() -> Self {
        Self {
            schema: config::schema::<T::Config>(),
            defaults: config::defaults::<T::Config>(),
            engine_defaults: T::engine_defaults(),
            ..Self::new(
                T::NAME.to_owned(),
                T::KIND,
                T::METRIC.to_owned(),
                |json| T::check(&config::parse(json)?),
                |json, context| {
                    let config = config::parse(json)?;
                    T::check(&config)?;
                    Ok(Box::new(Opened(ManuallyDrop::new(T::open(
                        config, context,
                    )?))))
                },
            )
        }
    }

    /// An entry without configuration; the other fields are set afterwards.
    pub(crate) fn new(
        name: String,
        kind: Kind,
        metric: String,
        check: impl Fn(&Value) -> Result<()> + Send + Sync + 'static,
        open: impl Fn(&Value, &Context<'_>) -> Result<Box<dyn DynTask>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            kind,
            metric,
            schema: json!({ "type": "object", "properties": {} }),
            defaults: json!({}),
            engine_defaults: json!({}),
            check: Arc::new(check),
            open: Arc::new(open),
        }
    }

    /// Checks a configuration without opening anything.
    ///
    /// # Errors
    ///
    /// Names what is unknown, ill-typed or out of range.
    pub fn check(&self, config: &Value) -> Result<()> {
        (self.check)(config)
    }

    /// Opens the task.
    ///
    /// # Errors
    ///
    /// If the configuration is out of range or the data cannot be used.
    pub fn open(&self, config: &Value, context: &Context<'_>) -> Result<Box<dyn DynTask>> {
        (self.open)(config, context)
    }
}
