//! In which form a server has a metric.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::api::{Form, MAX_OTHER, QueryApi};
use super::response::Metadata;
use crate::error::Result;
use crate::history::enabled::metric_query::{Function, MetricQuery};
use crate::history::enabled::promql::{MetricForm, literal, quoted};
use crate::model::lock;

/// How long the form of a metric is remembered. A server may begin to store native histograms at any time.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The maximum number of forms that are remembered.
const MAX_FORMS: usize = 1024;

/// The forms of metrics that were looked up lately.
#[derive(Debug, Default)]
pub(super) struct MetricForms(Mutex<HashMap<FormKey, (Instant, MetricForm)>>);

/// A metric and the hours, since the Unix epoch, that are searched for its series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FormKey {
    metric: String,
    first_hour: i64,
    last_hour: i64,
}

impl MetricForms {
    /// The form of a query's metric in a time from `start` to `end`, in milliseconds since the Unix epoch. `None` if the
    /// server does not have it.
    pub(super) async fn find(
        &self,
        api: &QueryApi,
        query: &MetricQuery,
        (start, end): (i64, i64),
        until: Instant,
    ) -> Result<Option<MetricForm>> {
        const HOUR: i64 = 3_600_000;
        let key = FormKey {
            metric: query.metric.clone(),
            first_hour: start.div_euclid(HOUR),
            last_hour: end.div_euclid(HOUR),
        };
        if let Some((at, form)) = lock(&self.0).get(&key)
            && at.elapsed() < MAX_AGE
        {
            return Ok(Some(*form));
        }
        let kind = kind(api, &query.metric, until).await;
        let (form, is_certain) = match kind.as_str() {
            "counter" => (Some(MetricForm::Counter), true),
            "gauge" => (Some(MetricForm::Gauge), true),
            _ => {
                let names = names(api, &key, until).await?;
                by_names(&kind, query, &names)
            }
        };
        if let Some(form) = form.filter(|_| is_certain) {
            let mut forms = lock(&self.0);
            if forms.len() >= MAX_FORMS {
                forms.clear();
            }
            forms.insert(key, (Instant::now(), form));
        }
        Ok(form)
    }
}

/// The type of a metric by the server's metadata, which it has of targets that it scrapes now. Empty if it is not known,
/// also if the server does not offer metadata.
async fn kind(api: &QueryApi, metric: &str, until: Instant) -> String {
    // Of a counter, OpenMetrics has the name without its suffix.
    let family = metric.strip_suffix("_total");
    for name in [Some(metric), family].into_iter().flatten() {
        let form = Form::default().with("metric", name);
        let metadata = api.get::<Metadata>("/api/v1/metadata", form, until, MAX_OTHER);
        let metadata = metadata.await;
        let types = metadata.unwrap_or_default().remove(name);
        let mut types = types.into_iter().flatten().map(|it| it.0);
        if let Some(kind) = types.find(|kind| kind != "unknown" && kind != "untyped") {
            return kind;
        }
    }
    String::new()
}

/// The names of the series that a metric may have, and does have.
async fn names(api: &QueryApi, key: &FormKey, until: Instant) -> Result<Vec<String>> {
    let form = Form::default()
        .with("match[]", &series_of(&key.metric))
        .with("start", &(key.first_hour * 3600).to_string())
        .with("end", &(key.last_hour * 3600 + 3600).to_string());
    let path = "/api/v1/label/__name__/values";
    api.get(path, form, until, MAX_OTHER).await
}

/// Selects the series of a metric, in whichever form the server has it.
pub(super) fn series_of(metric: &str) -> String {
    let name = literal(metric);
    let any = quoted(&format!("{name}|{name}_bucket|{name}_count"));
    format!("{{__name__=~{any}}}")
}

/// The form of a metric by the names of its series, and whether it is certain.
fn by_names(kind: &str, query: &MetricQuery, names: &[String]) -> (Option<MetricForm>, bool) {
    use MetricForm::{ClassicHistogram, Counter, Gauge, NativeHistogram};

    let metric = &query.metric;
    let has = |suffix: &str| {
        let mut suffixes = names
            .iter()
            .filter_map(|name| name.strip_prefix(metric.as_str()));
        suffixes.any(|it| it == suffix)
    };
    let (itself, buckets, counts) = (has(""), has("_bucket"), has("_count"));
    match kind {
        // Only a native histogram has series of the metric's own name.
        "histogram" if itself => return (Some(NativeHistogram), true),
        "histogram" | "summary" if buckets || counts => return (Some(ClassicHistogram), true),
        "histogram" | "summary" => return (None, false),
        _ => {}
    }
    let is_total = ["_total", "_count", "_sum", "_bucket"].map(|suffix| metric.ends_with(suffix));
    let form = match query.function {
        _ if itself && is_total.contains(&true) => Counter,
        _ if itself && buckets => NativeHistogram,
        _ if counts => ClassicHistogram,
        _ if !itself => return (None, false),
        Function::Increase | Function::Rate | Function::SumIncrease | Function::Quantile(_) => {
            NativeHistogram
        }
        Function::Last | Function::Mean | Function::Min | Function::Max => Gauge,
    };
    (Some(form), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_from_type_and_names() {
        use MetricForm::*;

        let form = |kind: &str, query: &MetricQuery, names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            by_names(kind, query, &names)
        };
        let rate = MetricQuery::rate("x");
        let classic = ["x_bucket", "x_count"];
        assert_eq!(
            form("histogram", &rate, &["x"]),
            (Some(NativeHistogram), true)
        );
        assert_eq!(
            form("histogram", &rate, &["x", "x_bucket", "x_count"]),
            (Some(NativeHistogram), true)
        );
        assert_eq!(
            form("histogram", &rate, &classic),
            (Some(ClassicHistogram), true)
        );
        assert_eq!(form("histogram", &rate, &[]), (None, false));
        assert_eq!(
            form("summary", &rate, &["x", "x_count"]),
            (Some(ClassicHistogram), true)
        );
        // Without a type.
        assert_eq!(form("", &rate, &classic), (Some(ClassicHistogram), false));
        assert_eq!(form("", &rate, &["x"]), (Some(NativeHistogram), false));
        assert_eq!(
            form("", &MetricQuery::last("x"), &["x"]),
            (Some(Gauge), false)
        );
        assert_eq!(
            form("", &MetricQuery::rate("x_total"), &["x_total"]),
            (Some(Counter), false)
        );
        assert_eq!(
            form("", &MetricQuery::last("x"), &["y", "xx"]),
            (None, false)
        );
    }
}
