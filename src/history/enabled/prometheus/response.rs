//! The JSON of Prometheus's HTTP API. It is read without a tree of its values: that would take several times the size of
//! a response.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::history::enabled::metric_query::{Point, ResultSeries};
use crate::history::enabled::time_range::time_of;

/// The label of a metric's name.
const NAME: &str = "__name__";

/// A response with data of type `T`.
#[derive(Debug)]
pub(super) struct ApiResponse<T> {
    pub(super) status: String,
    pub(super) data: Option<T>,
    pub(super) error_type: String,
    pub(super) error: String,
    pub(super) warnings: Vec<String>,
    /// Whether a cluster has left parts of the result out.
    pub(super) is_partial: bool,
}

/// The data of a query.
#[derive(Debug, Default)]
pub(super) struct QueryData(pub(super) Vec<ResultSeries>);

/// The types of metrics by name.
pub(super) type Metadata = BTreeMap<String, Vec<MetricType>>;

/// The type of a metric.
#[derive(Debug, Default)]
pub(super) struct MetricType(pub(super) String);

/// A series of a query's result.
#[derive(Default)]
struct AnswerSeries {
    labels: BTreeMap<String, String>,
    points: Vec<Point>,
}

/// A float with its time. The API writes floats as texts.
struct JsonPoint(Point);

/// A type that is an object in JSON. Unknown keys are ignored.
trait AnswerObject: Default {
    /// Reads the value of a key. Returns whether the key is known; if it is not, nothing was read.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: AnswerObject> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if !object.read(&key, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(object)
    }
}

fn object<'de, T: AnswerObject, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

impl<T> Default for ApiResponse<T> {
    fn default() -> Self {
        Self {
            status: String::new(),
            data: None,
            error_type: String::new(),
            error: String::new(),
            warnings: Vec::new(),
            is_partial: false,
        }
    }
}

