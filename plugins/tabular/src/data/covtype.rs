//! UCI CoverType: forest cover by cartographic variables.

use std::path::Path;

use metricopt_sdk::Result;

use super::{RawTable, delimited};

/// For the reader of a report.
pub(super) const SOURCE: &str =
    "UCI CoverType (Blackard 1998, https://doi.org/10.24432/C50K5N, CC BY 4.0)";

/// Number of features: 10 quantities, 4 wilderness areas, 40 soil types.
const COLUMNS: usize = 54;

const CLASSES: [&str; 7] = ["1", "2", "3", "4", "5", "6", "7"];

const QUANTITIES: [&str; 10] = [
    "Elevation",
    "Aspect",
    "Slope",
    "Horizontal_Distance_To_Hydrology",
    "Vertical_Distance_To_Hydrology",
    "Horizontal_Distance_To_Roadways",
    "Hillshade_9am",
    "Hillshade_Noon",
    "Hillshade_3pm",
    "Horizontal_Distance_To_Fire_Points",
];

/// Reads the file of UCI, which has no header, or one of the copies that have.
pub(super) fn read(path: &Path) -> Result<RawTable> {
    let layout = delimited::Layout {
        columns: Some(COLUMNS),
        labels: Some(&CLASSES),
        ..delimited::Layout::default()
    };
    let mut table = delimited::read(path, &layout)?;
    if table.names.is_empty() {
        let areas = (1..=4).map(|area| format!("Wilderness_Area{area}"));
        let soils = (1..=40).map(|soil| format!("Soil_Type{soil}"));
        let quantities = QUANTITIES.map(str::to_owned).into_iter();
        table.names = quantities.chain(areas).chain(soils).collect();
    }
    Ok(table)
}
