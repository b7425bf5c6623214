//! Values computed by pycocotools 2.0.11 (numpy 2.4.6) on the same inputs: `reference.py` prints this table.

use serde_json::json;

use super::scene::{Recipe, Scene};
use crate::support::{assert_close, evaluate};

fn recipe(
    seed: u64,
    images: u64,
    classes: u64,
    levels: u64,
    noise: u64,
    difficult: bool,
) -> Recipe {
    Recipe {
        seed,
        images,
        classes,
        levels,
        noise,
        difficult,
    }
}

/// AP, AP50, AP75, AR1, AR10 and AR100 of cases with and without ties, with more than 100 boxes an image and class, with
/// difficult objects, and with classes without objects.
#[rustfmt::skip]
fn table() -> [(Recipe, [f64; 6]); 7] {
    [
        (recipe(1, 40, 5, 1048576, 3, false), [0.17482549179395987, 0.37380903589361214, 0.1519175827357172, 0.23970959595959598, 0.38013888888888886, 0.38013888888888886]),
        (recipe(2, 40, 3, 8, 3, false), [0.22901524351108257, 0.4992510424217081, 0.1933722533691326, 0.3035034556087187, 0.4136416799574694, 0.4136416799574694]),
        (recipe(3, 2, 1, 65536, 300, false), [0.0166289592760181, 0.02941176470588235, 0.019230769230769225, 0.0, 0.6, 0.6]),
        (recipe(4, 2, 1, 4, 300, false), [0.10099009900990097, 0.16831683168316824, 0.16831683168316824, 0.1, 0.1, 0.1]),
        (recipe(5, 60, 4, 1048576, 3, true), [0.1562977801075749, 0.37338998953987734, 0.09637592772174401, 0.255745756800744, 0.34631818181818186, 0.34631818181818186]),
        (recipe(6, 60, 4, 16, 6, true), [0.19498392449264723, 0.423923209848723, 0.10590327337000018, 0.2816356133279908, 0.4190804204869541, 0.4190804204869541]),
        (recipe(7, 4, 9, 1048576, 2, false), [0.08999999999999998, 0.19999999999999996, 0.0, 0.08, 0.1, 0.1]),
    ]
}

#[test]
fn the_values_of_pycocotools() {
    for (recipe, expected) in table() {
        let metrics = [
            ("coco-map", json!({})),
            ("coco-map", json!({"iou": 0.5})),
            ("coco-map", json!({"iou": 0.75})),
            ("average-recall", json!({"max_detections": 1})),
            ("average-recall", json!({"max_detections": 10})),
            ("average-recall", json!({"max_detections": 100})),
        ];
        let scene = Scene::generate(recipe);
        for ((name, mut config), expected) in metrics.into_iter().zip(expected) {
            config["ties"] = json!("index");
            let what = format!("{name} {config} of {recipe:?}");
            let value = evaluate(name, &config, &scene).unwrap();
            assert_close(value, expected, 1e-12, &what);
            // Ties by content are those of pycocotools on rows in the order of their content.
            config["ties"] = json!("content");
            let content = evaluate(name, &config, &scene).unwrap();
            config["ties"] = json!("index");
            let sorted = evaluate(name, &config, &scene.by_content()).unwrap();
            assert_close(content, sorted, 1e-12, &what);
            if recipe.levels >= 1 << 20 {
                assert_close(content, expected, 1e-12, &what);
            }
        }
    }
}
