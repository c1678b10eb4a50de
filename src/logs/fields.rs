//! The fields in the record of an event.

use super::layer::{BOOL, F64, I64, STR, U64};
use crate::model::wire::{Reader, Text};

/// The fields of an event, up to the first that cannot be read, each with what stands for it in `names`.
pub(super) struct Fields<'a, N> {
    pub(super) names: &'a [N],
    pub(super) reader: Reader<'a>,
}

pub(super) enum Value<'a> {
    Str(Text<'a>),
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
}

impl<N> Clone for Fields<'_, N> {
    #[inline]
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, N> Iterator for Fields<'a, N> {
    type Item = (&'a N, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let name = self.names.get(usize::from(self.reader.u8()?))?;
        let value = match self.reader.u8()? {
            STR => Value::Str(self.reader.text()?),
            I64 => Value::I64(self.reader.i64()?),
            U64 => Value::U64(self.reader.u64()?),
            F64 => Value::F64(self.reader.f64()?),
            BOOL => Value::Bool(self.reader.u8()? == 1),
            _ => return None,
        };
        Some((name, value))
    }
}