impl<T: for<'a> Deserialize<'a>> AnswerObject for ApiResponse<T> {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "status" => self.status = map.next_value()?,
            "data" => self.data = map.next_value()?,
            "errorType" => self.error_type = map.next_value()?,
            "error" => self.error = map.next_value()?,
            "warnings" => self.warnings = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "isPartial" => self.is_partial = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for ApiResponse<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl AnswerObject for QueryData {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        if key != "result" {
            return Ok(false);
        }
        let series: Vec<AnswerSeries> = map.next_value()?;
        self.0 = series.into_iter().map(AnswerSeries::into_result).collect();
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for QueryData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl AnswerObject for AnswerSeries {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "metric" => self.labels = map.next_value()?,
            "value" => self.points = vec![map.next_value::<JsonPoint>()?.0],
            "values" => {
                let samples: Vec<JsonPoint> = map.next_value()?;
                self.points = samples.into_iter().map(|sample| sample.0).collect();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for AnswerSeries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl AnswerSeries {
    fn into_result(mut self) -> ResultSeries {
        self.labels.remove(NAME);
        ResultSeries::new(self.labels.into_iter().collect(), self.points)
    }
}

impl<'de> Deserialize<'de> for JsonPoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, text) = <(f64, Cow<'_, str>)>::deserialize(deserializer)?;
        let value: f64 = text
            .parse()
            .map_err(|_| D::Error::custom("a value is no number"))?;
        let millis = (seconds * 1000.0).round();
        if !(0.0..1e17).contains(&millis) {
            return Err(D::Error::custom("a time is out of range"));
        }
        Ok(Self(Point::new(time_of(millis as i64), value)))
    }
}

impl AnswerObject for MetricType {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        if key != "type" {
            return Ok(false);
        }
        self.0 = map.next_value()?;
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for MetricType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(json: &str) -> serde_json::Result<ApiResponse<QueryData>> {
        serde_json::from_str(json)
    }

    fn points(values: &[(i64, f64)]) -> Vec<Point> {
        let point = |(millis, value): &(i64, f64)| Point::new(time_of(*millis), *value);
        values.iter().map(point).collect()
    }

    #[test]
    fn vectors_and_matrices_are_read() {
        let response = read(
            r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"x","b":"\"\u00e9\n","a":"1"},"values":[[1435781430.781,"1"],[1435781445,"+Inf"]]},
            {"metric":{},"values":[[1,"1e-07"],[2,"NaN"],[3,"-Inf"]]}]}}"#,
        );
        let response = response.unwrap();
        assert_eq!(response.status, "success");
        let series = response.data.unwrap().0;
        let labels = [("a", "1"), ("b", "\"é\n")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(series[0].labels, labels);
        assert_eq!(
            series[0].points,
            points(&[(1_435_781_430_781, 1.0), (1_435_781_445_000, f64::INFINITY)])
        );
        assert_eq!(series[1].points[0].value, 1e-7);
        assert!(series[1].points[1].value.is_nan());
        // The keys may have any order, and there may be more of them.
        let response = read(
            r#"{"stats":{"a":[{}]},"data":{"result":[{"value":[1,"2"],"histogram":[1,{}],"metric":{}}],"x":null},"status":"success"}"#,
        );
        assert_eq!(
            response.unwrap().data.unwrap().0[0].points,
            points(&[(1000, 2.0)])
        );
    }

    #[test]
    fn errors_and_warnings_are_read() {
        let response = read(
            r#"{"status":"error","data":null,"errorType":"bad_data","error":"no","warnings":["a"],"isPartial":true}"#,
        );
        let response = response.unwrap();
        assert_eq!(
            (response.error_type.as_str(), response.error.as_str()),
            ("bad_data", "no")
        );
        assert!(response.data.is_none() && response.is_partial);
        assert_eq!(response.warnings, ["a"]);
    }

    #[test]
    fn rubbish_is_an_error() {
        for json in [
            "",
            "[]",
            "null",
            "{\"status\":",
            r#"{"status":1}"#,
            r#"{"data":{"result":[1,"2"]}}"#,
            r#"{"data":{"result":[{"value":[1,2]}]}}"#,
            r#"{"data":{"result":[{"value":[1,"x"]}]}}"#,
            r#"{"data":{"result":[{"value":[1e300,"1"]}]}}"#,
            r#"{"data":{"result":[{"value":[-1,"1"]}]}}"#,
            r#"{"data":{"result":[{"value":[1]}]}}"#,
            r#"{"data":{"result":[{"metric":{"a":1}}]}}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&format!("{{\"x\":{deep}")).is_err());
    }

    #[test]
    fn types_are_read() {
        let json = r#"{"status":"success","data":{"x":[{"type":"counter","help":"","unit":""}]}}"#;
        let response: ApiResponse<Metadata> = serde_json::from_str(json).unwrap();
        assert_eq!(response.data.unwrap()["x"][0].0, "counter");
    }

    proptest! {
        #[test]
        fn any_result_is_read(labels in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4),
            values in proptest::collection::vec((0..4_000_000_000_000_i64, any::<f64>()), 0..10)) {
            let samples: Vec<_> = values.iter().map(|(millis, value)| json!([*millis as f64 / 1000.0, value.to_string()])).collect();
            let json = json!({"status": "success", "data": {"result": [{"metric": labels, "values": samples}]}});
            let series = read(&json.to_string()).unwrap().data.unwrap().0;
            let read: Vec<_> = series[0].points.iter().map(|point| (point.at, point.value.to_bits())).collect();
            let nan = |value: f64| if value.is_nan() { f64::NAN } else { value };
            let expected: Vec<_> = values.iter().map(|(millis, value)| (time_of(*millis), nan(*value).to_bits())).collect();
            prop_assert_eq!(read, expected);
            prop_assert_eq!(&series[0].labels, &labels.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[\\[\\]{}:,\"a-z0-9]{0,60}") {
            drop(read(&text));
        }
    }
}
