//! Surrogate losses of embeddings: each from a minibatch of embeddings f32 `[N, D]` and their classes to a scalar that autograd
//! can follow.
//!
//! All but [`proxy_nca`] compare the items of the minibatch with each other and have nothing to learn beside the network. A loss
//! for which a minibatch has no pairs or no triplets is 0, with gradient 0.

mod contrastive;
mod multi_similarity;
mod pairs;
mod proxy_nca;
mod smooth_ap;
mod supervised_contrastive;
mod triplet;

use metricopt_sdk::prelude::*;
use metricopt_sdk::tch::Tensor;

pub use contrastive::contrastive;
pub use multi_similarity::multi_similarity;
pub use pairs::Pairs;
pub use proxy_nca::{Proxies, proxy_nca};
pub use smooth_ap::smooth_ap;
pub use supervised_contrastive::supervised_contrastive;
pub use triplet::triplet;

/// A surrogate loss by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Surrogate {
    /// Pulls positives above, pushes negatives below a margin (Hadsell et al., CVPR 2006).
    Contrastive,
    /// The anchor nearer to a positive than to a semi-hard negative by a margin (Schroff et al., CVPR 2015).
    Triplet,
    /// Mined pairs with soft weights (Wang et al., CVPR 2019).
    MultiSimilarity,
    /// Nearest proxy of a class (Movshovitz-Attias et al., ICCV 2017); the proxies are the class means of the pre-trained
    /// network.
    ProxyNca,
    /// Average precision with sigmoids for steps (Brown et al., ECCV 2020).
    SmoothAp,
    /// All positives against all others (Khosla et al., NeurIPS 2020). It never runs dry, as losses with a margin do where a
    /// network separates its training classes.
    #[default]
    SupervisedContrastive,
}

impl Surrogate {
    /// The name as the user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contrastive => "contrastive",
            Self::Triplet => "triplet",
            Self::MultiSimilarity => "multi-similarity",
            Self::ProxyNca => "proxy-nca",
            Self::SmoothAp => "smooth-ap",
            Self::SupervisedContrastive => "supervised-contrastive",
        }
    }

    /// The loss of a minibatch; `proxies` are only looked at by [`Surrogate::ProxyNca`].
    ///
    /// # Errors
    ///
    /// Those of libtorch, or if proxies are needed and there are none.
    pub fn of(
        self,
        embeddings: &Tensor,
        labels: &[i64],
        proxies: Option<&Proxies>,
    ) -> Result<Tensor> {
        let pairs = || Pairs::new(embeddings, labels);
        match self {
            Self::Contrastive => contrastive(&pairs()?),
            Self::Triplet => triplet(&pairs()?),
            Self::MultiSimilarity => multi_similarity(&pairs()?),
            Self::ProxyNca => {
                let proxies = proxies.ok_or_else(|| Error::failed("proxy-NCA without proxies"))?;
                proxy_nca(embeddings, labels, proxies)
            }
            Self::SmoothAp => smooth_ap(&pairs()?),
            Self::SupervisedContrastive => supervised_contrastive(&pairs()?),
        }
    }
}
