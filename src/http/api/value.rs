//! Values of settings as JSON.

use std::borrow::Cow;

use miniserde::Serialize;
use miniserde::json::{self, Number};
use miniserde::ser::{Fragment, Map, Seq};

use crate::config::{Form, Value};

/// Values by their keys, in the order of their table.
pub struct Values(pub Vec<(String, Value)>);

impl Value {
    /// The value of a JSON document; `None` for null, and for a number that no setting has.
    pub fn from_json(found: &json::Value) -> Option<Self> {
        Some(match found {
            json::Value::Null => return None,
            json::Value::Number(Number::U64(number)) => Self::Integer(i64::try_from(*number).ok()?),
            json::Value::Number(Number::I64(number)) => Self::Integer(*number),
            json::Value::Number(Number::F64(number)) => Self::from_f64(*number)?,
            json::Value::Bool(is_on) => Self::Boolean(*is_on),
            json::Value::String(text) => Self::Text(text.clone()),
            json::Value::Array(list) => Self::List(list.iter().map(Self::from_json).collect::<Option<_>>()?),
            json::Value::Object(fields) => {
                let field =
                    |(key, value): (&String, &json::Value)| Some((key.clone(), Self::from_json(value)?));
                Self::Table(fields.iter().map(field).collect::<Option<_>>()?)
            }
        })
    }
}

impl Serialize for Value {
    fn begin(&self) -> Fragment<'_> {
        match self {
            Self::Integer(number) => Fragment::I64(*number),
            Self::Decimal(number) => Fragment::F64(Self::to_f64(*number)),
            Self::Boolean(is_on) => Fragment::Bool(*is_on),
            Self::Text(text) => Fragment::Str(Cow::Borrowed(text)),
            Self::List(list) => Fragment::Seq(Box::new(Entries(list.iter()))),
            Self::Table(entries) => Fragment::Map(Box::new(Fields(entries.iter()))),
        }
    }
}

impl Serialize for Values {
    fn begin(&self) -> Fragment<'_> {
        Fragment::Map(Box::new(Fields(self.0.iter())))
    }
}

/// What values a setting takes, for clients that draw an input for it: `kind`, and the limits that the kind has.
/// `min` and `max` are limits of numbers; of a text `max` is the greatest number of characters.
pub struct Limits {
    /// The kind of value.
    pub kind: &'static str,
    /// The least number.
    pub min: Option<Value>,
    /// The greatest number.
    pub max: Option<Value>,
    /// The words or numbers to choose from.
    pub choices: Vec<Value>,
}

impl Limits {
    /// Those of a form.
    pub fn of(form: &Form) -> Self {
        let plain = |kind| Self { kind, min: None, max: None, choices: Vec::new() };
        let words = |words: Vec<&str>| words.into_iter().map(Value::from).collect();
        match form {
            Form::Integer(range) => Self {
                min: Some((*range.start()).into()),
                max: Some((*range.end()).into()),
                ..plain("integer")
            },
            Form::Decimal(range) => Self {
                min: Some(Value::Decimal(*range.start())),
                max: Some(Value::Decimal(*range.end())),
                ..plain("decimal")
            },
            Form::Boolean => plain("boolean"),
            Form::Choice(choices) => Self { choices: words(choices()), ..plain("choice") },
            Form::Numbers(numbers) => Self {
                choices: numbers.iter().map(|number| Value::from(*number)).collect(),
                ..plain("choice")
            },
            Form::Text(most) | Form::Template(most, _) => {
                Self { max: Some(u32::try_from(*most).unwrap_or(u32::MAX).into()), ..plain("text") }
            }
            Form::Words(choices) => Self { choices: words(choices()), ..plain("list") },
            Form::Texts(..) => plain("list"),
            Form::Polygons | Form::PlainPolygons => plain("polygons"),
            Form::Armed => plain("armed"),
            Form::Zones => plain("zones"),
            Form::FileOnly => plain("text"),
        }
    }

    /// What is known of a setting without a form: a control's limits are its driver's.
    pub fn of_value(value: &Value) -> Self {
        let kind = match value {
            Value::Integer(_) => "integer",
            Value::Decimal(_) => "decimal",
            Value::Boolean(_) => "boolean",
            Value::Text(_) | Value::Table(_) => "text",
            Value::List(_) => "list",
        };
        Self { kind, min: None, max: None, choices: Vec::new() }
    }
}

struct Entries<'v>(std::slice::Iter<'v, Value>);

impl Seq for Entries<'_> {
    fn next(&mut self) -> Option<&dyn Serialize> {
        self.0.next().map(|value| value as &dyn Serialize)
    }
}

struct Fields<'v>(std::slice::Iter<'v, (String, Value)>);

impl Map for Fields<'_> {
    fn next(&mut self) -> Option<(Cow<'_, str>, &dyn Serialize)> {
        let (key, value) = self.0.next()?;
        // A section that is not in use has no values.
        match value {
            Value::Table(entries) if entries.is_empty() => Some((Cow::Borrowed(key.as_str()), &())),
            value => Some((Cow::Borrowed(key.as_str()), value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_from_json_as_it_is_written() {
        for text in [
            "-7",
            "0.25",
            "true",
            "\"a \\\"b\\\"\"",
            "[[[0.1,0.2],[0.4,0.9999]]]",
            r#"[{"name":"door","points":[[0.1,0.2]]}]"#,
        ] {
            let found = json::from_str(text).unwrap();
            assert_eq!(json::to_string(&Value::from_json(&found).expect(text)), text);
        }
        for text in ["null", "[1,null]", "1e300", "18446744073709551615"] {
            assert_eq!(Value::from_json(&json::from_str(text).unwrap()), None, "{text}");
        }
    }

    #[test]
    fn limits_are_those_of_the_form_and_none_without_one() {
        let shown = |limits: Limits| {
            let part = |value: Option<Value>| value.map(|value| value.to_string()).unwrap_or_default();
            format!(
                "{} {} {} {}",
                limits.kind,
                part(limits.min),
                part(limits.max),
                Value::List(limits.choices)
            )
        };
        for (form, expected) in [
            (Form::Integer(1..=240), "integer 1 240 []"),
            (Form::Decimal(1_000..=20_000), "decimal 0.1 2.0 []"),
            (Form::Numbers(&[0, 90]), "choice   [0, 90]"),
            (Form::Choice(|| vec!["a", "b"]), "choice   [\"a\", \"b\"]"),
            (Form::Text(64), "text  64 []"),
        ] {
            assert_eq!(shown(Limits::of(&form)), expected);
        }
        assert_eq!(shown(Limits::of_value(&Value::from(-3))), "integer   []");
    }
}
