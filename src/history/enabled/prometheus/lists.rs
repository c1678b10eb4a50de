//! Which metrics and which values of labels a server has.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::api::{Form, MAX_RESULT, QueryApi};
use super::forms::series_of;
use super::response::Metadata;
use crate::error::Result;
use crate::history::enabled::catalog::{MAX_LISTED, MetricInfo, MetricKind};

/// The metrics whose type and series the server knows.
pub(super) async fn metrics(api: &QueryApi, until: Instant) -> Result<Vec<MetricInfo>> {
    let path = "/api/v1/metadata";
    let metadata: Metadata = api.get(path, Form::default(), until, MAX_RESULT).await?;
    let path = "/api/v1/label/__name__/values";
    let names: BTreeSet<String> = api.get(path, Form::default(), until, MAX_RESULT).await?;
    Ok(listed(&metadata, &names))
}

/// The values of a label in the series of a metric.
pub(super) async fn label_values(
    api: &QueryApi,
    metric: &str,
    label: &str,
    until: Instant,
) -> Result<Vec<String>> {
    // It becomes a part of the path.
    if !is_plain(label) {
        return Ok(Vec::new());
    }
    let form = Form::default().with("match[]", &series_of(metric));
    let path = format!("/api/v1/label/{label}/values");
    let mut values: Vec<String> = api.get(&path, form, until, MAX_RESULT).await?;
    values.sort_unstable();
    values.truncate(MAX_LISTED);
    Ok(values)
}

/// The metrics of the metadata that have series, by the names of these.
fn listed(metadata: &Metadata, names: &BTreeSet<String>) -> Vec<MetricInfo> {
    let has = |name: &str, suffix: &str| names.contains(&format!("{name}{suffix}"));
    let found = metadata.iter().filter_map(|(name, types)| {
        let mut kinds = types.iter().filter_map(|it| kind_of(&it.0));
        let kind = kinds.next()?;
        match kind {
            // Of a counter, OpenMetrics has the name without its suffix.
            MetricKind::Counter if !has(name, "") => {
                has(name, "_total").then(|| MetricInfo::new(format!("{name}_total"), kind))
            }
            MetricKind::Histogram if has(name, "_bucket") => Some(MetricInfo::new(name, kind)),
            _ => has(name, "").then(|| MetricInfo::new(name, kind)),
        }
    });
    let mut found: Vec<MetricInfo> = found.collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found.dedup_by(|one, other| one.name == other.name);
    found.truncate(MAX_LISTED);
    found
}

/// The kind of a type. `None` if no function of a query applies to it.
fn kind_of(name: &str) -> Option<MetricKind> {
    Some(match name {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        _ => return None,
    })
}

fn is_plain(label: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    label.chars().all(is_plain) && !label.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::enabled::prometheus::response::MetricType;

    #[test]
    fn metrics_with_a_type_and_series_are_listed() {
        let metadata = [
            ("c", "counter"),
            ("text_total", "counter"),
            ("g", "gauge"),
            ("native", "histogram"),
            ("classic", "histogram"),
            ("gone", "gauge"),
            ("s", "summary"),
            ("u", "unknown"),
        ];
        let metadata = metadata.map(|(name, kind)| {
            let types = ["unknown", kind].map(|kind| MetricType(kind.to_owned()));
            (name.to_owned(), types.into())
        });
        let names = "c_total text_total g native classic_bucket classic_count s s_sum u";
        let names = names.split(' ').map(str::to_owned).collect();
        let found = listed(&metadata.into(), &names);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.name.as_str(), it.kind.as_str()))
            .collect();
        let expected = [
            ("c_total", "counter"),
            ("classic", "histogram"),
            ("g", "gauge"),
            ("native", "histogram"),
            ("text_total", "counter"),
        ];
        assert_eq!(found, expected);
    }
}
